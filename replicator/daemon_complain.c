// SPDX-License-Identifier: Apache-2.0
// A file of its own: a stage can then be linked into a test without all the others.
#include "replicator/daemon_state.h"

#include <stdio.h>

int daemon_complain(int exit, const char *what, const char *why)
{
    fprintf(stderr, "meshpulse: serve: %s: %s\n", what, why);
    return exit;
}
