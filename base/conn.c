// SPDX-License-Identifier: Apache-2.0
#include "base/conn.h"

#include "base/assert.h"
#include "base/connector.h"
#include "base/deadlines.h"
#include "base/loop.h"
#include "base/socket.h"
#include "base/tls.h"
#include "base/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IN_MAX_DEFAULT 65536
#define OUT_MAX_DEFAULT 1048576
#define OPEN_MS_DEFAULT 5000

enum conn_state {
    CONN_CONNECTING, // TCP or unix connect under way
    CONN_HANDSHAKE,  // TLS
    CONN_OPENING,    // usable; on_open is due
    CONN_OPEN,
    CONN_FLUSH, // conn_finish: output is being sent
    CONN_DRAIN, // our end is sent; input is thrown away until theirs comes
    CONN_OVER   // on_close has been called, or is due (`over_due`)
};

struct conn {
    struct loop *loop;
    struct conn_options options;
    enum conn_state state;
    int fd;                      // -1 once the transport owns it
    struct connector *connector; // while connecting
    struct transport *transport; // from HANDSHAKE on
    struct loop_timer *timer;
    struct address peer;
    bool paused;
    bool full;      // reading rests until some of the input is taken
    bool eof;       // the peer has sent its last byte
    bool draining;  // output was written: on_drain is due
    bool over_due;  // on_close must still be called
    bool closed;    // conn_close was called: free at the end of the callback
    unsigned depth; // callbacks under way
    enum err over_err;
    const char *over_text; // a literal
    struct mono resume_at; // of a pause that ends by itself; INT64_MAX: it does not
    struct mono armed_at;  // of the timer; looked at only when it is armed
    struct deadlines deadlines;
    size_t drain_left;
    int64_t drain_ms;
};

static void destroy(struct conn *conn)
{
    transport_free(conn->transport);
    connector_free(conn->connector);
    if (conn->fd >= 0) {
        close(conn->fd);
    }
    loop_timer_free(conn->timer);
    tls_context_free(conn->options.tls);
    free(conn);
}

// --- deadlines: one timer for the earliest of them

static struct deadlines_due next_deadline(const struct conn *conn)
{
    if (conn->over_due || conn->state == CONN_OPENING) {
        return (struct deadlines_due){{0}, ""};
    }
    if (conn->state == CONN_OVER) {
        return (struct deadlines_due){{INT64_MAX}, ""};
    }
    enum deadlines_phase phase = conn->state == CONN_CONNECTING  ? DEADLINES_CONNECTING
                                 : conn->state == CONN_HANDSHAKE ? DEADLINES_HANDSHAKE
                                 : conn->state == CONN_OPEN      ? DEADLINES_OPEN
                                                                 : DEADLINES_CLOSING;
    return deadlines_next(&conn->deadlines, phase, conn_out_len(conn) > 0);
}

// The earliest deadline, or the end of a pause.
static struct mono next_wake(const struct conn *conn)
{
    struct mono at = next_deadline(conn).at;
    return conn->state == CONN_OPEN && conn->resume_at.us < at.us ? conn->resume_at : at;
}

// A timer that stands earlier than needed is left: it looks again when it fires.  So a stream that is
// busy does not move its timer with every byte.
static void rearm(struct conn *conn)
{
    struct mono at = next_wake(conn);
    if (loop_timer_armed(conn->timer) && conn->armed_at.us <= at.us) {
        return;
    }
    if (at.us != INT64_MAX) {
        conn->armed_at = at;
        loop_timer_set(conn->timer, at);
    }
}

// The end of every callback, which began with depth++: the user may have closed the stream inside it.
static void leave(struct conn *conn)
{
    ASSERT(conn->depth > 0);
    conn->depth--;
    if (conn->depth == 0 && conn->closed) {
        destroy(conn);
    } else if (!conn->closed) {
        rearm(conn);
    }
}

// --- the end

static void stop_io(struct conn *conn)
{
    connector_free(conn->connector);
    conn->connector = NULL;
    if (conn->transport != NULL) {
        transport_stop(conn->transport);
    }
}

// Calls on_close; only from a callback of the loop.
static void end_now(struct conn *conn, enum err err, const char *text)
{
    if (conn->state == CONN_OVER && !conn->over_due) {
        return;
    }
    conn->state = CONN_OVER;
    conn->over_due = false;
    stop_io(conn);
    if (!conn->closed) {
        conn->options.handlers->on_close(conn->options.arg, err, text);
    }
}

