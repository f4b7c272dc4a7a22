// SPDX-License-Identifier: Apache-2.0
// Several producers, one consumer, and the end in between: afterwards each event is asked what became of it.
// ThreadSanitizer runs it, too.
#include "tests/lib/suite.h"

#include "replicator/write_queue.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#define PRODUCERS 4
#define EVENTS 4000
#define ROUNDS 40

static const struct mono now = {1000000};

struct event {
    uint32_t producer, number;
    enum err put;
    atomic_uint taken, told;
};

struct producer {
    struct write_queue *queue;
    atomic_uint *running;
    struct event *events;
    uint32_t count;
    bool patient; // tries again when it is full
};

struct crowd {
    struct write_queue *queue;
    atomic_uint running, wakes;
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    uint32_t next[PRODUCERS]; // numbers that may come
    unsigned overtaken, taken;
};

static void on_wake(void *arg, const struct write_queue_event *event)
{
    (void)event;
    struct crowd *crowd = arg;
    atomic_fetch_add(&crowd->wakes, 1);
}

static void on_done(void *arg, enum write_queue_end end)
{
    struct event *event = arg;
    (void)end;
    atomic_fetch_add(&event->told, 1);
}

static void *produce(void *arg)
{
    struct producer *producer = arg;
    for (uint32_t i = 0; i < producer->count; i++) {
        struct event *own = &producer->events[i];
        const struct write_queue_event event = {
            .data = span_of((const char *)&own, sizeof(own)),
            .priority = (enum write_queue_priority)(own->number * 7 % WRITE_QUEUE_PRIORITIES),
            .done = on_done,
            .arg = own};
        do {
            own->put = write_queue_put(producer->queue, &event, now);
        } while (own->put == ERR_FULL && producer->patient && sched_yield() == 0);
        (void)write_queue_slow_ms(producer->queue);
    }
    atomic_fetch_sub(producer->running, 1);
    return NULL;
}

static void take(void *arg, const struct write_queue_event *given)
{
    struct crowd *crowd = arg;
    struct event *event = NULL;
    CHECK_UEQ(given->data.len, sizeof(event));
    memcpy(&event, given->data.ptr, sizeof(event));
    crowd->overtaken += event->number < crowd->next[event->producer];
    crowd->next[event->producer] = event->number + 1;
    crowd->taken++;
    atomic_fetch_add(&event->taken, 1);
}

static void crowd_start(struct crowd *crowd, const struct producer *like)
{
    *crowd = (struct crowd){.queue = NULL};
    atomic_store(&crowd->running, PRODUCERS);
    const struct write_queue_options options = {.capacity = 32,
                                                .drop_low_percent = 75,
                                                .slow_after_ms = 1,
                                                .slow_by_ms = 10,
                                                .wake = on_wake,
                                                .wake_arg = crowd};
    CHECK_OK(write_queue_new(&options, &crowd->queue));
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        crowd->producers[i] = *like;
        crowd->producers[i].queue = crowd->queue;
        crowd->producers[i].running = &crowd->running;
        crowd->producers[i].events = calloc(like->count, sizeof(struct event));
        CHECK(crowd->producers[i].events != NULL);
        for (uint32_t k = 0; k < like->count; k++) {
            crowd->producers[i].events[k].producer = i;
            crowd->producers[i].events[k].number = k;
        }
        CHECK_OK(pthread_create(&crowd->threads[i], NULL, produce, &crowd->producers[i]));
    }
}

static size_t drain(struct crowd *crowd)
{
    const struct write_queue_consumer consumer = {take, crowd, now};
    size_t count = write_queue_drain(crowd->queue, 8, &consumer);
    if (count == 0) {
        (void)sched_yield();
    }
    return count;
}

// Closed already.  How many were told that they are gone.
static unsigned crowd_end(struct crowd *crowd)
{
    unsigned told = 0;
    for (int i = 0; i < PRODUCERS; i++) {
        CHECK_OK(pthread_join(crowd->threads[i], NULL));
    }
    for (int i = 0; i < PRODUCERS; i++) {
        for (uint32_t k = 0; k < crowd->producers[i].count; k++) {
            struct event *event = &crowd->producers[i].events[k];
            unsigned ends = atomic_load(&event->taken) + atomic_load(&event->told);
            ck_assert_msg(ends == (event->put == ERR_OK), "event %u of %d: put %d, %u ends", k, i,
                          (int)event->put, ends);
            told += atomic_load(&event->told);
        }
        free(crowd->producers[i].events);
    }
    CHECK_EQ(crowd->overtaken, 0);
    write_queue_free(crowd->queue);
    return told;
}

TEST(each_event_ends_once_and_none_is_overtaken)
{
    struct crowd crowd;
    struct write_queue_stats stats;
    crowd_start(&crowd, &(struct producer){.count = EVENTS, .patient = true});
    bool more = true;
    while (more) {
        bool running = atomic_load(&crowd.running) > 0;
        more = drain(&crowd) > 0 || running;
    }
    write_queue_stats(crowd.queue, now, &stats);
    write_queue_close(crowd.queue);
    uint64_t dropped = 0;
    for (int i = 0; i < WRITE_QUEUE_PRIORITIES; i++) {
        dropped += stats.dropped[i];
    }
    CHECK_UEQ(stats.depth, 0);
    CHECK_UEQ(stats.dropped[WRITE_QUEUE_OPERATOR], 0);
    CHECK_UEQ(dropped + crowd.taken, PRODUCERS * EVENTS);
    CHECK(atomic_load(&crowd.wakes) > 0);
    CHECK_UEQ(crowd_end(&crowd), dropped);
}

// Each round closes a little later; the producers go on and are refused.
TEST(nobody_waits_for_ever_when_it_is_closed_among_producers)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct crowd crowd;
        crowd_start(&crowd, &(struct producer){.count = 500, .patient = round % 2 == 0});
        while (crowd.taken < round * 16 && atomic_load(&crowd.running) > 0) {
            (void)drain(&crowd);
        }
        write_queue_close(crowd.queue);
        CHECK_EQ(drain(&crowd), 0);
        (void)crowd_end(&crowd);
    }
}

// The consumer sleeps until it is woken, as the loop does.
TEST(no_wake_is_missed)
{
    struct crowd crowd;
    crowd_start(&crowd, &(struct producer){.count = EVENTS, .patient = true});
    unsigned seen = 0;
    while (atomic_load(&crowd.running) > 0) {
        if (atomic_load(&crowd.wakes) == seen) {
            (void)sched_yield();
            continue;
        }
        seen = atomic_load(&crowd.wakes);
        while (drain(&crowd) == 8) {
        }
    }
    write_queue_close(crowd.queue);
    (void)crowd_end(&crowd);
}

SUITE("config/write_queue_threads", T(each_event_ends_once_and_none_is_overtaken),
      T(nobody_waits_for_ever_when_it_is_closed_among_producers), T(no_wake_is_missed));
