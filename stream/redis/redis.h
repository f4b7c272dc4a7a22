// SPDX-License-Identifier: Apache-2.0
// The Redis backend of a stream: the protocol of DESIGN section 4 on one Redis (7.0 or newer) or Valkey.
//
//     IDLE --start--> CONNECTING (put and read connection, each greeted) --both--> UP
//                        ^   any failure, any deadline: both closed, DOWN          |
//                        '--- WAITING (full jitter, 100 ms .. backoff_max) <-------'
//
// Invariant: nothing blocks; whatever the server does or does not say, each call is answered or followed by
// DOWN within reply_timeout.  Two connections, because one that waits in XREAD BLOCK carries nothing else.
// What the server's user must be allowed to do: docs/redis.md.
// [loop].  Read next: redis_state.h (inside), redis_greet.h, redis_reader.h.
#pragma once

#include "base/err.h"
#include "stream/stream.h"

struct loop;

struct redis_options {
    struct loop *loop;
    const char *url;                            // redis_url.h
    const char *prefix;                         // of all our keys, 1..63 bytes
    const char *node;                           // for CLIENT SETNAME, what an operator sees
    const char *user;                           // "" = the default user
    const char *password_file;                  // read at each connect; "" = none
    const char *ca_file, *cert_file, *key_file; // of rediss://; "" = none
    uint32_t partitions;
    uint64_t retention; // records per partition
    int64_t connect_timeout_ms, reply_timeout_ms, backoff_max_ms, linger_max_ms;
    bool allow_eviction; // publish even to a server that may evict keys
    int64_t
        watch_ms; // how often to look at its policy and at our files; 0: 10 s (5 s while bad), 1 s
};

// Copies the options.  ERR_SYNTAX: the url or prefix; ERR_NOMEM; ERR_IO (no thread for names).
enum err redis_new(const struct redis_options *options, stream_event_fn on_event, void *arg,
                   struct stream **ret_stream) MUST_USE;
