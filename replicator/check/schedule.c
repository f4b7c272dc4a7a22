// SPDX-License-Identifier: Apache-2.0
#include "replicator/check/schedule.h"

#include "base/assert.h"

#include <stddef.h>

#define SECOND_NS INT64_C(1000000000)
#define BURST_PART 20 // so much of the rate may begin at once

static int64_t to_ns(struct mono time)
{
    return time.us * 1000;
}

static struct schedule_entry *entry_of(struct timers_entry *timer)
{
    return (struct schedule_entry *)((char *)timer - offsetof(struct schedule_entry, timer));
}

void schedule_init(struct schedule *schedule, const struct schedule_options *options)
{
    ASSERT(options->concurrency > 0 && options->rate > 0 && options->per_peer_max > 0);
    *schedule = (struct schedule){.options = *options};
    timers_init(&schedule->timers);
    random_seed(&schedule->random, options->seed);
    // The generic cell rate algorithm (ITU-T I.371).  In a second there begin at most the burst and what
    // the pace gives: (1 + burst) + (rate - burst) - 1 = rate.
    int64_t burst = options->rate / BURST_PART;
    schedule->spacing_ns = SECOND_NS / (options->rate - burst);
    schedule->burst_ns = burst * schedule->spacing_ns;
    schedule->pace_ns = INT64_MIN;
}

void schedule_fini(struct schedule *schedule)
{
    timers_fini(&schedule->timers);
}

static void arm(struct schedule *schedule, struct schedule_entry *entry, struct mono at)
{
    entry->state = SCHEDULE_ARMED;
    timers_set(&schedule->timers, &entry->timer, at);
}

enum err schedule_add(struct schedule *schedule, struct schedule_entry *entry,
                      struct schedule_peer *peer, struct mono now)
{
    ASSERT(entry->state == SCHEDULE_IDLE && entry->interval_ms > 0);
    enum err err = timers_reserve(&schedule->timers);
    if (err != ERR_OK) {
        return err;
    }
    entry->peer = peer;
    uint64_t within_ms =
        entry->interval_ms < SCHEDULE_FIRST_MAX_MS ? entry->interval_ms : SCHEDULE_FIRST_MAX_MS;
    uint64_t in_us = random_below(&schedule->random, within_ms * 1000);
    arm(schedule, entry, (struct mono){now.us + (int64_t)in_us});
    return ERR_OK;
}

static void peer_push(struct schedule_entry *entry)
{
    struct schedule_peer *peer = entry->peer;
    entry->state = SCHEDULE_WAITING;
    entry->before = peer->last;
    entry->behind = NULL;
    if (peer->last == NULL) {
        peer->first = entry;
    } else {
        peer->last->behind = entry;
    }
    peer->last = entry;
}

static void peer_unlink(struct schedule_entry *entry)
{
    struct schedule_peer *peer = entry->peer;
    if (entry->before == NULL) {
        peer->first = entry->behind;
    } else {
        entry->before->behind = entry->behind;
    }
    if (entry->behind == NULL) {
        peer->last = entry->before;
    } else {
        entry->behind->before = entry->before;
    }
    entry->before = NULL;
    entry->behind = NULL;
}

// There is room at the peer: the oldest that waits there becomes due again, with the time that it had.
static void peer_release(struct schedule *schedule, struct schedule_peer *peer)
{
    struct schedule_entry *first = peer->first;
    if (first != NULL) {
        peer_unlink(first);
        arm(schedule, first, first->timer.at);
    }
}

static void end_running(struct schedule *schedule, struct schedule_entry *entry)
{
    ASSERT(schedule->running > 0 && entry->peer->running > 0);
    schedule->running--;
    entry->peer->running--;
    entry->state = SCHEDULE_IDLE;
    peer_release(schedule, entry->peer);
}

void schedule_remove(struct schedule *schedule, struct schedule_entry *entry)
{
    switch (entry->state) {
    case SCHEDULE_IDLE:
        return;
    case SCHEDULE_ARMED:
        timers_cancel(&schedule->timers, &entry->timer);
        break;
    case SCHEDULE_WAITING:
        peer_unlink(entry);
        break;
    case SCHEDULE_RUNNING:
        end_running(schedule, entry);
        break;
    }
    entry->state = SCHEDULE_IDLE;
    timers_release(&schedule->timers);
    // It may have been the one that was let go at the peer and had not begun yet.
    if (entry->peer->running < schedule->options.per_peer_max) {
        peer_release(schedule, entry->peer);
    }
}

// When the pace lets the next one begin.
static int64_t pace_allows_ns(const struct schedule *schedule)
{
    return schedule->pace_ns == INT64_MIN ? INT64_MIN : schedule->pace_ns - schedule->burst_ns;
}

static void begin(struct schedule *schedule, struct schedule_entry *entry, struct mono now)
{
    int64_t now_ns = to_ns(now);
    entry->state = SCHEDULE_RUNNING;
    entry->began = now;
    entry->peer->running++;
    schedule->running++;
    schedule->pace_ns =
        (schedule->pace_ns > now_ns ? schedule->pace_ns : now_ns) + schedule->spacing_ns;
}

struct schedule_entry *schedule_next(struct schedule *schedule, struct mono now)
{
    if (schedule->running >= schedule->options.concurrency ||
        pace_allows_ns(schedule) > to_ns(now)) {
        return NULL;
    }
    struct timers_entry *first = timers_first(&schedule->timers);
    while (first != NULL && first->at.us <= now.us) {
        struct schedule_entry *entry = entry_of(first);
        timers_cancel(&schedule->timers, first);
        if (entry->peer->running < schedule->options.per_peer_max) {
            begin(schedule, entry, now);
            return entry;
        }
        peer_push(entry);
        first = timers_first(&schedule->timers);
    }
    return NULL;
}

void schedule_done(struct schedule *schedule, struct schedule_entry *entry, struct mono now,
                   uint32_t slow_ms)
{
    ASSERT(entry->state == SCHEDULE_RUNNING);
    end_running(schedule, entry);
    uint64_t interval_us = random_jitter(&schedule->random, (uint64_t)entry->interval_ms * 1000,
                                         schedule->options.jitter_percent);
    struct mono at = {entry->began.us + (int64_t)interval_us};
    arm(schedule, entry, mono_add_ms(at.us > now.us ? at : now, slow_ms));
}

int64_t schedule_wait_us(const struct schedule *schedule, struct mono now)
{
    const struct timers_entry *first = timers_first(&schedule->timers);
    if (first == NULL || schedule->running >= schedule->options.concurrency) {
        return -1;
    }
    int64_t due_us = first->at.us - now.us;
    int64_t pace_ns = pace_allows_ns(schedule);
    int64_t pace_us = pace_ns == INT64_MIN ? 0 : (pace_ns - to_ns(now) + 999) / 1000;
    int64_t wait_us = due_us > pace_us ? due_us : pace_us;
    return wait_us > 0 ? wait_us : 0;
}
