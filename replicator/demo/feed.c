// SPDX-License-Identifier: Apache-2.0
#include "replicator/demo/feed.h"

#include "admin-api/ctl/answer.h"
#include "admin-api/ctl/sse.h"
#include "base/conn.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 100
#define LIST_TIMEOUT_MS 2000
#define LIST_MAX (1U << 20)
#define HEAD_MAX 16384
// The server sends a comment every 15 s.
#define SILENT_MS 45000

struct feed {
    struct feed_options options;
    struct address address;
    struct loop_timer *retry;
    struct http_client_call *call;
    struct conn *conn;
    struct sse sse;
    size_t listed;  // how many services of this round
    char index[32]; // of the first list
    bool up;
    bool head_seen; // of the stream's answer
    bool lost;      // the stream told us to list again
};

static void list_next(struct feed *feed);

static void set_up(struct feed *feed, bool up)
{
    if (feed->up != up) {
        feed->up = up;
        feed->options.on_up(feed->options.arg, up);
    }
}

// Drops whatever is under way.
static void rest(struct feed *feed)
{
    if (feed->call != NULL) {
        http_client_cancel(feed->call);
        feed->call = NULL;
    }
    conn_close(feed->conn);
    feed->conn = NULL;
    loop_timer_cancel(feed->retry);
}

static void try_again(struct feed *feed)
{
    rest(feed);
    set_up(feed, false);
    loop_timer_set_ms(feed->retry, RETRY_MS);
}

static void on_retry(void *arg)
{
    struct feed *feed = arg;
    feed->listed = 0;
    list_next(feed);
}

static void show(struct feed *feed, const struct json *object)
{
    struct feed_instance instance = {
        .service = answer_text(object, "service"),
        .id = answer_text(object, "id"),
        .status = answer_text(object, "status"),
        .reason = answer_text(object, "reason"),
    };
    feed->options.on_instance(feed->options.arg, &instance);
}

// --- the stream of changes

static void on_event(void *arg, const struct sse_event *event)
{
    struct feed *feed = arg;
    struct json *object = NULL;
    struct json_error where;
    if (strcmp(event->event, "change") != 0) {
        feed->lost = feed->lost || strcmp(event->event, "resync") == 0;
        return;
    }
    if (json_parse(event->data, &object, &where) != ERR_OK) {
        feed->lost = true;
        return;
    }
    show(feed, object);
    json_free(object);
}

// Skips the head of the answer.  false: it is not there yet, or no 200.
static bool skip_head(struct feed *feed)
{
    struct span input = conn_input(feed->conn);
    const char *end = memmem(input.ptr, input.len, "\r\n\r\n", 4);
    if (end == NULL) {
        feed->lost = input.len > HEAD_MAX;
        return false;
    }
    feed->lost = input.len < 12 || memcmp(input.ptr + 8, " 200", 4) != 0;
    feed->head_seen = !feed->lost;
    conn_consume(feed->conn, (size_t)(end - input.ptr) + 4);
    return feed->head_seen;
}

static void on_data(void *arg)
{
    struct feed *feed = arg;
    if (feed->head_seen || skip_head(feed)) {
        struct span input = conn_input(feed->conn);
        feed->lost = sse_feed(&feed->sse, input) != ERR_OK || feed->lost;
        conn_consume(feed->conn, input.len);
    }
    if (feed->lost) {
        try_again(feed);
    }
}

static void on_close(void *arg, enum err err, const char *text)
{
    (void)err;
    (void)text;
    struct feed *feed = arg;
    feed->conn = NULL;
    try_again(feed);
}

// HTTP/1.0, so that the answer ends with the connection and has no chunks to take apart.
static void on_open(void *arg)
{
    struct feed *feed = arg;
    char host[ADDRESS_TEXT_LEN];
    char request[ADDRESS_TEXT_LEN + 128];
    address_format(&feed->address, host);
    int len =
        snprintf(request, sizeof(request),
                 "GET /v1/watch?since=%s HTTP/1.0\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n",
                 feed->index, host);
    if (conn_write(feed->conn, span_of(request, (size_t)len)) != ERR_OK) {
        try_again(feed);
    }
}

static void watch(struct feed *feed)
{
    static const struct conn_handlers handlers = {
        .on_open = on_open, .on_data = on_data, .on_close = on_close};
    struct conn_options options = {
        .handlers = &handlers, .arg = feed, .in_max = 1U << 18, .idle_ms = SILENT_MS};
    sse_reset(&feed->sse);
    feed->head_seen = false;
    feed->lost = false;
    if (conn_connect(feed->options.loop, &feed->address, &options, &feed->conn) != ERR_OK) {
        feed->conn = NULL;
        try_again(feed);
    }
}

// --- the lists before it

static bool read_list(struct feed *feed, struct span body)
{
    struct json *root = NULL;
    struct json_error where;
    if (json_parse(body, &root, &where) != ERR_OK) {
        return false;
    }
    struct span index = answer_text(root, "index");
    bool good = index.len > 0 && index.len < sizeof(feed->index);
    if (good && feed->listed == 0) {
        memcpy(feed->index, index.ptr, index.len);
        feed->index[index.len] = '\0';
    }
    for (const struct json *item = json_first(json_get(root, "items")); item != NULL;
         item = json_next(item)) {
        show(feed, item);
    }
    json_free(root);
    return good;
}

static void on_list(void *arg, const struct http_client_result *result)
{
    struct feed *feed = arg;
    feed->call = NULL;
    bool good = result->outcome == HTTP_CLIENT_OK && result->status == 200 && !result->truncated;
    if (!good || !read_list(feed, result->body)) {
        try_again(feed);
        return;
    }
    feed->listed++;
    if (feed->listed < feed->options.service_count) {
        list_next(feed);
    } else {
        set_up(feed, true);
        watch(feed);
    }
}

static void list_next(struct feed *feed)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "/v1/services/%s/instances",
                   feed->options.services[feed->listed]);
    struct http_client_request request = {
        .address = feed->address,
        .path = path,
        .timeout_ms = LIST_TIMEOUT_MS,
        .body_max = LIST_MAX,
        .done = on_list,
        .arg = feed,
    };
    if (http_client_get(feed->options.http, &request, &feed->call) != ERR_OK) {
        feed->call = NULL;
        try_again(feed);
    }
}

enum err feed_new(const struct feed_options *options, struct feed **ret_feed)
{
    struct feed *feed = calloc(1, sizeof(*feed));
    if (feed == NULL) {
        return ERR_NOMEM;
    }
    feed->options = *options;
    enum err err = loop_timer_new(options->loop, on_retry, feed, &feed->retry);
    if (err != ERR_OK) {
        free(feed);
        return err;
    }
    sse_init(&feed->sse, on_event, feed);
    *ret_feed = feed;
    return ERR_OK;
}

void feed_free(struct feed *feed)
{
    if (feed == NULL) {
        return;
    }
    rest(feed);
    sse_fini(&feed->sse);
    loop_timer_free(feed->retry);
    free(feed);
}

void feed_start(struct feed *feed, const struct address *address)
{
    rest(feed);
    feed->address = *address;
    loop_timer_set_ms(feed->retry, RETRY_MS);
}

void feed_stop(struct feed *feed)
{
    rest(feed);
    set_up(feed, false);
}
