// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/arguments.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert(OPTION_COUNT <= 64, "the options of a command are bits of a uint64_t");

const struct option option_table[OPTION_COUNT] = {
#define OPTION(id, letter, name, value, help) [OPTION_##id] = {letter, name, value, help},
#include "admin-api/ctl/options.def"
#undef OPTION
};

#define OF(id) (1ULL << OPTION_##id)
#define OF_CALLER                                                                                  \
    (OF(SERVER) | OF(TENANT) | OF(TIMEOUT) | OF(TOKEN_FILE) | OF(CACERT) | OF(CERT) | OF(KEY) |    \
     OF(VERBOSE))
#define OF_READER (OF_CALLER | OF(OUTPUT) | OF(NO_HEADERS) | OF(QUIET))
#define OF_WRITER (OF_READER | OF(IF_MATCH) | OF(ACK))
#define OF_ALL (OF(HELP) | OF(VERSION))

const uint64_t arguments_shared_options = OF_WRITER;

const struct command command_table[COMMAND_COUNT] = {
#define COMMAND(id, name, who, operands, min, max, options, help)                                  \
    [COMMAND_##                                                                                    \
        id] = {COMMAND_##id, name, COMMAND_##who, operands, min, max, OF_ALL | (options), help},
#include "admin-api/ctl/commands.def"
#undef COMMAND
};

struct parser {
    int argc;
    char *const *argv;
    int next;
    bool ended; // "--" was seen
    bool command_seen;
    struct arguments *arguments;
    struct arguments_problem *problem;
};

static enum err refuse(struct arguments_problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum err refuse(struct arguments_problem *problem, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)vsnprintf(problem->text, sizeof(problem->text), format, list);
    va_end(list);
    return ERR_INVALID;
}

// Appends to the text of a problem; what does not fit is cut.
static void add(struct arguments_problem *problem, const char *word)
{
    size_t len = strlen(problem->text);
    (void)snprintf(problem->text + len, sizeof(problem->text) - len, " %s", word);
}

static bool takes(const struct command *command, size_t id)
{
    return command == NULL || (command->options >> id & 1) != 0;
}

// Before the command is known every option counts; those that share a spelling also share whether they
// take a value.
static const struct option *find_option(const struct command *command, char letter,
                                        const char *name, size_t len)
{
    for (size_t id = 0; id < OPTION_COUNT; id++) {
        const struct option *option = &option_table[id];
        bool same = letter != 0
                        ? option->letter == letter
                        : strlen(option->name) == len && memcmp(option->name, name, len) == 0;
        if (same && takes(command, id)) {
            return option;
        }
    }
    return NULL;
}

static enum err refuse_option(struct arguments_problem *problem, const char *dashes,
                              const char *name, size_t len)
{
    const struct command *command = problem->command;
    (void)refuse(problem, "unknown option \"%s%.*s\"; allowed:", dashes, (int)len, name);
    for (size_t id = 0; id < OPTION_COUNT; id++) {
        char spelled[64];
        (void)snprintf(spelled, sizeof(spelled), "--%s", option_table[id].name);
        if (command != NULL ? takes(command, id) : (OF_ALL >> id & 1) != 0) {
            add(problem, spelled);
        }
    }
    return ERR_INVALID;
}

// Is `value` one of the words of "a|b|c"?
static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *word = choices; word != NULL;) {
        const char *bar = strchr(word, '|');
        size_t word_len = bar != NULL ? (size_t)(bar - word) : strlen(word);
        if (word_len == len && memcmp(word, value, len) == 0) {
            return true;
        }
        word = bar != NULL ? bar + 1 : NULL;
    }
    return false;
}

// A closed list is written in lower case; "URL|unix:PATH" only shows two forms.
bool arguments_is_closed(const char *value)
{
    return strchr(value, '|') != NULL && strpbrk(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL;
}

static enum err give(struct parser *parser, const struct option *option, const char *value)
{
    struct arguments *arguments = parser->arguments;
    if (value != NULL && option->value != NULL && arguments_is_closed(option->value) &&
        !is_choice(option->value, value)) {
        return refuse(parser->problem, "--%s: \"%s\" is not one of %s", option->name, value,
                      option->value);
    }
    if (arguments->given_count == ARGUMENTS_GIVEN_MAX) {
        return refuse(parser->problem, "more than %d options", ARGUMENTS_GIVEN_MAX);
    }
    struct arguments_given *given = &arguments->given[arguments->given_count++];
    given->id = (enum option_id)(option - option_table);
    given->value = value != NULL ? value : "";
    return ERR_OK;
}

// The value of an option that needs one: what is attached to it, else the next argument.
static enum err take_value(struct parser *parser, const struct option *option, const char *attached)
{
    if (attached != NULL) {
        return give(parser, option, attached);
    }
    if (parser->next == parser->argc) {
        return refuse(parser->problem, "--%s needs a value: %s", option->name, option->value);
    }
    return give(parser, option, parser->argv[parser->next++]);
}

static enum err take_long(struct parser *parser, const char *argument)
{
    const char *name = argument + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct option *option = find_option(parser->problem->command, 0, name, len);
    if (option == NULL) {
        return refuse_option(parser->problem, "--", name, len);
    }
    if (option->value != NULL) {
        return take_value(parser, option, equals != NULL ? equals + 1 : NULL);
    }
    if (equals != NULL) {
        return refuse(parser->problem, "--%s takes no value", option->name);
    }
    return give(parser, option, NULL);
}

// "-q", "-qv", "-o json", "-ojson", "-o=json".
static enum err take_letters(struct parser *parser, const char *argument)
{
    for (const char *at = argument + 1; *at != '\0'; at++) {
        const struct option *option = find_option(parser->problem->command, *at, NULL, 0);
        if (option == NULL) {
            return refuse_option(parser->problem, "-", at, 1);
        }
        if (option->value != NULL) {
            const char *rest = at + 1 + (at[1] == '=');
            return take_value(parser, option, at[1] != '\0' ? rest : NULL);
        }
        enum err err = give(parser, option, NULL);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(command_table[i].name, name) == 0) {
            return &command_table[i];
        }
    }
    return NULL;
}

