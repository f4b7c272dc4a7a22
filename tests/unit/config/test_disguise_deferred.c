// SPDX-License-Identifier: Apache-2.0
// Disguise 1 of a shared map: a callback that was put off to the end of a scope reads the map while another
// thread writes, or comes when all is closed.
// The callback is `done` of an event in the write queue: whoever put it leaves its scope only when `done` has been
// called or the consumer has taken the event, and `done` reads the map.  Meanwhile the consumer writes what it
// takes, then closes the queue in the middle of it all.
//   - of each event exactly one of the two comes, on whatever thread
//   - when the close has returned, nothing is left over, and what comes then is refused at once
//   - what `done` reads is whole
#include "localmap/map.h"
#include "replicator/write_queue.h"
#include "tests/lib/crowd.h"
#include "tests/lib/sanitizer.h"
#include "tests/lib/suite.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#define PRODUCERS 5
#define CAPACITY 16
#define PUTS_MIN 60  // of each producer, before the close
#define PUTS_LATE 20 // and after it
#define ROUNDS (SANITIZER_THREAD ? 2 : 6)
#define KEYS 7

struct stand {
    struct map *map;
    struct write_queue *queue;
    atomic_uint busy; // producers that have not put PUTS_MIN yet
    atomic_bool closed;
    atomic_uint wrong;
};

// An event and what came of it.  The counts are plain: that one and only one thread touches them, and before the
// scope ends, is what the queue promises.
struct ending {
    struct stand *stand;
    unsigned taken, done;
    atomic_bool over; // release where one of them is counted; acquire where the scope ends
};

struct producer {
    struct stand *stand;
    unsigned number;
    unsigned puts, refused;
};

static void expect(struct stand *stand, bool condition)
{
    atomic_fetch_add_explicit(&stand->wrong, condition ? 0 : 1, memory_order_relaxed);
}

static struct span key_text(unsigned number, char text[32])
{
    int len = snprintf(text, 32, "t%cs%ci%u", 0, 0, number % KEYS);
    return span_of(text, (size_t)len);
}

static struct span body_text(uint64_t counter, char text[32])
{
    return span_of(text, (size_t)snprintf(text, 32, "%llu", (unsigned long long)counter));
}

static void read_map(struct stand *stand)
{
    static _Thread_local struct map_copy copy;
    for (unsigned i = 0; i < KEYS; i++) {
        char text[32];
        char body[32];
        if (map_get(stand->map, key_text(i, text), &copy)) {
            struct span expected = body_text(copy.facts.version.counter, body);
            expect(stand, span_eq(map_copy_body(&copy), expected));
        }
    }
}

static void on_done(void *arg, enum write_queue_end end)
{
    struct ending *ending = arg;
    expect(ending->stand, end == WRITE_QUEUE_DROPPED || end == WRITE_QUEUE_CLOSED);
    read_map(ending->stand);
    ending->done++;
    atomic_store_explicit(&ending->over, true, memory_order_release);
}

static void take(void *arg, const struct write_queue_event *event)
{
    struct stand *stand = arg;
    struct ending *ending = event->arg;
    uint64_t counter = 0;
    char text[32];
    char body[32];
    enum put_result result = PUT_STALE;
    memcpy(&counter, event->data.ptr, sizeof(counter));
    struct span key = key_text((unsigned)counter, text);
    struct codec_value value = {.version = {counter, 1}, .body = body_text(counter, body)};
    value.hash = codec_hash(key, value.version, value.body);
    expect(stand, map_put(stand->map, key, &value, 0, 0, &result) == ERR_OK);
    ending->taken++;
    atomic_store_explicit(&ending->over, true, memory_order_release);
}

// Waits.  false: the queue is closed, and this event was left over.
static bool has_ended(struct ending *ending)
{
    bool closed = false;
    while (!atomic_load_explicit(&ending->over, memory_order_acquire)) {
        if (closed) {
            return false;
        }
        closed = atomic_load(&ending->stand->closed);
        (void)sched_yield();
    }
    return true;
}

static void put_in_scope(struct producer *producer)
{
    struct ending ending = {.stand = producer->stand};
    uint64_t counter = ++producer->puts * PRODUCERS + producer->number;
    const struct write_queue_event event = {
        .data = span_of((const char *)&counter, sizeof(counter)),
        .priority = (enum write_queue_priority)(counter % WRITE_QUEUE_PRIORITIES),
        .done = on_done,
        .arg = &ending};
    enum err err = write_queue_put(producer->stand->queue, &event, (struct mono){1});
    if (err == ERR_OK) {
        expect(producer->stand, has_ended(&ending) && ending.taken + ending.done == 1);
        return;
    }
    producer->refused += err == ERR_CLOSED ? 1 : 0;
    expect(producer->stand, err == ERR_CLOSED || err == ERR_FULL);
    expect(producer->stand, ending.taken + ending.done == 0);
}

static void *produce(void *arg)
{
    struct producer *producer = arg;
    struct stand *stand = producer->stand;
    while (!atomic_load(&stand->closed)) {
        put_in_scope(producer);
        if (producer->puts == PUTS_MIN) {
            atomic_fetch_sub(&stand->busy, 1);
        }
    }
    unsigned refused = producer->refused;
    for (unsigned i = 0; i < PUTS_LATE && atomic_load(&stand->wrong) == 0; i++) {
        put_in_scope(producer);
        expect(stand, producer->refused == refused + i + 1);
    }
    return NULL;
}

static void run_once(void)
{
    static struct producer producers[PRODUCERS];
    static struct stand stand;
    const struct map_options options = {
        .shards = 2, .partitions = 1, .changefeed = 16, .instance = 1};
    const struct write_queue_options queue = {.capacity = CAPACITY, .drop_low_percent = 80};
    const struct write_queue_consumer consumer = {take, &stand, {1}};
    struct crowd crowd = {.count = PRODUCERS};
    memset(&stand, 0, sizeof(stand));
    atomic_store(&stand.busy, PRODUCERS);
    CHECK_OK(map_new(&options, &stand.map));
    CHECK_OK(write_queue_new(&queue, &stand.queue));
    for (unsigned i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.stand = &stand, .number = i};
    }
    crowd_start(&crowd, produce, producers, sizeof(producers[0]));
    while (atomic_load(&stand.busy) > 0) {
        if (write_queue_drain(stand.queue, 3, &consumer) == 0) {
            (void)sched_yield();
        }
    }
    write_queue_close(stand.queue);
    atomic_store(&stand.closed, true);
    crowd_join(&crowd);
    CHECK_UEQ(atomic_load(&stand.wrong), 0);
    CHECK_UEQ(write_queue_drain(stand.queue, CAPACITY, &consumer), 0);
    write_queue_free(stand.queue);
    map_free(stand.map);
}

TEST(a_callback_that_was_put_off_comes_once_and_not_after_the_close)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        run_once();
    }
}

SUITE("config/write_queue (disguise: deferred)",
      T(a_callback_that_was_put_off_comes_once_and_not_after_the_close));
