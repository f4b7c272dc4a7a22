// SPDX-License-Identifier: Apache-2.0
// One attempt to connect a socket, up to the moment when it is connected or has failed.  Knows no stream,
// no TLS and no deadline: conn.c brings those.
// Invariant: `done` is called at most once, from the loop, never from inside connector_start.
// [loop].  Read next: conn.h, socket.h.
#pragma once

#include "base/address.h"
#include "base/err.h"

struct connector;
struct loop;

// *gives* the connected `fd` when `errno_value` is 0; else it has been closed and `fd` is -1.  The connector
// is freed before this is called.
typedef void (*connector_done_fn)(void *arg, int fd, int errno_value);

struct connector_target {
    const struct address *address; // borrowed until return
    connector_done_fn done;
    void *arg;
};

// ERR_NOMEM; ERR_IO: no descriptor.
enum err connector_start(struct loop *loop, const struct connector_target *target,
                         struct connector **ret_connector) MUST_USE;
// Gives up, without `done`.  Accepts NULL.
void connector_free(struct connector *connector);
