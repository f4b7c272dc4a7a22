// SPDX-License-Identifier: Apache-2.0
#include "base/http1_exchange.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/http1_session.h"
#include "base/loop.h"

#include <stdlib.h>
#include <time.h>

#define HEAD_MAX 32768    // of an answer
#define CHUNK_OVERHEAD 16 // size line and end of a chunk

const char *http1_status_text(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } rows[] = {{200, "OK"},
                {201, "Created"},
                {202, "Accepted"},
                {204, "No Content"},
                {304, "Not Modified"},
                {400, "Bad Request"},
                {401, "Unauthorized"},
                {403, "Forbidden"},
                {404, "Not Found"},
                {405, "Method Not Allowed"},
                {408, "Request Timeout"},
                {409, "Conflict"},
                {412, "Precondition Failed"},
                {413, "Content Too Large"},
                {415, "Unsupported Media Type"},
                {421, "Misdirected Request"},
                {422, "Unprocessable Content"},
                {428, "Precondition Required"},
                {429, "Too Many Requests"},
                {431, "Request Header Fields Too Large"},
                {500, "Internal Server Error"},
                {501, "Not Implemented"},
                {503, "Service Unavailable"},
                {504, "Gateway Timeout"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].status == status) {
            return rows[i].text;
        }
    }
    return "Unknown";
}

const struct http1_request *http1_exchange_request(const struct http1_exchange *exchange)
{
    return http1_parser_request(exchange->parser);
}

const struct http1_listener_info *http1_exchange_listener(const struct http1_exchange *exchange)
{
    return &exchange->listener;
}

struct loop *http1_exchange_loop(const struct http1_exchange *exchange)
{
    return exchange->loop;
}

bool http1_exchange_alive(const struct http1_exchange *exchange)
{
    return exchange->session != NULL;
}

const struct http1_peer *http1_exchange_peer(const struct http1_exchange *exchange)
{
    return &exchange->peer;
}

void http1_exchange_on_cancel(struct http1_exchange *exchange, void (*fn)(void *arg), void *arg)
{
    exchange->on_cancel = fn;
    exchange->cancel_arg = arg;
}

void http1_exchange_rest(struct http1_exchange *exchange, uint32_t ms)
{
    if (exchange->session != NULL) {
        exchange->session->rest_ms = ms;
    }
}

// --- the head of an answer

// IMF-fixdate, RFC 9110 section 5.6.7: English names whatever the locale.
static void put_date(struct buf *out)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(clock_wall().ms / 1000);
    struct tm tm;
    if (gmtime_r(&seconds, &tm) != NULL) {
        buf_printf(out, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday],
                   tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                   tm.tm_sec);
    }
}

// A value may hold what somebody outside has sent: a line end in it would be a header of his own.
static void put_value(struct buf *out, struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        buf_byte(out, (c < ' ' && c != '\t') || c == 0x7f ? '?' : value.ptr[i]);
    }
}

void http1_exchange_head(struct buf *out, const struct http1_head *head)
{
    const struct http1_response *response = head->response;
    buf_printf(out, "HTTP/1.1 %u %s\r\n", response->status, http1_status_text(response->status));
    put_date(out);
    if (response->content_type != NULL) {
        buf_printf(out, "Content-Type: %s\r\n", response->content_type);
    }
    for (size_t i = 0; i < response->header_count; i++) {
        ASSERT(http1_is_token(response->headers[i].name));
        buf_put(out, response->headers[i].name);
        buf_str(out, ": ");
        put_value(out, response->headers[i].value);
        buf_str(out, "\r\n");
    }
    if (head->body_len >= 0 && response->status != 204 && response->status != 304) {
        buf_printf(out, "Content-Length: %lld\r\n", (long long)head->body_len);
    } else if (head->body_len < 0 && !head->version_0) {
        buf_str(out, "Transfer-Encoding: chunked\r\n");
    }
    if (!head->keep) {
        buf_str(out, "Connection: close\r\n");
    } else if (head->version_0) {
        buf_str(out, "Connection: keep-alive\r\n");
    }
    buf_str(out, "\r\n");
}

static void discard(struct http1_exchange *exchange)
{
    if (exchange->session == NULL) {
        http1_parser_free(exchange->parser);
    }
    free(exchange);
}

static enum err send_head(struct http1_exchange *exchange, const struct http1_head *head)
{
    struct buf out;
    buf_init(&out, HEAD_MAX);
    http1_exchange_head(&out, head);
    enum err err = out.err;
    if (err == ERR_OK) {
        err = conn_write(exchange->session->conn, buf_span(&out));
    }
    buf_fini(&out);
    return err;
}

