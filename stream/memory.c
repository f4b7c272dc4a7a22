// SPDX-License-Identifier: Apache-2.0
#include "stream/memory.h"

#include "base/assert.h"
#include "base/random.h"
#include "stream/memory_presence.h"
#include "stream/memory_state.h"

#include <stdlib.h>

#define SCAN_BATCH 100
#define READ_BATCH 16
#define DROP_NOTICED_MS 300 // a lost answer is noticed by a deadline
#define RECONNECT_MS 100

struct subscription {
    bool active;
    struct stream_id after;
};

struct memory_client {
    struct stream stream; // first: this is what the world holds
    struct memory_server *server;
    struct memory_client *next;
    bool started, up, cut, held;
    struct subscription *subscriptions;
    struct stream_info info;
};

// An answer on its way.  What the event borrows lies in `blob`.
struct delivery {
    struct delivery *next;
    struct mono due;
    struct memory_client *client;
    struct stream_event event;
    void *blob;
};

struct memory_server {
    struct memory_options options;
    struct random random;
    struct mono now;
    struct memory_partition *partitions;
    struct memory_partition *saved;
    struct memory_presence presence;
    struct memory_client *clients;
    struct delivery *first;
    uint32_t delay_min, delay_max, drop_percent;
    bool refuse;
    uint64_t entries;
    memory_wake_fn wake;
    void *wake_arg;
};

static const struct stream_ops memory_ops;

static struct memory_client *client_of(struct stream *stream)
{
    return (struct memory_client *)stream;
}

static int64_t server_now_ms(const struct memory_server *server)
{
    return server->now.us / 1000 + server->options.wall_offset_ms;
}

static void free_partitions(struct memory_partition *partitions, uint32_t count)
{
    for (uint32_t p = 0; partitions != NULL && p < count; p++) {
        memory_partition_fini(&partitions[p]);
    }
    free(partitions);
}

enum err memory_server_new(const struct memory_options *options, struct memory_server **ret_server)
{
    struct memory_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return ERR_NOMEM;
    }
    server->options = *options;
    random_seed(&server->random, options->seed);
    server->partitions = calloc(options->partitions, sizeof(struct memory_partition));
    if (server->partitions == NULL) {
        free(server);
        return ERR_NOMEM;
    }
    for (uint32_t p = 0; p < options->partitions; p++) {
        memory_partition_init(&server->partitions[p], options->retention);
    }
    *ret_server = server;
    return ERR_OK;
}

static void delivery_free(struct delivery *delivery)
{
    free(delivery->blob);
    free(delivery);
}

void memory_server_free(struct memory_server *server)
{
    if (server == NULL) {
        return;
    }
    ASSERT(server->clients == NULL);
    while (server->first != NULL) {
        struct delivery *delivery = server->first;
        server->first = delivery->next;
        delivery_free(delivery);
    }
    free_partitions(server->partitions, server->options.partitions);
    free_partitions(server->saved, server->options.partitions);
    memory_presence_fini(&server->presence);
    free(server);
}

enum err memory_client_new(struct memory_server *server, stream_event_fn on_event, void *arg,
                           struct stream **ret_stream)
{
    struct memory_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return ERR_NOMEM;
    }
    client->subscriptions = calloc(server->options.partitions, sizeof(struct subscription));
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

static void wake(struct memory_server *server)
{
    if (server->wake != NULL) {
        server->wake(server->wake_arg);
    }
}

void memory_server_on_wake(struct memory_server *server, memory_wake_fn wake_fn, void *arg)
{
    server->wake = wake_fn;
    server->wake_arg = arg;
}

// --- the queue of answers

static void enqueue(struct memory_server *server, struct delivery *delivery, uint32_t delay_ms)
{
    delivery->due = mono_add_ms(server->now, delay_ms);
    // Behind all that are due no later: answers of one client keep their order.
    struct delivery **link = &server->first;
    while (*link != NULL &&
           ((*link)->due.us <= delivery->due.us || (*link)->client == delivery->client)) {
        if ((*link)->client == delivery->client && (*link)->due.us > delivery->due.us) {
            delivery->due = (*link)->due;
        }
        link = &(*link)->next;
    }
    delivery->next = *link;
    *link = delivery;
    wake(server);
}

