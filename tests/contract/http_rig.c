// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/http_rig.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

void http_rig_reply(struct http1_exchange *exchange, unsigned status, const char *text)
{
    const struct http1_response response = {
        .status = status, .content_type = "text/plain", .body = span_str(text)};
    http1_respond(exchange, &response);
}

static void on_cancel(void *arg)
{
    struct http_rig *f = arg;
    f->cancelled++;
}

static void on_drain(void *arg)
{
    struct http_rig *f = arg;
    f->drained++;
}

void http_rig_handler(void *arg, struct http1_exchange *exchange)
{
    struct http_rig *f = arg;
    const struct http1_request *request = http1_exchange_request(exchange);
    f->handled++;
    if (span_eq_str(request->path, "/hold")) {
        f->held = exchange;
        http1_exchange_on_cancel(exchange, on_cancel, f);
        return;
    }
    if (span_eq_str(request->path, "/stream")) {
        const struct http1_response response = {.status = 200, .content_type = "text/event-stream"};
        f->held = exchange;
        http1_exchange_on_cancel(exchange, on_cancel, f);
        http1_stream_on_drain(exchange, on_drain, f);
        http1_stream_begin(exchange, &response);
        return;
    }
    char text[256];
    (void)snprintf(text, sizeof(text), "<%.*s %.*s %zu>", (int)request->method.len,
                   request->method.ptr, (int)request->path.len, request->path.ptr,
                   request->body.len);
    http_rig_reply(exchange, 200, text);
}

static void on_answered(void *arg, const struct http1_request *request, unsigned status)
{
    struct http_rig *f = arg;
    (void)request;
    f->answered++;
    f->last_status = status;
}

void http_rig_start(struct http_rig *f, const struct http1_server_options *given)
{
    memset(f, 0, sizeof(*f));
    struct http1_server_options options = *given;
    options.handler = http_rig_handler;
    options.answered = on_answered;
    options.arg = f;
    struct http1_listen_options listen_options = {.user = f};
    CHECK_OK(address_parse(SPAN_LIT("127.0.0.1:0"), &listen_options.address));
    CHECK_OK(loop_new(&f->loop));
    CHECK_OK(http1_server_new(f->loop, &options, &f->server));
    CHECK_OK(http1_server_listen(f->server, &listen_options, &f->listener));
}

void http_rig_stop(struct http_rig *f)
{
    http1_server_free(f->server);
    loop_free(f->loop);
}

int http_rig_dial(const struct http_rig *f)
{
    const struct address *address = http1_listener_address(f->listener);
    const void *bytes = &address->storage;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_EQ(connect(fd, bytes, address->len), 0);
    return fd;
}

void http_rig_say(int fd, struct span bytes)
{
    CHECK_EQ(send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL), (ssize_t)bytes.len);
}

// Reads what there is; true at the end of the stream.
bool http_rig_hear(int fd, struct buf *into)
{
    char block[65536];
    for (;;) {
        ssize_t len = recv(fd, block, sizeof(block), MSG_DONTWAIT);
        if (len > 0) {
            buf_put(into, span_of(block, (size_t)len));
        } else {
            return len == 0 || errno != EAGAIN;
        }
    }
}

bool http_rig_contains(struct span text, const char *wanted)
{
    return text.len > 0 && memmem(text.ptr, text.len, wanted, strlen(wanted)) != NULL;
}

bool http_rig_hears(int fd, struct buf *into, const char *wanted)
{
    (void)http_rig_hear(fd, into);
    return http_rig_contains(buf_span(into), wanted);
}

// Says `bytes`, hears until the end of the stream or `until` (NULL: until the end).
void http_rig_converse(struct http_rig *f, struct span bytes, const char *until, struct buf *heard)
{
    int fd = http_rig_dial(f);
    http_rig_say(fd, bytes);
    if (until == NULL) {
        LOOP_WAIT(f->loop, http_rig_hear(fd, heard));
    } else {
        LOOP_WAIT(f->loop, http_rig_hears(fd, heard, until));
    }
    close(fd);
}
