// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/api/fake.h"

#include "admin-api/recording.h"
#include "base/assert.h"
#include "base/clock.h"
#include "localmap/model/codec.h"

#include <stdio.h>
#include <stdlib.h>

#define HEADERS_TEXT_LEN 512

static bool fake_live(void *daemon)
{
    const struct fake *fake = daemon;
    return fake->live;
}

static bool fake_ready(void *daemon)
{
    const struct fake *fake = daemon;
    return fake->ready;
}

static size_t fake_conditions(void *daemon, struct backend_condition *ret, size_t cap)
{
    const struct fake *fake = daemon;
    const struct backend_condition rows[] = {
        {.name = "map-replayed", .ok = fake->ready, .detail = "3 of 4 partitions are read"},
        {.name = "stream", .ok = fake->stream_ok, .detail = "connection refused"},
    };
    size_t count = sizeof(rows) / sizeof(rows[0]);
    for (size_t i = 0; i < count && i < cap; i++) {
        ret[i] = rows[i];
    }
    return count;
}

static size_t fake_nodes(void *daemon, struct backend_node *ret, size_t cap)
{
    (void)daemon;
    const struct backend_node rows[FAKE_NODES] = {
        {.id = "a",
         .incarnation = 7,
         .live = true,
         .zone = "eu-1a",
         .stream = NODE_STREAM_LIVE,
         .heartbeat_age_ms = 12,
         .lag_ms = 3,
         .digest = "4-00000000abcd",
         .agrees = true,
         .release = "0.1.0"},
        {.id = "b",
         .incarnation = 9,
         .stream = NODE_STREAM_STALE,
         .heartbeat_age_ms = -1,
         .lag_ms = -1,
         .release = "0.1.0"},
    };
    for (size_t i = 0; i < FAKE_NODES && i < cap; i++) {
        ret[i] = rows[i];
    }
    return FAKE_NODES;
}

static size_t fake_partitions(void *daemon, struct backend_partition *ret, size_t cap)
{
    const struct fake *fake = daemon;
    for (uint32_t i = 0; i < FAKE_PARTITIONS && i < cap; i++) {
        ret[i] = (struct backend_partition){.partition = i,
                                            .state = PARTITION_LIVE,
                                            .epoch = "e0e1",
                                            .sequence = 41 + i,
                                            .position = "1700000000000-0",
                                            .records = 2,
                                            .digest = map_digest(fake->map, i),
                                            .resyncs = 1};
    }
    return FAKE_PARTITIONS;
}

static size_t fake_rejects(void *daemon, struct backend_reject *ret, size_t cap)
{
    (void)daemon;
    const struct backend_reject row = {.at_ms = FAKE_NOW_MS,
                                       .partition = 2,
                                       .position = "1700000000000-1",
                                       .reason = "garbage",
                                       .key = "default\\0pay",
                                       .head = "00ff"};
    if (cap > 0) {
        ret[0] = row;
    }
    return 1;
}

static uint64_t fake_pending(void *daemon)
{
    (void)daemon;
    return 5;
}

static bool fake_is_node(void *daemon, struct span name)
{
    (void)daemon;
    return span_eq_str(name, "a") || span_eq_str(name, "b");
}

static bool fake_has_service(void *daemon, struct span service_key)
{
    (void)daemon;
    return span_eq(service_key, SPAN_LIT("default\0empty"));
}

static void fake_want(void *daemon, struct span service_key)
{
    struct fake *fake = daemon;
    fake->wants++;
    fake->wanted.len = (uint16_t)service_key.len;
    memcpy(fake->wanted.ptr, service_key.ptr, service_key.len);
}

static struct wall fake_wall_now(void *daemon)
{
    (void)daemon;
    return (struct wall){FAKE_NOW_MS};
}

static void accept_body(struct fake *fake, struct span key, struct span body)
{
    uint32_t flags = codec_is_tombstone(body) ? MAP_TOMBSTONE : 0;
    enum put_result result = PUT_SAME;
    if (fake->keep_pending) {
        ASSERT(map_show(fake->map, key, body, flags, 1, &result) == ERR_OK);
        return;
    }
    struct version version = {.counter = ++fake->counter, .writer = 0xa1b2c3d4e5f601};
    struct codec_value value = {
        .version = version, .hash = codec_hash(key, version, body), .body = body};
    ASSERT(map_put(fake->map, key, &value, flags, 0, &result) == ERR_OK);
}

