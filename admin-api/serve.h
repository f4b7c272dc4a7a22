// SPDX-License-Identifier: Apache-2.0
// Between the HTTP server and the handlers: requests in, complete and long answers out, writes that wait.
//
//     exchange --serve_request--> handle_request --> COMPLETE  respond
//                                                    MORE      stream, a piece at each drain
//                                                    PENDING   kept until serve_job_done or its timer
//                                                    RECORDING stepped by a timer until it ends
//                                                    WATCH     watch_start
//
// Invariant: each exchange is ended once, whatever becomes of its write or its client.
// [loop] but serve_job_done.  Read next: handle.h, watch.h, server.c.
#pragma once

#include "admin-api/api.h"
#include "base/http1_exchange.h"

struct loop;
struct pending;
struct recorded;
struct watch_set;

struct serve {
    struct loop *loop;
    struct api api;
    struct watch_set *watches;
    struct pending *first;     // writes whose client waits
    struct recorded *recorded; // recordings
};

// Marks, as http1_listener_info.user, the listener that serves probes only.
extern const char serve_probe_mark[];

// An http1_handler_fn; `serve` is a struct serve.
void serve_request(void *serve, struct http1_exchange *exchange);
// An http1_answered_fn: counts.
void serve_answered(void *serve, const struct http1_request *request, unsigned status);
// For api.job_done.  [any]
void serve_job_done(void *serve, struct write_job *job);
// Answers every client that still waits for a write or a recording: 503.
void serve_give_up(struct serve *serve);
