// SPDX-License-Identifier: Apache-2.0
// Which backend of the demo fails or recovers when: an endless list that follows from a seed.
//
//     0 s      1          3.1      4.6             ...
//     |--------|-----------|--------|--------------
//              pay-2       order-1  pay-2
//              refuses     hangs    recovers
//
// Invariants: the gap between two flips is at most 5 s; a backend keeps a state for at least
// STORY_HOLD_MS, so that everybody has time to see it; no service loses its last healthy backend.
// Pure, any thread.  Read next: score.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define STORY_SERVICES 2
#define STORY_PER_SERVICE 3
#define STORY_BACKENDS (STORY_SERVICES * STORY_PER_SERVICE)
#define STORY_HOLD_MS 4000

// How a backend answers.
enum story_mode {
    STORY_HEALTHY, // 200
    STORY_ERROR,   // 500
    STORY_HANG,    // takes the request and never answers
    STORY_REFUSE   // does not listen
};

struct story_flip {
    int64_t at_ms; // since the start
    size_t backend;
    enum story_mode mode;
};

struct story {
    uint64_t state; // of the generator of random numbers
    int64_t at_ms;
    int64_t free_ms[STORY_BACKENDS]; // from when on the backend may flip
    enum story_mode modes[STORY_BACKENDS];
};

void story_init(struct story *story, uint64_t seed);
struct story_flip story_next(struct story *story);

static inline size_t story_service(size_t backend)
{
    return backend / STORY_PER_SERVICE;
}
