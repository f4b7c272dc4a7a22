// SPDX-License-Identifier: Apache-2.0
// Time is a number that the test moves; what begins is counted.
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include "replicator/check/schedule.h"

#include <string.h>

#define MS INT64_C(1000)

static const struct schedule_options wide = {1000, 1000000, 64, 0, 1};

static struct mono at_ms(int64_t ms)
{
    return (struct mono){ms * MS};
}

struct fleet {
    struct schedule schedule;
    struct schedule_entry *entries;
    struct schedule_peer *peers;
    size_t count;
};

static void fleet_init(struct fleet *fleet, const struct schedule_options *options, size_t count,
                       size_t peers)
{
    schedule_init(&fleet->schedule, options);
    fleet->entries = calloc(count, sizeof(*fleet->entries));
    fleet->peers = calloc(peers, sizeof(*fleet->peers));
    fleet->count = count;
    CHECK(fleet->entries != NULL && fleet->peers != NULL);
    for (size_t i = 0; i < count; i++) {
        fleet->entries[i].interval_ms = 1000;
        CHECK_OK(
            schedule_add(&fleet->schedule, &fleet->entries[i], &fleet->peers[i % peers], at_ms(0)));
    }
}

static void fleet_fini(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->count; i++) {
        schedule_remove(&fleet->schedule, &fleet->entries[i]);
    }
    CHECK_EQ(fleet->schedule.running, 0);
    schedule_fini(&fleet->schedule);
    free(fleet->entries);
    free(fleet->peers);
}

TEST(targets_that_come_together_spread_over_the_interval)
{
    struct fleet fleet;
    fleet_init(&fleet, &wide, 1000, 1000);
    int in_tenth[10] = {0};
    for (int64_t ms = 0; ms < 1000; ms++) {
        while (schedule_next(&fleet.schedule, at_ms(ms)) != NULL) {
            in_tenth[ms / 100]++;
        }
    }
    int all = 0;
    for (int i = 0; i < 10; i++) {
        ck_assert_msg(in_tenth[i] > 60 && in_tenth[i] < 140, "%d", in_tenth[i]);
        all += in_tenth[i];
    }
    CHECK(all >= 998); // the last ones are due within the last millisecond
    fleet_fini(&fleet);
}

TEST(the_interval_runs_from_one_beginning_to_the_next)
{
    struct fleet fleet;
    fleet_init(&fleet, &wide, 1, 1);
    struct schedule_entry *entry = schedule_next(&fleet.schedule, at_ms(1000));
    CHECK(entry != NULL);
    CHECK(schedule_next(&fleet.schedule, at_ms(9000)) == NULL); // it is under way
    schedule_done(&fleet.schedule, entry, at_ms(1300), 0);
    CHECK_EQ(schedule_wait_us(&fleet.schedule, at_ms(1300)), 700 * MS);
    CHECK(schedule_next(&fleet.schedule, at_ms(1999)) == NULL);
    CHECK(schedule_next(&fleet.schedule, at_ms(2000)) == entry);
    schedule_done(&fleet.schedule, entry, at_ms(5000), 0); // longer than the interval
    CHECK(schedule_next(&fleet.schedule, at_ms(5000)) == entry);
    fleet_fini(&fleet);
}

TEST(who_is_slowed_down_begins_so_much_later)
{
    struct fleet fleet;
    fleet_init(&fleet, &wide, 1, 1);
    struct schedule_entry *entry = schedule_next(&fleet.schedule, at_ms(1000));
    CHECK(entry != NULL);
    schedule_done(&fleet.schedule, entry, at_ms(1300), 10);
    CHECK(schedule_next(&fleet.schedule, at_ms(2009)) == NULL);
    CHECK(schedule_next(&fleet.schedule, at_ms(2010)) == entry);
    schedule_done(&fleet.schedule, entry, at_ms(5000), 10); // longer than the interval
    CHECK_EQ(schedule_wait_us(&fleet.schedule, at_ms(5000)), 10 * MS);
    fleet_fini(&fleet);
}

