// SPDX-License-Identifier: Apache-2.0
#include "base/http1_server.h"

#include "base/assert.h"
#include "base/http1_session.h"
#include "base/listener.h"
#include "base/loop.h"
#include "base/tls.h"

#include <stdlib.h>
#include <unistd.h>

#define REFUSED_MAX 64 // who comes over a ceiling gets 503; beyond these, just an end

static uint32_t count_or(uint32_t value, uint32_t otherwise)
{
    return value == 0 ? otherwise : value;
}

static int64_t ms_or(int64_t value, int64_t otherwise)
{
    return value == 0 ? otherwise : value;
}

enum err http1_server_new(struct loop *loop, const struct http1_server_options *options,
                          struct http1_server **ret_server)
{
    ASSERT_ON_LOOP(loop);
    ASSERT(options->handler != NULL);
    struct http1_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return ERR_NOMEM;
    }
    server->loop = loop;
    server->options = *options;
    struct http1_server_options *own = &server->options;
    own->connections_max = count_or(options->connections_max, 1024);
    own->connections_reserved = count_or(options->connections_reserved, 32);
    own->header_ms = ms_or(options->header_ms, 5000);
    own->body_ms = ms_or(options->body_ms, 10000);
    own->idle_ms = ms_or(options->idle_ms, 30000);
    own->write_ms = ms_or(options->write_ms, 15000);
    own->stream_out_max = options->stream_out_max == 0 ? 1048576 : options->stream_out_max;
    *ret_server = server;
    return ERR_OK;
}

static void free_listener(struct http1_listener *listener)
{
    listener_free(listener->listener);
    tls_context_free(listener->tls);
    free(listener);
}

void http1_server_free(struct http1_server *server)
{
    if (server == NULL) {
        return;
    }
    ASSERT_ON_LOOP(server->loop);
    while (server->sessions != NULL) {
        ASSERT(!server->sessions->running); // not from inside a handler
        http1_session_free(server->sessions);
    }
    while (server->listeners != NULL) {
        struct http1_listener *listener = server->listeners;
        server->listeners = listener->next;
        free_listener(listener);
    }
    free(server);
}

static bool over_ceiling(const struct http1_listener *listener)
{
    const struct http1_server *server = listener->server;
    uint64_t max = server->options.connections_max;
    if (listener->info.is_unix) {
        max += server->options.connections_reserved;
    }
    return server->connections >= max ||
           (listener->connections_max != 0 && listener->connections >= listener->connections_max);
}

static void on_accept(void *arg, int fd, const struct address *peer)
{
    (void)peer;
    struct http1_listener *listener = arg;
    bool refused = over_ceiling(listener);
    if ((refused && listener->server->refused >= REFUSED_MAX) ||
        http1_session_new(listener, fd, refused) != ERR_OK) {
        close(fd);
    }
}

enum err http1_server_listen(struct http1_server *server,
                             const struct http1_listen_options *options,
                             struct http1_listener **ret_listener)
{
    ASSERT_ON_LOOP(server->loop);
    struct http1_listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL) {
        return ERR_NOMEM;
    }
    listener->server = server;
    listener->connections_max = options->connections_max;
    const struct listener_options below = {.address = options->address,
                                           .unix_mode = options->unix_mode,
                                           .on_accept = on_accept,
                                           .arg = listener};
    enum err err = listener_new(server->loop, &below, &listener->listener);
    if (err != ERR_OK) {
        free(listener);
        return err;
    }
    if (options->tls != NULL) {
        listener->tls = tls_context_ref(options->tls);
    }
    const struct address *bound = listener_address(listener->listener);
    listener->info = (struct http1_listener_info){.is_unix = address_is_unix(bound),
                                                  .is_loopback = address_is_loopback(bound),
                                                  .is_tls = options->tls != NULL,
                                                  .port = address_port(bound),
                                                  .user = options->user};
    listener->next = server->listeners;
    server->listeners = listener;
    if (server->draining) {
        listener_pause(listener->listener);
    }
    *ret_listener = listener;
    return ERR_OK;
}

const struct address *http1_listener_address(const struct http1_listener *listener)
{
    return listener_address(listener->listener);
}

void http1_listener_set_tls(struct http1_listener *listener, struct tls_context *tls)
{
    struct tls_context *old = listener->tls;
    listener->tls = tls == NULL ? NULL : tls_context_ref(tls);
    listener->info.is_tls = tls != NULL;
    tls_context_free(old);
}

void http1_server_drain(struct http1_server *server)
{
    ASSERT_ON_LOOP(server->loop);
    server->draining = true;
    for (struct http1_listener *at = server->listeners; at != NULL; at = at->next) {
        listener_pause(at->listener);
    }
    for (struct http1_session *at = server->sessions; at != NULL; at = at->next) {
        // Only what waits for a request that has not begun: ends from the loop, so the list stays.
        if (at->waiting == HTTP1_WAIT_IDLE && !http1_parser_begun(at->parser)) {
            http1_session_end(at);
        }
    }
}

uint32_t http1_server_connections(const struct http1_server *server)
{
    return server->connections;
}
