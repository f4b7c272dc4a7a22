// SPDX-License-Identifier: Apache-2.0
// The command line client: everything of the program but what runs a daemon.
//
//     main --> ctl_run --> arguments_parse --+--> a client's command: done here, over the admin API, or alone
//                                            \--> those of the node: back to main
//
// Data goes to stdout, everything else to stderr.  Main thread.  Read next: arguments.h, session.h.
#pragma once

#include "admin-api/ctl/arguments.h"

#include <stdbool.h>

// The exit statuses of the program.
enum ctl_exit {
#define EXIT(name, status, meaning) CTL_##name = (status),
#include "admin-api/ctl/exits.def"
#undef EXIT
};

// true: all is done, also help and usage errors, and the program ends with *ret_exit.
// false: *ret_arguments holds a well-formed command of COMMAND_NODE, which is the caller's to run.
bool ctl_run(int argc, char *const argv[], struct arguments *ret_arguments, int *ret_exit);

// One line to stderr: "meshpulse: COMMAND: ...", and where to read more.  Returns CTL_USAGE.
int ctl_usage_error(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
