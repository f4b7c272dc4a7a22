// SPDX-License-Identifier: Apache-2.0
// Needs bash 4.4 and nothing else: where the package bash-completion is missing the file can be sourced.
#include "admin-api/ctl/arguments.h"
#include "admin-api/ctl/completion_value.h"
#include "admin-api/ctl/status.h"
#include "base/buf.h"

// Bash parts words at "=" and ":" as well: `--set a=b` comes as four words, `unix:/x` as three.
static const char head[] =
    "# SPDX-License-Identifier: Apache-2.0\n"
    "# bash completion for meshpulse, made from the program's own tables: meshpulse completion "
    "bash\n"
    "\n"
    "_meshpulse_words() {\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\")\n"
    "}\n"
    "\n"
    "# Words to which something is added at once.\n"
    "_meshpulse_beginnings() {\n"
    "    compopt -o nospace 2>/dev/null\n"
    "    _meshpulse_words \"$1\"\n"
    "}\n"
    "\n"
    "_meshpulse_files() {\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "}\n"
    "\n"
    "# In either case; with $1 set also behind a comma.\n"
    "_meshpulse_statuses() {\n"
    "    local prefix='' last=${cur^^}\n"
    "    if [[ -n ${1-} ]]; then\n"
    "        compopt -o nospace 2>/dev/null\n"
    "        [[ $last == *,* ]] && prefix=${last%,*},\n"
    "        last=${last##*,}\n"
    "    fi\n"
    "    mapfile -t COMPREPLY < <(compgen -P \"$prefix\" -W '" STATUS_WORDS "' -- \"$last\")\n"
    "}\n"
    "\n";

static const char before[] =
    "_meshpulse() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local command='' skip='' options='' operand='' word i\n"
    "    local -i operands=0\n"
    "    COMPREPLY=()\n"
    "    if [[ $cur == '=' ]]; then\n"
    "        cur=''\n"
    "    elif [[ $prev == '=' ]]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        case $word in\n"
    "        [=:]*) skip=yes ;;\n"
    "        *)\n"
    "            if [[ -n $skip ]]; then\n"
    "                skip=''\n"
    "                continue\n"
    "            fi\n"
    "            case $word in\n";

static const char after[] = "            -*) ;;\n"
                            "            *)\n"
                            "                if [[ -z $command ]]; then\n"
                            "                    command=$word\n"
                            "                else\n"
                            "                    operands+=1\n"
                            "                fi\n"
                            "                ;;\n"
                            "            esac\n"
                            "            ;;\n"
                            "        esac\n"
                            "    done\n"
                            "    case $command in\n";

static const char tail[] = "    *) return ;;\n"
                           "    esac\n"
                           "    if [[ $cur == -* ]]; then\n"
                           "        _meshpulse_words \"$options\"\n"
                           "        return\n"
                           "    fi\n"
                           "    case $operand in\n"
                           "    '') _meshpulse_words \"$options\" ;;\n"
                           "    free) ;;\n"
                           "    file) _meshpulse_files ;;\n"
                           "    status) _meshpulse_statuses ;;\n"
                           "    *) _meshpulse_words \"$operand\" ;;\n"
                           "    esac\n"
                           "}\n"
                           "\n"
                           "complete -F _meshpulse meshpulse\n";

// "-o | --output"
static void write_spellings(const struct option *option, struct buf *out)
{
    if (option->letter != 0) {
        buf_printf(out, "-%c | ", option->letter);
    }
    buf_printf(out, "--%s", option->name);
}

// What stands between an option and its value must not be taken for the command.
static void write_skips(struct buf *out)
{
    for (size_t id = 0; id < OPTION_COUNT; id++) {
        if (option_table[id].value != NULL) {
            buf_str(out, "            ");
            write_spellings(&option_table[id], out);
            buf_str(out, ") skip=yes ;;\n");
        }
    }
}

static void write_offer(const char *value, struct buf *out)
{
    switch (completion_value_kind(value)) {
    case COMPLETION_FREE:
        break;
    case COMPLETION_WORDS:
        buf_str(out, "_meshpulse_words '");
        completion_value_words(value, out);
        buf_str(out, "'; ");
        break;
    case COMPLETION_FILE:
        buf_str(out, "_meshpulse_files; ");
        break;
    case COMPLETION_STATUS:
        buf_str(out, "_meshpulse_statuses; ");
        break;
    case COMPLETION_STATUSES:
        buf_str(out, "_meshpulse_statuses list; ");
        break;
    case COMPLETION_SETTING:
        buf_str(out, "_meshpulse_beginnings \"$_meshpulse_settings\"; ");
        break;
    case COMPLETION_SERVER:
        buf_str(out, "_meshpulse_beginnings '" COMPLETION_SERVERS "'; ");
        break;
    }
    buf_str(out, "return ;;\n");
}

static void write_values(const struct command *command, struct buf *out)
{
    buf_str(out, "        case $prev in\n");
    for (size_t id = 0; id < OPTION_COUNT; id++) {
        const struct option *option = &option_table[id];
        if (completion_value_takes(command, id) && option->value != NULL) {
            buf_str(out, "        ");
            write_spellings(option, out);
            buf_str(out, ") ");
            write_offer(option->value, out);
        }
    }
    buf_str(out, "        esac\n");
}

static void write_operand(const char *operand, struct buf *out)
{
    switch (completion_value_kind(operand)) {
    case COMPLETION_FILE:
        buf_str(out, "file");
        break;
    case COMPLETION_STATUS:
        buf_str(out, "status");
        break;
    case COMPLETION_WORDS:
        completion_value_words(operand, out);
        break;
    case COMPLETION_FREE:
    case COMPLETION_STATUSES:
    case COMPLETION_SETTING:
    case COMPLETION_SERVER:
        buf_str(out, "free");
        break;
    }
}

static void write_operands(const struct command *command, struct buf *out)
{
    if (command->operands_max == 0) {
        return;
    }
    buf_str(out, "        case $operands in\n");
    for (size_t i = 0; i < command->operands_max; i++) {
        char operand[ARGUMENTS_OPERAND_LEN];
        arguments_operand(command, i, operand);
        buf_printf(out, "        %zu) operand='", i);
        write_operand(operand, out);
        buf_str(out, "' ;;\n");
    }
    buf_str(out, "        esac\n");
}

static void write_command(const struct command *command, struct buf *out)
{
    buf_printf(out, "    %s)\n        options='", command->name);
    for (size_t id = 0; id < OPTION_COUNT; id++) {
        if (completion_value_takes(command, id)) {
            buf_printf(out, "%s--%s", id > 0 ? " " : "", option_table[id].name);
        }
    }
    buf_str(out, "'\n");
    write_values(command, out);
    write_operands(command, out);
    buf_str(out, "        ;;\n");
}

void completion_bash(const struct completion_options *options, struct buf *out)
{
    buf_str(out, head);
    buf_str(out, "_meshpulse_settings='");
    for (size_t i = 0; i < options->setting_count; i++) {
        buf_printf(out, "%s%s=", i > 0 ? " " : "", options->settings[i]);
    }
    buf_str(out, "'\n\n");
    buf_str(out, before);
    write_skips(out);
    buf_str(out, after);
    buf_str(out, "    '')\n        options='--help --version'\n        operand='");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        buf_printf(out, "%s%s", i > 0 ? " " : "", command_table[i].name);
    }
    buf_str(out, "'\n        ;;\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        write_command(&command_table[i], out);
    }
    buf_str(out, tail);
}
