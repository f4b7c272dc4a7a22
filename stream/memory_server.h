// SPDX-License-Identifier: Apache-2.0
// Inside the memory backend: what memory.c (server, queue of answers, faults) and memory_client.c (calls)
// share.  Invariant: an answer leaves the queue in the order in which it came in, per client.
// One thread.  Read next: memory.h.
#pragma once

#include "base/random.h"
#include "stream/memory.h"
#include "stream/memory_presence.h"
#include "stream/memory_request.h"
#include "stream/memory_state.h"

struct memory_subscription {
    bool active;
    struct stream_id after;
};

// An answer on its way.  What the event borrows lies in `blob`.
struct memory_delivery {
    struct memory_delivery *next;
    struct mono due;
    struct memory_client *client;
    struct stream_event event;
    void *blob;
    bool is_notice; // a client's own, not from the heap
};

struct memory_client {
    struct stream stream; // first: this is what the world holds
    struct memory_server *server;
    struct memory_client *next;
    bool started, up, cut, held;
    struct memory_subscription *subscriptions;
    struct memory_delivery
        notices[2]; // DOWN and UP: that a connection is lost must not need memory
    struct stream_info info;
};

struct memory_server {
    struct memory_options options;
    struct random random;
    struct mono now;
    struct memory_partition *partitions;
    struct memory_partition *saved;
    struct memory_presence presence;
    struct memory_client *clients;
    struct memory_delivery *first;
    struct memory_request *requests; // by due
    uint32_t delay_min, delay_max, drop_percent;
    uint32_t request_delay_min, request_delay_max;
    bool refuse, forgetful;
    uint64_t entries;
    memory_wake_fn wake;
    void *wake_arg;
    memory_clock_fn clock;
    void *clock_arg;
};

static inline struct memory_client *memory_client_of(struct stream *stream)
{
    return (struct memory_client *)stream;
}

int64_t memory_server_now_ms(const struct memory_server *server);
// Moves the server's clock on to the owner's, if it has one.
void memory_server_read_clock(struct memory_server *server);
// Tells the owner that something new waits.
void memory_server_wake(struct memory_server *server);
// *takes* blob.  `client` NULL: nobody hears it.  Without memory the connection is lost, and the client learns that.
void memory_server_answer(struct memory_client *client, const struct stream_event *event,
                          void *blob);
void memory_server_announce(struct memory_client *client, enum stream_event_type type,
                            uint32_t delay_ms);
// Everything open is unknown; the client learns it after `delay_ms` and comes back unless it is cut.
void memory_server_disconnect(struct memory_client *client, uint32_t delay_ms);
// `client` NULL: it has gone, nobody hears the answer.
void memory_client_execute(struct memory_server *server, struct memory_client *client,
                           const struct memory_call *call);
void memory_server_forget_answers(struct memory_server *server, const struct memory_client *client);
