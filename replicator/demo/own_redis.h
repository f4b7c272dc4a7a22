// SPDX-License-Identifier: Apache-2.0
// The demo's private Redis: a process of its own on a unix socket in the demo's folder, without a port,
// without files, without the machine's configuration.
// [loop]  Read next: process.h.
#pragma once

#include "base/err.h"
#include "replicator/demo/place.h"
#include "replicator/demo/process.h"

#include <stdbool.h>

struct own_redis {
    struct process process;
    const struct place *place;
    char program[4096];
};

// Finds a server: build/redis-server beside the program or above it, redis-server in PATH, or
// redis-check-rdb in PATH, which is the same program under the name of Debian's redis-tools.
// ERR_NOT_FOUND; ERR_IO.
enum err own_redis_find(struct own_redis *redis, const struct place *place) MUST_USE;
// ERR_IO.
enum err own_redis_start(struct own_redis *redis) MUST_USE;
// Does it take connections yet?
bool own_redis_answers(const struct own_redis *redis);
// The path of its socket.
void own_redis_socket(const struct own_redis *redis, char *ret_path, size_t cap);
