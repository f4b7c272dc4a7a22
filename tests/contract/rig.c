// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/rig.h"

#include "base/clock.h"
#include "base/siphash.h"
#include "tests/lib/suite.h"

#include <stdio.h>

#define WAIT_MS 8000

// --- copying an event

static struct span keep(struct rig_seen *seen, struct span text)
{
    struct span kept = span_of(seen->bytes + seen->bytes_len, text.len);
    if (text.len > 0) {
        memcpy(seen->bytes + seen->bytes_len, text.ptr, text.len);
    }
    seen->bytes_len += text.len;
    return kept;
}

static size_t pairs_len(const struct stream_pair *pairs, uint32_t count)
{
    size_t len = 0;
    for (uint32_t i = 0; i < count; i++) {
        len += pairs[i].key.len + pairs[i].value.len;
    }
    return len;
}

static void keep_pairs(struct rig_seen *seen, const struct stream_pair **pairs, uint32_t count)
{
    seen->bytes = malloc(pairs_len(*pairs, count) + 1);
    seen->pairs = calloc(count + 1, sizeof(*seen->pairs));
    for (uint32_t i = 0; i < count; i++) {
        seen->pairs[i] = (struct stream_pair){.key = keep(seen, (*pairs)[i].key),
                                              .value = keep(seen, (*pairs)[i].value),
                                              .oversized = (*pairs)[i].oversized};
    }
    *pairs = seen->pairs;
}

static void keep_rows(struct rig_seen *seen)
{
    const struct stream_event *event = &seen->event;
    size_t len = 0;
    for (uint32_t i = 0; i < event->put.count; i++) {
        len += event->put.rows[i].current.len;
    }
    seen->bytes = malloc(len + 1);
    seen->rows = calloc(event->put.count + 1, sizeof(*seen->rows));
    for (uint32_t i = 0; i < event->put.count; i++) {
        seen->rows[i] = event->put.rows[i];
        seen->rows[i].current = keep(seen, event->put.rows[i].current);
    }
    seen->event.put.rows = seen->rows;
}

static void keep_beat(struct rig_seen *seen)
{
    struct stream_event *event = &seen->event;
    size_t len = 0;
    for (uint32_t i = 0; i < event->beat.lapsed_count; i++) {
        len += event->beat.lapsed[i].len;
    }
    for (uint32_t i = 0; i < event->beat.peer_count; i++) {
        len += event->beat.peers[i].name.len + event->beat.peers[i].payload.len;
    }
    seen->bytes = malloc(len + 1);
    seen->lapsed = calloc(event->beat.lapsed_count + 1, sizeof(*seen->lapsed));
    seen->peers = calloc(event->beat.peer_count + 1, sizeof(*seen->peers));
    for (uint32_t i = 0; i < event->beat.lapsed_count; i++) {
        seen->lapsed[i] = keep(seen, event->beat.lapsed[i]);
    }
    for (uint32_t i = 0; i < event->beat.peer_count; i++) {
        seen->peers[i] = event->beat.peers[i];
        seen->peers[i].name = keep(seen, event->beat.peers[i].name);
        seen->peers[i].payload = keep(seen, event->beat.peers[i].payload);
    }
    event->beat.lapsed = seen->lapsed;
    event->beat.peers = seen->peers;
}

static void keep_event(struct rig_seen *seen)
{
    struct stream_event *event = &seen->event;
    if (event->status != STREAM_OK || event->type == STREAM_EV_DOWN) {
        seen->bytes = malloc(event->text.len + 1);
        event->text = keep(seen, event->text);
    } else if (event->type == STREAM_EV_SCAN) {
        keep_pairs(seen, &event->scan.pairs, event->scan.count);
    } else if (event->type == STREAM_EV_ENTRY) {
        keep_pairs(seen, &event->entry.pairs, event->entry.count);
    } else if (event->type == STREAM_EV_PROBE && event->probe.found) {
        keep_pairs(seen, &event->probe.entry.pairs, event->probe.entry.count);
    } else if (event->type == STREAM_EV_PUT) {
        keep_rows(seen);
    } else if (event->type == STREAM_EV_BEAT) {
        keep_beat(seen);
    }
}

