// SPDX-License-Identifier: Apache-2.0
#include "base/connector.h"

#include "base/loop.h"
#include "base/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct connector {
    struct loop *loop;
    int fd;
    struct loop_watch *watch;
    struct loop_task task; // what the kernel knew at once is told later all the same
    int errno_value;
    connector_done_fn done;
    void *arg;
};

void connector_free(struct connector *connector)
{
    if (connector == NULL) {
        return;
    }
    loop_unpost_task(connector->loop, &connector->task);
    loop_watch_free(connector->watch);
    if (connector->fd >= 0) {
        close(connector->fd);
    }
    free(connector);
}

static void tell(void *arg)
{
    struct connector *connector = arg;
    connector_done_fn done = connector->done;
    void *done_arg = connector->arg;
    int errno_value = connector->errno_value;
    int fd = -1;
    if (errno_value == 0) {
        fd = connector->fd;
        connector->fd = -1;
        loop_watch_free(connector->watch); // before the descriptor is anybody else's
        connector->watch = NULL;
    }
    connector_free(connector);
    done(done_arg, fd, errno_value);
}

static void on_writable(void *arg, int fd, unsigned ready)
{
    (void)ready;
    struct connector *connector = arg;
    connector->errno_value = socket_pending_error(fd);
    tell(connector);
}

static enum err start(struct connector *connector, const struct address *address)
{
    connector->fd = socket_open(address);
    if (connector->fd < 0) {
        return socket_err(errno) == ERR_NOMEM ? ERR_NOMEM : ERR_IO;
    }
    socket_tune(connector->fd, address);
    if (socket_connect(connector->fd, address, &connector->errno_value) != SOCKET_CONNECTING) {
        (void)loop_post_task(connector->loop, &connector->task);
        return ERR_OK;
    }
    const struct loop_watcher watcher = {on_writable, connector};
    enum err err = loop_watch_new(connector->loop, connector->fd, &watcher, &connector->watch);
    return err != ERR_OK ? err : loop_watch_set(connector->watch, LOOP_WRITE);
}

enum err connector_start(struct loop *loop, const struct connector_target *target,
                         struct connector **ret_connector)
{
    ASSERT_ON_LOOP(loop);
    struct connector *connector = calloc(1, sizeof(*connector));
    if (connector == NULL) {
        return ERR_NOMEM;
    }
    connector->loop = loop;
    connector->done = target->done;
    connector->arg = target->arg;
    loop_task_init(&connector->task, tell, connector);
    enum err err = start(connector, target->address);
    if (err != ERR_OK) {
        connector_free(connector);
        return err;
    }
    *ret_connector = connector;
    return ERR_OK;
}
