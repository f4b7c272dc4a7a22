// SPDX-License-Identifier: Apache-2.0
#include "stream/memory.h"

#include "base/assert.h"
#include "stream/memory_server.h"

#include <stdlib.h>

#define READ_BATCH 16
#define RECONNECT_MS 100

int64_t memory_server_now_ms(const struct memory_server *server)
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

static void delivery_free(struct memory_delivery *delivery)
{
    if (!delivery->is_notice) {
        free(delivery->blob);
        free(delivery);
    }
}

void memory_server_free(struct memory_server *server)
{
    if (server == NULL) {
        return;
    }
    ASSERT(server->clients == NULL);
    while (server->first != NULL) {
        struct memory_delivery *delivery = server->first;
        server->first = delivery->next;
        delivery_free(delivery);
    }
    memory_request_drop_all(server);
    free_partitions(server->partitions, server->options.partitions);
    free_partitions(server->saved, server->options.partitions);
    memory_presence_fini(&server->presence);
    free(server);
}

void memory_server_wake(struct memory_server *server)
{
    if (server->wake != NULL) {
        server->wake(server->wake_arg);
    }
}

void memory_server_on_clock(struct memory_server *server, memory_clock_fn clock_fn, void *arg)
{
    server->clock = clock_fn;
    server->clock_arg = arg;
}

void memory_server_read_clock(struct memory_server *server)
{
    if (server->clock != NULL) {
        struct mono now = server->clock(server->clock_arg);
        server->now = now.us > server->now.us ? now : server->now;
    }
}

void memory_server_on_wake(struct memory_server *server, memory_wake_fn wake_fn, void *arg)
{
    server->wake = wake_fn;
    server->wake_arg = arg;
}

// --- the queue of answers

static void enqueue(struct memory_server *server, struct memory_delivery *delivery,
                    uint32_t delay_ms)
{
    delivery->due = mono_add_ms(server->now, delay_ms);
    // Behind all that are due no later: answers of one client keep their order.
    struct memory_delivery **link = &server->first;
    while (*link != NULL &&
           ((*link)->due.us <= delivery->due.us || (*link)->client == delivery->client)) {
        if ((*link)->client == delivery->client && (*link)->due.us > delivery->due.us) {
            delivery->due = (*link)->due;
        }
        link = &(*link)->next;
    }
    delivery->next = *link;
    *link = delivery;
    memory_server_wake(server);
}

static uint32_t delay_of(struct memory_server *server)
{
    uint32_t spread = server->delay_max - server->delay_min;
    return server->delay_min +
           (spread == 0 ? 0 : (uint32_t)random_below(&server->random, spread + 1));
}

void memory_server_answer(struct memory_client *client, const struct stream_event *event,
                          void *blob)
{
    struct memory_delivery *delivery = client == NULL ? NULL : calloc(1, sizeof(*delivery));
    if (client == NULL) {
        free(blob);
        return;
    }
    if (delivery == NULL) {
        free(blob);
        memory_server_disconnect(client, 0);
        return;
    }
    delivery->client = client;
    delivery->event = *event;
    delivery->blob = blob;
    enqueue(client->server, delivery, delay_of(client->server));
}

void memory_server_forget_answers(struct memory_server *server, const struct memory_client *client)
{
    memory_request_orphan(server, client);
    struct memory_delivery **link = &server->first;
    while (*link != NULL) {
        struct memory_delivery *delivery = *link;
        if (delivery->client == client) {
            *link = delivery->next;
            delivery_free(delivery);
        } else {
            link = &delivery->next;
        }
    }
}

static void unlink_delivery(struct memory_server *server, const struct memory_delivery *delivery)
{
    for (struct memory_delivery **link = &server->first; *link != NULL; link = &(*link)->next) {
        if (*link == delivery) {
            *link = delivery->next;
            return;
        }
    }
}

void memory_server_announce(struct memory_client *client, enum stream_event_type type,
                            uint32_t delay_ms)
{
    struct memory_delivery *notice = &client->notices[type == STREAM_EV_UP ? 1 : 0];
    unlink_delivery(client->server, notice);
    *notice = (struct memory_delivery){.client = client, .is_notice = true};
    notice->event.type = type;
    notice->event.text = type == STREAM_EV_DOWN ? SPAN_LIT("connection lost") : SPAN_NONE;
    enqueue(client->server, notice, delay_ms);
}