static void on_event(void *arg, const struct stream_event *event)
{
    struct rig_client *client = arg;
    struct rig_seen *seen = calloc(1, sizeof(*seen));
    seen->event = *event;
    keep_event(seen);
    *client->last = seen;
    client->last = &seen->next;
}

void rig_seen_free(struct rig_seen *seen)
{
    free(seen->bytes);
    free(seen->pairs);
    free(seen->rows);
    free(seen->lapsed);
    free(seen->peers);
    free(seen);
}

// --- rig, clients, waiting

void rig_open(struct rig *rig, const struct rig_backend *backend)
{
    const char *const *args = rig->redis_args;
    int64_t timeout_ms = rig->reply_timeout_ms == 0 ? 3000 : rig->reply_timeout_ms;
    int64_t backoff_ms = rig->backoff_max_ms == 0 ? 200 : rig->backoff_max_ms;
    *rig = (struct rig){.backend = backend,
                        .redis_args = args,
                        .reply_timeout_ms = timeout_ms,
                        .backoff_max_ms = backoff_ms};
    backend->open(rig);
}

void rig_close(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->client_count; i++) {
        struct rig_client *client = &rig->clients[i];
        stream_free(client->stream);
        while (client->first != NULL) {
            struct rig_seen *seen = client->first;
            client->first = seen->next;
            rig_seen_free(seen);
        }
    }
    rig->backend->close(rig);
}

void rig_each(void (*row)(struct rig *rig, struct rig_client *a, struct rig_client *b))
{
    const struct rig_backend *const backends[] = {&rig_memory, &rig_redis, rig_secure()};
    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
        struct rig rig = {0};
        rig_open(&rig, backends[i]);
        struct rig_client *a = rig_client(&rig);
        struct rig_client *b = rig_client(&rig);
        row(&rig, a, b);
        rig_close(&rig);
    }
}

struct rig_client *rig_client_unstarted(struct rig *rig)
{
    struct rig_client *client = &rig->clients[rig->client_count++];
    *client = (struct rig_client){.rig = rig};
    client->last = &client->first;
    CHECK_OK(rig->backend->client(rig, on_event, client, &client->stream));
    return client;
}

struct rig_client *rig_client(struct rig *rig)
{
    struct rig_client *client = rig_client_unstarted(rig);
    stream_start(client->stream);
    rig_skip(client, STREAM_EV_UP);
    return client;
}

static struct rig_seen *take(struct rig_client *client, enum stream_event_type type)
{
    for (struct rig_seen **link = &client->first; *link != NULL; link = &(*link)->next) {
        struct rig_seen *seen = *link;
        if (seen->event.type != type) {
            continue;
        }
        *link = seen->next;
        if (client->last == &seen->next) {
            client->last = link;
        }
        return seen;
    }
    return NULL;
}

bool rig_has(const struct rig_client *client, enum stream_event_type type)
{
    for (const struct rig_seen *seen = client->first; seen != NULL; seen = seen->next) {
        if (seen->event.type == type) {
            return true;
        }
    }
    return false;
}

struct rig_seen *rig_wait(struct rig_client *client, enum stream_event_type type)
{
    struct mono start = clock_mono();
    struct rig_seen *seen = NULL;
    while ((seen = take(client, type)) == NULL) {
        ck_assert_msg(mono_ms_between(start, clock_mono()) < WAIT_MS, "%s: no event of type %d",
                      client->rig->backend->name, (int)type);
        client->rig->backend->pump(client->rig);
    }
    return seen;
}

void rig_skip(struct rig_client *client, enum stream_event_type type)
{
    rig_seen_free(rig_wait(client, type));
}

// --- shorthands