TEST(jitter_moves_the_next_time_within_its_per_cent)
{
    struct fleet fleet;
    struct schedule_options options = wide;
    options.jitter_percent = 10;
    fleet_init(&fleet, &options, 1, 1);
    int64_t least = INT64_MAX;
    int64_t greatest = 0;
    struct mono now = at_ms(1000);
    for (int i = 0; i < 1000; i++) {
        struct schedule_entry *entry = schedule_next(&fleet.schedule, now);
        CHECK(entry != NULL);
        schedule_done(&fleet.schedule, entry, now, 0);
        int64_t wait_us = schedule_wait_us(&fleet.schedule, now);
        least = wait_us < least ? wait_us : least;
        greatest = wait_us > greatest ? wait_us : greatest;
        now.us += wait_us;
    }
    CHECK(least >= 900 * MS && least < 910 * MS);
    CHECK(greatest <= 1100 * MS && greatest > 1090 * MS);
    fleet_fini(&fleet);
}

TEST(no_more_than_concurrency_are_under_way)
{
    struct fleet fleet;
    struct schedule_options options = wide;
    options.concurrency = 8;
    fleet_init(&fleet, &options, 100, 100);
    struct schedule_entry *first = schedule_next(&fleet.schedule, at_ms(1000));
    struct schedule_entry *last = first;
    for (int i = 1; i < 8; i++) {
        last = schedule_next(&fleet.schedule, at_ms(1000));
        CHECK(last != NULL);
    }
    CHECK(schedule_next(&fleet.schedule, at_ms(1000)) == NULL);
    CHECK_EQ(schedule_wait_us(&fleet.schedule, at_ms(1000)), -1);
    schedule_done(&fleet.schedule, first, at_ms(1001), 0);
    CHECK_EQ(schedule_wait_us(&fleet.schedule, at_ms(1001)), 0);
    CHECK(schedule_next(&fleet.schedule, at_ms(1001)) != NULL);
    CHECK(schedule_next(&fleet.schedule, at_ms(1001)) == NULL);
    schedule_remove(&fleet.schedule, last);
    CHECK(schedule_next(&fleet.schedule, at_ms(1001)) != NULL);
    fleet_fini(&fleet);
}

TEST(in_no_second_more_than_rate_begin)
{
    const uint32_t rates[] = {1, 7, 20, 100, 1000};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct fleet fleet;
        struct schedule_options options = wide;
        options.rate = rates[i];
        options.concurrency = 100000;
        fleet_init(&fleet, &options, 5000, 5000);
        uint32_t begun[4000] = {0}; // in each millisecond
        uint32_t all = 0;
        for (int64_t ms = 0; ms < 4000; ms++) {
            // The loop may stall: nothing begins for half a second, then it catches up.
            bool stalled = ms >= 1500 && ms < 2000;
            while (!stalled && schedule_next(&fleet.schedule, at_ms(ms + 1000)) != NULL) {
                begun[ms]++;
                all++;
            }
        }
        uint32_t window = 0;
        for (size_t ms = 0; ms < 4000; ms++) {
            window += begun[ms];
            window -= ms >= 1000 ? begun[ms - 1000] : 0;
            ck_assert_msg(window <= rates[i], "%u in a second, rate %u", window, rates[i]);
        }
        ck_assert_msg(all * 100 >= rates[i] * 300, "%u begun, rate %u", all, rates[i]);
        fleet_fini(&fleet);
    }
}

TEST(the_wait_is_exact_under_the_rate)
{
    struct fleet fleet;
    struct schedule_options options = wide;
    options.rate = 10;
    fleet_init(&fleet, &options, 10, 10);
    struct mono now = at_ms(1000);
    for (int i = 0; i < 10; i++) {
        CHECK(schedule_next(&fleet.schedule, now) != NULL);
        CHECK(schedule_next(&fleet.schedule, now) == NULL);
        int64_t wait_us = schedule_wait_us(&fleet.schedule, now);
        CHECK_EQ(wait_us, i < 9 ? 100 * MS : -1);
        now.us += wait_us;
    }
    fleet_fini(&fleet);
}

