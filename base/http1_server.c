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

void http1_listener_count_in(struct http1_listener *listener)
{
    struct http1_listener *front = listener->front;
    atomic_fetch_add_explicit(&listener->server->connections, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&front->server->admitted, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&front->connections, 1, memory_order_relaxed);
}

void http1_listener_count_out(struct http1_listener *listener)
{
    struct http1_listener *front = listener->front;
    atomic_fetch_sub_explicit(&listener->server->connections, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&front->server->admitted, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&front->connections, 1, memory_order_relaxed);
}

// --- from the loop that accepts to the one that serves

// A connection on its way.
struct handed {
    struct mailbox_node node; // first: the mailbox hands it back
    int fd;
};

static void drop(struct http1_listener *branch, int fd)
{
    close(fd);
    http1_listener_count_out(branch);
}

static void take_handed(void *arg)
{
    struct http1_listener *branch = arg;
    struct mailbox_node *next = NULL;
    for (struct mailbox_node *at = mailbox_take(&branch->handed); at != NULL; at = next) {
        struct handed *handed = (struct handed *)at;
        int fd = handed->fd;
        next = at->next;
        free(handed);
        if (http1_session_new(branch, fd, false) != ERR_OK) {
            drop(branch, fd);
        }
    }
}

static enum err hand_over(struct http1_listener *branch, int fd)
{
    struct handed *handed = malloc(sizeof(*handed));
    if (handed == NULL) {
        return ERR_NOMEM;
    }
    *handed = (struct handed){.fd = fd};
    (void)mailbox_push(&branch->handed, &handed->node);
    (void)loop_post_task(branch->server->loop, &branch->take);
    return ERR_OK;
}

static void free_branch(struct http1_listener *branch)
{
    loop_unpost_task(branch->server->loop, &branch->take);
    struct mailbox_node *next = NULL;
    for (struct mailbox_node *at = mailbox_take(&branch->handed); at != NULL; at = next) {
        struct handed *handed = (struct handed *)at;
        next = at->next;
        drop(branch, handed->fd);
        free(handed);
    }
}

static void free_listener(struct http1_listener *listener)
{
    if (listener->front != listener) {
        free_branch(listener);
    }
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

static bool over_ceiling(const struct http1_listener *front)
{
    const struct http1_server *server = front->server;
    uint64_t max = server->options.connections_max;
    if (front->info.is_unix) {
        max += server->options.connections_reserved;
    }
    return atomic_load_explicit(&server->admitted, memory_order_relaxed) >= max ||
           (front->connections_max != 0 &&
            atomic_load_explicit(&front->connections, memory_order_relaxed) >=
                front->connections_max);
}

static struct http1_listener *member(struct http1_listener *front, size_t place)
{
    size_t at = place % (front->branch_count + 1);
    return at == 0 ? front : front->branches[at - 1];
}

// Not by turns alone: streams stay for days, and whoever got them would get as many requests as the others.
static struct http1_listener *with_fewest(struct http1_listener *front)
{
    size_t turn = front->turn++;
    struct http1_listener *best = member(front, turn);
    for (size_t i = 1; i <= front->branch_count; i++) {
        struct http1_listener *at = member(front, turn + i);
        if (http1_server_connections(at->server) < http1_server_connections(best->server)) {
            best = at;
        }
    }
    return best;
}

static void on_accept(void *arg, int fd, const struct address *peer)
{
    (void)peer;
    struct http1_listener *front = arg;
    if (over_ceiling(front)) {
        if (front->server->refused >= REFUSED_MAX || http1_session_new(front, fd, true) != ERR_OK) {
            close(fd);
        }
        return;
    }
    struct http1_listener *listener = with_fewest(front);
    http1_listener_count_in(listener);
    enum err err =
        listener == front ? http1_session_new(front, fd, false) : hand_over(listener, fd);
    if (err != ERR_OK) {
        drop(listener, fd);
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
    listener->front = listener;
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

enum err http1_listener_share(struct http1_listener *front, struct http1_server *helper,
                              struct http1_listener **ret_branch)
{
    ASSERT_ON_LOOP(front->server->loop);
    ASSERT_ON_LOOP(helper->loop);
    ASSERT(front->front == front && front->server != helper);
    ASSERT(front->branch_count < HTTP1_BRANCHES_MAX);
    struct http1_listener *branch = calloc(1, sizeof(*branch));
    if (branch == NULL) {
        return ERR_NOMEM;
    }
    branch->server = helper;
    branch->front = front;
    branch->info = front->info;
    branch->tls = front->tls == NULL ? NULL : tls_context_ref(front->tls);
    mailbox_init(&branch->handed);
    loop_task_init(&branch->take, take_handed, branch);
    branch->next = helper->listeners;
    helper->listeners = branch;
    front->branches[front->branch_count++] = branch;
    *ret_branch = branch;
    return ERR_OK;
}

const struct address *http1_listener_address(const struct http1_listener *listener)
{
    return listener_address(listener->front->listener);
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
        if (at->front == at) {
            listener_pause(at->listener);
        }
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
    return atomic_load_explicit(&server->connections, memory_order_relaxed);
}
