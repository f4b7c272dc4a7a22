// SPDX-License-Identifier: Apache-2.0
// The help texts, made from commands.def and options.def, so that they cannot differ from what the parser
// takes.  Any thread; writes to the given stream only.  Read next: arguments.h.
#pragma once

#include <stdio.h>

struct command;

// Of one command; NULL: of the program.
void usage_print(FILE *out, const struct command *command);
