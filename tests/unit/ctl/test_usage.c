// SPDX-License-Identifier: Apache-2.0
// Prints help into memory and looks for what must stand in it.
#include "admin-api/ctl/arguments.h"
#include "admin-api/ctl/usage.h"
#include "tests/lib/suite.h"

#include <string.h>

static char text[16384];

static void print(const struct command *command)
{
    memset(text, 0, sizeof(text));
    FILE *out = fmemopen(text, sizeof(text) - 1, "w");
    ck_assert_ptr_nonnull(out);
    usage_print(out, command);
    (void)fclose(out);
}

static void check_lines_fit(void)
{
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        ck_assert_msg(strcspn(line, "\n") <= 100, "%.*s", (int)strcspn(line, "\n"), line);
    }
}

TEST(the_help_of_the_program_lists_every_command)
{
    print(NULL);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char want[128];
        (void)snprintf(want, sizeof(want), "\n  %s ", command_table[i].name);
        ck_assert_msg(strstr(text, want) != NULL, "%s", command_table[i].name);
        ck_assert_msg(strstr(text, command_table[i].operands) != NULL, "%s", command_table[i].name);
    }
    check_lines_fit();
}

TEST(the_help_of_a_command_lists_its_options_and_no_others)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        print(&command_table[i]);
        for (size_t id = 0; id < OPTION_COUNT; id++) {
            const struct option *option = &option_table[id];
            char want[128];
            (void)snprintf(want, sizeof(want), "--%s %s", option->name,
                           option->value != NULL ? option->value : "");
            bool there = strstr(text, want) != NULL;
            bool taken = (command_table[i].options >> id & 1) != 0;
            ck_assert_msg(there == taken, "%s %s", command_table[i].name, want);
        }
        check_lines_fit();
    }
}

SUITE("ctl/usage", T(the_help_of_the_program_lists_every_command),
      T(the_help_of_a_command_lists_its_options_and_no_others));