static void put_record(struct fake *fake, struct span key, const struct record *record)
{
    char body[CODEC_BODY_MAX];
    size_t len = codec_body_write(record, body, sizeof(body));
    ASSERT(len > 0);
    accept_body(fake, key, span_of(body, len));
}

static void judge(struct fake *fake, struct span key, enum status status)
{
    const struct map_health health = {.health = {.status = status,
                                                 .raw_status = status,
                                                 .reason = status == STATUS_UNKNOWN
                                                               ? REASON_NO_OBSERVATION
                                                               : REASON_CONNECT_REFUSED},
                                      .since_ms = FAKE_NOW_MS - 1000};
    (void)map_set_health(fake->map, key, &health, true);
}

static bool condition_holds(const struct backend_write *write, const struct map_facts *facts,
                            bool exists)
{
    switch (write->precondition) {
    case BACKEND_ANY:
        return true;
    case BACKEND_IF_MATCH:
        return exists && version_cmp(facts->version, write->version) == 0;
    case BACKEND_IF_EXISTS:
        return exists;
    case BACKEND_IF_ABSENT:
        return !exists;
    }
    return false;
}

// The records of an instance, or of a service, go together.
static void delete_below(struct fake *fake, struct span key)
{
    struct key parsed;
    ASSERT(key_parse(key, &parsed) == ERR_OK);
    struct key_bytes keys[API_KEYS_PAGE];
    size_t count =
        map_service_keys(fake->map, key_service_prefix(key), SPAN_NONE, keys, API_KEYS_PAGE);
    for (size_t i = 0; i < count; i++) {
        struct span other = key_span(&keys[i]);
        struct key part;
        ASSERT(key_parse(other, &part) == ERR_OK);
        bool below = parsed.kind == KEY_POLICY || span_eq(other, key) ||
                     (parsed.kind == KEY_REGISTRATION && span_eq(part.instance, parsed.instance));
        if (below) {
            put_record(fake, other, &(struct record){.kind = part.kind, .tombstone = true});
        }
    }
}

static enum backend_outcome apply(struct fake *fake, const struct backend_write *write)
{
    static struct map_copy copy;
    struct record held, changed;
    bool shown = map_get(fake->map, write->key, &copy) && (copy.facts.flags & MAP_TOMBSTONE) == 0;
    struct key key;
    ASSERT(key_parse(write->key, &key) == ERR_OK);
    if (!condition_holds(write, &copy.facts, shown)) {
        return BACKEND_STALE;
    }
    if (shown) {
        ASSERT(codec_body_read(key.kind, map_copy_body(&copy), &held) == ERR_OK);
    }
    struct map_service service;
    bool whole = key.kind == KEY_POLICY &&
                 map_service_get(fake->map, key_service_prefix(write->key), &service);
    if (!shown && !whole && write->patch->op != PATCH_PUT) {
        return BACKEND_NOT_FOUND;
    }
    if (write->patch->op == PATCH_DELETE) {
        delete_below(fake, write->key);
        put_record(fake, write->key, &(struct record){.kind = key.kind, .tombstone = true});
    } else if (patch_apply(write->patch, shown ? &held : NULL, &changed) == PATCH_SAME) {
        return BACKEND_SAME;
    } else {
        put_record(fake, write->key, &changed);
    }
    if (key.kind == KEY_REGISTRATION && write->patch->op != PATCH_DELETE) {
        judge(fake, write->key, STATUS_UNKNOWN);
    }
    return write->ack_stream ? BACKEND_ACCEPTED : BACKEND_APPLIED;
}

static uint32_t fake_slow_ms(void *daemon)
{
    const struct fake *fake = daemon;
    return fake->slow_ms;
}

static void fake_submit(void *daemon, const struct backend_write *write)
{
    struct fake *fake = daemon;
    fake->submits++;
    fake->precondition = write->precondition;
    fake->version = write->version;
    fake->ack_stream = write->ack_stream;
    enum backend_outcome outcome = fake->forced ? fake->outcome : apply(fake, write);
    if (fake->hold) {
        fake->held_done = write->done;
        fake->held_arg = write->arg;
        fake->held_outcome = outcome;
        return;
    }
    write->done(write->arg, outcome);
}

static void fake_job_done(void *arg, struct write_job *job)
{
    struct fake *fake = arg;
    fake->job = job;
}

