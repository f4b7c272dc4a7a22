// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include "base/assert.h"

#include <time.h>

static struct timespec read_clock(clockid_t id)
{
    struct timespec now;
    const int failed = clock_gettime(id, &now);
    ASSERT(failed == 0);
    return now;
}

struct mono clock_mono(void)
{
    const struct timespec now = read_clock(CLOCK_MONOTONIC);
    return (struct mono){(int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000};
}

struct wall clock_wall(void)
{
    const struct timespec now = read_clock(CLOCK_REALTIME);
    return (struct wall){(int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
}

uint64_t clock_ns(void)
{
    const struct timespec now = read_clock(CLOCK_MONOTONIC);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
