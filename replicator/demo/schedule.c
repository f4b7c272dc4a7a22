// SPDX-License-Identifier: Apache-2.0
#include "replicator/demo/schedule.h"

#include "base/assert.h"

#include <string.h>

#define FIRST_MS 1000
#define GAP_MIN_MS 1000
#define GAP_MAX_MS 2500
#define STEP_MS 100

// splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
static uint64_t draw(struct schedule *schedule)
{
    uint64_t z = schedule->state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

void schedule_init(struct schedule *schedule, uint64_t seed)
{
    memset(schedule, 0, sizeof(*schedule));
    schedule->state = seed;
    schedule->at_ms = FIRST_MS;
}

static size_t healthy_count(const struct schedule *schedule, size_t service)
{
    size_t count = 0;
    for (size_t i = 0; i < SCHEDULE_BACKENDS; i++) {
        count += schedule_service(i) == service && schedule->modes[i] == SCHEDULE_HEALTHY;
    }
    return count;
}

static size_t candidates(const struct schedule *schedule, size_t ret_backends[SCHEDULE_BACKENDS])
{
    size_t count = 0;
    for (size_t i = 0; i < SCHEDULE_BACKENDS; i++) {
        bool may_fail = healthy_count(schedule, schedule_service(i)) > 1;
        bool failing = schedule->modes[i] != SCHEDULE_HEALTHY;
        if (schedule->free_ms[i] <= schedule->at_ms && (failing || may_fail)) {
            ret_backends[count++] = i;
        }
    }
    return count;
}

struct schedule_flip schedule_next(struct schedule *schedule)
{
    size_t backends[SCHEDULE_BACKENDS];
    size_t count = candidates(schedule, backends);
    // There may be none for a moment: the failing ones are all held, the others the last of their service.
    while (count == 0) {
        schedule->at_ms += STEP_MS;
        count = candidates(schedule, backends);
    }
    size_t backend = backends[draw(schedule) % count];
    ASSERT(backend < SCHEDULE_BACKENDS);
    bool failing = schedule->modes[backend] != SCHEDULE_HEALTHY;
    uint64_t failure = SCHEDULE_ERROR + draw(schedule) % SCHEDULE_REFUSE;
    schedule->modes[backend] = failing ? SCHEDULE_HEALTHY : (enum schedule_mode)failure;
    schedule->free_ms[backend] = schedule->at_ms + SCHEDULE_HOLD_MS;
    struct schedule_flip flip = {schedule->at_ms, backend, schedule->modes[backend]};
    schedule->at_ms += GAP_MIN_MS + (int64_t)(draw(schedule) % (GAP_MAX_MS - GAP_MIN_MS));
    return flip;
}
