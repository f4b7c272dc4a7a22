// SPDX-License-Identifier: Apache-2.0
#include "base/transport.h"

#include "base/assert.h"
#include "base/loop.h"
#include "base/tls.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct transport {
    struct loop *loop;
    const struct transport_user *user;
    void *arg;
    int fd;
    size_t in_max;
    struct evbuffer *in, *out;           // TLS: the bufferevent's
    struct event *readable;              // plain; pending while reading
    struct event *writable;              // plain; pending while the socket takes no more
    struct bufferevent *bev;             // TLS
    struct ssl_st *session;              // TLS; the bufferevent's
    struct evbuffer_cb_entry *out_entry; // TLS
    struct loop_late late;
    bool reminded; // on_input is due
    bool doomed;   // no memory in the midst of a call: on_event is due
    bool stopped;
};

// --- plain

static void fail(struct transport *transport, int errno_value)
{
    transport_stop(transport);
    transport->user->on_event(transport->arg, TRANSPORT_FAILED, errno_value);
}

static void doom(struct transport *transport)
{
    transport->doomed = true;
    loop_late_add(transport->loop, &transport->late);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct transport *transport = arg;
    size_t held = evbuffer_get_length(transport->in);
    struct loop_scratch room = loop_scratch(transport->loop);
    ASSERT(held < transport->in_max); // else whoever owns the ceiling stops the reading
    size_t most = transport->in_max - held < room.len ? transport->in_max - held : room.len;
    if (most == 0) {
        fail(transport, ENOMEM);
        return;
    }
    ssize_t len = recv(fd, room.ptr, most, 0);
    if (len > 0 && evbuffer_add(transport->in, room.ptr, (size_t)len) == 0) {
        transport->user->on_input(transport->arg);
    } else if (len > 0) {
        fail(transport, ENOMEM);
    } else if (len == 0) {
        event_del(transport->readable);
        transport->user->on_event(transport->arg, TRANSPORT_EOF, 0);
    } else if (errno != EAGAIN && errno != EINTR) {
        fail(transport, errno);
    }
}

// Sends what the socket takes.  The transport may be gone afterwards.
static void send_waiting(struct transport *transport)
{
    int len = evbuffer_write(transport->out, transport->fd);
    if (len < 0 && errno != EAGAIN && errno != EINTR) {
        fail(transport, errno);
        return;
    }
    bool more = evbuffer_get_length(transport->out) > 0;
    bool waits = event_pending(transport->writable, EV_WRITE, NULL) != 0;
    if (more && !waits && event_add(transport->writable, NULL) != 0) {
        fail(transport, ENOMEM);
        return;
    }
    if (!more && waits) {
        event_del(transport->writable);
    }
    if (len > 0) {
        transport->user->on_progress(transport->arg);
        transport->user->on_sent(transport->arg);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    send_waiting(arg);
}

// Each callback may free the transport, so one of both is done at a time.
static void on_late(void *arg)
{
    struct transport *transport = arg;
    if (transport->stopped) {
        return;
    }
    if (transport->doomed) {
        fail(transport, ENOMEM);
        return;
    }
    bool sends = transport->bev == NULL && evbuffer_get_length(transport->out) > 0 &&
                 event_pending(transport->writable, EV_WRITE, NULL) == 0;
    if (transport->reminded) {
        transport->reminded = false;
        if (sends) {
            loop_late_add(transport->loop, &transport->late);
        }
        transport->user->on_input(transport->arg);
    } else if (sends) {
        send_waiting(transport);
    }
}

static enum err start_plain(struct transport *transport)
{
    struct event_base *base = loop_event_base(transport->loop);
    transport->in = evbuffer_new();
    transport->out = evbuffer_new();
    transport->readable =
        event_new(base, transport->fd, EV_READ | EV_PERSIST, on_readable, transport);
    transport->writable =
        event_new(base, transport->fd, EV_WRITE | EV_PERSIST, on_writable, transport);
    bool made = transport->in != NULL && transport->out != NULL && transport->readable != NULL &&
                transport->writable != NULL;
    return made ? ERR_OK : ERR_NOMEM;
}

// --- TLS

static void on_tls_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct transport *transport = arg;
    transport->user->on_input(transport->arg);
}

static void on_tls_write(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct transport *transport = arg;
    transport->user->on_sent(transport->arg);
}

static void on_tls_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    int errno_value = EVUTIL_SOCKET_ERROR();
    struct transport *transport = arg;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        transport->user->on_event(transport->arg, TRANSPORT_CONNECTED, 0);
    } else if ((what & BEV_EVENT_EOF) != 0) {
        transport->user->on_event(transport->arg, TRANSPORT_EOF, 0);
    } else if ((what & BEV_EVENT_ERROR) != 0) {
        transport->user->on_event(transport->arg, TRANSPORT_FAILED, errno_value);
    }
}

static void on_tls_out_change(struct evbuffer *out, const struct evbuffer_cb_info *info, void *arg)
{
    (void)out;
    struct transport *transport = arg;
    if (info->n_deleted > 0 || info->orig_size == 0) {
        transport->user->on_progress(transport->arg);
    }
}

