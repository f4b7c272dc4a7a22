// SPDX-License-Identifier: Apache-2.0
// What the memory that is left means for the map: one decision out of four numbers.
//
//     usage   0 %        reserve_at               evict_at - 5   evict_at       100 % of the limit
//             |  normal  |        reserve                        |    evict     |
//                                                 |<- ends here -+- begins here
//
// In `reserve` room for records to come is taken ahead, while it can be had: growth never meets the limit.
// In `evict` records go.  That ends well below where it began: a band that flaps would evict and read again
// the same services for ever.
// Invariant: without a limit that is known the band is normal: nothing is thrown away for a guess.
// Pure, any thread.  Read next: base/cgroup.h, which measures.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BANDS_EVICT_SPAN 5 // per cent of the limit between the beginning and the end of evicting
#define BANDS_HURRY_MAX 25 // times as often as when nothing is used

enum bands_band { BANDS_NORMAL, BANDS_RESERVE, BANDS_EVICT };
#define BANDS_COUNT 3

// Per cent of the limit, 1..100; reserve_at < evict_at.
struct bands_terms {
    uint32_t reserve_at, evict_at;
};

// In bytes.  `limit` 0: there is none, or none is known.
struct bands_memory {
    uint64_t usage, limit;
    // Of the usage, what the map holds without using it: counts as given back, but not more of it than half of what
    // lies above evict_at.  It is there for records of some sizes only, and the kernel kills by what is held.
    uint64_t free;
};

enum bands_action {
    BANDS_REST,
    BANDS_TAKE_AHEAD, // room for the records to come
    BANDS_GIVE_UP     // `excess` bytes
};

struct bands_verdict {
    enum bands_band band;
    enum bands_action action;
    uint64_t excess; // of BANDS_GIVE_UP: above the usage at which evicting ends
    bool urgent; // of BANDS_GIVE_UP: half of what was left from evict_at to the limit is used, too
};

// `current`: the band that was decided last; BANDS_NORMAL at first.
struct bands_verdict bands_judge(const struct bands_terms *terms, const struct bands_memory *memory,
                                 enum bands_band current);

// Of BANDS_TAKE_AHEAD: bytes that may be taken, half of what is left until evict_at by what is really used
// (`usage`, all of it): what is taken ahead must not be what makes records go.
uint64_t bands_room(const struct bands_terms *terms, const struct bands_memory *memory);

// When to look again: the share of `every_ms` that the memory left has in the limit, but a BANDS_HURRY_MAX-th at
// least.  So what comes between two looks takes no larger part of what is left when that is little, and whoever
// fills memory is met before it is full.  At least 1.
int64_t bands_wait_ms(const struct bands_memory *memory, int64_t every_ms);

const char *bands_name(enum bands_band band); // a static word
