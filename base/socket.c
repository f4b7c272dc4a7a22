// SPDX-License-Identifier: Apache-2.0
#include "base/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

// Views the bytes of an address as what the socket calls want; they never read more than `len`.
static const struct sockaddr *sockaddr_of(const struct address *address)
{
    const void *bytes = &address->storage;
    return bytes;
}

int socket_open(const struct address *address)
{
    return socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void set(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

void socket_tune(int fd, const struct address *address)
{
    if (address_is_unix(address)) {
        return;
    }
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 30000);
    // Else the kernel takes megabytes for a reader that does not read, and back-pressure comes late.
    set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 * 1024);
}

enum socket_progress socket_connect(int fd, const struct address *address, int *ret_errno)
{
    int failed = 0;
    do {
        failed = connect(fd, sockaddr_of(address), address->len);
    } while (failed != 0 && errno == EINTR);
    if (failed == 0) {
        return SOCKET_CONNECTED;
    }
    if (errno == EINPROGRESS) {
        return SOCKET_CONNECTING;
    }
    *ret_errno = errno;
    return SOCKET_FAILED;
}

int socket_pending_error(int fd)
{
    int value = 0;
    socklen_t len = sizeof(value);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len) != 0) {
        return errno;
    }
    return value;
}

enum err socket_err(int errno_value)
{
    switch (errno_value) {
    case 0:
        return ERR_OK;
    case ECONNREFUSED:
    case ENOENT: // no socket at that path: nobody listens
        return ERR_REFUSED;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case ECONNRESET:
    case EPIPE:
        return ERR_CLOSED;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case ENOMEM:
    case ENOBUFS:
        return ERR_NOMEM;
    case EADDRINUSE:
        return ERR_BUSY;
    default:
        return ERR_IO;
    }
}

struct address socket_peer(int fd)
{
    struct address address = {.len = sizeof(address.storage)};
    void *bytes = &address.storage;
    if (getpeername(fd, bytes, &address.len) != 0) {
        address.len = 0;
    }
    return address;
}

bool socket_peer_uid(int fd, uid_t *ret_uid)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    struct address address = socket_peer(fd);
    if (!address_is_unix(&address) || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
        return false;
    }
    *ret_uid = peer.uid;
    return true;
}
