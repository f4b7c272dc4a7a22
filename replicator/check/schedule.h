// SPDX-License-Identifier: Apache-2.0
// When which probe begins.  Knows no probes, no loop and no clock: the caller brings `now`.
//
//             add, done                next                     next
//     (interval +- jitter) --> ARMED ----------> RUNNING <------------ WAITING
//                                |  peer is full                          ^
//                                '----------------------------------------'  room at the peer: back among the
//                                                                            armed ones, with its old time
// Invariants: at most `concurrency` entries are RUNNING, at most `per_peer_max` of one peer (address and port), and
// at most `rate` began in any second; among those that are due the one that has waited longest comes first.
// Each call costs O(log n).  Nothing fails but adding.
// One thread.  Read next: targets.h.
#pragma once

#include "base/err.h"
#include "base/random.h"
#include "base/time.h"
#include "base/timers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_FIRST_MAX_MS 10000

struct schedule_entry;

// What shares a ceiling.  Belongs to the caller; zeroed at the start.
struct schedule_peer {
    uint32_t running;
    struct schedule_entry *first, *last; // waiting for room here, the oldest first
};

enum schedule_state { SCHEDULE_IDLE, SCHEDULE_ARMED, SCHEDULE_WAITING, SCHEDULE_RUNNING };

// Embedded in a target.
struct schedule_entry {
    struct timers_entry timer; // `at`: when it is or was due
    struct schedule_peer *peer;
    struct schedule_entry *before, *behind; // among those that wait at the peer
    struct mono began;
    uint32_t interval_ms;
    enum schedule_state state;
};

struct schedule_options {
    uint32_t concurrency;    // >= 1
    uint32_t rate;           // >= 1, a second
    uint32_t per_peer_max;   // >= 1
    uint32_t jitter_percent; // <= 100
    uint64_t seed;
};

struct schedule {
    struct schedule_options options;
    struct timers timers;
    struct random random;
    uint32_t running;
    int64_t spacing_ns; // between two beginnings when the pace is kept
    int64_t burst_ns;   // how far ahead of the pace it may be
    int64_t pace_ns;    // when the next one would begin if the pace were kept exactly
};

void schedule_init(struct schedule *schedule, const struct schedule_options *options);
void schedule_fini(struct schedule *schedule);

// The first time lies anywhere within the interval (at most SCHEDULE_FIRST_MAX_MS), so that targets that came
// together spread.
// ERR_NOMEM: not added.
enum err schedule_add(struct schedule *schedule, struct schedule_entry *entry,
                      struct schedule_peer *peer, struct mono now) MUST_USE;
// In any state; a running one counts as ended.
void schedule_remove(struct schedule *schedule, struct schedule_entry *entry);

// Takes the entry that should begin now, or NULL.  Call it until it gives NULL.
struct schedule_entry *schedule_next(struct schedule *schedule, struct mono now);
// A running one has ended: it is armed for its next time, an interval from when it began or now, what is
// later, and `slow_ms` after that.
void schedule_done(struct schedule *schedule, struct schedule_entry *entry, struct mono now,
                   uint32_t slow_ms);

// Microseconds from `now` until schedule_next may give something; 0: at once; -1: not before an entry ends
// or is added.
int64_t schedule_wait_us(const struct schedule *schedule, struct mono now);
