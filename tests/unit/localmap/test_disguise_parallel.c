// SPDX-License-Identifier: Apache-2.0
// Disguise 5 of a shared map: a callback carries the map into a loop whose turns run in parallel.
// Nothing at the call says so: the loop takes a function and an argument, and the map is what the argument leads
// to.  Reading that way, changing that way, and what looks like reading (map_get_or_put) must all be as good as
// from one thread; also from inside a scan or a walk over the services, whose callbacks hold no lock.
#include "localmap/map.h"
#include "tests/lib/crowd.h"
#include "tests/lib/sanitizer.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/maps.h"

#include <stdatomic.h>
#include <stdio.h>

#define THREADS 8
#define TURNS (SANITIZER_THREAD ? 400 : 3000)

typedef void (*turn_fn)(void *arg, unsigned turn);

// The loop: turns are handed out one by one to whoever is free.
struct loop_state {
    turn_fn turn;
    void *arg;
    atomic_uint *next;
};

static void *run_turns(void *arg)
{
    const struct loop_state *state = arg;
    for (unsigned i = atomic_fetch_add(state->next, 1); i < TURNS * THREADS;
         i = atomic_fetch_add(state->next, 1)) {
        state->turn(state->arg, i);
    }
    return NULL;
}

static void parallel_for(turn_fn turn, void *arg)
{
    atomic_uint next = 0;
    struct loop_state states[THREADS];
    struct crowd crowd = {.count = THREADS};
    for (unsigned i = 0; i < THREADS; i++) {
        states[i] = (struct loop_state){turn, arg, &next};
    }
    crowd_start(&crowd, run_turns, states, sizeof(states[0]));
    crowd_join(&crowd);
}

struct carried {
    struct map *map;
    atomic_uint wrong;
    atomic_uint made;
    uint64_t made_with[TURNS]; // the counter of each key's first value; of the turn that made it
};

static void expect(struct carried *carried, bool condition)
{
    atomic_fetch_add_explicit(&carried->wrong, condition ? 0 : 1, memory_order_relaxed);
}

static struct span key_text(unsigned number, char text[32])
{
    int len = snprintf(text, 32, "t%cs%u%ci%u", 0, number % 5, 0, number);
    return span_of(text, (size_t)len);
}

static void put(struct carried *carried, unsigned number, uint64_t counter)
{
    char text[32];
    enum put_result result = PUT_STALE;
    struct span key = key_text(number, text);
    const struct codec_value value = maps_value(key, counter, "body");
    expect(carried, map_put(carried->map, key, &value, 0, 0, &result) == ERR_OK);
}

static void check_end(struct carried *carried, unsigned records)
{
    struct map_counts counts;
    map_counts(carried->map, &counts);
    CHECK_UEQ(atomic_load(&carried->wrong), 0);
    CHECK_UEQ(counts.records, records);
    maps_check(carried->map);
    map_free(carried->map);
}

#define HELD 40

static void get_one(void *arg, unsigned turn)
{
    struct carried *carried = arg;
    char text[32];
    struct map_facts facts;
    struct map_service service;
    expect(carried, map_peek(carried->map, key_text(turn % HELD, text), &facts));
    expect(carried, map_service_get(carried->map, SPAN_LIT("t\0s1"), &service));
    expect(carried, service.instances == HELD / 5);
}

TEST(a_parallel_loop_may_read)
{
    struct carried carried = {.map = maps_new()};
    for (unsigned i = 0; i < HELD; i++) {
        put(&carried, i, 1);
    }
    parallel_for(get_one, &carried);
    check_end(&carried, HELD);
}

static void put_one(void *arg, unsigned turn)
{
    struct carried *carried = arg;
    get_one(arg, turn);
    put(carried, turn % HELD, turn + 2);
}

TEST(a_parallel_loop_may_write)
{
    struct carried carried = {.map = maps_new()};
    for (unsigned i = 0; i < HELD; i++) {
        put(&carried, i, 1);
    }
    parallel_for(put_one, &carried);
    for (unsigned i = 0; i < HELD; i++) {
        char text[32];
        struct map_facts facts;
        CHECK(map_peek(carried.map, key_text(i, text), &facts));
        CHECK_INT(facts.version.counter, gt, TURNS * THREADS - HELD);
    }
    check_end(&carried, HELD);
}

// THREADS turns, which run at about the same time, mean one key.
static void get_or_put_one(void *arg, unsigned turn)
{
    static _Thread_local struct map_copy copy;
    struct carried *carried = arg;
    char text[32];
    bool was_held = false;
    struct span key = key_text(turn / THREADS, text);
    const struct codec_value value = maps_value(key, 1 + turn % THREADS, "body");
    expect(carried, map_get_or_put(carried->map, key, &value, 0, &copy, &was_held) == ERR_OK);
    expect(carried, was_held || copy.facts.version.counter == value.version.counter);
    if (!was_held) {
        atomic_fetch_add_explicit(&carried->made, 1, memory_order_relaxed);
        carried->made_with[turn / THREADS] = value.version.counter;
    }
}

TEST(what_a_parallel_loop_finds_missing_is_put_once)
{
    static struct carried carried;
    carried.map = maps_new();
    parallel_for(get_or_put_one, &carried);
    CHECK_UEQ(atomic_load(&carried.made), TURNS);
    for (unsigned i = 0; i < TURNS; i++) {
        char text[32];
        struct map_facts facts;
        CHECK(map_peek(carried.map, key_text(i, text), &facts));
        CHECK_UEQ(facts.version.counter, carried.made_with[i]);
    }
    check_end(&carried, TURNS);
}

static bool put_beside(void *arg, struct span key, const struct map_copy *copy)
{
    struct carried *carried = arg;
    enum put_result result = PUT_STALE;
    const struct codec_value value = maps_value(key, copy->facts.version.counter + 1, "body");
    expect(carried, map_put(carried->map, key, &value, 0, 0, &result) == ERR_OK);
    return true;
}

static bool put_into(void *arg, const struct map_service *service)
{
    struct carried *carried = arg;
    struct map_service again;
    expect(carried, map_service_get(carried->map, key_span(&service->key), &again));
    put(carried, 0, 1);
    return true;
}

static void scan_one(void *arg, unsigned turn)
{
    struct carried *carried = arg;
    if (turn % 100 == 0) {
        map_scan(carried->map, put_beside, carried);
        map_services(carried->map, SPAN_NONE, put_into, carried);
    }
}

TEST(a_parallel_loop_may_write_what_it_scans)
{
    struct carried carried = {.map = maps_new()};
    for (unsigned i = 0; i < HELD; i++) {
        put(&carried, i, 1);
    }
    parallel_for(scan_one, &carried);
    check_end(&carried, HELD);
}

SUITE("localmap/map (disguise: a parallel loop)", T(a_parallel_loop_may_read),
      T(a_parallel_loop_may_write), T(what_a_parallel_loop_finds_missing_is_put_once),
      T(a_parallel_loop_may_write_what_it_scans));
