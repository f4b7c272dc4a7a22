// SPDX-License-Identifier: Apache-2.0
// Disguise 3 of a shared map: what is made once is taken for protected ever after.
// Eight threads race for the making (pthread_once, as there is no such thing in the program itself: a map is
// made, and told whom to wake, before there is a second thread).  The first test does only that and reads, and
// must be clean even where the locks of the map are taken out; the second writes as well, and lives by them.
#include "localmap/map.h"
#include "tests/lib/crowd.h"
#include "tests/lib/sanitizer.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/maps.h"

#include <stdatomic.h>
#include <stdio.h>

#define THREADS 8
#define WRITES 200
#define KEYS 16
#define ROUNDS (SANITIZER_THREAD ? 12 : 20)

// What pthread_once has no argument for.
static struct once {
    pthread_once_t control;
    struct map *map;
    unsigned made; // plain: only the one that makes it counts
    atomic_uint wakes;
} once;

struct racer {
    unsigned number;
    bool writes;
    unsigned wrong;
};

static void count_wake(void *arg)
{
    (void)arg;
    atomic_fetch_add_explicit(&once.wakes, 1, memory_order_relaxed);
}

static void make(void)
{
    once.made++;
    once.map = maps_new();
    map_on_change(once.map, count_wake, NULL);
}

static void expect(struct racer *racer, bool condition)
{
    racer->wrong += condition ? 0 : 1;
}

static void write_some(struct racer *racer)
{
    for (uint64_t i = 1; i <= WRITES; i++) {
        char text[32];
        int len = snprintf(text, sizeof(text), "t%cs%d%ci%d", 0, (int)i % 2, 0, (int)i % KEYS);
        struct span key = span_of(text, (size_t)len);
        enum put_result result = PUT_STALE;
        const struct codec_value value = maps_value(key, i * THREADS + racer->number, "body");
        const struct map_health health = {.health = {.status = (enum status)(i % STATUS_COUNT)}};
        expect(racer, map_put(once.map, key, &value, 0, 0, &result) == ERR_OK);
        expect(racer, map_set_health(once.map, key, &health, true));
    }
}

static void read_some(struct racer *racer)
{
    for (unsigned i = 0; i < WRITES; i++) {
        struct map_facts facts;
        expect(racer, racer->writes || !map_peek(once.map, SPAN_LIT("t\0s0\0i0"), &facts));
        expect(racer, map_index(once.map) > 0);
    }
}

static void *race(void *arg)
{
    struct racer *racer = arg;
    expect(racer, pthread_once(&once.control, make) == 0);
    if (racer->writes) {
        write_some(racer);
    }
    read_some(racer);
    return NULL;
}

static void race_once(bool writes)
{
    static struct racer racers[THREADS];
    struct crowd crowd = {.count = THREADS};
    memset(&once, 0, sizeof(once));
    once.control = (pthread_once_t)PTHREAD_ONCE_INIT;
    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.number = i, .writes = writes};
    }
    crowd_start(&crowd, race, racers, sizeof(racers[0]));
    crowd_join(&crowd);
    for (unsigned i = 0; i < THREADS; i++) {
        CHECK_UEQ(racers[i].wrong, 0);
    }
    CHECK_UEQ(once.made, 1);
    CHECK_UEQ(atomic_load(&once.wakes), writes ? THREADS * WRITES : 0);
    CHECK_UEQ(map_index(once.map) & UINT32_MAX, writes ? THREADS * WRITES : 0);
    maps_check(once.map);
    map_free(once.map);
}

TEST(a_map_made_once_by_eight_threads_is_made_once)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        race_once(false);
    }
}

TEST(a_map_made_once_takes_the_writes_of_eight_threads)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        race_once(true);
    }
}

SUITE("localmap/map (disguise: made once)", T(a_map_made_once_by_eight_threads_is_made_once),
      T(a_map_made_once_takes_the_writes_of_eight_threads));
