// SPDX-License-Identifier: Apache-2.0
// The bytes of one connected socket: what has come and waits to be taken, what waits to be sent.
//
//     plain:  readable --recv--> input        write --> output --end of the turn: one writev--> socket
//                                                          `--what it does not take--> when writable
//     TLS:    the same by libevent's bufferevent, with OpenSSL in between
//
// A plain write goes out before the loop waits again, all of one turn together, and without asking first
// whether the socket is writable: it nearly always is.  That saves four system calls of six on each way.
//
// Invariants: no callback runs from inside a call of this file; the input never holds more than `in_max`
// (TLS: by less than one record more).  [loop].  Read next: conn.h, which adds life and deadlines.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct loop;
struct ssl_st;
struct tls_context;
struct transport;

enum transport_event {
    TRANSPORT_CONNECTED, // TLS: the handshake is done
    TRANSPORT_EOF,       // the peer has sent its last byte
    TRANSPORT_FAILED
};

// All may free the transport.
struct transport_user {
    void (*on_input)(void *arg);
    // Some output is gone.  TLS tells it only at `out_low` or below.
    void (*on_sent)(void *arg);
    // Some output is gone, or the first of it has been added: for who keeps times.  Frees nothing.
    void (*on_progress)(void *arg);
    void (*on_event)(void *arg, enum transport_event event, int errno_value);
};

struct transport_options {
    const struct transport_user *user; // kept
    void *arg;
    size_t in_max;
    size_t out_low;
    struct tls_context *tls; // NULL: plain.  Borrowed.
    const char *tls_name;    // client: the name to verify
};

// *takes* the connected socket `fd` on success.  Reads nothing yet; the handshake begins at once.
// ERR_NOMEM, ERR_TLS.
enum err transport_new(struct loop *loop, int fd, const struct transport_options *options,
                       struct transport **ret_transport) MUST_USE;
// Output that waits is dropped.  Accepts NULL.
void transport_free(struct transport *transport);

void transport_read(struct transport *transport, bool on);
// Reads and sends no more.
void transport_stop(struct transport *transport);

struct span transport_input(struct transport *transport); // in one piece
size_t transport_in_len(const struct transport *transport);
void transport_consume(struct transport *transport, size_t len);
// Calls on_input soon, without new input.
void transport_remind(struct transport *transport);

// ERR_NOMEM.
enum err transport_write(struct transport *transport, struct span data) MUST_USE;
size_t transport_out_len(const struct transport *transport);
// After all output is sent: the end of our side (FIN, with close_notify on TLS).
void transport_shutdown(struct transport *transport);

int transport_fd(const struct transport *transport);
struct ssl_st *transport_session(const struct transport *transport); // NULL: plain
// OpenSSL's code of the last failure; 0: none.
unsigned long transport_tls_error(struct transport *transport);