TEST(a_full_peer_holds_up_nobody_else_and_its_oldest_goes_next)
{
    struct fleet fleet;
    struct schedule_options options = wide;
    options.per_peer_max = 1;
    fleet_init(&fleet, &options, 4, 2); // 0 and 2 share a peer, 1 and 3 another
    struct schedule_entry *a = schedule_next(&fleet.schedule, at_ms(1000));
    struct schedule_entry *b = schedule_next(&fleet.schedule, at_ms(1000));
    CHECK(a != NULL && b != NULL && a->peer != b->peer);
    CHECK(schedule_next(&fleet.schedule, at_ms(1000)) == NULL);
    CHECK_EQ(schedule_wait_us(&fleet.schedule, at_ms(1000)), -1);
    schedule_done(&fleet.schedule, a, at_ms(1000), 0);
    struct schedule_entry *c = schedule_next(&fleet.schedule, at_ms(1000));
    CHECK(c != NULL && c != a && c->peer == a->peer);
    // A waiting one may be removed, and so may the one that was let go.
    schedule_done(&fleet.schedule, b, at_ms(1000), 0);
    struct schedule_entry *d = b == &fleet.entries[1]   ? &fleet.entries[3]
                               : b == &fleet.entries[3] ? &fleet.entries[1]
                               : b == &fleet.entries[0] ? &fleet.entries[2]
                                                        : &fleet.entries[0];
    schedule_remove(&fleet.schedule, d);
    CHECK_EQ(b->peer->running, 0);
    CHECK(b->peer->first == NULL);
    fleet_fini(&fleet);
}

TEST(nobody_starves_at_a_shared_peer)
{
    struct fleet fleet;
    struct schedule_options options = wide;
    options.per_peer_max = 1;
    fleet_init(&fleet, &options, 50, 1);
    int begun[50] = {0};
    struct schedule_entry *running = NULL;
    for (int64_t ms = 1000; ms < 6000; ms += 10) { // each takes 10 ms: two rounds a second and more
        if (running != NULL) {
            schedule_done(&fleet.schedule, running, at_ms(ms), 0);
        }
        running = schedule_next(&fleet.schedule, at_ms(ms));
        if (running != NULL) {
            begun[running - fleet.entries]++;
        }
    }
    for (int i = 0; i < 50; i++) {
        ck_assert_msg(begun[i] >= 4 && begun[i] <= 6, "%d", begun[i]);
    }
    fleet_fini(&fleet);
}

TEST(a_hundred_thousand_targets_are_no_burden)
{
    struct fleet fleet;
    const struct schedule_options options = {100000, 1000000, 1, 10, 7};
    fleet_init(&fleet, &options, 100000, 100000);
    size_t begun = 0;
    for (int64_t ms = 0; ms <= 2000; ms++) {
        struct schedule_entry *entry = NULL;
        while ((entry = schedule_next(&fleet.schedule, at_ms(ms))) != NULL) {
            schedule_done(&fleet.schedule, entry, at_ms(ms), 0);
            begun++;
        }
    }
    CHECK(begun > 195000 && begun < 206000);
    fleet_fini(&fleet);
}

static bool walk(void *arg)
{
    (void)arg;
    struct schedule schedule;
    struct schedule_peer peer = {0, NULL, NULL};
    struct schedule_entry entry = {.interval_ms = 10};
    schedule_init(&schedule, &wide);
    bool added = schedule_add(&schedule, &entry, &peer, at_ms(0)) == ERR_OK;
    schedule_remove(&schedule, &entry);
    schedule_fini(&schedule);
    return added;
}

TEST(every_allocation_may_fail)
{
    CHECK_EQ(failalloc_each(walk, NULL), 1);
}

SUITE("check/schedule", T(targets_that_come_together_spread_over_the_interval),
      T(the_interval_runs_from_one_beginning_to_the_next),
      T(who_is_slowed_down_begins_so_much_later), T(jitter_moves_the_next_time_within_its_per_cent),
      T(no_more_than_concurrency_are_under_way), T(in_no_second_more_than_rate_begin),
      T(the_wait_is_exact_under_the_rate),
      T(a_full_peer_holds_up_nobody_else_and_its_oldest_goes_next),
      T(nobody_starves_at_a_shared_peer), T(a_hundred_thousand_targets_are_no_burden),
      T(every_allocation_may_fail));