// The same from inside a call of the user: on_close comes with the next turn of the loop.
static void end_soon(struct conn *conn, enum err err, const char *text)
{
    ASSERT(conn->state != CONN_OVER);
    conn->state = CONN_OVER;
    conn->over_due = true;
    conn->over_err = err;
    conn->over_text = text;
    stop_io(conn);
    rearm(conn);
}

static void end_errno(struct conn *conn, int errno_value)
{
    char text[TLS_TEXT_LEN];
    end_now(conn, socket_err(errno_value), strerror_r(errno_value, text, sizeof(text)));
}

// --- conn_finish

// True: enough has been thrown away.
static bool discard(struct conn *conn)
{
    size_t len = transport_in_len(conn->transport);
    transport_consume(conn->transport, len);
    conn->drain_left -= len < conn->drain_left ? len : conn->drain_left;
    return conn->drain_left == 0;
}

// True: everything is sent and nothing more is to be waited for.
static bool begin_drain(struct conn *conn)
{
    conn->state = CONN_DRAIN;
    transport_shutdown(conn->transport);
    if (discard(conn) || conn->eof || conn->drain_ms <= 0) {
        return true;
    }
    conn->deadlines.total = mono_add_ms(loop_now(conn->loop), conn->drain_ms);
    conn->deadlines.total_text = "drained";
    transport_read(conn->transport, true);
    return false;
}

void conn_finish(struct conn *conn, size_t drain_len, int64_t drain_ms)
{
    ASSERT_ON_LOOP(conn->loop);
    if (conn->state >= CONN_FLUSH) {
        return;
    }
    conn->drain_left = drain_len;
    conn->drain_ms = drain_ms;
    if (conn->state < CONN_OPENING) {
        end_soon(conn, ERR_OK, "");
        return;
    }
    conn->state = CONN_FLUSH;
    conn->deadlines.total_text = NULL;
    // The last words get the whole of write_ms, however long what stands before them has rested.
    conn->deadlines.progress_at = loop_now(conn->loop);
    transport_read(conn->transport, false);
    if (conn_out_len(conn) == 0 && begin_drain(conn)) {
        end_soon(conn, ERR_OK, "");
        return;
    }
    rearm(conn);
}

// --- what the transport says

// The ceiling of the input.
static void throttle(struct conn *conn)
{
    bool full = conn_in_len(conn) >= conn->options.in_max;
    if (conn->state != CONN_OPEN || conn->closed || full == conn->full) {
        return;
    }
    conn->full = full;
    if (full) {
        transport_read(conn->transport, false);
    } else if (!conn->paused && !conn->eof) {
        transport_read(conn->transport, true);
    }
}

static void on_input(void *arg)
{
    struct conn *conn = arg;
    conn->deadlines.active_at = loop_now(conn->loop);
    conn->depth++;
    if (conn->state == CONN_DRAIN) {
        if (discard(conn)) {
            end_now(conn, ERR_OK, "");
        }
    } else if (conn->state == CONN_OPEN && !conn->paused && conn_in_len(conn) > 0 &&
               conn->options.handlers->on_data != NULL) {
        conn->options.handlers->on_data(conn->options.arg);
    }
    throttle(conn);
    leave(conn);
}

static void on_sent(void *arg)
{
    struct conn *conn = arg;
    conn->depth++;
    if (conn->state == CONN_FLUSH) {
        if (conn_out_len(conn) == 0 && begin_drain(conn)) {
            end_now(conn, ERR_OK, "");
        }
    } else if (conn->state == CONN_OPEN && conn->draining &&
               conn_out_len(conn) <= conn->options.out_low) {
        conn->draining = false;
        conn->options.handlers->on_drain(conn->options.arg);
    }
    leave(conn);
}

static void on_progress(void *arg)
{
    struct conn *conn = arg;
    conn->deadlines.active_at = loop_now(conn->loop);
    conn->deadlines.progress_at = conn->deadlines.active_at;
}

static void opened(struct conn *conn)
{
    conn->state = CONN_OPEN;
    conn->deadlines.active_at = loop_now(conn->loop);
    if (!conn->paused) {
        transport_read(conn->transport, true);
    }
    if (conn->options.handlers->on_open != NULL) {
        conn->options.handlers->on_open(conn->options.arg);
    }
}

static void ended_by_peer(struct conn *conn)
{
    conn->eof = true;
    if (conn->state == CONN_DRAIN) {
        end_now(conn, ERR_OK, "");
    } else if (conn->state == CONN_OPEN && conn->options.handlers->on_eof != NULL) {
        conn->options.handlers->on_eof(conn->options.arg);
    } else if (conn->state != CONN_FLUSH) {
        end_now(conn, conn->state == CONN_HANDSHAKE ? ERR_TLS : ERR_CLOSED, "closed by the peer");
    }
}

