// SPDX-License-Identifier: Apache-2.0
// redis://host[:port][/db], rediss:// for the same over TLS, and unix:///path.  User and password are no
// part of it: they would end up in logs.
// Invariant: a parsed url names a server completely.  Pure, any thread.  Read next: redis.h.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define REDIS_URL_HOST_MAX 253
#define REDIS_URL_PORT 6379
#define REDIS_URL_DB_MAX 65535

struct redis_url {
    bool tls;
    bool is_unix;
    struct span
        host; // without the brackets of an IPv6 literal; the path of a unix socket.  Borrows.
    uint16_t port;
    uint32_t database;
};

// ERR_SYNTAX: malformed, another scheme, or with a user or password inside.
enum err redis_url_parse(struct span text, struct redis_url *ret_url) MUST_USE;
