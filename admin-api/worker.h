// SPDX-License-Identifier: Apache-2.0
// One thread of the admin API: a loop, an HTTP server, and all that its handlers need.  The first worker
// accepts; the others get their part of its connections.
//
//     init --> start --> [wake, give]* --> stop (the first one's brings the followers') --> join --> fini
//
// Invariant: everything in it but `incoming` and `answered` is touched by its own thread only, once that runs.
// Read next: server.h, serve.h.
#pragma once

#include "admin-api/api.h"
#include "admin-api/serve.h"
#include "base/err.h"
#include "base/loop.h"

#include <pthread.h>
#include <stdatomic.h>

struct http1_listener;
struct http1_server;
struct secrets;

struct worker {
    struct loop *loop;
    struct http1_server *http;
    struct http1_listener *main_listener; // whose TLS context is renewed; NULL: none
    struct api_scratch *scratch;
    struct serve serve;
    struct secrets *secrets;            // in use
    _Atomic(struct secrets *) incoming; // until the thread takes them
    struct loop_task wake, renew, stop, ask;
    atomic_bool answered; // since it was asked
    struct loop_timer *stop_step;
    struct mono stop_began;
    struct worker *followers; // told to stop once this one accepts no more
    size_t follower_count;
    pthread_t thread;
    bool started;
    uint32_t map_user; // of a started one
};

// `rules`: what the handlers go by; memory and jobs are the worker's own.  The worker must stay where it
// is.  ERR_NOMEM, ERR_IO.  On an error worker_fini is still due.
enum err worker_init(struct worker *worker, const struct api *rules) MUST_USE;
// After the followers'.
void worker_fini(struct worker *worker);

// The map is told of it, by `number`, until it is joined.  ERR_IO: no thread.
enum err worker_start(struct worker *worker, unsigned number) MUST_USE;
// Lets answers that are under way finish, at most 3 s, then the thread ends; so do the followers.  [any]
void worker_stop(struct worker *worker);
// No effect on one that was not started.
void worker_join(struct worker *worker);

// The changefeed has grown.  [any]
void worker_wake(struct worker *worker);
// Asks it to show that it runs, and whether it has.  Not again before it has answered.  [any]
void worker_ask(struct worker *worker);
bool worker_answered(const struct worker *worker);
// Uses these from now on; takes a reference.  [any]
void worker_give(struct worker *worker, struct secrets *secrets);