static bool may_keep(const struct http1_exchange *exchange, const struct http1_response *response)
{
    const struct http1_session *session = exchange->session;
    return http1_exchange_request(exchange)->keep_alive && !response->close && !session->eof &&
           !session->server->draining;
}

static void tell(const struct http1_exchange *exchange, unsigned status)
{
    const struct http1_server_options *options = &exchange->session->server->options;
    if (options->answered != NULL) {
        options->answered(options->arg, http1_exchange_request(exchange), status);
    }
}

void http1_respond(struct http1_exchange *exchange, const struct http1_response *response)
{
    ASSERT_ON_LOOP(exchange->loop);
    ASSERT(!exchange->streaming);
    struct http1_session *session = exchange->session;
    if (session == NULL) {
        discard(exchange);
        return;
    }
    const struct http1_request *request = http1_exchange_request(exchange);
    bool keep = may_keep(exchange, response);
    const struct http1_head head = {response, (int64_t)response->body.len, keep,
                                    request->version_0};
    bool bare = request->head || response->status == 204 || response->status == 304;
    enum err err = send_head(exchange, &head);
    if (err == ERR_OK && !bare) {
        err = conn_write(session->conn, response->body);
    }
    tell(exchange, response->status);
    session->exchange = NULL;
    discard(exchange);
    if (err != ERR_OK) {
        http1_session_cut(session);
    } else {
        http1_session_answered(session, keep);
    }
}

// --- streams

void http1_stream_begin(struct http1_exchange *exchange, const struct http1_response *response)
{
    ASSERT_ON_LOOP(exchange->loop);
    ASSERT(!exchange->streaming && response->body.len == 0);
    exchange->streaming = true;
    struct http1_session *session = exchange->session;
    if (session == NULL) {
        return;
    }
    const struct http1_request *request = http1_exchange_request(exchange);
    exchange->chunked = !request->version_0;
    exchange->mute = request->head;
    // Without chunks only the end of the connection tells the end of the answer.
    exchange->keep = may_keep(exchange, response) && (exchange->chunked || exchange->mute);
    const struct http1_head head = {response, -1, exchange->keep, request->version_0};
    tell(exchange, response->status);
    if (send_head(exchange, &head) != ERR_OK) {
        http1_session_cut(session);
    }
}

enum err http1_stream_write(struct http1_exchange *exchange, struct span data)
{
    ASSERT_ON_LOOP(exchange->loop);
    ASSERT(exchange->streaming);
    struct http1_session *session = exchange->session;
    if (session == NULL || session->cut) {
        return ERR_CLOSED;
    }
    if (exchange->mute || data.len == 0) {
        return ERR_OK; // an empty chunk would end the body
    }
    size_t waiting = conn_out_len(session->conn);
    if (waiting + data.len + CHUNK_OVERHEAD > session->server->options.stream_out_max) {
        return ERR_FULL;
    }
    enum err err = ERR_OK;
    if (exchange->chunked) {
        struct buf size;
        buf_init(&size, CHUNK_OVERHEAD);
        buf_printf(&size, "%zx\r\n", data.len);
        err = size.err == ERR_OK ? conn_write(session->conn, buf_span(&size)) : size.err;
        buf_fini(&size);
    }
    if (err == ERR_OK) {
        err = conn_write(session->conn, data);
    }
    if (err == ERR_OK && exchange->chunked) {
        err = conn_write(session->conn, SPAN_LIT("\r\n"));
    }
    if (err != ERR_OK) {
        http1_session_cut(session); // half a chunk is out: nothing right can follow
    }
    return err;
}

size_t http1_stream_out_len(const struct http1_exchange *exchange)
{
    return exchange->session == NULL ? 0 : conn_out_len(exchange->session->conn);
}

void http1_stream_on_drain(struct http1_exchange *exchange, void (*fn)(void *arg), void *arg)
{
    exchange->on_drain = fn;
    exchange->drain_arg = arg;
}

void http1_stream_end(struct http1_exchange *exchange)
{
    ASSERT_ON_LOOP(exchange->loop);
    ASSERT(exchange->streaming);
    struct http1_session *session = exchange->session;
    if (session == NULL) {
        discard(exchange);
        return;
    }
    enum err err = ERR_OK;
    if (exchange->chunked && !exchange->mute) {
        err = conn_write(session->conn, SPAN_LIT("0\r\n\r\n"));
    }
    bool keep = exchange->keep && !session->eof && !session->server->draining;
    session->exchange = NULL;
    discard(exchange);
    if (err != ERR_OK) {
        http1_session_cut(session);
    } else {
        http1_session_answered(session, keep);
    }
}
