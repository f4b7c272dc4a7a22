// SPDX-License-Identifier: Apache-2.0
#include "replicator/demo/backends.h"

#include "base/address.h"
#include "base/assert.h"
#include "base/http1_server.h"
#include "replicator/demo/port.h"

#include <stdlib.h>

struct backend {
    struct loop *loop;
    struct http1_server *server; // NULL: refuses
    struct address address;
    enum story_mode mode;
};

struct backends {
    struct backend rows[STORY_BACKENDS];
};

static void respond(struct http1_exchange *exchange, unsigned status, struct span body)
{
    struct http1_response response = {
        .status = status,
        .content_type = "text/plain",
        .body = body,
    };
    http1_respond(exchange, &response);
}

// The prober gave up waiting: the handle must be ended all the same.
static void on_cancel(void *arg)
{
    respond(arg, 503, SPAN_LIT("too late\n"));
}

static void on_request(void *arg, struct http1_exchange *exchange)
{
    const struct backend *backend = arg;
    if (backend->mode == STORY_HANG) {
        http1_exchange_on_cancel(exchange, on_cancel, exchange);
    } else if (backend->mode == STORY_ERROR) {
        respond(exchange, 500, SPAN_LIT("broken\n"));
    } else {
        respond(exchange, 200, SPAN_LIT("ok\n"));
    }
}

static enum err start_listening(struct backend *backend)
{
    struct http1_server_options options = {.handler = on_request, .arg = backend};
    struct http1_server *server = NULL;
    enum err err = http1_server_new(backend->loop, &options, &server);
    if (err != ERR_OK) {
        return err;
    }
    struct http1_listen_options listen = {.address = backend->address};
    struct http1_listener *listener = NULL;
    err = http1_server_listen(server, &listen, &listener);
    if (err != ERR_OK) {
        http1_server_free(server);
        return err;
    }
    backend->server = server;
    return ERR_OK;
}

static void stop_listening(struct backend *backend)
{
    http1_server_free(backend->server);
    backend->server = NULL;
}

// Between finding a port and listening on it somebody else may take it: then the next.
static enum err start_anywhere(struct backend *backend, uint16_t from)
{
    enum err err = ERR_BUSY;
    for (int tried = 0; tried < 100 && err == ERR_BUSY; tried++) {
        uint16_t port;
        err = port_find(from, &port);
        if (err == ERR_OK) {
            err = address_parse_ip(SPAN_LIT("127.0.0.1"), port, &backend->address);
        }
        if (err == ERR_OK) {
            err = start_listening(backend);
        }
        from = (uint16_t)(port + 1);
    }
    return err;
}

enum err backends_new(struct loop *loop, struct backends **ret_backends)
{
    struct backends *backends = calloc(1, sizeof(*backends));
    if (backends == NULL) {
        return ERR_NOMEM;
    }
    uint16_t from = port_start();
    for (size_t i = 0; i < STORY_BACKENDS; i++) {
        backends->rows[i].loop = loop;
        enum err err = start_anywhere(&backends->rows[i], from);
        if (err != ERR_OK) {
            backends_free(backends);
            return err;
        }
        from = (uint16_t)(backends_port(backends, i) + 1);
    }
    *ret_backends = backends;
    return ERR_OK;
}

void backends_free(struct backends *backends)
{
    if (backends == NULL) {
        return;
    }
    for (size_t i = 0; i < STORY_BACKENDS; i++) {
        stop_listening(&backends->rows[i]);
    }
    free(backends);
}

uint16_t backends_port(const struct backends *backends, size_t backend)
{
    ASSERT(backend < STORY_BACKENDS);
    return address_port(&backends->rows[backend].address);
}

enum err backends_set(struct backends *backends, size_t backend, enum story_mode mode)
{
    ASSERT(backend < STORY_BACKENDS);
    struct backend *row = &backends->rows[backend];
    row->mode = mode;
    if (mode == STORY_REFUSE) {
        stop_listening(row);
        return ERR_OK;
    }
    return row->server == NULL ? start_listening(row) : ERR_OK;
}
