// SPDX-License-Identifier: Apache-2.0
#include "base/listener.h"

#include "base/assert.h"
#include "base/loop.h"
#include "base/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG_DEFAULT 512
#define UNIX_MODE_DEFAULT 0660
#define BACKOFF_MS 100
#define ACCEPTS_PER_TURN 64 // then others of this loop have their turn

struct listener {
    struct loop *loop;
    struct address address;
    listener_accept_fn on_accept;
    void *arg;
    int fd;
    struct loop_watch *watch;
    struct loop_timer *backoff;
    bool paused;
    bool accepting; // inside on_ready
    bool freed;     // from inside on_accept
    bool made_path; // the unix socket at `device`, `inode` is ours
    dev_t device;
    ino_t inode;
};

static const struct sockaddr *sockaddr_of(const struct address *address)
{
    const void *bytes = &address->storage;
    return bytes;
}

static const char *unix_path(const struct address *address, struct sockaddr_un *un)
{
    memcpy(un, &address->storage, sizeof(*un));
    return un->sun_path;
}

static enum err bind_err(int errno_value)
{
    switch (errno_value) {
    case EADDRINUSE:
        return ERR_BUSY;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_DENIED;
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return ERR_INVALID;
    case ENOMEM:
    case ENOBUFS:
        return ERR_NOMEM;
    default:
        return ERR_IO;
    }
}

// A socket that a killed process left behind refuses connections; only such a one is removed.
static enum err remove_stale(const struct address *address)
{
    struct sockaddr_un un;
    const char *path = unix_path(address, &un);
    struct stat found;
    if (lstat(path, &found) != 0) {
        return errno == ENOENT ? ERR_OK : bind_err(errno);
    }
    if (!S_ISSOCK(found.st_mode)) {
        return ERR_EXISTS;
    }
    int fd = socket_open(address);
    if (fd < 0) {
        return ERR_IO;
    }
    int errno_value = 0;
    enum socket_progress progress = socket_connect(fd, address, &errno_value);
    close(fd);
    if (progress != SOCKET_FAILED || errno_value != ECONNREFUSED) {
        return errno_value == EACCES ? ERR_DENIED : ERR_BUSY; // EAGAIN: its backlog is full
    }
    return unlink(path) == 0 || errno == ENOENT ? ERR_OK : bind_err(errno);
}

static enum err bind_unix(struct listener *listener, mode_t mode)
{
    enum err err = remove_stale(&listener->address);
    if (err != ERR_OK) {
        return err;
    }
    // The mode before the name: at no moment may more users connect than were meant to.
    if (fchmod(listener->fd, mode) != 0 ||
        bind(listener->fd, sockaddr_of(&listener->address), listener->address.len) != 0) {
        return bind_err(errno);
    }
    struct sockaddr_un un;
    struct stat made;
    const char *path = unix_path(&listener->address, &un);
    if (lstat(path, &made) != 0) {
        return bind_err(errno);
    }
    listener->made_path = true;
    listener->device = made.st_dev;
    listener->inode = made.st_ino;
    return chmod(path, mode) == 0 ? ERR_OK : bind_err(errno); // what the umask took away
}

static enum err bind_tcp(struct listener *listener)
{
    const int yes = 1;
    (void)setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (listener->address.storage.ss_family == AF_INET6) {
        (void)setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
    }
    if (bind(listener->fd, sockaddr_of(&listener->address), listener->address.len) != 0) {
        return bind_err(errno);
    }
    void *bytes = &listener->address.storage;
    socklen_t len = sizeof(listener->address.storage);
    if (getsockname(listener->fd, bytes, &len) != 0) {
        return ERR_IO;
    }
    listener->address.len = len;
    return ERR_OK;
}

static void watch_again(struct listener *listener)
{
    if (!listener->paused && !loop_timer_armed(listener->backoff) &&
        loop_watch_set(listener->watch, LOOP_READ) != ERR_OK) {
        loop_timer_set_ms(listener->backoff, BACKOFF_MS);
    }
}

static void on_backoff(void *arg)
{
    watch_again(arg);
}

