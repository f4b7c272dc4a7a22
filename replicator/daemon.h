// SPDX-License-Identifier: Apache-2.0
// The daemon: the only place where the modules are wired together.
//
//     log -> loop -> map -> driver -> checker -> write queue -> stream -> admin -> files -> run
//      <---------------------- unwound once, in reverse, on an error or at the end --------------
//
// Invariant: whatever a stage started is stopped by the same row of the table (daemon.c), also when a later
// stage fails; sockets that were made are gone when daemon_run returns.
// Main thread.  Read next: daemon_state.h (what there is), daemon_stages.c (the rows), daemon_backend.c
// (what the admin API is given), driver.h.
#pragma once

struct config;

// Serves until SIGTERM or SIGINT.  Returns the exit status: 0, 1 (a socket in use, no memory ...) or 78
// (a file that the configuration names is missing or wrong); what was wrong stands on stderr.
int daemon_run(const struct config *config);