void memory_server_disconnect(struct memory_client *client, uint32_t delay_ms)
{
    memory_server_forget_answers(client->server, client);
    client->up = false;
    for (uint32_t p = 0; p < client->server->options.partitions; p++) {
        client->subscriptions[p].active = false;
    }
    memory_server_announce(client, STREAM_EV_DOWN, delay_ms);
    if (!client->cut) {
        memory_server_announce(client, STREAM_EV_UP, delay_ms + RECONNECT_MS);
    }
}

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
static struct memory_delivery *take_due(struct memory_server *server)
{
    for (struct memory_delivery **link = &server->first; *link != NULL; link = &(*link)->next) {
        struct memory_delivery *delivery = *link;
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
    for (struct memory_delivery *delivery = NULL; (delivery = take_due(server)) != NULL; count++) {
        struct stream_event event = delivery->event; // a notice may be used again by the callback
        deliver(delivery->client, &event);
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
        struct memory_subscription *subscription = &client->subscriptions[partition];
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
    memory_request_step(server);
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
        const struct memory_subscription *s = &client->subscriptions[p];
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
    struct mono next = {server->requests != NULL ? server->requests->due.us : INT64_MAX};
    for (const struct memory_delivery *d = server->first; d != NULL; d = d->next) {
        if (can_receive(d->client)) {
            return d->due.us < next.us ? d->due : next;
        }
    }
    return next;
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

void memory_server_delay_requests(struct memory_server *server, uint32_t min_ms, uint32_t max_ms)
{
    ASSERT(min_ms <= max_ms);
    server->request_delay_min = min_ms;
    server->request_delay_max = max_ms;
}

void memory_server_forget_scripts(struct memory_server *server)
{
    server->forgetful = true;
}

void memory_server_mistype(struct memory_server *server, uint32_t partition, enum memory_key key)
{
    if (key == MEMORY_KEY_STATE) {
        memory_partition_take_state(&server->partitions[partition]);
    } else {
        memory_partition_take_log(&server->partitions[partition]);
    }
}

void memory_server_mend(struct memory_server *server, uint32_t partition, enum memory_key key)
{
    struct memory_partition *mended = &server->partitions[partition];
    mended->state_taken = mended->state_taken && key != MEMORY_KEY_STATE;
    mended->log_taken = mended->log_taken && key != MEMORY_KEY_LOG;
}

void memory_server_claim(struct memory_server *server, uint32_t partition, uint32_t partitions,
                         uint32_t wire)
{
    server->partitions[partition].meta.partitions = partitions;
    server->partitions[partition].meta.wire = wire;
}

enum err memory_server_append(struct memory_server *server, uint32_t partition,
                              const struct stream_entry *entry)
{
    enum err err = memory_partition_append(&server->partitions[partition], entry,
                                           memory_server_now_ms(server));
    memory_server_wake(server);
    return err;
}

void memory_server_flush(struct memory_server *server)
{
    for (uint32_t p = 0; p < server->options.partitions; p++) {
        memory_partition_fini(&server->partitions[p]);
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
                                            memory_server_now_ms(server));
    memory_server_wake(server);
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

enum err memory_server_fork(const struct memory_server *server, struct memory_server **ret_fork)
{
    struct memory_server *fork = NULL;
    struct memory_partition *copy = copy_all(server->partitions, server->options.partitions);
    enum err err = copy == NULL ? ERR_NOMEM : memory_server_new(&server->options, &fork);
    if (err == ERR_OK) {
        err = memory_presence_copy(&server->presence, &fork->presence);
    }
    if (err != ERR_OK) {
        free_partitions(copy, server->options.partitions);
        memory_server_free(fork);
        return err;
    }
    free_partitions(fork->partitions, server->options.partitions);
    fork->partitions = copy;
    fork->now = server->now;
    *ret_fork = fork;
    return ERR_OK;
}

void memory_client_move(struct stream *stream, struct memory_server *server)
{
    struct memory_client *client = memory_client_of(stream);
    struct memory_client **link = &client->server->clients;
    ASSERT(server->options.partitions == client->server->options.partitions);
    memory_server_forget_answers(client->server, client);
    while (*link != client) {
        link = &(*link)->next;
    }
    *link = client->next;
    client->next = server->clients;
    server->clients = client;
    client->server = server;
    memory_server_disconnect(client, 0);
}

void memory_client_cut(struct stream *stream)
{
    struct memory_client *client = memory_client_of(stream);
    client->cut = true;
    memory_server_disconnect(client, 0);
}

void memory_client_mend(struct stream *stream)
{
    struct memory_client *client = memory_client_of(stream);
    if (client->cut) {
        client->cut = false;
        memory_server_announce(client, STREAM_EV_UP, RECONNECT_MS);
    }
}

void memory_client_hold(struct stream *stream, bool hold)
{
    memory_client_of(stream)->held = hold;
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
