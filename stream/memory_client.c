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
static void submit(struct stream *stream, const struct memory_call *call)
{
    struct memory_client *client = memory_client_of(stream);
    client->info.commands++;
    memory_server_read_clock(client->server);
    if (client->up && !client->cut) {
        memory_request_submit(client, call);
    }
}

static void client_meta(struct stream *stream, uint32_t partition)
{
    submit(stream, &(const struct memory_call){.kind = MEMORY_META, .partition = partition});
}

static void client_create(struct stream *stream, uint32_t partition,
                          const struct stream_epoch *epoch)
{
    submit(stream, &(const struct memory_call){
                       .kind = MEMORY_CREATE, .partition = partition, .epoch = *epoch});
}

static void client_scan(struct stream *stream, uint32_t partition, uint64_t cursor)
{
    submit(stream, &(const struct memory_call){
                       .kind = MEMORY_SCAN, .partition = partition, .cursor = cursor});
}

static void client_probe(struct stream *stream, uint32_t partition, struct stream_id id)
{
    submit(stream,
           &(const struct memory_call){.kind = MEMORY_PROBE, .partition = partition, .id = id});
}

static void client_put(struct stream *stream, const struct stream_batch *batch)
{
    submit(stream, &(const struct memory_call){.kind = MEMORY_PUT,
                                               .partition = batch->partition,
                                               .epoch = *batch->epoch,
                                               .records = batch->records,
                                               .count = batch->count});
}

static void client_beat(struct stream *stream, struct span name, struct span payload,
                        int64_t lease_ms)
{
    submit(stream,
           &(const struct memory_call){
               .kind = MEMORY_BEAT, .name = name, .payload = payload, .lease_ms = lease_ms});
}

// --- executing, on the server

// Without memory for an answer the connection is lost.
static void lose(struct memory_client *client)
{
    if (client != NULL) {
        memory_server_disconnect(client, 0);
    }
}

static void answer_mistyped(struct memory_client *client, enum stream_event_type type,
                            uint32_t partition)
{
    const struct stream_event event = {.type = type,
                                       .partition = partition,
                                       .status = STREAM_MISTYPED,
                                       .text = SPAN_LIT("WRONGTYPE something else stands there")};
    memory_server_answer(client, &event, NULL);
}

static void do_meta(struct memory_server *server, struct memory_client *client, uint32_t partition)
{
    const struct memory_partition *from = &server->partitions[partition];
    if (from->state_taken || from->log_taken) {
        answer_mistyped(client, STREAM_EV_META, partition);
        return;
    }
    const struct stream_event event = {
        .type = STREAM_EV_META, .partition = partition, .meta = memory_partition_meta(from)};
    memory_server_answer(client, &event, NULL);
}

