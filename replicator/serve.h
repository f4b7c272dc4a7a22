// SPDX-License-Identifier: Apache-2.0
// The commands `serve` and `check-config`: from arguments to a configuration, and on to the daemon.
// Invariant: a configuration with errors opens no socket; all of its errors are told at once.
// Main thread; each returns the exit status.  Read next: config.h, daemon.h.
#pragma once

struct arguments;
struct config;

// The configuration of --config, --set and the environment, which it *gives*; `last_set` (may be NULL) is one
// more --set.  CTL_OK, or CTL_CONFIG with all that is wrong on stderr.
int serve_load(const struct arguments *arguments, const char *last_set, struct config **ret_config);

int serve_run(const struct arguments *arguments);
int check_config_run(const struct arguments *arguments);
