// SPDX-License-Identifier: Apache-2.0
// Accepts connections on a TCP address or the path of a unix socket and hands the descriptors on.
// Invariant: a listener removes a unix socket only if it is the one that it made; a path that is in
// use or that is no socket is an error and stays as it is. When the process has no descriptors left
// it stops accepting for 100 ms instead of spinning. [loop].  Read next: conn.h (conn_accept),
// http1_server.h.
#pragma once

#include "base/address.h"
#include "base/err.h"

#include <sys/stat.h>

struct listener;
struct loop;

// *gives* `fd` (non-blocking, close-on-exec).
typedef void (*listener_accept_fn)(void *arg, int fd, const struct address *peer);

struct listener_options {
    struct address address; // port 0: the kernel chooses, see listener_address
    mode_t unix_mode;       // of a unix socket; 0 = 0660
    int backlog;            // 0 = 512
    listener_accept_fn on_accept;
    void *arg;
};

// ERR_BUSY: address or socket in use; ERR_EXISTS: the path is no socket; ERR_DENIED; ERR_NOT_FOUND:
// no such directory; ERR_INVALID: not an address of this host; ERR_IO; ERR_NOMEM.
enum err listener_new(struct loop *loop, const struct listener_options *options,
                      struct listener **ret_listener) MUST_USE;
// Removes its unix socket.  Accepts NULL.
void listener_free(struct listener *listener);

// As bound: with the port that the kernel chose.
const struct address *listener_address(const struct listener *listener);
// Stops accepting, and goes on; the backlog waits meanwhile.
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);