static void failed(struct conn *conn, int errno_value)
{
    if (conn->state == CONN_DRAIN) {
        end_now(conn, ERR_OK, ""); // a reset after everything was sent
        return;
    }
    char text[TLS_TEXT_LEN] = "";
    if (transport_session(conn->transport) != NULL) {
        tls_session_text(transport_session(conn->transport), transport_tls_error(conn->transport),
                         text);
    }
    if (text[0] != 0) {
        end_now(conn, ERR_TLS, text);
    } else if (errno_value == 0 || errno_value == EAGAIN) {
        end_now(conn, conn->state == CONN_HANDSHAKE ? ERR_TLS : ERR_CLOSED, "closed by the peer");
    } else {
        end_errno(conn, errno_value);
    }
}

static void on_event(void *arg, enum transport_event event, int errno_value)
{
    struct conn *conn = arg;
    conn->depth++;
    if (conn->state == CONN_OVER) {
        leave(conn);
        return;
    }
    switch (event) {
    case TRANSPORT_CONNECTED:
        opened(conn);
        break;
    case TRANSPORT_EOF:
        ended_by_peer(conn);
        break;
    case TRANSPORT_FAILED:
        failed(conn, errno_value);
        break;
    }
    leave(conn);
}

// --- beginning

// Gives the connected descriptor to a transport.  On an error the descriptor stays ours.
static enum err start_stream(struct conn *conn)
{
    static const struct transport_user user = {on_input, on_sent, on_progress, on_event};
    const struct transport_options options = {.user = &user,
                                              .arg = conn,
                                              .in_max = conn->options.in_max,
                                              .out_low = conn->options.out_low,
                                              .tls = conn->options.tls,
                                              .tls_name = conn->options.tls_name};
    enum err err = transport_new(conn->loop, conn->fd, &options, &conn->transport);
    if (err != ERR_OK) {
        return err;
    }
    conn->fd = -1;
    conn->state = conn->options.tls == NULL ? CONN_OPENING : CONN_HANDSHAKE;
    return ERR_OK;
}

static void on_timer(void *arg)
{
    struct conn *conn = arg;
    conn->depth++;
    if (conn->over_due) {
        end_now(conn, conn->over_err, conn->over_text);
    } else if (conn->state == CONN_OPENING) {
        opened(conn);
    } else {
        struct mono now = loop_now(conn->loop);
        struct deadlines_due due = next_deadline(conn);
        if (due.at.us <= now.us) {
            end_now(conn, conn->state == CONN_DRAIN ? ERR_OK : ERR_TIMEOUT, due.text);
        } else if (conn->resume_at.us <= now.us) {
            conn_resume(conn);
        }
    }
    leave(conn);
}

static void on_connected(void *arg, int fd, int errno_value)
{
    struct conn *conn = arg;
    conn->connector = NULL;
    conn->fd = fd;
    conn->depth++;
    enum err err = errno_value == 0 ? start_stream(conn) : ERR_OK;
    if (errno_value != 0) {
        end_errno(conn, errno_value);
    } else if (err != ERR_OK) {
        end_now(conn, err, err_text(err));
    } else if (conn->state == CONN_OPENING) {
        opened(conn);
    }
    leave(conn);
}

static enum err make(struct loop *loop, const struct conn_options *options, struct conn **ret_conn)
{
    ASSERT_ON_LOOP(loop);
    ASSERT(options->handlers != NULL && options->handlers->on_close != NULL);
    struct conn *conn = calloc(1, sizeof(*conn));
    if (conn == NULL) {
        return ERR_NOMEM;
    }
    conn->loop = loop;
    conn->fd = -1;
    conn->resume_at = (struct mono){INT64_MAX};
    conn->options = *options;
    conn->options.in_max = options->in_max == 0 ? IN_MAX_DEFAULT : options->in_max;
    conn->options.out_max = options->out_max == 0 ? OUT_MAX_DEFAULT : options->out_max;
    conn->options.open_ms = options->open_ms == 0 ? OPEN_MS_DEFAULT : options->open_ms;
    conn->deadlines.idle_ms = options->idle_ms;
    conn->deadlines.write_ms = options->write_ms;
    conn->deadlines.open_by = mono_add_ms(loop_now(loop), conn->options.open_ms);
    if (options->tls != NULL) {
        conn->options.tls = tls_context_ref(options->tls);
    }
    if (loop_timer_new(loop, on_timer, conn, &conn->timer) != ERR_OK) {
        destroy(conn);
        return ERR_NOMEM;
    }
    *ret_conn = conn;
    return ERR_OK;
}