static void do_create(struct memory_server *server, struct memory_client *client,
                      const struct memory_call *call)
{
    struct memory_partition *to = &server->partitions[call->partition];
    if (!to->state_taken) {
        enum err err = memory_partition_create(to, &call->epoch, server->options.partitions,
                                               memory_server_now_ms(server));
        ASSERT(err == ERR_OK);
    }
    do_meta(server, client, call->partition);
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

static void do_scan(struct memory_server *server, struct memory_client *client,
                    const struct memory_call *call)
{
    const struct memory_partition *from = &server->partitions[call->partition];
    struct stream_pair pairs[SCAN_BATCH];
    uint32_t count = 0;
    size_t at = (size_t)call->cursor;
    if (from->state_taken) {
        answer_mistyped(client, STREAM_EV_SCAN, call->partition);
        return;
    }
    for (; at < from->record_count && count < SCAN_BATCH; at++) {
        const struct memory_record *record = &from->records[at];
        // What is too short for a record is a stranger's, and nobody's business.
        if (!record->dead && record->value.len >= MEMORY_HEAD_LEN) {
            pairs[count++] = (struct stream_pair){record->key, record->value, record->oversized};
        }
    }
    struct stream_pair *copy = copy_pairs(pairs, count);
    if (copy == NULL) {
        lose(client);
        return;
    }
    const struct stream_event event = {
        .type = STREAM_EV_SCAN,
        .partition = call->partition,
        .scan = {.pairs = copy, .count = count, .cursor = at < from->record_count ? at : 0}};
    memory_server_answer(client, &event, copy);
}

static void do_probe(struct memory_server *server, struct memory_client *client,
                     const struct memory_call *call)
{
    const struct memory_partition *from = &server->partitions[call->partition];
    const struct memory_entry *entry = memory_partition_at(from, call->id);
    struct stream_event event = {.type = STREAM_EV_PROBE, .partition = call->partition};
    struct stream_pair *copy = NULL;
    if (from->log_taken) {
        answer_mistyped(client, STREAM_EV_PROBE, call->partition);
        return;
    }
    if (entry != NULL) {
        copy = copy_pairs(entry->entry.pairs, entry->entry.count);
        if (copy == NULL) {
            lose(client);
            return;
        }
        event.probe.found = true;
        event.probe.entry = entry->entry;
        event.probe.entry.pairs = copy;
    }
    memory_server_answer(client, &event, copy);
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

// The event of a put, and the block with its rows; false: no memory for that.
static bool put_into(struct memory_server *server, const struct memory_call *call,
                     struct stream_event *event, struct stream_put_row **ret_rows)
{
    struct memory_partition *to = &server->partitions[call->partition];
    struct stream_put_row rows[STREAM_PUT_RECORDS_MAX];
    const struct memory_put put = {&call->epoch, call->records, call->count,
                                   memory_server_now_ms(server)};
    uint64_t before = to->meta.sequence;
    *ret_rows = NULL;
    if (server->forgetful) {
        server->forgetful = false;
        event->status = STREAM_AGAIN;
        event->text = SPAN_LIT("NOSCRIPT the server has forgotten");
        return true;
    }
    if (server->refuse || memory_partition_put(to, &put, rows, &event->status) != ERR_OK) {
        event->status = STREAM_RETRY;
        event->text = SPAN_LIT("OOM the server refuses");
        return true;
    }
    if (event->status == STREAM_EPOCH) {
        event->epoch = to->meta.epoch;
    } else if (event->status == STREAM_MISTYPED) {
        event->text = SPAN_LIT("WRONGTYPE something else stands there");
    }
    if (event->status != STREAM_OK) {
        return true;
    }
    server->entries += to->meta.sequence - before;
    *ret_rows = copy_rows(rows, call->count);
    event->put.sequence = to->meta.sequence;
    event->put.floor = to->meta.floor;
    event->put.rows = *ret_rows;
    event->put.count = call->count;
    return *ret_rows != NULL;
}

static void do_put(struct memory_server *server, struct memory_client *client,
                   const struct memory_call *call)
{
    struct stream_event event = {.type = STREAM_EV_PUT, .partition = call->partition};
    struct stream_put_row *rows = NULL;
    if (!put_into(server, call, &event, &rows)) {
        lose(client);
        return;
    }
    if (client != NULL && server->drop_percent > 0 &&
        random_below(&server->random, 100) < server->drop_percent) {
        free(rows);
        memory_server_disconnect(client, DROP_NOTICED_MS);
        return;
    }
    memory_server_answer(client, &event, rows);
    memory_server_wake(server); // readers have something to read
}

static void do_beat(struct memory_server *server, struct memory_client *client,
                    const struct memory_call *call)
{
    struct stream_event event = {.type = STREAM_EV_BEAT};
    const struct memory_beat beat = {call->name, call->payload, call->lease_ms,
                                     memory_server_now_ms(server)};
    void *blob = memory_presence_beat(&server->presence, &beat, &event);
    if (blob == NULL) {
        lose(client);
        return;
    }
    memory_server_answer(client, &event, blob);
}

void memory_client_execute(struct memory_server *server, struct memory_client *client,
                           const struct memory_call *call)
{
    switch (call->kind) {
    case MEMORY_META:
        do_meta(server, client, call->partition);
        break;
    case MEMORY_CREATE:
        do_create(server, client, call);
        break;
    case MEMORY_SCAN:
        do_scan(server, client, call);
        break;
    case MEMORY_PROBE:
        do_probe(server, client, call);
        break;
    case MEMORY_PUT:
        do_put(server, client, call);
        break;
    case MEMORY_BEAT:
        do_beat(server, client, call);
        break;
    default:
        ASSERT(false);
    }
}

// --- subscriptions, presence, the rest

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

static void client_forget(struct stream *stream, struct span name)
{
    struct memory_client *client = memory_client_of(stream);
    client->info.commands++;
    if (client->up && !client->cut) {
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
