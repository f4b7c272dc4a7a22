// SPDX-License-Identifier: Apache-2.0
// Runs something in a process of its own that is expected to end it: how it ended, and what it said last.
// A header alone.  Main thread, before any other is made.
#pragma once

#include "tests/lib/suite.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// The status as waitpid gives it; 0 when `run` came back.  `said`: its stderr, cut to `cap` with the NUL.
static inline int dying_run(void (*run)(void), char *said, size_t cap)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)dup2(fds[1], STDERR_FILENO);
        (void)close(fds[0]);
        (void)close(fds[1]);
        run();
        _exit(EXIT_SUCCESS);
    }
    (void)close(fds[1]);
    size_t len = 0;
    for (ssize_t got = 1; got > 0 && len < cap - 1; len += (size_t)(got > 0 ? got : 0)) {
        got = read(fds[0], said + len, cap - 1 - len);
    }
    said[len] = '\0';
    (void)close(fds[0]);
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}
