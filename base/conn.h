// SPDX-License-Identifier: Apache-2.0
// One byte stream: TCP, unix socket or TLS over either; made by connecting, or from an accepted
// socket.
//
//     connect --> CONNECTING --> HANDSHAKE (TLS) --> OPEN --conn_finish--> FLUSH --> DRAIN --> over
//     accept  -----------------------^----------------^
//     at any moment: an error, a deadline or the peer --> on_close;   conn_close --> silence
//
// Invariants: no callback runs from inside a call of this file; on_close comes at most once, is the
// last callback, and conn_close must follow it (inside it is fine); input and output never hold
// more than their ceilings: reading stops while the input is full, conn_write refuses when the
// output is. Deadlines are totals, never per read.  [loop].  Read next: listener.h, tls.h,
// address.h.
#pragma once

#include "base/address.h"
#include "base/err.h"
#include "base/span.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct conn;
struct loop;
struct tls_context;

// Callbacks may be NULL, but for on_close.  All may call conn_close.
struct conn_handlers {
    // The stream may be used (TLS: the handshake is done and the peer verified).
    void (*on_open)(void *arg);
    // More input has come: look at conn_input, then conn_consume.
    void (*on_data)(void *arg);
    // The output has fallen to `out_low` or below.
    void (*on_drain)(void *arg);
    // The peer has sent its last byte; what it sent before is still in conn_input.  NULL: treated
    // as closed (on_close with ERR_CLOSED) once on_data has seen the rest.
    void (*on_eof)(void *arg);
    // The stream is gone.  ERR_OK: conn_finish did its work; ERR_CLOSED: by the peer; ERR_REFUSED,
    // ERR_TIMEOUT, ERR_TLS, ERR_IO.  `text` says more, borrowed until return, never NULL.
    void (*on_close)(void *arg, enum err err, const char *text);
};

struct conn_options {
    const struct conn_handlers *handlers; // kept
    void *arg;
    size_t in_max;           // ceiling of bytes waiting in conn_input; 0 = 64 KiB
    size_t out_max;          // ceiling of bytes waiting to be sent; 0 = 1 MiB
    size_t out_low;          // on_drain at or below
    int64_t open_ms;         // total for connecting and handshake; 0 = 5 s
    int64_t idle_ms;         // no byte either way for so long; 0 = never
    int64_t write_ms;        // output waits and nothing of it was taken for so long; 0 = never
    struct tls_context *tls; // NULL: plain.  The conn takes a reference of its own.
    const char *tls_name;    // client: the name to verify and to send as SNI; NULL: neither
};

// Starts connecting; the outcome comes as on_open or on_close.  ERR_NOMEM, ERR_IO (no descriptor).
enum err conn_connect(struct loop *loop, const struct address *address,
                      const struct conn_options *options, struct conn **ret_conn) MUST_USE;
// *takes* the accepted socket `fd` on success.  on_open comes here too.  ERR_NOMEM, ERR_IO.
enum err conn_accept(struct loop *loop, int fd, const struct conn_options *options,
                     struct conn **ret_conn) MUST_USE;
// Ends it now, without a further callback; output that waits is dropped.  Accepts NULL.
void conn_close(struct conn *conn);

// Sends what waits, then the end of the stream (FIN, with close_notify on TLS), then reads and
// discards at most `drain_len` bytes for at most `drain_ms` so that the peer gets to read the
// answer before a reset, then on_close(ERR_OK).  on_data and on_drain come no more.
void conn_finish(struct conn *conn, size_t drain_len, int64_t drain_ms);

// --- input

// What waits, in one piece; valid until the next call on this conn.
struct span conn_input(struct conn *conn);
size_t conn_in_len(const struct conn *conn);
void conn_consume(struct conn *conn, size_t len);
// Stops reading from the socket (the peer's end of stream is then not seen either), and goes on.
// Going on with input waiting calls on_data soon.
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);
// As conn_pause, and goes on by itself at `until`.
void conn_pause_until(struct conn *conn, struct mono until);
bool conn_is_paused(const struct conn *conn);

// --- output; only once open

// Takes all of `data` or nothing.  ERR_FULL: it would pass out_max; ERR_NOMEM; ERR_CLOSED: not open
// any more (on_close has come or is about to).
enum err conn_write(struct conn *conn, struct span data) MUST_USE;
size_t conn_out_len(const struct conn *conn);

// --- deadlines

// One absolute deadline beside those of the options: at `at` the stream ends with ERR_TIMEOUT and
// `text` (kept: a literal).  A second call moves it.
void conn_set_deadline(struct conn *conn, struct mono at, const char *text);
static inline void conn_clear_deadline(struct conn *conn)
{
    conn_set_deadline(conn, (struct mono){0}, NULL);
}

// --- who is there

bool conn_is_open(const struct conn *conn);
// The peer's address; of a unix socket: its family only.
const struct address *conn_peer(const struct conn *conn);
// The peer's user on a unix socket.  false: not a unix socket.
bool conn_peer_uid(const struct conn *conn, uid_t *ret_uid);
// The name in the verified client certificate (first DNS name, else the common name).  false: none.
bool conn_peer_name(const struct conn *conn, char *ret_name, size_t cap);
