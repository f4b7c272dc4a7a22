// SPDX-License-Identifier: Apache-2.0
// Writes on their way to the loop: many producers, one consumer, a fixed number of slots.
//
//     any thread --put--> operator | api | check | latency --drain--> loop: core, which answers
//                         one line each, the most urgent first; in order within a line
//
// Invariants: a put never waits and never grows the queue: when it is too full for the event's priority
// it is refused at once; whoever took an event calls its `done` exactly once (the consumer, or
// write_queue_close); nothing is called with the lock held.
// Slots are made at the start; their bytes grow to what was once needed (at most WRITE_QUEUE_BYTES_MAX
// each) and stay, so that a queue in use does not allocate.
// Read next: localmap/model/patch.h; daemon_writes.c, which is the consumer.
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "base/time.h"
#include "localmap/model/key.h"
#include "localmap/model/patch.h"
#include "localmap/model/version.h"

#include <stdbool.h>
#include <stdint.h>

#define WRITE_QUEUE_BYTES_MAX (KEY_LEN_MAX + PATCH_LEN_MAX)

// The same words as enum backend_outcome and enum core_outcome.
enum write_queue_outcome {
    WRITE_QUEUE_APPLIED,
    WRITE_QUEUE_ACCEPTED,
    WRITE_QUEUE_SAME,
    WRITE_QUEUE_NOT_FOUND,
    WRITE_QUEUE_STALE,
    WRITE_QUEUE_CONFLICT,
    WRITE_QUEUE_OVER_QUOTA,
    WRITE_QUEUE_QUEUE_FULL,
    WRITE_QUEUE_NOT_READY,
    WRITE_QUEUE_FENCED,
    WRITE_QUEUE_UNAVAILABLE,
    WRITE_QUEUE_UNKNOWN
};

enum write_queue_precondition {
    WRITE_QUEUE_ANY,
    WRITE_QUEUE_IF_MATCH,
    WRITE_QUEUE_IF_EXISTS,
    WRITE_QUEUE_IF_ABSENT
};

enum write_queue_priority {
    WRITE_QUEUE_OPERATOR, // may use every slot
    WRITE_QUEUE_API,      // leaves the last sixteenth to operators
    WRITE_QUEUE_CHECK,    // the same
    WRITE_QUEUE_LATENCY,  // changes no status: refused from drop_low_percent on
    WRITE_QUEUE_PRIORITIES
};

typedef void (*write_queue_done_fn)(void *arg, enum write_queue_outcome outcome);

struct write_queue_event {
    struct span key;
    struct span patch; // as patch_write wrote it
    enum write_queue_precondition precondition;
    struct version version; // of WRITE_QUEUE_IF_MATCH
    enum write_queue_priority priority;
    bool ack_stream;
    write_queue_done_fn done; // NULL: nobody waits
    void *arg;
};

struct write_queue_options {
    uint32_t capacity;         // > 0
    uint32_t drop_low_percent; // of the capacity
    uint32_t slow_after_ms;    // 0 = never slow
    uint32_t slow_by_ms;
    // Called after an event was put into an empty queue, by the thread that put it; must not block.
    void (*wake)(void *arg);
    void *wake_arg;
};

struct write_queue;

// ERR_NOMEM, ERR_INVALID.  *gives* it.
enum err write_queue_new(const struct write_queue_options *options,
                         struct write_queue **ret_queue) MUST_USE;
// After write_queue_close, when no other thread uses it any more.  Accepts NULL.
void write_queue_free(struct write_queue *queue);

// Copies the event.  ERR_FULL: too full for its priority; ERR_CLOSED; ERR_TOO_LARGE: key or patch;
// ERR_NOMEM.  On an error nothing was taken and `done` will not be called.  [any]
enum err write_queue_put(struct write_queue *queue, const struct write_queue_event *event,
                         struct mono now) MUST_USE;

// Borrows the event until it returns; the duty to call `done` is its own from now on.
typedef void (*write_queue_take_fn)(void *arg, const struct write_queue_event *event);
// Hands at most `max` events to `take`.  Returns how many; fewer than `max`: the queue was empty.  [loop]
size_t write_queue_drain(struct write_queue *queue, size_t max, write_queue_take_fn take,
                         void *arg);

// Refuses all further puts and answers what waits with `outcome`.  Again: no effect.  [loop]
void write_queue_close(struct write_queue *queue, enum write_queue_outcome outcome);

// Events that wait.  [any]
uint32_t write_queue_len(struct write_queue *queue);
// By how much an answer should be held back now: slow_by_ms while the oldest event has waited for more
// than slow_after_ms, else 0.  [any]
uint32_t write_queue_slow_ms(struct write_queue *queue, struct mono now);
// Puts refused so far because the queue was too full, by priority.  [any]
uint64_t write_queue_refused(struct write_queue *queue, enum write_queue_priority priority);
