// SPDX-License-Identifier: Apache-2.0
#include "stream/redis/redis_link.h"

#include "base/assert.h"
#include "base/conn.h"
#include "base/loop.h"

#include <stdio.h>
#include <stdlib.h>

#define IN_MAX (256 * 1024)
#define CLOSE_TEXT_LEN 320
#define OUT_MAX (32 * 1024 * 1024)

static const char no_answer[] = "no answer within the deadline";

static void down(struct redis_link *link, struct span text)
{
    loop_timer_cancel(link->failing);
    link->handlers->on_down(link, text);
}

static void on_failing(void *arg)
{
    down(arg, SPAN_LIT("too much waits to be sent, or no memory"));
}

enum err redis_link_init(struct redis_link *link, struct loop *loop, uint32_t waiting_max)
{
    enum err err = loop_timer_new(loop, on_failing, link, &link->failing);
    if (err != ERR_OK) {
        return err;
    }
    link->ring = calloc(waiting_max, sizeof(*link->ring));
    if (link->ring == NULL) {
        loop_timer_free(link->failing);
        link->failing = NULL;
        return ERR_NOMEM;
    }
    link->ring_cap = waiting_max;
    link->loop = loop;
    return ERR_OK;
}

void redis_link_fini(struct redis_link *link)
{
    redis_link_close(link);
    loop_timer_free(link->failing);
    free(link->ring);
    link->failing = NULL;
    link->ring = NULL;
}

bool redis_link_is_open(const struct redis_link *link)
{
    return link->conn != NULL && conn_is_open(link->conn);
}

static void set_deadline(struct redis_link *link)
{
    if (link->ring_count == 0) {
        conn_clear_deadline(link->conn);
    } else {
        conn_set_deadline(link->conn, link->ring[link->ring_first].deadline, no_answer);
    }
}

static void take_reply(struct redis_link *link, const struct resp_reply *reply)
{
    struct redis_link_command command = link->ring[link->ring_first].command;
    link->ring_first = (link->ring_first + 1) % link->ring_cap;
    link->ring_count--;
    set_deadline(link);
    link->handlers->on_reply(link, &command, reply);
}

// False: the connection is gone.
static bool take_replies(struct redis_link *link)
{
    uint32_t generation = link->generation;
    while (link->generation == generation) {
        struct resp_reply *reply = NULL;
        enum err err = resp_next(link->resp, &reply);
        if (err == ERR_OK && reply == NULL) {
            return true;
        }
        if (err != ERR_OK || link->ring_count == 0) {
            resp_reply_free(reply);
            down(link, err == ERR_OK ? SPAN_LIT("a reply that nobody asked for")
                                     : span_str(err_text(err)));
            return false;
        }
        take_reply(link, reply);
        resp_reply_free(reply);
    }
    return false;
}

static void on_data(void *arg)
{
    struct redis_link *link = arg;
    while (conn_in_len(link->conn) > 0) {
        struct span input = conn_input(link->conn);
        size_t len = input.len < RESP_PIECE_MAX ? input.len : RESP_PIECE_MAX;
        enum err err = resp_feed(link->resp, span_of(input.ptr, len));
        link->bytes_in += len;
        link->answered = true;
        conn_consume(link->conn, len);
        if (err != ERR_OK) {
            down(link, err == ERR_SYNTAX ? SPAN_LIT("what answers there does not speak RESP2")
                                         : span_str(err_text(err)));
            return;
        }
        if (!take_replies(link)) {
            return;
        }
    }
}

static void on_open(void *arg)
{
    struct redis_link *link = arg;
    link->handlers->on_open(link);
}

// A server that refuses our certificate says so after our side of the handshake is done, and its word is lost
// when the connection is reset because our first commands lie there unread.
static const char *close_head(const struct redis_link *link, enum err err)
{
    if (err == ERR_TLS) {
        return "TLS: ";
    }
    bool ended = err == ERR_CLOSED || err == ERR_IO;
    return link->tls && !link->answered && ended
               ? "TLS: ended before the first answer (is our certificate refused?): "
               : "";
}

static void on_close(void *arg, enum err err, const char *text)
{
    char said[CLOSE_TEXT_LEN];
    int len = snprintf(said, sizeof(said), "%s%s", close_head(arg, err),
                       text[0] != '\0' ? text : err_text(err));
    down(arg, span_of(said, len < (int)sizeof(said) ? (size_t)len : sizeof(said) - 1));
}

static const struct conn_handlers handlers = {
    .on_open = on_open, .on_data = on_data, .on_close = on_close};

enum err redis_link_open(struct redis_link *link, const struct redis_link_target *target)
{
    ASSERT(link->conn == NULL);
    link->tls = target->tls != NULL;
    link->answered = false;
    enum err err = resp_new(&link->resp);
    if (err != ERR_OK) {
        return err;
    }
    const struct conn_options options = {.handlers = &handlers,
                                         .arg = link,
                                         .in_max = IN_MAX,
                                         .out_max = OUT_MAX,
                                         .open_ms = target->timeout_ms,
                                         .tls = target->tls,
                                         .tls_name = target->tls_name};
    err = conn_connect(link->loop, target->address, &options, &link->conn);
    if (err != ERR_OK) {
        resp_free(link->resp);
        link->resp = NULL;
    }
    return err;
}

void redis_link_close(struct redis_link *link)
{
    if (link->conn == NULL) {
        return;
    }
    loop_timer_cancel(link->failing);
    conn_close(link->conn);
    resp_free(link->resp);
    link->conn = NULL;
    link->resp = NULL;
    link->ring_first = 0;
    link->ring_count = 0;
    link->generation++;
}

void redis_link_send(struct redis_link *link, const struct redis_link_command *command,
                     const struct buf *bytes)
{
    if (link->conn == NULL || loop_timer_armed(link->failing)) {
        return; // its on_down has come or is about to
    }
    if (link->ring_count == link->ring_cap || bytes->err != ERR_OK ||
        conn_write(link->conn, buf_span(bytes)) != ERR_OK) {
        loop_timer_set_ms(link->failing, 0);
        return;
    }
    uint32_t at = (link->ring_first + link->ring_count) % link->ring_cap;
    link->ring[at].command = *command;
    link->ring[at].deadline = mono_add_ms(loop_now(link->loop), command->timeout_ms);
    link->ring_count++;
    link->commands++;
    link->ring[at].command.serial = link->commands;
    link->bytes_out += bytes->len;
    if (link->ring_count == 1) {
        set_deadline(link);
    }
}
