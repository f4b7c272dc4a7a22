// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/manual.h"

#include "admin-api/ctl/arguments.h"
#include "base/assert.h"
#include "base/mdoc.h"

#include <ctype.h>
#include <stdio.h>

static const char head[] =
    ".\\\" SPDX-License-Identifier: Apache-2.0\n"
    ".\\\" Made from the program's own tables: meshpulse man\n"
    ".Dd " MESHPULSE_RELEASED "\n"
    ".Dt MESHPULSE 1\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm meshpulse\n"
    ".Nd replicate the health of service instances across a mesh\n"
    ".Sh SYNOPSIS\n"
    ".Nm\n"
    ".Ar COMMAND\n"
    ".Op Ar OPTION ...\n"
    ".Op Ar OPERAND ...\n"
    ".Sh DESCRIPTION\n"
    ".Nm\n"
    "knows the health of every instance of every service: a daemon probes\n"
    "each one, shares what it saw with the others through Redis Streams, and\n"
    "gives the same answer to the Envoy beside it.\n"
    "This program is both the daemon and its client.\n"
    ".Pp\n"
    "Data goes to standard output, everything else to standard error.\n"
    "Options may stand anywhere, a long one as\n"
    ".Fl -option Ns = Ns Ar VALUE\n"
    "or\n"
    ".Fl -option Ar VALUE ;\n"
    ".Fl -\n"
    "ends them.\n"
    "In\n"
    ".Ar SERVICE/INSTANCE\n"
    "the last slash parts.\n"
    "Every command takes\n"
    ".Fl h , Fl -help\n"
    "and\n"
    ".Fl -version .\n"
    ".Sh COMMANDS\n";

static const char tail[] =
    ".Sh ENVIRONMENT\n"
    ".Bl -tag -width Ds\n"
    ".It Ev MESHPULSE_SERVER\n"
    "The daemon that is asked when\n"
    ".Fl -server\n"
    "is not given.\n"
    ".It Ev MESHPULSE_SECTION_KEY\n"
    "A setting of the daemon, see\n"
    ".Xr meshpulse.yaml 5 .\n"
    ".It Ev NO_COLOR\n"
    "When it is set there are no colours; without a terminal there are none anyway.\n"
    ".It Ev TMPDIR\n"
    "Where\n"
    ".Cm demo\n"
    "makes its folder.\n"
    ".El\n"
    ".Sh FILES\n"
    ".Bl -tag -width Ds\n"
    ".It Pa " CLIENT_SOCKET_DEFAULT "\n"
    "The socket where a client looks for the daemon first.\n"
    ".El\n";

static const char examples[] = ".Sh EXAMPLES\n"
                               "Try it without installing anything else:\n"
                               ".Dl meshpulse demo\n"
                               ".Pp\n"
                               "Run a daemon, and ask how the mesh is:\n"
                               ".Dl meshpulse serve -c /etc/meshpulse/meshpulse.yaml\n"
                               ".Dl meshpulse status\n"
                               ".Pp\n"
                               "Take an instance out of service while it is replaced:\n"
                               ".Dl meshpulse drain pay/pay-1 --for 10m --reason 'deploy 42'\n"
                               ".Sh SEE ALSO\n"
                               ".Xr meshpulse.yaml 5\n";

// The tables write what help shows; a page has sentences.
static void write_sentence(const char *text, struct buf *out)
{
    char sentence[512];
    int len = snprintf(sentence, sizeof(sentence) - 1, "%s.", text);
    ASSERT(len > 0 && (size_t)len < sizeof(sentence) - 1);
    sentence[0] = (char)toupper((unsigned char)sentence[0]);
    mdoc_line(out, sentence);
}

static void write_option(const struct option *option, struct buf *out)
{
    buf_str(out, ".It");
    if (option->letter != 0) {
        buf_printf(out, " Fl %c ,", option->letter);
    }
    buf_printf(out, " Fl -%s", option->name);
    if (option->value != NULL) {
        buf_str(out, arguments_is_closed(option->value) ? " Cm" : " Ar");
        mdoc_argument(out, option->value);
    }
    buf_byte(out, '\n');
    write_sentence(option->help, out);
}

// Those of a set of bits, as a list; nothing where there is none.
static void write_options(uint64_t options, struct buf *out)
{
    if (options == 0) {
        return;
    }
    buf_str(out, ".Bl -tag -width Ds\n");
    for (size_t id = 0; id < OPTION_COUNT; id++) {
        if ((options >> id & 1) != 0) {
            write_option(&option_table[id], out);
        }
    }
    buf_str(out, ".El\n");
}

static void write_operands(const struct command *command, struct buf *out)
{
    for (size_t i = 0; i < command->operands_max; i++) {
        char operand[ARGUMENTS_OPERAND_LEN];
        arguments_operand(command, i, operand);
        buf_str(out, i < command->operands_min ? "." : ".Op ");
        buf_str(out, arguments_is_closed(operand) ? "Cm" : "Ar");
        mdoc_argument(out, operand);
        buf_byte(out, '\n');
    }
}

static void write_command(const struct command *command, struct buf *out)
{
    static const uint64_t everywhere = 1ULL << OPTION_HELP | 1ULL << OPTION_VERSION;
    uint64_t own = command->options & ~everywhere & ~arguments_shared_options;
    buf_printf(out, ".Ss %s\n.Nm\n.Cm %s\n.Op Ar OPTION ...\n", command->name, command->name);
    write_operands(command, out);
    buf_str(out, ".Pp\n");
    write_sentence(command->help, out);
    if ((command->options & arguments_shared_options) != 0) {
        buf_str(out, "Takes options of the client, see below.\n");
    }
    write_options(own, out);
}

static void write_exits(struct buf *out)
{
    static const struct {
        int status;
        const char *meaning;
    } rows[] = {
#define EXIT(name, status, meaning) {status, meaning},
#include "admin-api/ctl/exits.def"
#undef EXIT
    };
    buf_str(out, ".Sh EXIT STATUS\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf_printf(out, ".It %d\n", rows[i].status);
        write_sentence(rows[i].meaning, out);
    }
    buf_str(out, ".El\n");
}

void manual_write(struct buf *out)
{
    buf_str(out, head);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        write_command(&command_table[i], out);
    }
    buf_str(out,
            ".Sh OPTIONS OF THE CLIENT\nOf the commands that ask a daemon; those that only read "
            "take neither\n.Fl -if-match\nnor\n.Fl -ack .\n");
    write_options(arguments_shared_options, out);
    buf_str(out, tail);
    write_exits(out);
    buf_str(out, examples);
}
