// SPDX-License-Identifier: Apache-2.0
// The last long waits for the locks of one table: who waited, who was inside when the wait began, how
// long, and the waiter's stack.  Always on, since a wait that is worth a place here lasts a millisecond.
//
//     added:   0 1 2 ... 255 256 257 258          places: 256
//     held:          [3 ............... 258]      an older one has made room: a reader sees the gap in its numbers
//
// Invariant: an entry is seen whole or not at all.  Any thread.  Read next: shard_lock.c, which fills it.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAIT_RING_PLACES 256
#define WAIT_STACK_MAX 16

struct wait_entry {
    const char *waiter; // call sites: text that lives as long as the program
    const char *holder; // NULL: it had just left
    uint64_t ended_ns;  // as clock_ns()
    uint64_t waited_ns;
    uint32_t shard;
    uint32_t thread; // as gettid()
    uint32_t stack_len;
    uintptr_t stack[WAIT_STACK_MAX]; // return addresses of the waiter, the innermost first
};

struct trace;
struct wait_ring;

// *gives* the ring.  ERR_NOMEM.
enum err wait_ring_new(struct wait_ring **ret_ring) MUST_USE;
void wait_ring_free(struct wait_ring *ring);

void wait_ring_add(struct wait_ring *ring, const struct wait_entry *entry);

// The number that the next entry will get; the first one gets 0.
uint64_t wait_ring_next(struct wait_ring *ring);

// The entry `number`, or the oldest held if that one has gone; `ret_number`: which it is.  false: not there yet.
bool wait_ring_get(struct wait_ring *ring, uint64_t number, struct wait_entry *ret_entry,
                   uint64_t *ret_number);

// The table's recorder, off until somebody wants it; it stands here because whoever waits comes by here.
struct trace *wait_ring_trace(const struct wait_ring *ring);

// Takes the caller's stack: without memory, in a few microseconds.
void wait_stack(struct wait_entry *entry);
