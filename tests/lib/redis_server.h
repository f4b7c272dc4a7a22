// SPDX-License-Identifier: Apache-2.0
// A private redis-server for one test: on a unix socket in a directory of its own, without persistence unless
// asked for; it ends with the process that started it, whatever happens to that.
// Where: $REDIS_SERVER, else build/redis-server (tools/deps.sh makes it).  Without one the test fails.
// One thread.
#pragma once

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct redis_server {
    pid_t pid; // 0: not running
    char dir[64];
    char socket[96];
    char url[128]; // unix://<socket>
    const char *const *args;
};

// `args`: NULL-terminated, kept; added to ours.  Waits until it answers.  Aborts the test on failure.
void redis_server_start(struct redis_server *server, const char *const *args);
// Again in the same directory, after redis_server_kill.
void redis_server_restart(struct redis_server *server);
void redis_server_kill(struct redis_server *server); // SIGKILL, and waits for its end
void redis_server_pause(struct redis_server *server);
void redis_server_resume(struct redis_server *server);
void redis_server_stop(struct redis_server *server); // kills it, removes the directory

// One command, blanks between its words; the first line of a flat rendering of the answer is put into
// `ret_text` (errors begin with '-').
void redis_server_run(struct redis_server *server, const char *command, char *ret_text, size_t cap);
// One command of binary words.  Its answer must be no error.
void redis_server_send(struct redis_server *server, const struct span *words, size_t count);
