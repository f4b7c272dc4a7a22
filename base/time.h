// SPDX-License-Identifier: Apache-2.0
// Two kinds of time that must never be mixed, hence two types: `mono` for deadlines and intervals,
// `wall` for people.  (Versions are counters and no time at all: localmap/model/version.h.)
// Plain data; only base/clock.c reads clocks, everyone else is given `now`.
#pragma once

#include <stdint.h>

// Monotonic time in microseconds since an arbitrary start.
struct mono {
    int64_t us;
};

// Wall-clock time in milliseconds since 1970-01-01T00:00:00Z.
struct wall {
    int64_t ms;
};

static inline struct mono mono_add_ms(struct mono t, int64_t ms)
{
    return (struct mono){t.us + ms * 1000};
}

static inline int64_t mono_ms_between(struct mono from, struct mono to)
{
    return (to.us - from.us) / 1000;
}