static void back_off(struct listener *listener)
{
    // Dropping the interest cannot fail.
    enum err err = loop_watch_set(listener->watch, 0);
    ASSERT(err == ERR_OK);
    loop_timer_set_ms(listener->backoff, BACKOFF_MS);
}

static bool is_passing(int errno_value)
{
    // A connection that died in the backlog, or an error of the network that accept(2) hands on.
    return errno_value == EINTR || errno_value == ECONNABORTED || errno_value == EPROTO ||
           errno_value == ENETDOWN || errno_value == EHOSTUNREACH || errno_value == ENETUNREACH;
}

static void on_ready(void *arg, int fd, unsigned ready)
{
    (void)ready;
    struct listener *listener = arg;
    listener->accepting = true;
    for (int i = 0; i < ACCEPTS_PER_TURN && !listener->paused && !listener->freed; i++) {
        struct address peer = {.len = sizeof(peer.storage)};
        void *bytes = &peer.storage;
        int accepted = accept4(fd, bytes, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted >= 0) {
            listener->on_accept(listener->arg, accepted, &peer);
        } else if (!is_passing(errno)) {
            if (errno != EAGAIN) {
                back_off(
                    listener); // EMFILE, ENFILE, ENOMEM: the kernel would tell us again at once
            }
            break;
        }
    }
    listener->accepting = false;
    if (listener->freed) {
        listener_free(listener);
    }
}

static enum err start(struct listener *listener, const struct listener_options *options)
{
    listener->fd = socket_open(&listener->address);
    if (listener->fd < 0) {
        return bind_err(errno);
    }
    mode_t mode = options->unix_mode == 0 ? UNIX_MODE_DEFAULT : options->unix_mode;
    enum err err =
        address_is_unix(&listener->address) ? bind_unix(listener, mode) : bind_tcp(listener);
    if (err != ERR_OK) {
        return err;
    }
    if (listen(listener->fd, options->backlog == 0 ? BACKLOG_DEFAULT : options->backlog) != 0) {
        return bind_err(errno);
    }
    const struct loop_watcher watcher = {on_ready, listener};
    err = loop_watch_new(listener->loop, listener->fd, &watcher, &listener->watch);
    if (err == ERR_OK) {
        err = loop_timer_new(listener->loop, on_backoff, listener, &listener->backoff);
    }
    return err != ERR_OK ? err : loop_watch_set(listener->watch, LOOP_READ);
}

enum err listener_new(struct loop *loop, const struct listener_options *options,
                      struct listener **ret_listener)
{
    ASSERT_ON_LOOP(loop);
    struct listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL) {
        return ERR_NOMEM;
    }
    listener->loop = loop;
    listener->address = options->address;
    listener->on_accept = options->on_accept;
    listener->arg = options->arg;
    enum err err = start(listener, options);
    if (err != ERR_OK) {
        listener_free(listener);
        return err;
    }
    *ret_listener = listener;
    return ERR_OK;
}

static void remove_path(const struct listener *listener)
{
    struct sockaddr_un un;
    const char *path = unix_path(&listener->address, &un);
    struct stat found;
    // Somebody else may have taken the path over since: their socket stays.
    if (lstat(path, &found) == 0 && found.st_dev == listener->device &&
        found.st_ino == listener->inode) {
        (void)unlink(path);
    }
}

void listener_free(struct listener *listener)
{
    if (listener == NULL) {
        return;
    }
    if (listener->accepting) {
        listener->freed = true; // on_ready does the rest
        return;
    }
    if (listener->made_path) {
        remove_path(listener);
    }
    loop_timer_free(listener->backoff);
    loop_watch_free(listener->watch);
    if (listener->fd >= 0) {
        close(listener->fd);
    }
    free(listener);
}

const struct address *listener_address(const struct listener *listener)
{
    return &listener->address;
}

void listener_pause(struct listener *listener)
{
    listener->paused = true;
    enum err err = loop_watch_set(listener->watch, 0);
    ASSERT(err == ERR_OK); // dropping the interest cannot fail
}

void listener_resume(struct listener *listener)
{
    listener->paused = false;
    watch_again(listener);
}