struct fake *fake_new(void)
{
    struct fake *fake = calloc(1, sizeof(*fake));
    ASSERT(fake != NULL);
    const struct map_options options = {
        .shards = 4, .partitions = FAKE_PARTITIONS, .changefeed = 64, .instance = 0xabcdef};
    ASSERT(map_new(&options, &fake->map) == ERR_OK);
    fake->backend = (struct backend){.daemon = fake,
                                     .map = fake->map,
                                     .node_id = "a",
                                     .version = "0.1.0",
                                     .submit = fake_submit,
                                     .slow_ms = fake_slow_ms,
                                     .live = fake_live,
                                     .ready = fake_ready,
                                     .conditions = fake_conditions,
                                     .nodes = fake_nodes,
                                     .partitions = fake_partitions,
                                     .rejects = fake_rejects,
                                     .pending = fake_pending,
                                     .is_node = fake_is_node,
                                     .has_service = fake_has_service,
                                     .want = fake_want,
                                     .wall_now = fake_wall_now};
    fake->api = (struct api){.backend = &fake->backend,
                             .hosts = {.listen_ip = SPAN_LIT("127.0.0.1")},
                             .scratch = &fake->scratch,
                             .job_done = fake_job_done,
                             .job_arg = fake};
    fake->listener = (struct http1_listener_info){.is_loopback = true, .port = 9810};
    fake->peer = (struct http1_peer){.is_loopback = true, .address = "127.0.0.1"};
    fake->live = true;
    fake->ready = true;
    fake->stream_ok = true;
    return fake;
}

void fake_free(struct fake *fake)
{
    tokens_free(fake->tokens);
    map_free(fake->map);
    free(fake);
}

void fake_release(struct fake *fake)
{
    ASSERT(fake->held_done != NULL);
    fake->held_done(fake->held_arg, fake->held_outcome);
    fake->held_done = NULL;
}

void fake_register(struct fake *fake, const char *tenant, const char *service, const char *instance)
{
    struct key_bytes key;
    key_registration(span_str(tenant), span_str(service), span_str(instance), &key);
    const struct record record = {.kind = KEY_REGISTRATION,
                                  .registration = {.address = SPAN_LIT("127.0.0.1"),
                                                   .port = 8081,
                                                   .region = SPAN_LIT("eu"),
                                                   .zone = SPAN_LIT("eu-1a"),
                                                   .weight = 1,
                                                   .label_count = 1,
                                                   .labels = {{SPAN_LIT("v"), SPAN_LIT("2")}},
                                                   .owner = SPAN_LIT("a")}};
    put_record(fake, key_span(&key), &record);
    judge(fake, key_span(&key), STATUS_UNKNOWN);
}

void fake_observe(struct fake *fake, const char *instance, const char *observer, enum status status)
{
    struct key_bytes key, registration;
    struct span tenant = SPAN_LIT("default");
    key_observation(tenant, SPAN_LIT("pay"), span_str(instance), span_str(observer), &key);
    const struct record record = {.kind = KEY_OBSERVATION,
                                  .observation = {.status = status,
                                                  .reason = REASON_CONNECT_REFUSED,
                                                  .text = SPAN_LIT("port closed"),
                                                  .latency_us = 412,
                                                  .vantage = VANTAGE_LOCAL,
                                                  .since_ms = FAKE_NOW_MS - 2000,
                                                  .via = span_str(observer)}};
    put_record(fake, key_span(&key), &record);
    key_registration(tenant, SPAN_LIT("pay"), span_str(instance), &registration);
    judge(fake, key_span(&registration), status);
}

void fake_node(struct fake *fake, const char *id, bool up)
{
    struct key_bytes key;
    key_node(span_str(id), &key);
    const struct record record = {.kind = KEY_NODE, .node = {.incarnation = 1, .up = up}};
    put_record(fake, key_span(&key), &record);
}

static size_t parse_headers(char *text, struct http1_header *headers)
{
    size_t count = 0;
    char *line = text;
    while (*line != '\0') {
        char *end = strchr(line, '\n');
        ASSERT(end != NULL && count < FAKE_HEADERS_MAX);
        *end = '\0';
        char *colon = strchr(line, ':');
        ASSERT(colon != NULL && colon[1] == ' ');
        headers[count].name = span_of(line, (size_t)(colon - line));
        headers[count].value = span_str(colon + 2);
        count++;
        line = end + 1;
    }
    return count;
}

static void default_headers(const struct fake_request *ask, char *text, size_t cap)
{
    const char *type =
        strcmp(ask->method, "PATCH") == 0 ? "application/merge-patch+json" : "application/json";
    (void)snprintf(text, cap, "%sHost: 127.0.0.1:9810\n", ask->headers == NULL ? "" : ask->headers);
    if (ask->body != NULL && strstr(text, "Content-Type") == NULL) {
        size_t len = strlen(text);
        (void)snprintf(text + len, cap - len, "Content-Type: %s\n", type);
    }
}

