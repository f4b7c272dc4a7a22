// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 server behind every HTTP interface of the program: plain, TLS and unix sockets, one
// loop.
//
//     listener --accept--> session: IDLE -> HEAD -> BODY -> handler -> answer -> IDLE ...
//     malformed -> problem+json, Connection: close, drain <= 64 KiB for <= 1 s, close
//
//     several loops: listener --accept--> the server with the fewest connections, by http1_listener_share
//
// Invariants: one request of a connection is with the handler at a time, pipelined ones in order;
// the next is not parsed while more than 64 KiB of output wait; every deadline is a total; every
// connection over the ceiling gets 503 and is closed. [loop].  Read next: http1_exchange.h (what a
// handler does), http1.h, conn.h.
#pragma once

#include "base/address.h"
#include "base/err.h"
#include "base/http1_exchange.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct http1_listener;
struct http1_server;
struct tls_context;

typedef void (*http1_handler_fn)(void *arg, struct http1_exchange *exchange);
// Each answer that was given, also those made here for malformed requests (then `request` is NULL).
typedef void (*http1_answered_fn)(void *arg, const struct http1_request *request, unsigned status);

// 0 means the default in brackets.
struct http1_server_options {
    http1_handler_fn handler;
    http1_answered_fn answered; // may be NULL
    void *arg;
    uint32_t connections_max;      // of all listeners [1024]
    uint32_t connections_reserved; // beside these, for unix sockets only [32]
    int64_t header_ms;     // for the header section: from its first byte; of the first request
                           // from accepting [5 s]
    int64_t body_ms;       // for the body [10 s]
    int64_t idle_ms;       // between two requests [30 s]
    int64_t write_ms;      // output waits and the client takes none of it [15 s]
    size_t stream_out_max; // ceiling of a stream's waiting output [1 MiB]
};

// ERR_NOMEM.  *gives* it.
enum err http1_server_new(struct loop *loop, const struct http1_server_options *options,
                          struct http1_server **ret_server) MUST_USE;
// Closes everything at once; handles that are out are cancelled and stay good.  Accepts NULL.
void http1_server_free(struct http1_server *server);

struct http1_listen_options {
    struct address address;
    mode_t unix_mode;         // 0 = 0660
    struct tls_context *tls;  // NULL: plain.  Takes a reference of its own.
    uint32_t connections_max; // of this listener; 0 = only the server's ceiling
    void *user;               // see struct http1_listener_info
};

// Errors as listener_new.  The listener lives as long as the server.
enum err http1_server_listen(struct http1_server *server,
                             const struct http1_listen_options *options,
                             struct http1_listener **ret_listener) MUST_USE;
const struct address *http1_listener_address(const struct http1_listener *listener);
// New connections use the new context.
void http1_listener_set_tls(struct http1_listener *listener, struct tls_context *tls);

// Stops accepting, closes idle connections, and lets the answers that are under way carry
// "Connection: close".  http1_server_connections tells when all are gone.  Of servers that share listeners
// the one that accepts is drained first; what it has handed over by then is still served.
void http1_server_drain(struct http1_server *server);
// Those of this server alone, the ones on their way to it included.  [any]
uint32_t http1_server_connections(const struct http1_server *server);

#define HTTP1_BRANCHES_MAX 64

// `helper`, a server with a loop of its own, takes its part of what `front` accepts: each connection goes
// to the one that has the fewest.  The ceilings of `front` and of its server hold for all together, those
// of `helper` for its own listeners only.  Before either loop runs; `helper` is freed first.  ERR_NOMEM.
// *ret_branch lives as long as `helper`, and has its TLS context set from there.
enum err http1_listener_share(struct http1_listener *front, struct http1_server *helper,
                              struct http1_listener **ret_branch) MUST_USE;