static uint32_t delay_of(struct memory_server *server)
{
    uint32_t spread = server->delay_max - server->delay_min;
    return server->delay_min +
           (spread == 0 ? 0 : (uint32_t)random_below(&server->random, spread + 1));
}

// *takes* blob.  Without memory the answer is lost, as on a network.
static void answer(struct memory_client *client, const struct stream_event *event, void *blob)
{
    struct delivery *delivery = calloc(1, sizeof(*delivery));
    if (delivery == NULL) {
        free(blob);
        return;
    }
    delivery->client = client;
    delivery->event = *event;
    delivery->blob = blob;
    enqueue(client->server, delivery, delay_of(client->server));
}

static void forget_answers(struct memory_server *server, const struct memory_client *client)
{
    struct delivery **link = &server->first;
    while (*link != NULL) {
        struct delivery *delivery = *link;
        if (delivery->client == client) {
            *link = delivery->next;
            delivery_free(delivery);
        } else {
            link = &delivery->next;
        }
    }
}

static void announce(struct memory_client *client, enum stream_event_type type, uint32_t delay_ms)
{
    struct delivery *delivery = calloc(1, sizeof(*delivery));
    if (delivery != NULL) {
        delivery->client = client;
        delivery->event.type = type;
        delivery->event.text =
            type == STREAM_EV_DOWN ? SPAN_LIT("connection lost") : SPAN_NONE;
        enqueue(client->server, delivery, delay_ms);
    }
}

// Everything open is unknown; the client learns it after `delay_ms` and comes back unless it is cut.
static void disconnect(struct memory_client *client, uint32_t delay_ms)
{
    forget_answers(client->server, client);
    client->up = false;
    for (uint32_t p = 0; p < client->server->options.partitions; p++) {
        client->subscriptions[p].active = false;
    }
    announce(client, STREAM_EV_DOWN, delay_ms);
    if (!client->cut) {
        announce(client, STREAM_EV_UP, delay_ms + RECONNECT_MS);
    }
}

// --- calls

static void client_start(struct stream *stream)
{
    struct memory_client *client = client_of(stream);
    client->started = true;
    if (!client->cut) {
        announce(client, STREAM_EV_UP, 0);
    }
}

static void client_free(struct stream *stream)
{
    struct memory_client *client = client_of(stream);
    struct memory_client **link = &client->server->clients;
    while (*link != client) {
        link = &(*link)->next;
    }
    *link = client->next;
    forget_answers(client->server, client);
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
    struct memory_client *client = client_of(stream);
    const struct stream_event event = {.type = STREAM_EV_META,
                                       .partition = partition,
                                       .meta = client->server->partitions[partition].meta};
    if (reaches(client)) {
        answer(client, &event, NULL);
    }
}

static void client_create(struct stream *stream, uint32_t partition,
                          const struct stream_epoch *epoch)
{
    struct memory_client *client = client_of(stream);
    struct memory_server *server = client->server;
    if (!reaches(client)) {
        return;
    }
    enum err err = memory_partition_create(&server->partitions[partition], epoch,
                                           server->options.partitions, server_now_ms(server));
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
    struct memory_client *client = client_of(stream);
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
        return;
    }
    const struct stream_event event = {
        .type = STREAM_EV_SCAN,
        .partition = partition,
        .scan = {.pairs = copy, .count = count, .cursor = at < from->record_count ? at : 0}};
    answer(client, &event, copy);
}

static void client_probe(struct stream *stream, uint32_t partition, struct stream_id id)
{
    struct memory_client *client = client_of(stream);
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
            return;
        }
        event.probe.found = true;
        event.probe.entry = entry->entry;
        event.probe.entry.pairs = copy;
    }
    answer(client, &event, copy);
}

static void client_read(struct stream *stream, uint32_t partition, struct stream_id after,
                        bool catching_up)
{
    struct memory_client *client = client_of(stream);
    (void)catching_up; // there is no round trip to save
    client->subscriptions[partition] = (struct subscription){client->up, after};
    wake(client->server);
}

