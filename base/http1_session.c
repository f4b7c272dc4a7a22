// SPDX-License-Identifier: Apache-2.0
#include "base/http1_session.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/loop.h"

#include <stdio.h>
#include <stdlib.h>

#define IN_MAX 65536
#define OUT_MAX (256u * 1048576u) // one whole answer; streams have a ceiling of their own

// --- deadlines

static void wait_for(struct http1_session *session, enum http1_waiting waiting)
{
    const struct http1_server_options *options = &session->server->options;
    session->waiting = waiting;
    struct mono now = loop_now(session->server->loop);
    switch (waiting) {
    case HTTP1_WAIT_HEADER:
        conn_set_deadline(session->conn, mono_add_ms(now, options->header_ms),
                          "request header not complete in time");
        break;
    case HTTP1_WAIT_BODY:
        conn_set_deadline(session->conn, mono_add_ms(now, options->body_ms),
                          "request body not complete in time");
        break;
    case HTTP1_WAIT_IDLE:
        conn_set_deadline(session->conn, mono_add_ms(now, options->idle_ms), "idle");
        break;
    case HTTP1_WAIT_NONE:
        conn_clear_deadline(session->conn);
        break;
    }
}

// --- the end

void http1_session_end(struct http1_session *session)
{
    session->ending = true;
    session->waiting = HTTP1_WAIT_NONE;
    conn_finish(session->conn, HTTP1_LINGER_LEN, HTTP1_LINGER_MS);
}

// The handle outlives its client: it takes the parser along that its request points into.
static void orphan(struct http1_session *session)
{
    struct http1_exchange *exchange = session->exchange;
    if (exchange == NULL) {
        return;
    }
    session->exchange = NULL;
    session->parser = NULL;
    exchange->session = NULL;
    if (exchange->on_cancel != NULL) {
        exchange->on_cancel(exchange->cancel_arg);
    }
}

void http1_session_free(struct http1_session *session)
{
    struct http1_server *server = session->server;
    if (session->prev != NULL) {
        session->prev->next = session->next;
    } else if (server->sessions == session) {
        server->sessions = session->next;
    }
    if (session->next != NULL) {
        session->next->prev = session->prev;
    }
    if (session->refused) {
        server->refused--;
    } else {
        http1_listener_count_out(session->listener);
    }
    conn_close(session->conn);
    orphan(session);
    http1_parser_free(session->parser);
    free(session);
}

void http1_session_cut(struct http1_session *session)
{
    session->cut = true;
    if (!session->running) {
        // Not from here: whoever called may still hold an exchange of this session in his hands.
        conn_set_deadline(session->conn, (struct mono){0}, "out of memory");
    }
}

// --- problems found before routing

static void refuse(struct http1_session *session, enum http1_problem problem, const char *detail)
{
    static const struct {
        unsigned status;
        const char *code;
    } rows[] = {
        [HTTP1_NO_PROBLEM] = {503, "queue_full"},
        [HTTP1_BAD_REQUEST] = {400, "bad_request"},
        [HTTP1_HEADERS_TOO_LARGE] = {431, "headers_too_large"},
        [HTTP1_TOO_LARGE] = {413, "too_large"},
    };
    unsigned status = rows[problem].status;
    const char *code = rows[problem].code;
    struct buf body;
    struct buf out;
    buf_init(&body, 1024);
    buf_init(&out, 2048);
    // `detail` is a literal of ours or of the parser: nothing in it needs an escape.
    buf_printf(&body,
               "{\"type\":\"urn:meshpulse:problem:%s\",\"title\":\"%s\",\"status\":%u,"
               "\"detail\":\"%s\",\"code\":\"%s\"%s}\n",
               code, http1_status_text(status), status, detail, code,
               status == 503 ? ",\"retry_after\":1" : "");
    const struct http1_header retry = {SPAN_LIT("Retry-After"), SPAN_LIT("1")};
    const struct http1_response response = {.status = status,
                                            .content_type = "application/problem+json",
                                            .headers = &retry,
                                            .header_count = status == 503 ? 1 : 0,
                                            .close = true};
    const struct http1_head head = {&response, (int64_t)body.len, false, false};
    http1_exchange_head(&out, &head);
    buf_put(&out, buf_span(&body));
    enum err err = body.err != ERR_OK ? body.err : out.err;
    if (err == ERR_OK) {
        err = conn_write(session->conn, buf_span(&out));
    }
    buf_fini(&body);
    buf_fini(&out);
    if (session->server->options.answered != NULL) {
        session->server->options.answered(session->server->options.arg, NULL, status);
    }
    if (err != ERR_OK) {
        http1_session_cut(session);
    } else {
        http1_session_end(session);
    }
}

// --- reading

static bool may_read(const struct http1_session *session)
{
    return !session->cut && !session->ending && session->exchange == NULL &&
           conn_is_open(session->conn) && !conn_is_paused(session->conn) &&
           conn_out_len(session->conn) <= HTTP1_OUT_HIGH;
}

static void hand_over(struct http1_session *session)
{
    struct http1_exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL) {
        http1_session_cut(session);
        return;
    }
    exchange->session = session;
    exchange->parser = session->parser;
    exchange->loop = session->server->loop;
    exchange->listener = session->listener->info;
    exchange->peer = session->peer;
    session->exchange = exchange;
    wait_for(session, HTTP1_WAIT_NONE);
    session->server->options.handler(session->server->options.arg, exchange);
}

