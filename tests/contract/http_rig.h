// SPDX-License-Identifier: Apache-2.0
// An HTTP server on a loop and a client that speaks in raw bytes, for tests/contract/test_http1_*.c.
// `/hold` keeps its handle in `held` for the test to answer, `/stream` begins a stream there, every other
// path is answered at once with "<METHOD PATH BODY-LENGTH>".
#pragma once

#include "base/buf.h"
#include "base/http1_server.h"
#include "tests/lib/loop_wait.h"

struct http_rig {
    struct loop *loop;
    struct http1_server *server;
    struct http1_listener *listener;
    struct http1_exchange *held; // of /hold and /stream
    unsigned handled, cancelled, drained, answered;
    unsigned last_status;
};

// `arg` is a struct http_rig.
void http_rig_handler(void *arg, struct http1_exchange *exchange);
void http_rig_reply(struct http1_exchange *exchange, unsigned status, const char *text);
// Listens on a free port of 127.0.0.1.
void http_rig_start(struct http_rig *f, const struct http1_server_options *given);
void http_rig_stop(struct http_rig *f);
// A connected socket; the caller closes it.
int http_rig_dial(const struct http_rig *f);
void http_rig_say(int fd, struct span bytes);
// Reads what there is; true at the end of the stream.
bool http_rig_hear(int fd, struct buf *into);
bool http_rig_contains(struct span text, const char *wanted);
bool http_rig_hears(int fd, struct buf *into, const char *wanted);
// Says `bytes`, hears until the end of the stream or `until` (NULL: until the end).
void http_rig_converse(struct http_rig *f, struct span bytes, const char *until, struct buf *heard);
