// SPDX-License-Identifier: Apache-2.0
// The command line, read by two tables: commands.def (what there is) and options.def (what it takes).
//
//     argv --arguments_parse--> command + options given + operands      or one line of what is wrong
//
// Invariant: what comes out is well-formed for its command: known options only, each with its value, a
// value out of the closed list where there is one, and as many operands as the command takes.
// Options may stand anywhere, also before the command; `--x v` and `--x=v`; `--` ends them.
// Pure, any thread; everything is *borrowed* from argv.  Read next: usage.h, ctl.h.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_SOCKET_DEFAULT "/run/meshpulse/admin.sock"
#define CLIENT_URL_DEFAULT "http://127.0.0.1:9810"

enum option_id {
#define OPTION(id, letter, name, value, help) OPTION_##id,
#include "admin-api/ctl/options.def"
#undef OPTION
    OPTION_COUNT
};

enum command_id {
#define COMMAND(id, name, who, operands, min, max, options, help) COMMAND_##id,
#include "admin-api/ctl/commands.def"
#undef COMMAND
    COMMAND_COUNT
};

enum command_who { COMMAND_CLIENT, COMMAND_LOCAL, COMMAND_NODE };

struct option {
    char letter;       // 0: none
    const char *name;  // without the dashes
    const char *value; // NULL: takes none
    const char *help;
};

struct command {
    enum command_id id;
    const char *name;
    enum command_who who;
    const char *operands;
    size_t operands_min, operands_max;
    uint64_t options; // bit 1 << enum option_id
    const char *help;
};

extern const struct option option_table[OPTION_COUNT];
extern const struct command command_table[COMMAND_COUNT];

#define ARGUMENTS_GIVEN_MAX 256
#define ARGUMENTS_OPERANDS_MAX 4

struct arguments_given {
    enum option_id id;
    const char *value; // "" for an option without a value
};

struct arguments {
    const struct command *command; // NULL: none was named
    const char *program;           // argv[0]
    struct arguments_given given[ARGUMENTS_GIVEN_MAX];
    size_t given_count;
    const char *operands[ARGUMENTS_OPERANDS_MAX];
    size_t operand_count;
};

struct arguments_problem {
    const struct command *command; // in whose arguments; NULL: before one was known
    char text[512];                // what is wrong, and what is allowed
};

// ERR_INVALID: *ret_problem says why, and *ret_arguments is not to be used.  Where --help or --version was
// given nothing else is judged but the options themselves.
enum err arguments_parse(int argc, char *const argv[], struct arguments *ret_arguments,
                         struct arguments_problem *ret_problem) MUST_USE;

// Is `value` of an option, or an operand, one of the words of "a|b|c" and no other?
bool arguments_is_closed(const char *value);

// The operand at `index` as the usage writes it, without the brackets of one that may be left out; "" beyond
// the last.
#define ARGUMENTS_OPERAND_LEN 48
void arguments_operand(const struct command *command, size_t index,
                       char ret_operand[ARGUMENTS_OPERAND_LEN]);

// The options that many commands share: who and how the daemon is asked.  Bits as in struct command.
extern const uint64_t arguments_shared_options;

// The last value given; NULL when the option was not given.
const char *arguments_value(const struct arguments *arguments, enum option_id id);
static inline bool arguments_has(const struct arguments *arguments, enum option_id id)
{
    return arguments_value(arguments, id) != NULL;
}