static void client_unread(struct stream *stream, uint32_t partition)
{
    client_of(stream)->subscriptions[partition].active = false;
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

static void client_put(struct stream *stream, uint32_t partition, const struct stream_epoch *epoch,
                       const struct stream_record *records, uint32_t count)
{
    struct memory_client *client = client_of(stream);
    struct memory_server *server = client->server;
    struct memory_partition *to = &server->partitions[partition];
    struct stream_put_row rows[STREAM_PUT_RECORDS_MAX];
    const struct memory_put put = {epoch, records, count, server_now_ms(server)};
    struct stream_event event = {.type = STREAM_EV_PUT, .partition = partition};
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
        copy = copy_rows(rows, count);
        if (copy == NULL) {
            return;
        }
        event.put.sequence = to->meta.sequence;
        event.put.floor = to->meta.floor;
        event.put.rows = copy;
        event.put.count = count;
    } else if (event.status == STREAM_EPOCH) {
        event.epoch = to->meta.epoch;
    }
    if (server->drop_percent > 0 && random_below(&server->random, 100) < server->drop_percent) {
        free(copy);
        disconnect(client, DROP_NOTICED_MS);
        return;
    }
    answer(client, &event, copy);
    wake(server); // readers have something to read
}

static void client_beat(struct stream *stream, struct span name, struct span payload,
                        int64_t lease_ms)
{
    struct memory_client *client = client_of(stream);
    struct memory_server *server = client->server;
    if (!reaches(client)) {
        return;
    }
    struct stream_event event = {.type = STREAM_EV_BEAT};
    const struct memory_beat beat = {name, payload, lease_ms, server_now_ms(server)};
    void *blob = memory_presence_beat(&server->presence, &beat, &event);
    if (blob != NULL) {
        answer(client, &event, blob);
    }
}

