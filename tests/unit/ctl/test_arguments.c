// SPDX-License-Identifier: Apache-2.0
// A row is a command line as words and what comes out of it, written as one line: the command, then each
// option as id=value, then each operand in brackets; or "! " and the beginning of what is wrong.
#include "admin-api/ctl/arguments.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>

struct row {
    const char *line; // words parted by one space
    const char *want;
};

static int split(char *line, char **argv, int max)
{
    int argc = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        ck_assert_int_lt(argc, max);
        argv[argc++] = word;
    }
    return argc;
}

static void describe(const struct arguments *arguments, char *out, size_t cap)
{
    size_t len = 0;
    const char *name = arguments->command != NULL ? arguments->command->name : "-";
    len += (size_t)snprintf(out + len, cap - len, "%s", name);
    for (size_t i = 0; i < arguments->given_count; i++) {
        const struct arguments_given *given = &arguments->given[i];
        len += (size_t)snprintf(out + len, cap - len, " %s=%s", option_table[given->id].name,
                                given->value);
    }
    for (size_t i = 0; i < arguments->operand_count; i++) {
        len += (size_t)snprintf(out + len, cap - len, " [%s]", arguments->operands[i]);
    }
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char line[512];
        char *argv[32];
        (void)snprintf(line, sizeof(line), "meshpulse %s", rows[i].line);
        int argc = split(line, argv, 32);
        struct arguments arguments;
        struct arguments_problem problem;
        char got[1024];
        if (arguments_parse(argc, argv, &arguments, &problem) == ERR_OK) {
            describe(&arguments, got, sizeof(got));
            ck_assert_msg(strcmp(got, rows[i].want) == 0, "%s: %s", rows[i].line, got);
        } else {
            const char *want = rows[i].want;
            bool same = want[0] == '!' && strncmp(problem.text, want + 2, strlen(want + 2)) == 0;
            ck_assert_msg(same, "%s: %s", rows[i].line, problem.text);
        }
    }
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

TEST(a_value_stands_behind_a_space_or_an_equals_sign)
{
    static const struct row rows[] = {
        {"get --server unix:/x pay", "get server=unix:/x [pay]"},
        {"get --server=unix:/x pay", "get server=unix:/x [pay]"},
        {"get --server=a=b", "get server=a=b"},
        {"get --server=", "get server="},
        {"get -o json", "get output=json"},
        {"get -ojson", "get output=json"},
        {"get -o=json", "get output=json"},
        {"get -qvo json", "get quiet= verbose= output=json"},
        {"serve -c f --set a.b=c --set d.e=f", "serve config=f set=a.b=c set=d.e=f"},
        {"report pay/1 HEALTHY --text -1", "report text=-1 [pay/1] [HEALTHY]"},
        {"get --server", "! --server needs a value: URL|unix:PATH"},
        {"get --watch=1", "! --watch takes no value"},
    };
    CHECK_ROWS(rows);
}

TEST(options_may_stand_anywhere_until_two_dashes)
{
    static const struct row rows[] = {
        {"-o json get pay", "get output=json [pay]"},
        {"--server x get pay --watch", "get server=x watch= [pay]"},
        {"get -- --watch", "get [--watch]"},
        {"get -- --", "get [--]"},
        {"get -", "get [-]"},
        {"-- get pay", "get [pay]"},
    };
    CHECK_ROWS(rows);
}

TEST(each_command_takes_its_own_options_only)
{
    static const struct row rows[] = {
        {"get --lease 1s", "! unknown option \"--lease\"; allowed: --help --version --server"},
        {"get --if-match 1", "! unknown option \"--if-match\""},
        {"serve --server x",
         "! unknown option \"--server\"; allowed: --help --version --config --set"},
        {"get -x", "! unknown option \"-x\""},
        {"get ---h", "! unknown option \"---h\""},
        {"--nonsense get", "! unknown option \"--nonsense\"; allowed: --help --version"},
        {"demo -o json", "demo output=json"},
        {"demo -o wide", "! --output: \"wide\" is not one of table|json"},
        {"-o wide demo", "! --output: \"wide\" is not one of table|json"},
        {"get -o xml", "! --output: \"xml\" is not one of table|wide|json|jsonl|name"},
        {"get -o tab", "! --output: \"tab\" is not one of"},
        {"get --output=", "! --output: \"\" is not one of"},
        {"delete a/b --ack later", "! --ack: \"later\" is not one of local|stream"},
    };
    CHECK_ROWS(rows);
}

TEST(operands_are_counted)
{
    static const struct row rows[] = {
        {"", "! no command; allowed: serve demo check-config forget"},
        {"fetch", "! unknown command \"fetch\"; allowed: serve"},
        {"get a b", "! unexpected \"b\"; allowed: [SERVICE[/INSTANCE]]"},
        {"nodes a", "! unexpected \"a\"; allowed: options only"},
        {"report a/b", "! missing operand; usage: meshpulse report SERVICE/INSTANCE STATUS"},
        {"check-config", "! missing operand"},
        {"check-config f", "check-config [f]"},
    };
    CHECK_ROWS(rows);
}

TEST(help_needs_nothing_else)
{
    static const struct row rows[] = {
        {"--help", "- help="},       {"-h", "- help="},           {"report --help", "report help="},
        {"serve -h", "serve help="}, {"--version", "- version="},
    };
    CHECK_ROWS(rows);
}

TEST(the_last_of_two_values_holds)
{
    char line[] = "meshpulse get --tenant a --tenant b";
    char *argv[8];
    CHECK_EQ(split(line, argv, 8), 6);
    struct arguments arguments;
    struct arguments_problem problem;
    CHECK_OK(arguments_parse(6, argv, &arguments, &problem));
    CHECK_STR(arguments_value(&arguments, OPTION_TENANT), "b");
    CHECK(!arguments_has(&arguments, OPTION_SERVER));
}

TEST(too_many_options_are_refused)
{
    char *argv[ARGUMENTS_GIVEN_MAX + 3];
    char line[] = "meshpulse get -q";
    CHECK_EQ(split(line, argv, 3), 3);
    for (size_t i = 3; i < ARGUMENTS_GIVEN_MAX + 3; i++) {
        argv[i] = argv[2];
    }
    struct arguments arguments;
    struct arguments_problem problem;
    CHECK_OK(arguments_parse(ARGUMENTS_GIVEN_MAX + 2, argv, &arguments, &problem));
    CHECK_EQ(arguments_parse(ARGUMENTS_GIVEN_MAX + 3, argv, &arguments, &problem), ERR_INVALID);
}

SUITE("ctl/arguments", T(a_value_stands_behind_a_space_or_an_equals_sign),
      T(options_may_stand_anywhere_until_two_dashes), T(each_command_takes_its_own_options_only),
      T(operands_are_counted), T(help_needs_nothing_else), T(the_last_of_two_values_holds),
      T(too_many_options_are_refused));
