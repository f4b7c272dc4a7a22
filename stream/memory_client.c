// SPDX-License-Identifier: Apache-2.0
// The calls of a client: executed at once, answered later.
#include "base/assert.h"
#include "stream/memory_server.h"

#include <stdlib.h>

#define SCAN_BATCH 100
#define DROP_NOTICED_MS 300 // a lost answer is noticed by a deadline

static const struct stream_ops memory_ops;

enum err memory_client_new(struct memory_server *server, stream_event_fn on_event, void *arg,
                           struct stream **ret_stream)
{
    struct memory_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return ERR_NOMEM;
    }
    client->subscriptions = calloc(server->options.partitions, sizeof(struct memory_subscription));
    if (client->subscriptions == NULL) {
        free(client);
        return ERR_NOMEM;
    }
    client->stream = (struct stream){.ops = &memory_ops, .on_event = on_event, .arg = arg};
    client->server = server;
    client->info = (struct stream_info){.backend = "memory", .server = SPAN_LIT("memory")};
    client->next = server->clients;
    server->clients = client;
    *ret_stream = &client->stream;
    return ERR_OK;
}

static void client_start(struct stream *stream)
{
    struct memory_client *client = memory_client_of(stream);
    client->started = true;
    if (!client->cut) {
        memory_server_announce(client, STREAM_EV_UP, 0);
    }
}

static void client_free(struct stream *stream)
{
    struct memory_client *client = memory_client_of(stream);
    struct memory_client **link = &client->server->clients;
    while (*link != client) {
        link = &(*link)->next;
    }
    *link = client->next;
    memory_server_forget_answers(client->server, client);
    free(client->subscriptions);
    free(client);
}

// Calls of a client without a connection go nowhere.
static bool reaches(struct memory_client *client)
{
    client->info.commands++;
    return client->up && !client->cut;
}

static void client_meta(struct stream *stream, uint32_t partition)
{
    struct memory_client *client = memory_client_of(stream);
    const struct stream_event event = {.type = STREAM_EV_META,
                                       .partition = partition,
                                       .meta = client->server->partitions[partition].meta};
    if (reaches(client)) {
        memory_server_answer(client, &event, NULL);
    }
}

static void client_create(struct stream *stream, uint32_t partition,
                          const struct stream_epoch *epoch)
{
    struct memory_client *client = memory_client_of(stream);
    struct memory_server *server = client->server;
    if (!reaches(client)) {
        return;
    }
    enum err err =
        memory_partition_create(&server->partitions[partition], epoch, server->options.partitions,
                                memory_server_now_ms(server));
    ASSERT(err == ERR_OK);
    client_meta(stream, partition);
}

// One block that holds `count` pairs and all their bytes.
static struct stream_pair *copy_pairs(const struct stream_pair *pairs, uint32_t count)
{
    size_t len = sizeof(struct stream_pair) * (count + 1);
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += pairs[i].key.len + pairs[i].value.len;
    }
    struct stream_pair *copy = malloc(len + bytes);
    if (copy == NULL) {
        return NULL;
    }
    char *at = (char *)copy + len;
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = (struct stream_pair){.oversized = pairs[i].oversized};
        copy[i].key = span_of(at, pairs[i].key.len);
        memcpy(at, pairs[i].key.ptr, pairs[i].key.len);
        at += pairs[i].key.len;
        copy[i].value = span_of(at, pairs[i].value.len);
        if (pairs[i].value.len > 0) {
            memcpy(at, pairs[i].value.ptr, pairs[i].value.len);
        }
        at += pairs[i].value.len;
    }
    return copy;
}

static void client_scan(struct stream *stream, uint32_t partition, uint64_t cursor)
{
    struct memory_client *client = memory_client_of(stream);
    const struct memory_partition *from = &client->server->partitions[partition];
    struct stream_pair pairs[SCAN_BATCH];
    uint32_t count = 0;
    size_t at = (size_t)cursor;
    if (!reaches(client)) {
        return;
    }
    for (; at < from->record_count && count < SCAN_BATCH; at++) {
        // What is too short for a record is a stranger's, and nobody's business.
        if (!from->records[at].dead && from->records[at].value.len >= MEMORY_HEAD_LEN) {
            pairs[count++] = (struct stream_pair){.key = from->records[at].key,
                                                  .value = from->records[at].value};
        }
    }
    struct stream_pair *copy = copy_pairs(pairs, count);
    if (copy == NULL) {
        memory_server_disconnect(client, 0);
        return;
    }
    const struct stream_event event = {
        .type = STREAM_EV_SCAN,
        .partition = partition,
        .scan = {.pairs = copy, .count = count, .cursor = at < from->record_count ? at : 0}};
    memory_server_answer(client, &event, copy);
}