static enum err start_tls(struct transport *transport, const struct transport_options *options)
{
    struct event_base *base = loop_event_base(transport->loop);
    struct ssl_st *session = NULL;
    enum err err = tls_session_new(options->tls, options->tls_name, &session);
    if (err != ERR_OK) {
        return err;
    }
    // Frees the session also when it fails.
    transport->bev = bufferevent_openssl_socket_new(
        base, transport->fd, session,
        tls_context_is_server(options->tls) ? BUFFEREVENT_SSL_ACCEPTING
                                            : BUFFEREVENT_SSL_CONNECTING,
        BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (transport->bev == NULL) {
        return ERR_NOMEM;
    }
    transport->session = session;
    transport->in = bufferevent_get_input(transport->bev);
    transport->out = bufferevent_get_output(transport->bev);
    transport->out_entry = evbuffer_add_cb(transport->out, on_tls_out_change, transport);
    if (transport->out_entry == NULL) {
        doom(transport); // the descriptor is the bufferevent's already: too late for an error
    }
    bufferevent_setcb(transport->bev, on_tls_read, on_tls_write, on_tls_event, transport);
    bufferevent_setwatermark(transport->bev, EV_WRITE, options->out_low, 0);
    bufferevent_enable(transport->bev, EV_WRITE);
    return ERR_OK;
}

// --- both

enum err transport_new(struct loop *loop, int fd, const struct transport_options *options,
                       struct transport **ret_transport)
{
    struct transport *transport = calloc(1, sizeof(*transport));
    if (transport == NULL) {
        return ERR_NOMEM;
    }
    transport->loop = loop;
    transport->user = options->user;
    transport->arg = options->arg;
    transport->in_max = options->in_max;
    transport->fd = fd;
    loop_late_init(&transport->late, on_late, transport);
    enum err err = options->tls == NULL ? start_plain(transport) : start_tls(transport, options);
    if (err != ERR_OK) {
        transport->fd = -1; // stays the caller's
        transport_free(transport);
        return err;
    }
    *ret_transport = transport;
    return ERR_OK;
}

static void free_plain(struct transport *transport)
{
    if (transport->readable != NULL) {
        event_free(transport->readable);
    }
    if (transport->writable != NULL) {
        event_free(transport->writable);
    }
    if (transport->in != NULL) {
        evbuffer_free(transport->in);
    }
    if (transport->out != NULL) {
        evbuffer_free(transport->out);
    }
    if (transport->fd >= 0) {
        close(transport->fd);
    }
}

static void free_tls(struct transport *transport)
{
    if (transport->out_entry != NULL) {
        evbuffer_remove_cb_entry(transport->out, transport->out_entry);
    }
    bufferevent_setcb(transport->bev, NULL, NULL, NULL, NULL);
    bufferevent_disable(transport->bev, EV_READ | EV_WRITE);
    bufferevent_free(transport->bev); // closes the descriptor at the end of this turn of the loop
}

void transport_free(struct transport *transport)
{
    if (transport == NULL) {
        return;
    }
    loop_late_cancel(transport->loop, &transport->late);
    if (transport->bev != NULL) {
        free_tls(transport);
    } else {
        free_plain(transport);
    }
    free(transport);
}

void transport_read(struct transport *transport, bool on)
{
    if (transport->bev != NULL && on) {
        bufferevent_enable(transport->bev, EV_READ);
    } else if (transport->bev != NULL) {
        bufferevent_disable(transport->bev, EV_READ);
    } else if (!on) {
        event_del(transport->readable);
    } else if (event_pending(transport->readable, EV_READ, NULL) == 0 &&
               event_add(transport->readable, NULL) != 0) {
        doom(transport);
    }
}

void transport_stop(struct transport *transport)
{
    transport->stopped = true;
    if (transport->bev != NULL) {
        bufferevent_disable(transport->bev, EV_READ | EV_WRITE);
        return;
    }
    event_del(transport->readable);
    event_del(transport->writable);
}

struct span transport_input(struct transport *transport)
{
    size_t len = evbuffer_get_length(transport->in);
    const void *bytes = evbuffer_pullup(transport->in, -1);
    if (bytes == NULL && len > 0) { // no memory for one piece: the first piece must do
        len = evbuffer_get_contiguous_space(transport->in);
        bytes = evbuffer_pullup(transport->in, (ev_ssize_t)len);
    }
    return span_of(bytes, len);
}

size_t transport_in_len(const struct transport *transport)
{
    return evbuffer_get_length(transport->in);
}

void transport_consume(struct transport *transport, size_t len)
{
    ASSERT(len <= evbuffer_get_length(transport->in));
    (void)evbuffer_drain(transport->in, len);
}

void transport_remind(struct transport *transport)
{
    transport->reminded = true;
    loop_late_add(transport->loop, &transport->late);
}

enum err transport_write(struct transport *transport, struct span data)
{
    bool first = evbuffer_get_length(transport->out) == 0;
    if (evbuffer_add(transport->out, data.ptr, data.len) != 0) {
        return ERR_NOMEM;
    }
    if (first && transport->bev == NULL) {
        transport->user->on_progress(transport->arg);
        loop_late_add(transport->loop, &transport->late);
    }
    return ERR_OK;
}

size_t transport_out_len(const struct transport *transport)
{
    return evbuffer_get_length(transport->out);
}

void transport_shutdown(struct transport *transport)
{
    if (transport->session != NULL) {
        tls_session_finish(transport->session);
    }
    (void)shutdown(transport_fd(transport), SHUT_WR);
}

int transport_fd(const struct transport *transport)
{
    return transport->fd;
}

struct ssl_st *transport_session(const struct transport *transport)
{
    return transport->session;
}

unsigned long transport_tls_error(struct transport *transport)
{
    return transport->bev == NULL ? 0 : bufferevent_get_openssl_error(transport->bev);
}
