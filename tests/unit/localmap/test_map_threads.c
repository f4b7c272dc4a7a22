// SPDX-License-Identifier: Apache-2.0
// Threads that write and read everything at once.  What must hold all the time: no version goes back, a body
// is that of its version, a change that was announced is there to be read.  What must hold at the end: all
// that the map says in several ways it says alike.
#include "base/random.h"
#include "localmap/map.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/maps.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define THREADS 4
#define ROUNDS 6000
#define KEYS 48

struct torture {
    struct map *map;
    atomic_uint bad;
    atomic_uint wakes;
    atomic_bool over;
};

struct worker {
    struct torture *torture;
    uint64_t seed;
};

static struct span key_text(uint64_t number, char text[32])
{
    int len =
        number % 4 == 3
            ? snprintf(text, 32, "t%cs%d%ci%d%cnode", 0, (int)number % 3, 0, (int)number / 4, 0)
            : snprintf(text, 32, "t%cs%d%ci%d", 0, (int)number % 3, 0, (int)number);
    return span_of(text, (size_t)len);
}

static void expect(struct torture *torture, bool condition)
{
    atomic_fetch_add(&torture->bad, condition ? 0 : 1);
}

// The body says its counter, so that a reader can hold one against the other.
static void put_next(struct torture *torture, struct span key, struct random *random)
{
    char body[32];
    struct map_facts facts;
    enum put_result result = PUT_STALE;
    uint64_t held = map_peek(torture->map, key, &facts) ? facts.version.counter : 0;
    uint64_t counter = held + random_below(random, 3);
    counter = counter == 0 ? 1 : counter;
    (void)snprintf(body, sizeof(body), "%llu", (unsigned long long)counter);
    const struct codec_value value = maps_value(key, counter, body);
    uint32_t flags = random_below(random, 6) == 0 ? MAP_TOMBSTONE : 0;
    expect(torture, map_put(torture->map, key, &value, flags, 0, &result) == ERR_OK);
}

static void read_one(struct torture *torture, struct span key)
{
    struct map_copy copy;
    char body[32];
    if (!map_get(torture->map, key, &copy)) {
        return;
    }
    (void)snprintf(body, sizeof(body), "%llu", (unsigned long long)copy.facts.version.counter);
    expect(torture, copy.facts.pending > 0 || span_eq_str(map_copy_body(&copy), body));
}

static bool keep_on(void *arg, struct span key, const struct map_copy *copy)
{
    struct torture *torture = arg;
    expect(torture, key.len > 0 && copy->body_len < 32);
    return true;
}

static bool keep_on_services(void *arg, const struct map_service *service)
{
    struct torture *torture = arg;
    uint32_t sum = 0;
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        sum += service->by_status[i];
    }
    expect(torture, sum == service->instances);
    return true;
}

static void write_one(struct torture *torture, struct span key, struct random *random)
{
    enum put_result result = PUT_STALE;
    const struct map_health health = {
        .health = {.status = (enum status)random_below(random, STATUS_COUNT)}};
    struct map_facts facts;
    switch (random_below(random, 8)) {
    case 0:
        // Shown over what is accepted; ended by the next value.
        expect(torture, map_show(torture->map, key, SPAN_LIT("wish"), 0, 1, &result) == ERR_OK);
        break;
    case 1:
        (void)map_drop(torture->map, key);
        break;
    case 2:
    case 3:
        if (map_set_health(torture->map, key, &health, true) &&
            map_peek(torture->map, key, &facts)) {
            expect(torture, facts.health.revision <= map_index(torture->map));
        }
        break;
    default:
        put_next(torture, key, random);
    }
}

static void *write_all(void *arg)
{
    const struct worker *worker = arg;
    struct random random;
    random_seed(&random, worker->seed);
    for (size_t i = 0; i < ROUNDS; i++) {
        char text[32];
        struct span key = key_text(random_below(&random, KEYS), text);
        write_one(worker->torture, key, &random);
        read_one(worker->torture, key);
        if (i % 500 == 0) {
            map_scan(worker->torture->map, keep_on, worker->torture);
            map_scan_partition(worker->torture->map, 0, keep_on, worker->torture);
            map_services(worker->torture->map, SPAN_NONE, keep_on_services, worker->torture);
        }
    }
    return NULL;
}

// Follows the feed like a worker of the daemon.
static void *follow(void *arg)
{
    struct torture *torture = arg;
    struct map_change change;
    uint64_t position = map_index(torture->map);
    while (!atomic_load(&torture->over)) {
        struct map_facts facts;
        switch (map_feed_next(torture->map, position, &change)) {
        case FEED_OK:
            expect(torture, change.index == position + 1);
            position = change.index;
            // Dropped or set again since, or exactly what was announced.
            expect(torture, !map_peek(torture->map, key_span(&change.key), &facts) ||
                                facts.health.revision >= change.index ||
                                facts.health.revision == 0);
            break;
        case FEED_LAPPED:
            position = map_index(torture->map);
            break;
        case FEED_EMPTY:
        default:
            break;
        }
    }
    return NULL;
}

static void count_wake(void *arg)
{
    struct torture *torture = arg;
    atomic_fetch_add(&torture->wakes, 1);
}

TEST(all_calls_from_all_threads_leave_a_map_that_agrees_with_itself)
{
    static struct torture torture;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    pthread_t follower;
    torture.map = maps_new();
    map_on_change(torture.map, count_wake, &torture);
    uint64_t start = map_index(torture.map);
    CHECK_EQ(pthread_create(&follower, NULL, follow, &torture), 0);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){&torture, i};
        CHECK_EQ(pthread_create(&threads[i], NULL, write_all, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    atomic_store(&torture.over, true);
    pthread_join(follower, NULL);
    CHECK_EQ(atomic_load(&torture.bad), 0);
    CHECK_UEQ(atomic_load(&torture.wakes), map_index(torture.map) - start);
    maps_check(torture.map);
    map_free(torture.map);
}

// One key, ever newer values from all threads, a reader: the greatest version is the last.
static void *raise(void *arg)
{
    const struct worker *worker = arg;
    struct map *map = worker->torture->map;
    const struct span key = SPAN_LIT("t\0s\0i");
    uint64_t seen = 0;
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        enum put_result result = PUT_STALE;
        struct map_facts facts;
        const struct codec_value value = maps_value(key, i * THREADS + worker->seed, "body");
        expect(worker->torture, map_put(map, key, &value, 0, 0, &result) == ERR_OK);
        expect(worker->torture, map_peek(map, key, &facts) && facts.version.counter >= seen &&
                                    facts.version.counter >= value.version.counter);
        seen = facts.version.counter;
    }
    return NULL;
}

TEST(no_thread_sees_a_version_go_back)
{
    static struct torture torture;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    struct map_facts facts;
    torture.map = maps_new();
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){&torture, i};
        CHECK_EQ(pthread_create(&threads[i], NULL, raise, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_EQ(atomic_load(&torture.bad), 0);
    CHECK(map_peek(torture.map, SPAN_LIT("t\0s\0i"), &facts));
    CHECK_UEQ(facts.version.counter, ROUNDS * THREADS + THREADS - 1);
    maps_check(torture.map);
    map_free(torture.map);
}

SUITE("localmap/map (threads)", T(all_calls_from_all_threads_leave_a_map_that_agrees_with_itself),
      T(no_thread_sees_a_version_go_back));
