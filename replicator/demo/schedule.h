// SPDX-License-Identifier: Apache-2.0
// Which backend of the demo fails or recovers when: an endless list that follows from a seed.
//
//     0 s      1          3.1      4.6             ...
//     |--------|-----------|--------|--------------
//              pay-2       order-1  pay-2
//              refuses     hangs    recovers
//
// Invariants: the gap between two flips is at most 5 s; a backend keeps a state for at least
// SCHEDULE_HOLD_MS, so that everybody has time to see it; no service loses its last healthy backend.
// Pure, any thread.  Read next: score.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_SERVICES 2
#define SCHEDULE_PER_SERVICE 3
#define SCHEDULE_BACKENDS (SCHEDULE_SERVICES * SCHEDULE_PER_SERVICE)
#define SCHEDULE_HOLD_MS 4000

// How a backend answers.
enum schedule_mode {
    SCHEDULE_HEALTHY, // 200
    SCHEDULE_ERROR,   // 500
    SCHEDULE_HANG,    // takes the request and never answers
    SCHEDULE_REFUSE   // does not listen
};

struct schedule_flip {
    int64_t at_ms; // since the start
    size_t backend;
    enum schedule_mode mode;
};

struct schedule {
    uint64_t state; // of the generator of random numbers
    int64_t at_ms;
    int64_t free_ms[SCHEDULE_BACKENDS]; // from when on the backend may flip
    enum schedule_mode modes[SCHEDULE_BACKENDS];
};

void schedule_init(struct schedule *schedule, uint64_t seed);
struct schedule_flip schedule_next(struct schedule *schedule);

static inline size_t schedule_service(size_t backend)
{
    return backend / SCHEDULE_PER_SERVICE;
}
