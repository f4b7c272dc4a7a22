// SPDX-License-Identifier: Apache-2.0
// Who beats, as the heartbeat script of stream/redis keeps it: name -> last beat by the server's clock and
// payload; a gap of half a lease in which nobody beat starts a grace of one lease.
// No thread, no clock of its own.  Read next: memory.c.
#pragma once

#include "base/err.h"
#include "stream/position.h"

struct memory_presence {
    struct memory_row *rows;
    size_t count, cap;
    int64_t last_beat_ms; // of anybody; 0: never
    int64_t grace_until_ms;
};

struct memory_beat {
    struct span name, payload;
    int64_t lease_ms, now_ms;
};

// A deep copy into an empty one.  ERR_NOMEM: it stays empty.
enum err memory_presence_copy(const struct memory_presence *from,
                              struct memory_presence *ret_copy) MUST_USE;
void memory_presence_fini(struct memory_presence *presence);
// Fills `event->beat`; returns the block that it borrows from (free it), NULL: no memory.
void *memory_presence_beat(struct memory_presence *presence, const struct memory_beat *beat,
                           struct stream_event *event);
void memory_presence_forget(struct memory_presence *presence, struct span name);