void arguments_operand(const struct command *command, size_t index,
                       char ret_operand[ARGUMENTS_OPERAND_LEN])
{
    const char *word = command->operands;
    for (size_t i = 0; i < index && *word != '\0'; i++) {
        word += strcspn(word, " ");
        word += strspn(word, " ");
    }
    size_t len = strcspn(word, " ");
    if (len > 1 && word[0] == '[' && word[len - 1] == ']') {
        word++;
        len -= 2;
    }
    (void)snprintf(ret_operand, ARGUMENTS_OPERAND_LEN, "%.*s", (int)len, word);
}

static enum err take_operand(struct parser *parser, const char *operand)
{
    struct arguments *arguments = parser->arguments;
    if (!parser->command_seen) {
        parser->command_seen = true;
        arguments->command = find_command(operand);
        if (arguments->command != NULL) {
            return ERR_OK;
        }
        (void)refuse(parser->problem, "unknown command \"%s\"; allowed:", operand);
        for (size_t i = 0; i < COMMAND_COUNT; i++) {
            add(parser->problem, command_table[i].name);
        }
        return ERR_INVALID;
    }
    if (arguments->operand_count == arguments->command->operands_max) {
        const char *operands = arguments->command->operands;
        return refuse(parser->problem, "unexpected \"%s\"; allowed: %s", operand,
                      operands[0] != '\0' ? operands : "options only");
    }
    char want[ARGUMENTS_OPERAND_LEN];
    arguments_operand(arguments->command, arguments->operand_count, want);
    if (arguments_is_closed(want) && !is_choice(want, operand)) {
        return refuse(parser->problem, "\"%s\" is not one of %s", operand, want);
    }
    arguments->operands[arguments->operand_count++] = operand;
    return ERR_OK;
}

static enum err take_all(struct parser *parser)
{
    enum err err = ERR_OK;
    while (err == ERR_OK && parser->next < parser->argc) {
        const char *argument = parser->argv[parser->next++];
        bool is_option = !parser->ended && argument[0] == '-' && argument[1] != '\0';
        if (!is_option) {
            err = take_operand(parser, argument);
        } else if (argument[1] != '-') {
            err = take_letters(parser, argument);
        } else if (argument[2] != '\0') {
            err = take_long(parser, argument);
        } else {
            parser->ended = true;
        }
    }
    return err;
}

// Options before the command can only be understood when the command is known: so the arguments are read
// twice, first with every option of the program.
static enum err pass(int argc, char *const argv[], struct arguments *ret_arguments,
                     struct arguments_problem *problem)
{
    memset(ret_arguments, 0, sizeof(*ret_arguments));
    ret_arguments->program = argc > 0 ? argv[0] : "meshpulse";
    struct parser parser = {
        .argc = argc, .argv = argv, .next = 1, .arguments = ret_arguments, .problem = problem};
    return take_all(&parser);
}

static enum err check_operands(const struct arguments *arguments, struct arguments_problem *problem)
{
    const struct command *command = arguments->command;
    if (arguments_has(arguments, OPTION_HELP) || arguments_has(arguments, OPTION_VERSION)) {
        return ERR_OK;
    }
    if (command == NULL) {
        (void)refuse(problem, "no command; allowed:");
        for (size_t i = 0; i < COMMAND_COUNT; i++) {
            add(problem, command_table[i].name);
        }
        return ERR_INVALID;
    }
    if (arguments->operand_count < command->operands_min) {
        return refuse(problem, "missing operand; usage: meshpulse %s %s", command->name,
                      command->operands);
    }
    return ERR_OK;
}

enum err arguments_parse(int argc, char *const argv[], struct arguments *ret_arguments,
                         struct arguments_problem *ret_problem)
{
    memset(ret_problem, 0, sizeof(*ret_problem));
    enum err err = pass(argc, argv, ret_arguments, ret_problem);
    if (ret_arguments->command != NULL) {
        memset(ret_problem, 0, sizeof(*ret_problem));
        ret_problem->command = ret_arguments->command;
        err = pass(argc, argv, ret_arguments, ret_problem);
    }
    return err != ERR_OK ? err : check_operands(ret_arguments, ret_problem);
}

const char *arguments_value(const struct arguments *arguments, enum option_id id)
{
    for (size_t i = arguments->given_count; i > 0; i--) {
        if (arguments->given[i - 1].id == id) {
            return arguments->given[i - 1].value;
        }
    }
    return NULL;
}