enum err conn_connect(struct loop *loop, const struct address *address,
                      const struct conn_options *options, struct conn **ret_conn)
{
    struct conn *conn = NULL;
    enum err err = make(loop, options, &conn);
    if (err != ERR_OK) {
        return err;
    }
    conn->peer = *address;
    const struct connector_target target = {address, on_connected, conn};
    err = connector_start(loop, &target, &conn->connector);
    if (err != ERR_OK) {
        destroy(conn);
        return err;
    }
    rearm(conn);
    *ret_conn = conn;
    return ERR_OK;
}

enum err conn_accept(struct loop *loop, int fd, const struct conn_options *options,
                     struct conn **ret_conn)
{
    struct conn *conn = NULL;
    enum err err = make(loop, options, &conn);
    if (err != ERR_OK) {
        return err;
    }
    conn->peer = socket_peer(fd);
    socket_tune(fd, &conn->peer);
    conn->fd = fd;
    err = start_stream(conn);
    if (err != ERR_OK) {
        conn->fd = -1; // stays the caller's
        destroy(conn);
        return err;
    }
    rearm(conn);
    *ret_conn = conn;
    return ERR_OK;
}

void conn_close(struct conn *conn)
{
    if (conn == NULL) {
        return;
    }
    ASSERT_ON_LOOP(conn->loop);
    ASSERT(!conn->closed);
    conn->closed = true;
    conn->state = CONN_OVER;
    if (conn->depth == 0) {
        destroy(conn);
    }
}

struct span conn_input(struct conn *conn)
{
    return conn->transport == NULL ? SPAN_NONE : transport_input(conn->transport);
}

size_t conn_in_len(const struct conn *conn)
{
    return conn->transport == NULL ? 0 : transport_in_len(conn->transport);
}

void conn_consume(struct conn *conn, size_t len)
{
    ASSERT(len <= conn_in_len(conn));
    if (len > 0) {
        transport_consume(conn->transport, len);
        throttle(conn);
    }
}

void conn_pause_until(struct conn *conn, struct mono until)
{
    conn->paused = true;
    conn->resume_at = until;
    if (conn->state == CONN_OPEN) {
        transport_read(conn->transport, false);
        rearm(conn);
    }
}

void conn_pause(struct conn *conn)
{
    conn_pause_until(conn, (struct mono){INT64_MAX});
}

bool conn_is_paused(const struct conn *conn)
{
    return conn->paused;
}

void conn_resume(struct conn *conn)
{
    conn->paused = false;
    conn->resume_at = (struct mono){INT64_MAX};
    if (conn->state != CONN_OPEN) {
        return;
    }
    if (!conn->eof && !conn->full) {
        transport_read(conn->transport, true);
    }
    if (conn_in_len(conn) > 0) {
        transport_remind(conn->transport);
    }
}

enum err conn_write(struct conn *conn, struct span data)
{
    ASSERT_ON_LOOP(conn->loop);
    if (conn->state != CONN_OPEN) {
        return ERR_CLOSED;
    }
    size_t waiting = conn_out_len(conn);
    if (waiting > conn->options.out_max || data.len > conn->options.out_max - waiting) {
        return ERR_FULL;
    }
    if (data.len > 0 && transport_write(conn->transport, data) != ERR_OK) {
        return ERR_NOMEM;
    }
    conn->draining = conn->options.handlers->on_drain != NULL;
    rearm(conn);
    return ERR_OK;
}

size_t conn_out_len(const struct conn *conn)
{
    return conn->transport == NULL ? 0 : transport_out_len(conn->transport);
}

void conn_set_deadline(struct conn *conn, struct mono at, const char *text)
{
    if (conn->state <= CONN_OPEN) {
        conn->deadlines.total = at;
        conn->deadlines.total_text = text;
        rearm(conn);
    }
}

bool conn_is_open(const struct conn *conn)
{
    return conn->state == CONN_OPEN;
}

const struct address *conn_peer(const struct conn *conn)
{
    return &conn->peer;
}

bool conn_peer_uid(const struct conn *conn, uid_t *ret_uid)
{
    return conn->transport != NULL && socket_peer_uid(transport_fd(conn->transport), ret_uid);
}

bool conn_peer_name(const struct conn *conn, char *ret_name, size_t cap)
{
    return conn->transport != NULL && transport_session(conn->transport) != NULL &&
           tls_session_peer_name(transport_session(conn->transport), ret_name, cap);
}