// "Host: x" among the given headers takes the place of ours; "Content-Type" likewise.
static void all_headers(const struct fake_request *ask, char *text, size_t cap)
{
    bool has_host = ask->headers != NULL && (strncmp(ask->headers, "Host:", 5) == 0 ||
                                             strstr(ask->headers, "\nHost:") != NULL);
    if (has_host) {
        (void)snprintf(text, cap, "%s", ask->headers);
        return;
    }
    default_headers(ask, text, cap);
}

static void copy_answer(struct fake *fake, struct response *response, struct fake_answer *answer)
{
    if (response->kind == RESPONSE_MORE) {
        while (response_more(&fake->api, response)) {
        }
    }
    if (response->kind == RESPONSE_WATCH) {
        while (watch_event_next(&fake->api, &response->watch, &response->body) != WATCH_IDLE) {
        }
    }
    answer->kind = response->kind;
    answer->status = response->status;
    answer->content_type = response->content_type;
    answer->headers[0] = '\0';
    for (size_t i = 0; i < response->header_count; i++) {
        size_t len = strlen(answer->headers);
        (void)snprintf(answer->headers + len, sizeof(answer->headers) - len, "%.*s: %.*s\n",
                       (int)response->headers[i].name.len, response->headers[i].name.ptr,
                       (int)response->headers[i].value.len, response->headers[i].value.ptr);
    }
    struct span body = response_body(response);
    answer->body = malloc(body.len + 1);
    ASSERT(answer->body != NULL);
    if (body.len > 0) {
        memcpy(answer->body, body.ptr, body.len);
    }
    answer->body[body.len] = '\0';
}

// As if its time had gone by.
static void fake_record(struct response *response)
{
    struct recording *recording = response->recording;
    recording_begin(recording, clock_mono());
    while (!recording_step(recording, clock_mono())) {
    }
    response_fini(response);
    response_init(response);
    recording_end(recording, response);
}

void fake_handle(struct fake *fake, const struct fake_request *ask, struct response *response)
{
    char text[HEADERS_TEXT_LEN];
    struct http1_header headers[FAKE_HEADERS_MAX];
    all_headers(ask, text, sizeof(text));
    struct http1_request http = {.method = span_str(ask->method),
                                 .target = span_str(ask->target),
                                 .headers = headers,
                                 .head = strcmp(ask->method, "HEAD") == 0,
                                 .body = ask->body == NULL ? SPAN_NONE : span_str(ask->body)};
    const char *query = strchr(ask->target, '?');
    http.path =
        span_of(ask->target, query == NULL ? strlen(ask->target) : (size_t)(query - ask->target));
    http.query = query == NULL ? SPAN_NONE : span_str(query + 1);
    http.header_count = parse_headers(text, headers);
    (void)http1_request_header(&http, "Host", &http.host);
    const struct request_input in = {.http = &http,
                                     .listener = &fake->listener,
                                     .peer = &fake->peer,
                                     .is_probe = fake->is_probe};
    fake->job = NULL;
    handle_request(&fake->api, &in, response);
    if (response->kind == RESPONSE_RECORDING && !fake->hold) {
        fake_record(response);
    }
    if (response->kind != RESPONSE_PENDING) {
        return;
    }
    if (fake->job == NULL) {
        fake->job = response->job; // held: the test ends it
        return;
    }
    ASSERT(fake->job == response->job);
    response_fini(response);
    response_init(response);
    write_job_end(fake->job, response);
    fake->job = NULL;
}

void fake_ask(struct fake *fake, const struct fake_request *ask, struct fake_answer *ret_answer)
{
    struct response response;
    response_init(&response);
    fake_handle(fake, ask, &response);
    copy_answer(fake, &response, ret_answer);
    response_fini(&response);
}

void fake_answer_free(struct fake_answer *answer)
{
    free(answer->body);
    answer->body = NULL;
}

const char *fake_header(const struct fake_answer *answer, const char *name, char *buf, size_t cap)
{
    size_t name_len = strlen(name);
    const char *line = answer->headers;
    while (*line != '\0') {
        const char *end = strchr(line, '\n');
        if (strncmp(line, name, name_len) == 0 && line[name_len] == ':') {
            (void)snprintf(buf, cap, "%.*s", (int)((size_t)(end - line) - name_len - 2),
                           line + name_len + 2);
            return buf;
        }
        line = end + 1;
    }
    return NULL;
}
