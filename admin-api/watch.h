// SPDX-License-Identifier: Apache-2.0
// The readers of GET /v1/watch of one worker: each is a cursor on the changefeed and a stream.
//
//     changefeed --watch_wake--> each watcher: event, event ... until 64 KiB of output wait
//                                     full for 10 s -> resync, end      quiet for 15 s -> comment
//
// The first change is told at once.  Where many watch, a turn takes long; the next one then lingers for
// thrice as long, at most 50 ms: what changes meanwhile goes out in one write each, and others are served.
//
// Invariant: a watcher holds at most 64 KiB and one event; a slow one delays nobody else.
// [loop] of the worker.  Read next: watch_event.h.
#pragma once

#include "admin-api/api.h"
#include "admin-api/watch_event.h"
#include "base/err.h"
#include "base/http1_exchange.h"

struct loop;
struct response;
struct watch_set;

#define WATCH_OUT_MAX 65536
#define WATCH_FULL_MS 10000
#define WATCH_QUIET_MS 15000
#define WATCH_LINGER_MAX_MS 50
#define WATCH_LINGER_FACTOR 3 // so watches take at most a quarter of a worker's time

// ERR_NOMEM.  *gives* the set.
enum err watch_set_new(struct loop *loop, struct api *api, struct watch_set **ret_set) MUST_USE;
// Ends all streams.  Accepts NULL.
void watch_set_free(struct watch_set *set);

// *takes* the exchange: begins the stream with the head in `response` and its first events.  false: there
// is no memory, and the exchange is still the caller's.
bool watch_start(struct watch_set *set, struct http1_exchange *exchange,
                 const struct response *response) MUST_USE;

// How many there are.  [any]
uint32_t watch_set_count(const struct watch_set *set);

// Is there anybody to wake after a change?  Who begins to watch later sees the change anyway.  [any]
bool watch_set_is_followed(struct watch_set *set);

// How long a turn waits after the one before it, which took so long.  Pure.
int64_t watch_linger_ms(int64_t turn_us);

// Something has changed.
void watch_wake(struct watch_set *set);

// Ends all streams, each with a resync.
void watch_end_all(struct watch_set *set);
