// SPDX-License-Identifier: Apache-2.0
// The commands `serve` and `check-config`: from arguments to a configuration, and on to the daemon.
// Invariant: a configuration with errors opens no socket; all of its errors are told at once.
// Main thread; each returns the exit status.  Read next: config.h, daemon.h.
#pragma once

struct arguments;

int serve_run(const struct arguments *arguments);
int check_config_run(const struct arguments *arguments);
