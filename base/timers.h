// SPDX-License-Identifier: Apache-2.0
// A binary heap of deadlines.  Each entry knows its place, so that re-arming and cancelling cost
// O(log n) and, room having been made when the entry was added, arming can never fail. Invariant:
// entries[0] has the earliest deadline; entry->place is its index + 1, or 0 when not armed. Knows
// no clock: the caller brings `now`.  One thread.  Read next: loop.h, which fires them.
#pragma once

#include "base/err.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>

struct timers_entry {
    struct mono at;
    size_t place;
};

struct timers {
    struct timers_entry **entries;
    size_t count; // armed
    size_t cap;
    size_t users; // for whom room was made; count <= users <= cap
};

void timers_init(struct timers *timers);
void timers_fini(struct timers *timers);

// Makes room for one more entry.  ERR_NOMEM: nothing changed.
enum err timers_reserve(struct timers *timers) MUST_USE;
// Gives the room of one entry back; it must not be armed.
void timers_release(struct timers *timers);

// Arms or re-arms.
void timers_set(struct timers *timers, struct timers_entry *entry, struct mono at);
// No effect when not armed.
void timers_cancel(struct timers *timers, struct timers_entry *entry);
static inline bool timers_armed(const struct timers_entry *entry)
{
    return entry->place != 0;
}

// The earliest entry, or NULL.
struct timers_entry *timers_first(const struct timers *timers);