static void client_forget(struct stream *stream, struct span name)
{
    struct memory_client *client = client_of(stream);
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

// --- delivering

static void deliver(struct memory_client *client, const struct stream_event *event)
{
    if (event->type == STREAM_EV_UP) {
        client->up = true;
        client->info.connects++;
    }
    client->stream.on_event(client->stream.arg, event);
}

static bool can_receive(const struct memory_client *client)
{
    return client->started && !client->held;
}

// The first delivery that is due and whose client stands.
static struct delivery *take_due(struct memory_server *server)
{
    for (struct delivery **link = &server->first; *link != NULL; link = &(*link)->next) {
        struct delivery *delivery = *link;
        if (delivery->due.us > server->now.us) {
            return NULL;
        }
        if (can_receive(delivery->client)) {
            *link = delivery->next;
            return delivery;
        }
    }
    return NULL;
}

static size_t step_answers(struct memory_server *server)
{
    size_t count = 0;
    for (struct delivery *delivery = NULL; (delivery = take_due(server)) != NULL; count++) {
        deliver(delivery->client, &delivery->event);
        delivery_free(delivery);
    }
    return count;
}

static size_t step_reader(struct memory_client *client, uint32_t partition)
{
    size_t count = 0;
    const struct memory_partition *from = &client->server->partitions[partition];
    // The callback may move or end the subscription: it is looked at anew each time.
    while (count < READ_BATCH && client->up && client->subscriptions[partition].active) {
        struct subscription *subscription = &client->subscriptions[partition];
        const struct memory_entry *entry = memory_partition_after(from, subscription->after);
        if (entry == NULL) {
            break;
        }
        subscription->after = entry->entry.id;
        const struct stream_event event = {
            .type = STREAM_EV_ENTRY, .partition = partition, .entry = entry->entry};
        deliver(client, &event);
        count++;
    }
    if (count > 0 && client->subscriptions[partition].active) {
        const struct stream_event drained = {.type = STREAM_EV_DRAINED, .partition = partition};
        deliver(client, &drained);
    }
    return count;
}

size_t memory_server_step(struct memory_server *server, struct mono now)
{
    server->now = now;
    size_t count = step_answers(server);
    for (struct memory_client *client = server->clients; client != NULL; client = client->next) {
        for (uint32_t p = 0; p < server->options.partitions && can_receive(client); p++) {
            count += step_reader(client, p);
        }
    }
    return count + step_answers(server);
}

static bool has_entries(const struct memory_server *server, const struct memory_client *client)
{
    for (uint32_t p = 0; p < server->options.partitions; p++) {
        const struct subscription *s = &client->subscriptions[p];
        if (s->active && memory_partition_after(&server->partitions[p], s->after) != NULL) {
            return true;
        }
    }
    return false;
}

struct mono memory_server_next(const struct memory_server *server)
{
    for (const struct memory_client *c = server->clients; c != NULL; c = c->next) {
        if (c->up && can_receive(c) && has_entries(server, c)) {
            return server->now;
        }
    }
    for (const struct delivery *d = server->first; d != NULL; d = d->next) {
        if (can_receive(d->client)) {
            return d->due;
        }
    }
    return (struct mono){INT64_MAX};
}

// --- faults

void memory_server_delay(struct memory_server *server, uint32_t min_ms, uint32_t max_ms)
{
    ASSERT(min_ms <= max_ms);
    server->delay_min = min_ms;
    server->delay_max = max_ms;
}

void memory_server_drop_replies(struct memory_server *server, uint32_t percent)
{
    server->drop_percent = percent;
}

void memory_server_refuse(struct memory_server *server, bool refuse)
{
    server->refuse = refuse;
}

void memory_server_flush(struct memory_server *server)
{
    for (uint32_t p = 0; p < server->options.partitions; p++) {
        memory_partition_flush(&server->partitions[p]);
    }
    memory_presence_fini(&server->presence);
}

void memory_server_trim(struct memory_server *server, uint32_t partition, size_t keep)
{
    memory_partition_trim(&server->partitions[partition], keep);
}

void memory_server_lose(struct memory_server *server, uint32_t partition, size_t nth)
{
    memory_partition_lose(&server->partitions[partition], nth);
}

enum err memory_server_garbage(struct memory_server *server, uint32_t partition, struct span key,
                               struct span value)
{
    enum err err = memory_partition_garbage(&server->partitions[partition], key, value,
                                            server_now_ms(server));
    wake(server);
    return err;
}

// A copy of all partitions; NULL: no memory.
static struct memory_partition *copy_all(const struct memory_partition *from, uint32_t count)
{
    struct memory_partition *copy = calloc(count, sizeof(*copy));
    for (uint32_t p = 0; copy != NULL && p < count; p++) {
        if (memory_partition_copy(&from[p], &copy[p]) != ERR_OK) {
            free_partitions(copy, p);
            copy = NULL;
        }
    }
    return copy;
}

enum err memory_server_save(struct memory_server *server)
{
    struct memory_partition *copy = copy_all(server->partitions, server->options.partitions);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    free_partitions(server->saved, server->options.partitions);
    server->saved = copy;
    return ERR_OK;
}

enum err memory_server_restore(struct memory_server *server)
{
    if (server->saved == NULL) {
        return ERR_NOT_FOUND;
    }
    struct memory_partition *copy = copy_all(server->saved, server->options.partitions);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    free_partitions(server->partitions, server->options.partitions);
    server->partitions = copy;
    return ERR_OK;
}

void memory_client_cut(struct stream *stream)
{
    struct memory_client *client = client_of(stream);
    client->cut = true;
    disconnect(client, 0);
}

void memory_client_mend(struct stream *stream)
{
    struct memory_client *client = client_of(stream);
    if (client->cut) {
        client->cut = false;
        announce(client, STREAM_EV_UP, RECONNECT_MS);
    }
}

void memory_client_hold(struct stream *stream, bool hold)
{
    client_of(stream)->held = hold;
}

const struct memory_partition *memory_server_partition(const struct memory_server *server,
                                                       uint32_t partition)
{
    return &server->partitions[partition];
}

uint64_t memory_server_entries(const struct memory_server *server)
{
    return server->entries;
}
