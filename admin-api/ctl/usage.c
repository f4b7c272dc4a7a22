// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/usage.h"

#include "admin-api/ctl/arguments.h"

#include <string.h>

#define COLUMN 28 // where the explanations begin
#define WIDTH 100

// `text` in lines that begin at COLUMN.
static void print_wrapped(FILE *out, const char *text)
{
    size_t at = COLUMN;
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        if (at > COLUMN && at + 1 + len > WIDTH) {
            fprintf(out, "\n%*s", COLUMN, "");
            at = COLUMN;
        }
        bool first = at == COLUMN;
        fprintf(out, "%s%.*s", first ? "" : " ", (int)len, text);
        at += len + !first;
        text += len;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_row(FILE *out, const char *left, const char *help)
{
    int len = fprintf(out, "  %s", left);
    if (len > COLUMN - 2) {
        fprintf(out, "\n%*s", COLUMN, "");
    } else {
        fprintf(out, "%*s", COLUMN - len, "");
    }
    print_wrapped(out, help);
}

static void print_option(FILE *out, const struct option *option)
{
    char left[96];
    char letter[8] = "";
    if (option->letter != 0) {
        (void)snprintf(letter, sizeof(letter), "-%c, ", option->letter);
    }
    (void)snprintf(left, sizeof(left), "%s--%s%s%s", letter, option->name,
                   option->value != NULL ? " " : "", option->value != NULL ? option->value : "");
    print_row(out, left, option->help);
}

static void print_options(FILE *out, const struct command *command)
{
    fputs("\noptions:\n", out);
    for (size_t id = 0; id < OPTION_COUNT; id++) {
        if ((command->options >> id & 1) != 0) {
            print_option(out, &option_table[id]);
        }
    }
}

// As many to a line as fit.
static void print_exits(FILE *out)
{
    static const struct {
        int status;
        const char *meaning;
    } rows[] = {
#define EXIT(name, status, meaning) {status, meaning},
#include "admin-api/ctl/exits.def"
#undef EXIT
    };
    const int count = (int)(sizeof(rows) / sizeof(rows[0]));
    int at = fprintf(out, "exit:");
    for (int i = 0; i < count; i++) {
        char word[64];
        int len = snprintf(word, sizeof(word), " %d %s%s", rows[i].status, rows[i].meaning,
                           i + 1 < count ? "," : "");
        if (at + len > WIDTH) {
            at = fprintf(out, "\n     ") - 1;
        }
        at += fprintf(out, "%s", word);
    }
    fputc('\n', out);
}

static void print_program(FILE *out)
{
    fputs("usage: meshpulse COMMAND [OPTION]... [OPERAND]...\n\ncommands:\n", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char left[96];
        (void)snprintf(left, sizeof(left), "%s %s", command_table[i].name,
                       command_table[i].operands);
        print_row(out, left, command_table[i].help);
    }
    fputs("\nThe client's commands (get to status) talk to the admin API of a daemon.\n"
          "meshpulse COMMAND --help lists the options of a command.\n\n",
          out);
    print_exits(out);
}

void usage_print(FILE *out, const struct command *command)
{
    if (command == NULL) {
        print_program(out);
        return;
    }
    fprintf(out, "usage: meshpulse %s [OPTION]...%s%s\n\n%s\n", command->name,
            command->operands[0] != '\0' ? " " : "", command->operands, command->help);
    print_options(out, command);
}
