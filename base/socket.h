// SPDX-License-Identifier: Apache-2.0
// The system calls around sockets that conn.c and listener.c share: open, tune, connect, ask about the
// peer.  Invariant: every descriptor made here is non-blocking and close-on-exec.
// [any].  Read next: conn.h, listener.h.
#pragma once

#include "base/address.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

enum socket_progress { SOCKET_CONNECTED, SOCKET_CONNECTING, SOCKET_FAILED };

// -1 with errno.
int socket_open(const struct address *address);

// TCP: no delay, keepalive, an end to writes that nobody acknowledges for 30 s, little unsent data in
// the kernel.  Failures are ignored: none of this is needed for being right.
void socket_tune(int fd, const struct address *address);

// SOCKET_FAILED: *ret_errno says why.
enum socket_progress socket_connect(int fd, const struct address *address, int *ret_errno);
// What became of SOCKET_CONNECTING once the descriptor can be written: 0 or an errno.
int socket_pending_error(int fd);

// The table of errno and our errors.
enum err socket_err(int errno_value);

// Of the other end; len 0 when it cannot be told.
struct address socket_peer(int fd);
bool socket_peer_uid(int fd, uid_t *ret_uid);
