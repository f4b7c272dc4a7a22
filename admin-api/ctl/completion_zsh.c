// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/arguments.h"
#include "admin-api/ctl/completion_value.h"
#include "admin-api/ctl/status.h"
#include "base/buf.h"

#include <string.h>

static const char head[] =
    "#compdef meshpulse\n"
    "# SPDX-License-Identifier: Apache-2.0\n"
    "# zsh completion for meshpulse, made from the program's own tables: meshpulse completion zsh\n"
    "\n"
    "(( $+functions[_meshpulse_statuses] )) || _meshpulse_statuses() {\n"
    "    _values -s , status " STATUS_WORDS "\n"
    "}\n"
    "\n"
    "(( $+functions[_meshpulse_servers] )) || _meshpulse_servers() {\n"
    "    compadd -S '' -- " COMPLETION_SERVERS "\n"
    "}\n"
    "\n";

static const char tail[] = "    *) _default ;;\n"
                           "    esac\n"
                           "}\n"
                           "\n"
                           "if [[ $funcstack[1] == _meshpulse ]]; then\n"
                           "    _meshpulse \"$@\"\n"
                           "else\n"
                           "    compdef _meshpulse meshpulse\n"
                           "fi\n";

// For the inside of single quotes, in a specification of _arguments or _describe.
static void write_text(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            buf_str(out, "'\\''");
            continue;
        }
        if (strchr("[]:\\", *text) != NULL) {
            buf_byte(out, '\\');
        }
        buf_byte(out, *text);
    }
}

// ":message:action"
static void write_value(const char *value, struct buf *out)
{
    enum completion_kind kind = completion_value_kind(value);
    buf_byte(out, ':');
    write_text(value, out);
    buf_byte(out, ':');
    switch (kind) {
    case COMPLETION_FREE:
        buf_byte(out, ' ');
        break;
    case COMPLETION_WORDS:
        buf_byte(out, '(');
        completion_value_words(value, out);
        buf_byte(out, ')');
        break;
    case COMPLETION_FILE:
        buf_str(out, "_files");
        break;
    case COMPLETION_STATUS:
        buf_str(out, "(" STATUS_WORDS ")");
        break;
    case COMPLETION_STATUSES:
        buf_str(out, "_meshpulse_statuses");
        break;
    case COMPLETION_SETTING:
        buf_str(out, "_meshpulse_settings");
        break;
    case COMPLETION_SERVER:
        buf_str(out, "_meshpulse_servers");
        break;
    }
}

static void write_option(const struct option *option, struct buf *out)
{
    bool repeated = strstr(option->help, "may be repeated") != NULL;
    const char *equals = option->value != NULL ? "=" : "";
    const char *plus = option->value != NULL ? "+" : "";
    buf_str(out, " \\\n            ");
    if (option->letter != 0 && !repeated) {
        buf_printf(out, "'(-%c --%s)'{-%c%s,--%s%s}'[", option->letter, option->name,
                   option->letter, plus, option->name, equals);
    } else {
        buf_printf(out, "'%s--%s%s[", repeated ? "*" : "", option->name, equals);
    }
    write_text(option->help, out);
    buf_byte(out, ']');
    if (option->value != NULL) {
        write_value(option->value, out);
    }
    buf_byte(out, '\'');
}

static void write_command(const struct command *command, struct buf *out)
{
    buf_printf(out, "    %s)\n        _arguments -s -S", command->name);
    for (size_t id = 0; id < OPTION_COUNT; id++) {
        if (completion_value_takes(command, id)) {
            write_option(&option_table[id], out);
        }
    }
    for (size_t i = 0; i < command->operands_max; i++) {
        char operand[ARGUMENTS_OPERAND_LEN];
        arguments_operand(command, i, operand);
        buf_printf(out, " \\\n            '%zu%s", i + 1, i < command->operands_min ? "" : ":");
        write_value(operand, out);
        buf_byte(out, '\'');
    }
    buf_str(out, "\n        ;;\n");
}

static void write_settings(const struct completion_options *options, struct buf *out)
{
    buf_str(out, "(( $+functions[_meshpulse_settings] )) || _meshpulse_settings() {\n"
                 "    compadd -S = --");
    for (size_t i = 0; i < options->setting_count; i++) {
        buf_printf(out, " \\\n        %s", options->settings[i]);
    }
    buf_str(out, "\n}\n\n");
}

void completion_zsh(const struct completion_options *options, struct buf *out)
{
    buf_str(out, head);
    write_settings(options, out);
    buf_str(out, "_meshpulse() {\n    local curcontext=$curcontext state line ret=1\n"
                 "    typeset -A opt_args\n    local -a commands=(\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        buf_printf(out, "        '%s:", command_table[i].name);
        write_text(command_table[i].help, out);
        buf_str(out, "'\n");
    }
    buf_str(out, "    )\n"
                 "    _arguments -C '(- *)'{-h,--help}'[print this help and exit]' \\\n"
                 "        '(- *)--version[print the version and exit]' \\\n"
                 "        '1:command:->command' '*::argument:->argument' && ret=0\n"
                 "    if [[ $state == command ]]; then\n"
                 "        _describe -t commands command commands\n"
                 "        return\n"
                 "    fi\n"
                 "    [[ $state == argument ]] || return ret\n"
                 "    curcontext=\"${curcontext%:*:*}:meshpulse-$words[1]:\"\n"
                 "    case $words[1] in\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        write_command(&command_table[i], out);
    }
    buf_str(out, tail);
}
