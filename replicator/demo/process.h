// SPDX-License-Identifier: Apache-2.0
// A program that the demo runs: it dies with the demo, whatever becomes of that, and Ctrl-C on the
// terminal does not reach it but through the demo.
//
//     process_start --> RUNNING --its end, seen by process_reap--> ended     (the caller may start again)
//                              \--process_stop_all: TERM, then KILL--> ended
//
// [loop]; process_stop_all waits and belongs behind loop_run.  Read next: fleet.h.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct process {
    pid_t pid; // 0: not running
};

struct process_options {
    const char *program;     // path
    char *const *arguments;  // argv, ends with NULL
    const char *output_path; // takes stdout and stderr, appended
};

// ERR_IO: no process or output file to be had.  A program that cannot be executed ends with 127.
enum err process_start(struct process *process, const struct process_options *options) MUST_USE;

// Has it ended?  Then *ret_status is that of waitpid, and the process may be started again.
bool process_reap(struct process *process, int *ret_status);

// Ends all that run: SIGTERM, `grace_ms` of patience, then SIGKILL.  All are gone when it returns.
void process_stop_all(struct process *const processes[], size_t count, int grace_ms);

// "exited with 3", "was killed by signal 9".
void process_describe(int status, char *ret_text, size_t cap);
