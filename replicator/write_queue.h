// SPDX-License-Identifier: Apache-2.0
// What changes the map on its way to the loop: many producers, one consumer, a fixed number of slots.
//
//     any thread --put--> [ oldest ........................ newest ] --drain--> loop: core, which answers
//                          one line, in the order in which they came
//
//     level   below drop_low_percent     from there on             full
//     put     taken                      LATENCY is dropped        a less urgent one that waits is dropped for
//                                                                  it, the newest first; there is none: ERR_FULL
//
//     OPEN --full--> REFUSING --full again, after slow_after_ms without a pause--> SLOW
//      ^-- the level falls below drop_low_percent --'-------------------------------'
//
// Invariants: a put never waits and the queue never grows; the priority decides only who is dropped, so two
// events of one producer are never exchanged; of each event that was taken the consumer is handed the data
// or `done` is called, one of them and once, whatever threads do meanwhile; nothing is called under the lock.
// Slots are made at the start; only data over WRITE_QUEUE_SHORT_LEN is allocated for.
// Who is slowed down, and how, is up to the producers: they ask write_queue_slow_ms.  Nobody sleeps here.
// Read next: queued.h, what the data is; daemon_writes.c, which is the consumer.
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "base/time.h"
#include "localmap/model/key.h"
#include "localmap/model/patch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WRITE_QUEUE_DATA_MAX (KEY_LEN_MAX + PATCH_LEN_MAX + 256)
#define WRITE_QUEUE_SHORT_LEN 448

enum write_queue_priority {
    WRITE_QUEUE_OPERATOR,
    WRITE_QUEUE_API,
    WRITE_QUEUE_CHECK,
    WRITE_QUEUE_LATENCY, // says again what is known, with another latency at most
    WRITE_QUEUE_PRIORITIES
};

// "operator", ...
const char *write_queue_priority_name(enum write_queue_priority priority);

enum write_queue_end {
    WRITE_QUEUE_DROPPED, // for want of room
    WRITE_QUEUE_CLOSED
};

// The event will not be handed over.  On the thread that has put another one, or closes; may put again.
typedef void (*write_queue_done_fn)(void *arg, enum write_queue_end end);

struct write_queue_event {
    struct span data;
    enum write_queue_priority priority;
    write_queue_done_fn done; // NULL: nobody waits
    void *arg;
};

struct write_queue_options {
    uint32_t capacity;         // > 0
    uint32_t drop_low_percent; // of the capacity; at least one slot
    uint32_t slow_after_ms;    // 0 = never slow
    uint32_t slow_by_ms;
    // Called after an event was put into an empty queue that is not being drained, by the thread that put it;
    // must not block.  NULL: no.
    void (*wake)(void *arg, const struct write_queue_event *event);
    void *wake_arg;
};

struct write_queue;

// ERR_NOMEM, ERR_INVALID.  *gives* it.
enum err write_queue_new(const struct write_queue_options *options,
                         struct write_queue **ret_queue) MUST_USE;
// After write_queue_close, when no other thread uses it any more.  Accepts NULL.
void write_queue_free(struct write_queue *queue);

// Copies the event.  ERR_OK: it was taken, which for one of low priority may mean dropped: then `done` has
// been called.  ERR_FULL; ERR_CLOSED; ERR_TOO_LARGE: the data; ERR_NOMEM: nothing was taken, `done` will not
// be called.  [any]
enum err write_queue_put(struct write_queue *queue, const struct write_queue_event *event,
                         struct mono now) MUST_USE;

// `event->data` is borrowed until it returns.  May put, and may close the queue.
typedef void (*write_queue_take_fn)(void *arg, const struct write_queue_event *event);
struct write_queue_consumer {
    write_queue_take_fn take;
    void *arg;
    struct mono now;
};
// Hands at most `max` events over, the oldest first.  Returns how many; fewer than `max`: the queue was
// empty; else there may be more, of which nobody will wake.  [loop]
size_t write_queue_drain(struct write_queue *queue, size_t max,
                         const struct write_queue_consumer *consumer);

// Refuses all further puts and ends what waits.  Again: no effect.  [loop]
void write_queue_close(struct write_queue *queue);

// By how much whoever has put something is to be slowed down now; 0: not at all.  [any]
uint32_t write_queue_slow_ms(const struct write_queue *queue);

struct write_queue_stats {
    uint32_t depth, capacity;                 // events that wait; slots
    uint64_t dropped[WRITE_QUEUE_PRIORITIES]; // after they were taken
    uint64_t refused[WRITE_QUEUE_PRIORITIES]; // ERR_FULL
    bool slow;
    uint64_t slow_us; // in all, this time included
};
// [any]
void write_queue_stats(struct write_queue *queue, struct mono now,
                       struct write_queue_stats *ret_stats);
