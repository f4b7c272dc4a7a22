// SPDX-License-Identifier: Apache-2.0
// Plants a convoy in a map: one writer whose decision takes its time while others want the same shard.
// A header alone, since only tests that link the map can use it.  One thread at a time.
#pragma once

#include "base/clock.h"
#include "localmap/map_debug.h"
#include "localmap/map_state.h"
#include "tests/lib/suite.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define CONVOY_HOLDER "convoy: holder"
#define CONVOY_WAITER "convoy: waiter"
#define CONVOY_WAITERS 3
#define CONVOY_HELD_NS 20000000
#define CONVOY_TRIES 20

struct convoy {
    struct map *map;
    struct span key;
    atomic_bool held;
    atomic_uint arrived; // waiters that are about to enter
};

static enum table_verdict convoy_hold(void *arg, struct span old, struct table_value *ret_new)
{
    struct convoy *convoy = arg;
    (void)old;
    (void)ret_new;
    atomic_store(&convoy->held, true);
    while (atomic_load(&convoy->arrived) < CONVOY_WAITERS) {
        sched_yield();
    }
    const uint64_t began_ns = clock_ns();
    while (clock_ns() - began_ns < CONVOY_HELD_NS) {
        sched_yield();
    }
    return TABLE_KEEP;
}

static enum table_verdict convoy_pass(void *arg, struct span old, struct table_value *ret_new)
{
    (void)arg;
    (void)old;
    (void)ret_new;
    return TABLE_KEEP;
}

static void convoy_change(struct convoy *convoy, table_decide_fn decide, const char *site)
{
    const struct table_key key = table_key(convoy->map->table, convoy->key);
    const struct table_change change = {
        .decide = decide, .arg = convoy, .create = true, .site = site};
    CHECK_OK(table_update(convoy->map->table, &key, &change));
}

static void *convoy_holder_main(void *arg)
{
    convoy_change(arg, convoy_hold, CONVOY_HOLDER);
    return NULL;
}

// Not static, so that its name is to be had from every symbol table.
__attribute__((noinline)) void *convoy_waiter_main(void *arg);
void *convoy_waiter_main(void *arg)
{
    struct convoy *convoy = arg;
    while (!atomic_load(&convoy->held)) {
        sched_yield();
    }
    atomic_fetch_add(&convoy->arrived, 1);
    convoy_change(convoy, convoy_pass, CONVOY_WAITER);
    return arg; // not a tail call, or the stack would not show this function
}

// Again until a waiter was in time to wait for long: a busy machine may start them late.
static inline void convoy_plant(struct map *map, struct span key)
{
    const uint64_t next = map_waits_next(map);
    for (unsigned i = 0; i < CONVOY_TRIES && map_waits_next(map) == next; i++) {
        struct convoy convoy = {.map = map, .key = key};
        pthread_t threads[1 + CONVOY_WAITERS];
        CHECK_EQ(pthread_create(&threads[0], NULL, convoy_holder_main, &convoy), 0);
        for (unsigned w = 1; w <= CONVOY_WAITERS; w++) {
            CHECK_EQ(pthread_create(&threads[w], NULL, convoy_waiter_main, &convoy), 0);
        }
        for (unsigned t = 0; t <= CONVOY_WAITERS; t++) {
            pthread_join(threads[t], NULL);
        }
    }
    CHECK(map_waits_next(map) > next);
}
