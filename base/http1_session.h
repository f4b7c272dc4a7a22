// SPDX-License-Identifier: Apache-2.0
// Internal to the HTTP server: the story of one connection, and what server, session and exchange know of
// each other.
//
//     server 1--* listener 1--* session 1--0..1 exchange
//
//     front --accept--> the one with the fewest connections:  front itself
//       (a listener)                                          a branch (of another server, another loop):
//                                                             --handed--> [loop of that one] session
//
// Invariants: a session has at most one exchange; an exchange whose session is gone has session == NULL
// and owns the parser that its request points into; a connection is counted from its admission, by the
// front, until its session is freed, by whoever serves it.
// [loop] of its server, but for the three counts and `handed`.  Read next: http1_server.c (admission), http1_session.c (reading), http1_exchange.c (answering).
#pragma once

#include "base/conn.h"
#include "base/http1_exchange.h"
#include "base/http1_server.h"
#include "base/loop.h"

#include <stdatomic.h>

#define HTTP1_OUT_HIGH 65536 // no further request is parsed while more output waits
#define HTTP1_LINGER_LEN                                                                           \
    65536                    // after the last answer: input thrown away, so that the client gets to
#define HTTP1_LINGER_MS 1000 // read it before a reset

struct listener;

struct http1_listener {
    struct http1_server *server;
    struct http1_listener *next;
    struct listener *listener;    // NULL: a branch
    struct http1_listener *front; // who accepts for it; itself when it is no branch
    struct http1_listener *branches[HTTP1_BRANCHES_MAX]; // of a front
    size_t branch_count;
    size_t turn;           // of a front: whose it is when all have equally many
    struct mailbox handed; // of a branch: connections on their way to its loop
    struct loop_task take;
    struct tls_context *tls;
    struct http1_listener_info info;
    uint32_t connections_max; // 0: none of its own
    // Of a front: admitted here, whoever serves them.  Relaxed, like all three of them: each is a number
    // of its own, nothing is published through it.
    _Atomic uint32_t connections;
};

struct http1_server {
    struct loop *loop;
    struct http1_server_options options; // defaults filled in
    struct http1_listener *listeners;
    struct http1_session *sessions;
    _Atomic uint32_t connections; // served here, or on their way
    _Atomic uint32_t admitted;    // by listeners of this server, whoever serves them
    uint32_t refused;             // sessions that only say 503
    bool draining;
};

enum http1_waiting { // whose deadline runs
    HTTP1_WAIT_HEADER,
    HTTP1_WAIT_BODY,
    HTTP1_WAIT_IDLE,
    HTTP1_WAIT_NONE // the handler is at work, or the end is near
};

struct http1_session {
    struct http1_server *server;
    struct http1_listener *listener;
    struct http1_session *prev, *next;
    struct conn *conn;
    struct http1_parser *parser;
    struct http1_exchange *exchange; // NULL: none under way
    struct http1_peer peer;
    enum http1_waiting waiting;
    uint32_t rest_ms; // not to be read for so long once the answer is out
    bool refused;     // over a ceiling
    bool running;     // inside http1_session_run
    bool cut;         // to be freed when `running` ends
    bool eof;         // the client sends no more
    bool ending;      // conn_finish has been called
};

struct http1_exchange {
    struct http1_session *session; // NULL: the client is gone
    struct http1_parser *parser;   // whose request this is; owned once the session is gone
    struct loop *loop;
    struct http1_listener_info listener;
    struct http1_peer peer;
    void (*on_cancel)(void *arg);
    void *cancel_arg;
    void (*on_drain)(void *arg);
    void *drain_arg;
    bool streaming;
    bool chunked;
    bool mute; // HEAD: nothing but the header goes out
    bool keep; // the connection lives on after this answer
};

// One more connection, admitted by listener->front; one less.  [any]
void http1_listener_count_in(struct http1_listener *listener);
void http1_listener_count_out(struct http1_listener *listener);

// *takes* `fd` on success; when it is not refused it has been counted in.  ERR_NOMEM, ERR_IO.
enum err http1_session_new(struct http1_listener *listener, int fd, bool refused) MUST_USE;
// Ends it at once; an exchange that is out is cancelled.
void http1_session_free(struct http1_session *session);
// The same, or as soon as the reading that is under way allows.
void http1_session_cut(struct http1_session *session);
// The answer is complete: on to the next request, or to the end.
void http1_session_answered(struct http1_session *session, bool keep);
// Sends what waits, then ends.
void http1_session_end(struct http1_session *session);

// Appends status line and header to `out`.  `body_len` < 0: of unknown length.
struct buf;
struct http1_head {
    const struct http1_response *response;
    int64_t body_len;
    bool keep;
    bool version_0; // of the request
};
void http1_exchange_head(struct buf *out, const struct http1_head *head);
