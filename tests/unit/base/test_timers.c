// SPDX-License-Identifier: Apache-2.0
// The heap of deadlines against a plain array, over many random steps, and the promises of its header.
#include "base/random.h"
#include "base/timers.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#define COUNT 100

static void reserve(struct timers *timers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(timers_reserve(timers));
    }
}

static void release(struct timers *timers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        timers_release(timers);
    }
    timers_fini(timers);
}

TEST(the_earliest_comes_first)
{
    struct timers timers;
    struct timers_entry entries[5] = {{{0}, 0}};
    static const int64_t at[5] = {30, 10, 50, 20, 40};
    timers_init(&timers);
    CHECK(timers_first(&timers) == NULL);
    reserve(&timers, 5);
    for (size_t i = 0; i < 5; i++) {
        timers_set(&timers, &entries[i], (struct mono){at[i]});
    }
    for (int64_t expect = 10; expect <= 50; expect += 10) {
        struct timers_entry *first = timers_first(&timers);
        CHECK_EQ(first->at.us, expect);
        timers_cancel(&timers, first);
        CHECK(!timers_armed(first));
    }
    CHECK(timers_first(&timers) == NULL);
    release(&timers, 5);
}

TEST(arming_again_moves_the_deadline)
{
    struct timers timers;
    struct timers_entry a = {{0}, 0};
    struct timers_entry b = {{0}, 0};
    timers_init(&timers);
    reserve(&timers, 2);
    timers_set(&timers, &a, (struct mono){10});
    timers_set(&timers, &b, (struct mono){20});
    timers_set(&timers, &a, (struct mono){30});
    CHECK(timers_first(&timers) == &b);
    timers_set(&timers, &a, (struct mono){5});
    CHECK(timers_first(&timers) == &a);
    timers_cancel(&timers, &a);
    timers_cancel(&timers, &a);
    timers_cancel(&timers, &b);
    release(&timers, 2);
}

static int64_t earliest(const struct timers_entry *entries)
{
    int64_t at = INT64_MAX;
    for (size_t i = 0; i < COUNT; i++) {
        at = timers_armed(&entries[i]) && entries[i].at.us < at ? entries[i].at.us : at;
    }
    return at;
}

TEST(random_steps_agree_with_a_plain_search)
{
    struct timers timers;
    struct timers_entry entries[COUNT] = {{{0}, 0}};
    struct random rng;
    random_seed(&rng, 7);
    timers_init(&timers);
    reserve(&timers, COUNT);
    for (int step = 0; step < 20000; step++) {
        struct timers_entry *entry = &entries[random_below(&rng, COUNT)];
        if (random_below(&rng, 3) == 0) {
            timers_cancel(&timers, entry);
        } else {
            timers_set(&timers, entry, (struct mono){(int64_t)random_below(&rng, 1000)});
        }
        const struct timers_entry *first = timers_first(&timers);
        CHECK_EQ(first == NULL ? INT64_MAX : first->at.us, earliest(entries));
    }
    for (size_t i = 0; i < COUNT; i++) {
        timers_cancel(&timers, &entries[i]);
    }
    release(&timers, COUNT);
}

static bool walk(void *arg)
{
    (void)arg;
    struct timers timers;
    timers_init(&timers);
    bool good = true;
    size_t made = 0;
    for (; good && made < 40; made++) {
        good = timers_reserve(&timers) == ERR_OK;
    }
    timers_fini(&timers);
    return good;
}

TEST(every_allocation_may_fail)
{
    CHECK(failalloc_each(walk, NULL) >= 2);
}

SUITE("base/timers", T(the_earliest_comes_first), T(arming_again_moves_the_deadline),
      T(random_steps_agree_with_a_plain_search), T(every_allocation_may_fail));
