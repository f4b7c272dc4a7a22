// SPDX-License-Identifier: Apache-2.0
// One request and its answer: the handle that a handler gets.
//
//     handler(exchange) --> respond ...........................................> over
//                      \--> keep it, later: respond ...........................> over
//                      \--> stream_begin, stream_write ..., stream_end ........> over
//     the client goes away meanwhile: on_cancel once; the handle stays good until it is ended
//
// Invariant: each handle is ended exactly once, by http1_respond or http1_stream_end, whether or
// not its client is still there; until then the request in it stays readable. [loop] of its
// server.  Read next: http1_server.h, http1.h.
#pragma once

#include "base/err.h"
#include "base/http1.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct http1_exchange;
struct loop;

// Through which door the request came.
struct http1_listener_info {
    bool is_unix;
    bool is_loopback; // the listener's own address is a loopback one, or a unix socket
    bool is_tls;
    uint16_t port; // as bound; 0: unix socket
    void *user;    // of http1_listen_options
};

const struct http1_request *http1_exchange_request(const struct http1_exchange *exchange);
const struct http1_listener_info *http1_exchange_listener(const struct http1_exchange *exchange);
struct loop *http1_exchange_loop(const struct http1_exchange *exchange);
// Is the client still there?
bool http1_exchange_alive(const struct http1_exchange *exchange);

// Who asks; plain data, stays readable as long as the handle.
struct http1_peer {
    bool is_loopback;
    bool has_uid;
    uid_t uid;        // on a unix socket
    char name[256];   // in the verified client certificate; "" none
    char address[64]; // without port; "" on a unix socket
};
const struct http1_peer *http1_exchange_peer(const struct http1_exchange *exchange);

// Called once when the client goes away before the answer is complete (a reset; for a stream also
// the end of its input).  NULL takes it back.
void http1_exchange_on_cancel(struct http1_exchange *exchange, void (*fn)(void *arg), void *arg);

// For `ms` after the answer nothing more is read from this connection: who asks too much is held up by its
// own full socket, and the others go on.  What has been read already waits, too.
void http1_exchange_rest(struct http1_exchange *exchange, uint32_t ms);

// --- a complete answer

struct http1_response {
    unsigned status;
    const char *content_type;           // NULL: none
    const struct http1_header *headers; // more of them; control bytes in a value go out as "?"
    size_t header_count;
    struct span body; // not sent in answer to HEAD, nor with 204 and 304; its length is
    bool close;       // end the connection after it
};

// Ends the handle.  Borrows until return.  When there is no memory for the answer the connection is
// cut. Content-Length, Date and Connection are added.
void http1_respond(struct http1_exchange *exchange, const struct http1_response *response);

// --- an answer of unknown length: chunked for 1.1, until the end of the connection for 1.0

// `response->body` must be empty.  From here on the connection's idle deadline rests.
void http1_stream_begin(struct http1_exchange *exchange, const struct http1_response *response);
// ERR_FULL: too much output waits, nothing was taken; ERR_CLOSED: the client is gone; ERR_NOMEM.
enum err http1_stream_write(struct http1_exchange *exchange, struct span data) MUST_USE;
// Bytes that wait to be sent; 0 when the client is gone.
size_t http1_stream_out_len(const struct http1_exchange *exchange);
// Called each time the waiting output has been sent.
void http1_stream_on_drain(struct http1_exchange *exchange, void (*fn)(void *arg), void *arg);
// Ends the handle; what waits is still sent.
void http1_stream_end(struct http1_exchange *exchange);

// The usual words of a status, "Unknown" for others.
const char *http1_status_text(unsigned status);
