// SPDX-License-Identifier: Apache-2.0
// The commands `completion` and `man`: what the program says of itself for a shell and for man(1).  They are
// of the node, because they name the settings of the daemon.
// Main thread; each returns the exit status.  Read next: admin-api/ctl/completion.h, admin-api/ctl/manual.h.
#pragma once

struct arguments;

int share_completion_run(const struct arguments *arguments);
int share_man_run(const struct arguments *arguments);
