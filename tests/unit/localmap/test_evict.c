// SPDX-License-Identifier: Apache-2.0
// The pool: what is offered, and the order in which it comes out; then beside a list of all that was offered.
#include "localmap/evict.h"

#include "base/random.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>

#define SERVICES 64

static struct span name(unsigned number)
{
    static char text[16];
    int len = snprintf(text, sizeof(text), "t%cs%u", 0, number);
    return span_of(text, (size_t)len);
}

static void offer(struct evict_pool *pool, unsigned number, uint16_t idle)
{
    evict_offer(pool, name(number), idle, 2);
}

static bool takes(struct evict_pool *pool, unsigned number, uint16_t idle)
{
    struct evict_candidate candidate;
    return evict_take(pool, &candidate) && candidate.idle == idle &&
           span_eq(key_span(&candidate.service_key), name(number));
}

TEST(the_idlest_goes_first)
{
    struct evict_pool pool = {.count = 0};
    struct evict_candidate none;
    CHECK(!evict_take(&pool, &none));
    offer(&pool, 1, 5);
    offer(&pool, 2, 9);
    offer(&pool, 3, 7);
    CHECK(takes(&pool, 2, 9));
    offer(&pool, 4, 6);
    CHECK(takes(&pool, 3, 7));
    CHECK(takes(&pool, 4, 6));
    CHECK(takes(&pool, 1, 5));
    CHECK(!evict_take(&pool, &none));
}

TEST(of_equals_the_first_goes_first)
{
    struct evict_pool pool = {.count = 0};
    for (unsigned i = 0; i < 5; i++) {
        offer(&pool, i, 3);
    }
    for (unsigned i = 0; i < 5; i++) {
        CHECK(takes(&pool, i, 3));
    }
}

TEST(a_service_is_as_idle_as_its_least_idle_record)
{
    struct evict_pool pool = {.count = 0};
    struct evict_candidate none;
    offer(&pool, 1, 9);
    offer(&pool, 2, 5);
    offer(&pool, 1, 4);
    offer(&pool, 1, 8);
    CHECK_UEQ(pool.count, 2);
    CHECK(takes(&pool, 2, 5));
    CHECK(takes(&pool, 1, 4));
    offer(&pool, 3, 9);
    offer(&pool, 3, 1); // somebody reads it
    CHECK(!evict_take(&pool, &none));
}

TEST(a_full_pool_keeps_the_idlest)
{
    struct evict_pool pool = {.count = 0};
    for (unsigned i = 0; i < EVICT_POOL_MAX; i++) {
        offer(&pool, i, 10);
    }
    offer(&pool, 100, 10);
    offer(&pool, 101, 9);
    CHECK_UEQ(pool.count, EVICT_POOL_MAX);
    offer(&pool, 102, 11);
    CHECK_UEQ(pool.count, EVICT_POOL_MAX);
    CHECK(takes(&pool, 102, 11));
    for (unsigned i = 0; i < EVICT_POOL_MAX - 1; i++) {
        CHECK(takes(&pool, i, 10));
    }
    CHECK_UEQ(pool.count, 0);
}

TEST(idleness_is_counted_round_the_clock)
{
    CHECK_UEQ(evict_idle(7, 5), 2);
    CHECK_UEQ(evict_idle(5, 5), 0);
    CHECK_UEQ(evict_idle(3, UINT16_MAX), 4);
}

// Offers at random; nobody in the pool is less idle than somebody who was offered and is not in it, unless that one
// was read since.
TEST(random_offers_leave_the_idlest)
{
    struct random random;
    random_seed(&random, 3);
    for (int round = 0; round < 200; round++) {
        struct evict_pool pool = {.count = 0};
        uint16_t idle[SERVICES];
        for (unsigned i = 0; i < SERVICES; i++) {
            idle[i] = (uint16_t)random_below(&random, 50);
            offer(&pool, i, idle[i]);
        }
        CHECK_UEQ(pool.count, EVICT_POOL_MAX);
        unsigned idler = 0; // than the last in the pool
        uint16_t last = pool.candidates[EVICT_POOL_MAX - 1].idle;
        for (unsigned i = 0; i < SERVICES; i++) {
            idler += idle[i] > last;
        }
        CHECK_INT(idler, lt, EVICT_POOL_MAX);
        for (size_t i = 1; i < pool.count; i++) {
            CHECK_INT(pool.candidates[i - 1].idle, ge, pool.candidates[i].idle);
        }
    }
}

SUITE("localmap/evict", T(the_idlest_goes_first), T(of_equals_the_first_goes_first),
      T(a_service_is_as_idle_as_its_least_idle_record), T(a_full_pool_keeps_the_idlest),
      T(idleness_is_counted_round_the_clock), T(random_offers_leave_the_idlest));