static void client_probe(struct stream *stream, uint32_t partition, struct stream_id id)
{
    struct memory_client *client = memory_client_of(stream);
    if (!reaches(client)) {
        return;
    }
    const struct memory_entry *entry =
        memory_partition_at(&client->server->partitions[partition], id);
    struct stream_event event = {.type = STREAM_EV_PROBE, .partition = partition};
    struct stream_pair *copy = NULL;
    if (entry != NULL) {
        copy = copy_pairs(entry->entry.pairs, entry->entry.count);
        if (copy == NULL) {
            memory_server_disconnect(client, 0);
            return;
        }
        event.probe.found = true;
        event.probe.entry = entry->entry;
        event.probe.entry.pairs = copy;
    }
    memory_server_answer(client, &event, copy);
}

static void client_read(struct stream *stream, uint32_t partition, struct stream_id after,
                        bool catching_up)
{
    struct memory_client *client = memory_client_of(stream);
    (void)catching_up; // there is no round trip to save
    client->subscriptions[partition] = (struct memory_subscription){client->up, after};
    memory_server_wake(client->server);
}

static void client_unread(struct stream *stream, uint32_t partition)
{
    memory_client_of(stream)->subscriptions[partition].active = false;
}

// Rows and the current values that they borrow, in one block.
static struct stream_put_row *copy_rows(const struct stream_put_row *rows, uint32_t count)
{
    size_t len = sizeof(struct stream_put_row) * count;
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += rows[i].current.len;
    }
    struct stream_put_row *copy = malloc(len + bytes);
    if (copy == NULL) {
        return NULL;
    }
    char *at = (char *)copy + len;
    for (uint32_t i = 0; i < count; i++) {
        copy[i].result = rows[i].result;
        copy[i].current = span_of(at, rows[i].current.len);
        if (rows[i].current.len > 0) {
            memcpy(at, rows[i].current.ptr, rows[i].current.len);
        }
        at += rows[i].current.len;
    }
    return copy;
}

static void client_put(struct stream *stream, const struct stream_batch *batch)
{
    struct memory_client *client = memory_client_of(stream);
    struct memory_server *server = client->server;
    struct memory_partition *to = &server->partitions[batch->partition];
    struct stream_put_row rows[STREAM_PUT_RECORDS_MAX];
    const struct memory_put put = {batch->epoch, batch->records, batch->count,
                                   memory_server_now_ms(server)};
    struct stream_event event = {.type = STREAM_EV_PUT, .partition = batch->partition};
    if (!reaches(client)) {
        return;
    }
    uint64_t before = to->meta.sequence;
    if (server->refuse || memory_partition_put(to, &put, rows, &event.status) != ERR_OK) {
        event.status = STREAM_RETRY;
        event.text = SPAN_LIT("OOM the server refuses");
    }
    struct stream_put_row *copy = NULL;
    if (event.status == STREAM_OK) {
        server->entries += to->meta.sequence - before;
        copy = copy_rows(rows, batch->count);
        if (copy == NULL) {
            memory_server_disconnect(client, 0);
            return;
        }
        event.put.sequence = to->meta.sequence;
        event.put.floor = to->meta.floor;
        event.put.rows = copy;
        event.put.count = batch->count;
    } else if (event.status == STREAM_EPOCH) {
        event.epoch = to->meta.epoch;
    }
    if (server->drop_percent > 0 && random_below(&server->random, 100) < server->drop_percent) {
        free(copy);
        memory_server_disconnect(client, DROP_NOTICED_MS);
        return;
    }
    memory_server_answer(client, &event, copy);
    memory_server_wake(server); // readers have something to read
}

static void client_beat(struct stream *stream, struct span name, struct span payload,
                        int64_t lease_ms)
{
    struct memory_client *client = memory_client_of(stream);
    struct memory_server *server = client->server;
    if (!reaches(client)) {
        return;
    }
    struct stream_event event = {.type = STREAM_EV_BEAT};
    const struct memory_beat beat = {name, payload, lease_ms, memory_server_now_ms(server)};
    void *blob = memory_presence_beat(&server->presence, &beat, &event);
    if (blob == NULL) {
        memory_server_disconnect(client, 0);
        return;
    }
    memory_server_answer(client, &event, blob);
}

static void client_forget(struct stream *stream, struct span name)
{
    struct memory_client *client = memory_client_of(stream);
    if (reaches(client)) {
        memory_presence_forget(&client->server->presence, name);
    }
}

static void client_info(const struct stream *stream, struct stream_info *ret_info)
{
    const struct memory_client *client = (const struct memory_client *)stream;
    *ret_info = client->info;
    ret_info->connected = client->up;
}

static const struct stream_ops memory_ops = {.start = client_start,
                                             .free = client_free,
                                             .meta = client_meta,
                                             .create = client_create,
                                             .scan = client_scan,
                                             .probe = client_probe,
                                             .read = client_read,
                                             .unread = client_unread,
                                             .put = client_put,
                                             .beat = client_beat,
                                             .forget = client_forget,
                                             .info = client_info};