static void note_progress(struct http1_session *session)
{
    if (http1_parser_in_body(session->parser)) {
        if (session->waiting != HTTP1_WAIT_BODY) {
            wait_for(session, HTTP1_WAIT_BODY);
        }
    } else if (http1_parser_begun(session->parser) && session->waiting == HTTP1_WAIT_IDLE) {
        wait_for(session, HTTP1_WAIT_HEADER);
    }
}

// One step: true when another one may follow.
static bool step(struct http1_session *session)
{
    struct span input = conn_input(session->conn);
    if (input.len == 0 && !http1_parser_in_body(session->parser)) {
        return false;
    }
    size_t used = 0;
    enum http1_state state = http1_parser_feed(session->parser, input, &used);
    conn_consume(session->conn, used);
    const char *text = "";
    switch (state) {
    case HTTP1_NEED_MORE:
        note_progress(session);
        return false;
    case HTTP1_CONTINUE:
        note_progress(session);
        if (conn_write(session->conn, SPAN_LIT("HTTP/1.1 100 Continue\r\n\r\n")) != ERR_OK) {
            http1_session_cut(session);
        }
        return conn_in_len(session->conn) > 0;
    case HTTP1_READY:
        hand_over(session);
        return true;
    case HTTP1_MALFORMED: {
        enum http1_problem problem = http1_parser_problem(session->parser, &text);
        refuse(session, problem, text);
        return false;
    }
    case HTTP1_NO_MEMORY:
        break;
    }
    http1_session_cut(session);
    return false;
}

// Reads requests as long as they may be answered.  The session may be gone afterwards.
static void run(struct http1_session *session)
{
    if (session->running) {
        return;
    }
    session->running = true;
    while (may_read(session) && step(session)) {
    }
    session->running = false;
    if (session->cut) {
        http1_session_free(session);
        return;
    }
    // Whoever sends no more and waits for nothing has gone.
    if (session->eof && may_read(session)) {
        http1_session_end(session);
    }
}

void http1_session_answered(struct http1_session *session, bool keep)
{
    if (!keep) {
        http1_session_end(session);
        return;
    }
    http1_parser_reset(session->parser);
    wait_for(session, HTTP1_WAIT_IDLE);
    if (session->rest_ms > 0) {
        conn_pause_until(session->conn,
                         mono_add_ms(loop_now(session->server->loop), session->rest_ms));
        session->rest_ms = 0;
    } else if (!session->running) {
        // The next request may wait in the input: it is read from the loop, not from in here.
        conn_resume(session->conn);
    }
}

// --- what the connection says

static void on_open(void *arg)
{
    struct http1_session *session = arg;
    struct http1_peer *peer = &session->peer;
    peer->is_loopback = address_is_loopback(conn_peer(session->conn));
    peer->has_uid = conn_peer_uid(session->conn, &peer->uid);
    if (!conn_peer_name(session->conn, peer->name, sizeof(peer->name))) {
        peer->name[0] = 0;
    }
    char text[ADDRESS_TEXT_LEN];
    address_format_ip(conn_peer(session->conn), text);
    (void)snprintf(peer->address, sizeof(peer->address), "%.63s", text);
    if (session->refused) {
        refuse(session, HTTP1_NO_PROBLEM, "too many connections");
        if (session->cut) {
            http1_session_free(session);
        }
    }
}

static void on_data(void *arg)
{
    run(arg);
}

static void on_drain(void *arg)
{
    struct http1_session *session = arg;
    struct http1_exchange *exchange = session->exchange;
    if (exchange != NULL && exchange->streaming) {
        if (exchange->on_drain != NULL) {
            exchange->on_drain(exchange->drain_arg);
        }
    } else {
        run(session);
    }
}

static void on_eof(void *arg)
{
    struct http1_session *session = arg;
    session->eof = true;
    if (session->exchange != NULL && session->exchange->streaming) {
        // A client that still wants its stream has no reason to end its own side; most that do are gone.
        http1_session_free(session);
        return;
    }
    run(session);
}

static void on_close(void *arg, enum err err, const char *text)
{
    (void)err;
    (void)text;
    http1_session_free(arg);
}

enum err http1_session_new(struct http1_listener *listener, int fd, bool refused)
{
    static const struct conn_handlers handlers = {on_open, on_data, on_drain, on_eof, on_close};
    struct http1_server *server = listener->server;
    struct http1_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return ERR_NOMEM;
    }
    session->server = server;
    session->listener = listener;
    session->refused = refused;
    const struct conn_options options = {.handlers = &handlers,
                                         .arg = session,
                                         .in_max = IN_MAX,
                                         .out_max = OUT_MAX,
                                         .open_ms = server->options.header_ms,
                                         .write_ms = server->options.write_ms,
                                         .tls = listener->tls};
    enum err err = http1_parser_new(&session->parser);
    if (err == ERR_OK) {
        err = conn_accept(server->loop, fd, &options, &session->conn);
    }
    if (err != ERR_OK) {
        http1_parser_free(session->parser);
        free(session);
        return err;
    }
    session->next = server->sessions;
    if (session->next != NULL) {
        session->next->prev = session;
    }
    server->sessions = session;
    server->refused += refused ? 1 : 0;
    wait_for(session, HTTP1_WAIT_HEADER);
    return ERR_OK;
}
