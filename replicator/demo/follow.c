// SPDX-License-Identifier: Apache-2.0
#include "replicator/demo/follow.h"

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

struct follow {
    struct follow_options options;
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

static void list_next(struct follow *follow);

static void set_up(struct follow *follow, bool up)
{
    if (follow->up != up) {
        follow->up = up;
        follow->options.on_up(follow->options.arg, up);
    }
}

// Drops whatever is under way.
static void rest(struct follow *follow)
{
    if (follow->call != NULL) {
        http_client_cancel(follow->call);
        follow->call = NULL;
    }
    conn_close(follow->conn);
    follow->conn = NULL;
    loop_timer_cancel(follow->retry);
}

static void try_again(struct follow *follow)
{
    rest(follow);
    set_up(follow, false);
    loop_timer_set_ms(follow->retry, RETRY_MS);
}

static void on_retry(void *arg)
{
    struct follow *follow = arg;
    follow->listed = 0;
    list_next(follow);
}

static void show(struct follow *follow, const struct json *object)
{
    struct follow_instance instance = {
        .service = answer_text(object, "service"),
        .id = answer_text(object, "id"),
        .status = answer_text(object, "status"),
        .reason = answer_text(object, "reason"),
    };
    follow->options.on_instance(follow->options.arg, &instance);
}

// --- the stream of changes

static void on_event(void *arg, const struct sse_event *event)
{
    struct follow *follow = arg;
    struct json *object = NULL;
    struct json_error where;
    if (strcmp(event->event, "change") != 0) {
        follow->lost = follow->lost || strcmp(event->event, "resync") == 0;
        return;
    }
    if (json_parse(event->data, &object, &where) != ERR_OK) {
        follow->lost = true;
        return;
    }
    show(follow, object);
    json_free(object);
}

// Skips the head of the answer.  false: it is not there yet, or no 200.
static bool skip_head(struct follow *follow)
{
    struct span input = conn_input(follow->conn);
    const char *end = memmem(input.ptr, input.len, "\r\n\r\n", 4);
    if (end == NULL) {
        follow->lost = input.len > HEAD_MAX;
        return false;
    }
    follow->lost = input.len < 12 || memcmp(input.ptr + 8, " 200", 4) != 0;
    follow->head_seen = !follow->lost;
    conn_consume(follow->conn, (size_t)(end - input.ptr) + 4);
    return follow->head_seen;
}

static void on_data(void *arg)
{
    struct follow *follow = arg;
    if (follow->head_seen || skip_head(follow)) {
        struct span input = conn_input(follow->conn);
        follow->lost = sse_feed(&follow->sse, input) != ERR_OK || follow->lost;
        conn_consume(follow->conn, input.len);
    }
    if (follow->lost) {
        try_again(follow);
    }
}

static void on_close(void *arg, enum err err, const char *text)
{
    (void)err;
    (void)text;
    try_again(arg); // which closes it
}

// HTTP/1.0, so that the answer ends with the connection and has no chunks to take apart.
static void on_open(void *arg)
{
    struct follow *follow = arg;
    char host[ADDRESS_TEXT_LEN];
    char request[ADDRESS_TEXT_LEN + 128];
    address_format(&follow->address, host);
    int len =
        snprintf(request, sizeof(request),
                 "GET /v1/watch?since=%s HTTP/1.0\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n",
                 follow->index, host);
    if (conn_write(follow->conn, span_of(request, (size_t)len)) != ERR_OK) {
        try_again(follow);
    }
}

static void watch(struct follow *follow)
{
    static const struct conn_handlers handlers = {
        .on_open = on_open, .on_data = on_data, .on_close = on_close};
    struct conn_options options = {
        .handlers = &handlers, .arg = follow, .in_max = 1U << 18, .idle_ms = SILENT_MS};
    sse_reset(&follow->sse);
    follow->head_seen = false;
    follow->lost = false;
    if (conn_connect(follow->options.loop, &follow->address, &options, &follow->conn) != ERR_OK) {
        follow->conn = NULL;
        try_again(follow);
    }
}

// --- the lists before it

static bool read_list(struct follow *follow, struct span body)
{
    struct json *root = NULL;
    struct json_error where;
    if (json_parse(body, &root, &where) != ERR_OK) {
        return false;
    }
    struct span index = answer_text(root, "index");
    bool good = index.len > 0 && index.len < sizeof(follow->index);
    if (good && follow->listed == 0) {
        memcpy(follow->index, index.ptr, index.len);
        follow->index[index.len] = '\0';
    }
    for (const struct json *item = json_first(json_get(root, "items")); item != NULL;
         item = json_next(item)) {
        show(follow, item);
    }
    json_free(root);
    return good;
}

static void on_list(void *arg, const struct http_client_result *result)
{
    struct follow *follow = arg;
    follow->call = NULL;
    bool good = result->outcome == HTTP_CLIENT_OK && result->status == 200 && !result->truncated;
    if (!good || !read_list(follow, result->body)) {
        try_again(follow);
        return;
    }
    follow->listed++;
    if (follow->listed < follow->options.service_count) {
        list_next(follow);
    } else {
        set_up(follow, true);
        watch(follow);
    }
}

static void list_next(struct follow *follow)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "/v1/services/%s/instances",
                   follow->options.services[follow->listed]);
    struct http_client_request request = {
        .address = follow->address,
        .path = path,
        .timeout_ms = LIST_TIMEOUT_MS,
        .body_max = LIST_MAX,
        .done = on_list,
        .arg = follow,
    };
    if (http_client_get(follow->options.http, &request, &follow->call) != ERR_OK) {
        follow->call = NULL;
        try_again(follow);
    }
}

enum err follow_new(const struct follow_options *options, struct follow **ret_follow)
{
    struct follow *follow = calloc(1, sizeof(*follow));
    if (follow == NULL) {
        return ERR_NOMEM;
    }
    follow->options = *options;
    enum err err = loop_timer_new(options->loop, on_retry, follow, &follow->retry);
    if (err != ERR_OK) {
        free(follow);
        return err;
    }
    sse_init(&follow->sse, on_event, follow);
    *ret_follow = follow;
    return ERR_OK;
}

void follow_free(struct follow *follow)
{
    if (follow == NULL) {
        return;
    }
    rest(follow);
    sse_fini(&follow->sse);
    loop_timer_free(follow->retry);
    free(follow);
}

void follow_start(struct follow *follow, const struct address *address)
{
    rest(follow);
    follow->address = *address;
    loop_timer_set_ms(follow->retry, RETRY_MS);
}

void follow_stop(struct follow *follow)
{
    rest(follow);
    set_up(follow, false);
}
