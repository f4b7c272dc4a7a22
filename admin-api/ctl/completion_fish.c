// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/arguments.h"
#include "admin-api/ctl/completion_value.h"
#include "admin-api/ctl/status.h"
#include "base/buf.h"

static const char head[] =
    "# SPDX-License-Identifier: Apache-2.0\n"
    "# fish completion for meshpulse, made from the program's own tables: meshpulse completion "
    "fish\n"
    "\n"
    "# Is that the command that was typed?  Without an argument: was none?\n"
    "function __meshpulse_is\n"
    "    set -l words (commandline -opc)\n"
    "    for word in $words[2..-1]\n"
    "        string match -q -- '-*' $word; and continue\n"
    "        test \"$word\" = \"$argv[1]\"\n"
    "        return\n"
    "    end\n"
    "    test -z \"$argv[1]\"\n"
    "end\n"
    "\n"
    "complete -c meshpulse -f\n"
    "complete -c meshpulse -n __meshpulse_is -s h -l help -d 'print this help and exit'\n"
    "complete -c meshpulse -n __meshpulse_is -l version -d 'print the version and exit'\n";

// Inside single quotes.
static void write_text(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\') {
            buf_byte(out, '\\');
        }
        buf_byte(out, *text);
    }
}

// " -a '...'", or what else offers such a value.
static void write_offer(const char *value, const struct completion_options *options,
                        struct buf *out)
{
    switch (completion_value_kind(value)) {
    case COMPLETION_FREE:
        break;
    case COMPLETION_WORDS:
        buf_str(out, " -a '");
        completion_value_words(value, out);
        buf_byte(out, '\'');
        break;
    case COMPLETION_FILE:
        buf_str(out, " -F");
        break;
    case COMPLETION_STATUS:
        buf_str(out, " -a '" STATUS_WORDS "'");
        break;
    case COMPLETION_STATUSES:
        buf_str(out, " -a '(__fish_append , " STATUS_WORDS ")'");
        break;
    case COMPLETION_SETTING:
        buf_str(out, " -a '");
        for (size_t i = 0; i < options->setting_count; i++) {
            buf_printf(out, "%s%s=", i > 0 ? " " : "", options->settings[i]);
        }
        buf_byte(out, '\'');
        break;
    case COMPLETION_SERVER:
        buf_str(out, " -a '" COMPLETION_SERVERS "'");
        break;
    }
}

static void write_option(const struct command *command, const struct option *option,
                         const struct completion_options *options, struct buf *out)
{
    buf_printf(out, "complete -c meshpulse -n '__meshpulse_is %s'", command->name);
    if (option->letter != 0) {
        buf_printf(out, " -s %c", option->letter);
    }
    buf_printf(out, " -l %s", option->name);
    if (option->value != NULL) {
        bool file = completion_value_kind(option->value) == COMPLETION_FILE;
        buf_str(out, file ? " -r" : " -x");
        write_offer(option->value, options, out);
    }
    buf_str(out, " -d '");
    write_text(option->help, out);
    buf_str(out, "'\n");
}

static void write_command(const struct command *command, const struct completion_options *options,
                          struct buf *out)
{
    buf_printf(out, "\ncomplete -c meshpulse -n __meshpulse_is -a %s -d '", command->name);
    write_text(command->help, out);
    buf_str(out, "'\n");
    for (size_t id = 0; id < OPTION_COUNT; id++) {
        if (completion_value_takes(command, id)) {
            write_option(command, &option_table[id], options, out);
        }
    }
    for (size_t i = 0; i < command->operands_max; i++) {
        char operand[ARGUMENTS_OPERAND_LEN];
        arguments_operand(command, i, operand);
        if (completion_value_kind(operand) != COMPLETION_FREE) {
            buf_printf(out, "complete -c meshpulse -n '__meshpulse_is %s'", command->name);
            write_offer(operand, options, out);
            buf_byte(out, '\n');
        }
    }
}

void completion_fish(const struct completion_options *options, struct buf *out)
{
    buf_str(out, head);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        write_command(&command_table[i], options, out);
    }
}