struct stream_epoch rig_epoch(const char *text)
{
    struct stream_epoch epoch = {""};
    memcpy(epoch.text, text, STREAM_EPOCH_LEN);
    return epoch;
}

static struct stream_meta wait_meta(struct rig_client *client)
{
    struct rig_seen *seen = rig_wait(client, STREAM_EV_META);
    struct stream_meta meta = seen->event.meta;
    CHECK_EQ(seen->event.status, STREAM_OK);
    rig_seen_free(seen);
    return meta;
}

struct stream_meta rig_meta(struct rig_client *client, uint32_t partition)
{
    stream_meta(client->stream, partition);
    return wait_meta(client);
}

struct stream_meta rig_create(struct rig_client *client, uint32_t partition, const char *text)
{
    const struct stream_epoch epoch = rig_epoch(text);
    stream_create(client->stream, partition, &epoch);
    return wait_meta(client);
}

static void put_be(char *bytes, uint64_t value, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        bytes[i] = (char)(value >> (8 * (len - 1 - i)));
    }
}

static void put_version(char *bytes, uint64_t counter)
{
    put_be(bytes, counter, 8);
    put_be(bytes + 8, counter == 0 ? 0 : 1, 8);
}

uint64_t rig_hash(struct span value)
{
    uint64_t hash = 0;
    for (size_t i = 16; i < 22; i++) {
        hash = hash << 8 | (uint8_t)value.ptr[i];
    }
    return hash;
}

void rig_record(struct rig_record *record, const char *name, uint64_t expected, uint64_t counter)
{
    int key_len = snprintf(record->key, sizeof(record->key), "svc%c%s", 0, name);
    int body = snprintf(record->value + 22, sizeof(record->value) - 22, "body of %s at %llu", name,
                        (unsigned long long)counter);
    put_version(record->value, counter);
    put_be(record->value + 16, siphash13(siphash_zero_key, record->value + 22, (size_t)body), 6);
    record->record.key = span_of(record->key, (size_t)key_len);
    record->record.value = span_of(record->value, (size_t)body + 22);
    put_version(record->record.expected, expected);
}

struct rig_seen *rig_put(struct rig_client *client, uint32_t partition, const char *text,
                         const struct rig_record *record)
{
    const struct stream_epoch epoch = rig_epoch(text);
    stream_put(client->stream, partition, &epoch, &record->record, 1);
    return rig_wait(client, STREAM_EV_PUT);
}

void rig_put_ok(struct rig_client *client, uint32_t partition, const struct rig_record *record)
{
    struct rig_seen *seen = rig_put(client, partition, RIG_EPOCH_A, record);
    CHECK_EQ(seen->event.status, STREAM_OK);
    CHECK_EQ(seen->event.put.rows[0].result, STREAM_PUT_ACCEPTED);
    rig_seen_free(seen);
}

// --- Redis

void rig_run(struct rig *rig, const char *command)
{
    char answer[256];
    redis_server_run(&rig->redis, command, answer, sizeof(answer));
    ck_assert_msg(answer[0] != '-' && answer[0] != '\0', "%s: %s", command, answer);
}

enum stream_status rig_put_status(struct rig_client *client, uint32_t partition,
                                  const struct rig_record *record)
{
    struct rig_seen *seen = rig_put(client, partition, RIG_EPOCH_A, record);
    enum stream_status status = seen->event.status;
    rig_seen_free(seen);
    return status;
}

bool rig_contains(struct span text, const char *part)
{
    return text.len > 0 && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

void rig_expect_down(struct rig_client *client, enum stream_status status, const char *part)
{
    struct rig_seen *seen = rig_wait(client, STREAM_EV_DOWN);
    ck_assert_msg(seen->event.status == status && rig_contains(seen->event.text, part),
                  "status %d: %.*s", (int)seen->event.status, (int)seen->event.text.len,
                  seen->event.text.ptr);
    rig_seen_free(seen);
}
