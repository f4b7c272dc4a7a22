// SPDX-License-Identifier: Apache-2.0
// The quota by itself: its pure decisions as tables, its rows move by move, then eight threads that look for a
// record too many.  What the map makes of it stands in test_map_quota.c.
#include "localmap/quota.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#define THREADS 8
#define ROUNDS 50000

static struct quota *made(uint32_t limit)
{
    struct quota *quota = NULL;
    CHECK_OK(quota_new(&quota));
    CHECK_OK(quota_set(quota, SPAN_NONE, limit));
    return quota;
}

// In a way that nobody may refuse.
static enum err move(struct quota *quota, const char *tenant, enum quota_weight from,
                     enum quota_weight to)
{
    const struct quota_move one = {.key = span_str(tenant), .from = from, .to = to};
    return quota_apply(quota, &one);
}

static enum err receive(struct quota *quota, const char *tenant)
{
    return move(quota, tenant, QUOTA_NONE, QUOTA_LIVE);
}

static enum err enter(struct quota *quota, const char *tenant)
{
    const struct quota_move one = {
        .key = span_str(tenant), .to = QUOTA_LIVE, .enters = true, .new_name = true};
    return quota_apply(quota, &one);
}

// In place of a tombstone.
static enum err enter_again(struct quota *quota, const char *tenant)
{
    const struct quota_move one = {
        .key = span_str(tenant), .from = QUOTA_DEAD, .to = QUOTA_LIVE, .enters = true};
    return quota_apply(quota, &one);
}

static void leave(struct quota *quota, const char *tenant)
{
    CHECK_OK(move(quota, tenant, QUOTA_LIVE, QUOTA_NONE));
}

static struct map_tenant look(struct quota *quota, const char *tenant)
{
    struct map_tenant row;
    CHECK(quota_get(quota, span_str(tenant), &row));
    return row;
}

// --- pure

static struct span body_of(enum vantage vantage, char *buf, size_t cap)
{
    struct record record = {
        .kind = KEY_OBSERVATION,
        .observation = {
            .status = STATUS_HEALTHY, .vantage = vantage, .since_ms = 1, .via = SPAN_LIT("n")}};
    size_t len = codec_body_write(&record, buf, cap);
    CHECK_INT(len, gt, 0);
    return span_of(buf, len);
}

TEST(what_clients_make_without_a_bound_counts)
{
    char buf[VANTAGE_COUNT][256];
    struct span bodies[VANTAGE_COUNT];
    for (int v = 0; v < VANTAGE_COUNT; v++) {
        bodies[v] = body_of((enum vantage)v, buf[v], sizeof(buf[v]));
    }
    const struct {
        struct span key, body;
        bool registration, counts;
    } rows[] = {
        {SPAN_LIT("t\0s\0i"), SPAN_NONE, true, true},
        {SPAN_LIT("t\0s"), SPAN_NONE, false, false},
        {SPAN_LIT("t\0s\0i\0!"), SPAN_NONE, false, false},
        {SPAN_LIT("t\0s\0i\0!lease"), bodies[VANTAGE_EXTERNAL], false, false},
        {SPAN_LIT("t\0s\0i\0me"), bodies[VANTAGE_EXTERNAL], false, true},
        {SPAN_LIT("t\0s\0i\0me"), bodies[VANTAGE_LOCAL], false, false},
        {SPAN_LIT("t\0s\0i\0me"), bodies[VANTAGE_PEER], false, false},
        {SPAN_LIT("t\0s\0i\0me"), bodies[VANTAGE_PROXY], false, false},
        {SPAN_LIT("t\0s\0i\0me"), SPAN_LIT("\x63 of another wire"), false, true},
        {SPAN_LIT("_mesh\0n"), SPAN_NONE, false, false},
        {SPAN_LIT("_mesh\0s\0i"), SPAN_NONE, true, false},
        {SPAN_LIT("_mesher\0s\0i"), SPAN_NONE, true, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ(quota_counts(rows[i].key, rows[i].registration, rows[i].body), rows[i].counts);
    }
}

// The two must agree, or a place would be taken for what the map does not count.
TEST(a_decoded_record_counts_as_its_bytes_do)
{
    const struct span keys[] = {SPAN_LIT("t\0s\0i\0me"), SPAN_LIT("t\0s\0i\0!lease"),
                                SPAN_LIT("_mesh\0s\0i\0me")};
    for (size_t i = 0; i < 3; i++) {
        for (int v = 0; v < VANTAGE_COUNT; v++) {
            char buf[256];
            struct record record;
            struct span body = body_of((enum vantage)v, buf, sizeof(buf));
            CHECK_OK(codec_body_read(KEY_OBSERVATION, body, &record));
            CHECK_EQ(quota_counts_record(keys[i], &record), quota_counts(keys[i], false, body));
        }
    }
    struct record record = {.kind = KEY_REGISTRATION};
    CHECK(quota_counts_record(SPAN_LIT("t\0s\0i"), &record));
    CHECK(!quota_counts_record(SPAN_LIT("_mesh\0s\0i"), &record));
    record.tombstone = true;
    CHECK(!quota_counts_record(SPAN_LIT("t\0s\0i"), &record));
    record = (struct record){.kind = KEY_OVERRIDE};
    CHECK(!quota_counts_record(SPAN_LIT("t\0s\0i\0!"), &record));
}

TEST(the_last_place_is_given_and_no_other)
{
    static const struct {
        struct quota_standing standing;
        bool new_name;
        enum quota_verdict verdict;
    } rows[] = {
        {{0, UINT64_MAX, 1000000, 0}, true, QUOTA_ENTERS},
        {{0, UINT64_MAX, 0, 1000000}, true, QUOTA_ENTERS},
        {{5, UINT64_MAX, 4, 0}, true, QUOTA_ENTERS},
        {{5, UINT64_MAX, 5, 0}, true, QUOTA_OVER_LIMIT},
        {{5, UINT64_MAX, 9, 0}, true, QUOTA_OVER_LIMIT},
        {{5, UINT64_MAX, 4, 1023}, true, QUOTA_ENTERS},
        {{5, UINT64_MAX, 4, 1024}, true, QUOTA_OVER_LIMIT},
        {{5, UINT64_MAX, 4, 1024}, false, QUOTA_ENTERS},
        {{1000, UINT64_MAX, 4, 15999}, true, QUOTA_ENTERS},
        {{1000, UINT64_MAX, 4, 16000}, true, QUOTA_OVER_LIMIT},
        {{0, 7, 6, 0}, true, QUOTA_ENTERS},
        {{0, 7, 7, 0}, true, QUOTA_SQUEEZED},
        {{5, 4, 4, 0}, true, QUOTA_SQUEEZED},
        {{5, 4, 5, 0}, true, QUOTA_OVER_LIMIT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ(quota_decide(&rows[i].standing, rows[i].new_name), rows[i].verdict);
    }
}

TEST(a_level_begins_at_its_bound_and_ends_below_it)
{
    static const enum map_tenant_level room = MAP_TENANT_ROOM, full = MAP_TENANT_FULL,
                                       over = MAP_TENANT_OVER;
    const struct {
        enum map_tenant_level before;
        uint32_t limit;
        uint64_t used, dead;
        bool refused, crossed;
        enum map_tenant_level after;
    } rows[] = {
        // to be at the quota is no news as long as nobody wants more
        {room, 100, 100, 0, false, false, room},
        {room, 100, 100, 0, true, false, full},
        {full, 100, 91, 0, false, false, full},
        {full, 100, 90, 0, false, false, room},
        {full, 100, 90, 0, true, false, full},
        // what others let in
        {room, 100, 109, 0, false, false, room},
        {room, 100, 110, 0, false, false, over},
        {full, 100, 110, 0, false, false, over},
        {room, 10, 11, 0, false, false, over},
        {room, 5, 5, 0, false, false, room},
        {room, 5, 6, 0, false, false, over},
        {over, 100, 101, 0, false, false, over},
        {over, 100, 100, 0, false, false, full},
        {over, 100, 90, 0, false, false, room},
        {room, 100, 80, 0, false, true, over}, // for a moment
        // names that were
        {room, 100, 10, 1600, true, false, full},
        {full, 100, 10, 1441, false, false, full},
        {full, 100, 10, 1440, false, false, room},
        // the quota was lifted
        {over, 0, 1000, 0, false, false, room},
        {room, 0, 1000, 0, true, true, room},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct quota_standing standing = {rows[i].limit, UINT64_MAX, rows[i].used,
                                                rows[i].dead};
        const struct quota_since since = {rows[i].refused, rows[i].crossed};
        CHECK_EQ(quota_level(rows[i].before, &standing, &since), rows[i].after);
    }
}

// --- rows

TEST(what_enters_is_refused_at_the_limit_and_what_is_received_is_not)
{
    struct quota *quota = made(2);
    CHECK_OK(enter(quota, "a"));
    CHECK_OK(enter(quota, "a"));
    CHECK_EQ(enter(quota, "a"), ERR_FULL);
    CHECK_OK(receive(quota, "a"));
    CHECK_OK(enter(quota, "b")); // another is not disturbed
    CHECK_UEQ(look(quota, "a").used, 3);
    CHECK_UEQ(look(quota, "a").refused, 1);
    CHECK_UEQ(look(quota, "a").limit, 2);
    leave(quota, "a");
    CHECK_EQ(enter(quota, "a"), ERR_FULL);
    leave(quota, "a");
    CHECK_OK(enter(quota, "a"));
    quota_free(quota);
}

TEST(a_tombstone_gives_its_place_back_and_a_name_may_come_again)
{
    struct quota *quota = made(1);
    CHECK_OK(enter(quota, "a"));
    CHECK_OK(move(quota, "a", QUOTA_LIVE, QUOTA_DEAD));
    CHECK_OK(enter(quota, "a"));
    CHECK_EQ(enter_again(quota, "a"), ERR_FULL);
    CHECK_UEQ(look(quota, "a").used, 1);
    CHECK_UEQ(look(quota, "a").deleted, 1);
    leave(quota, "a");
    CHECK_OK(enter_again(quota, "a"));
    CHECK_UEQ(look(quota, "a").deleted, 0);
    quota_free(quota);
}

TEST(one_that_makes_and_deletes_names_for_ever_is_stopped)
{
    struct quota *quota = made(1);
    size_t names = 0;
    while (names < 5000 && enter(quota, "a") == ERR_OK) {
        CHECK_OK(move(quota, "a", QUOTA_LIVE, QUOTA_DEAD));
        names++;
    }
    CHECK_UEQ(names, 1024);
    CHECK_OK(move(quota, "a", QUOTA_DEAD, QUOTA_NONE)); // purged
    CHECK_OK(enter(quota, "a"));
    quota_free(quota);
}

TEST(a_limit_of_its_own_comes_before_that_of_all)
{
    struct quota *quota = made(1);
    CHECK_OK(quota_set(quota, SPAN_LIT("a"), 2));
    CHECK_OK(enter(quota, "a"));
    CHECK_OK(enter(quota, "a"));
    CHECK_EQ(enter(quota, "a"), ERR_FULL);
    CHECK_OK(enter(quota, "b"));
    CHECK_EQ(enter(quota, "b"), ERR_FULL);
    CHECK_OK(quota_set(quota, SPAN_LIT("a"), 0));
    CHECK_UEQ(look(quota, "a").limit, 1);
    CHECK_OK(quota_set(quota, SPAN_NONE, 0));
    CHECK_OK(enter(quota, "a"));
    CHECK_OK(enter(quota, "b"));
    quota_free(quota);
}

TEST(while_memory_is_short_the_largest_get_nothing_new)
{
    struct quota *quota = made(0);
    struct map_tenant news[4];
    CHECK_OK(enter(quota, "large"));
    CHECK_OK(enter(quota, "large"));
    CHECK_OK(enter(quota, "small"));
    quota_squeeze(quota, 2);
    CHECK_EQ(enter(quota, "large"), ERR_FULL);
    CHECK_OK(enter(quota, "small"));
    CHECK_OK(receive(quota, "large"));
    CHECK_UEQ(quota_news(quota, news, 4), 0); // that it is so is no fault of the tenant's
    quota_squeeze(quota, UINT64_MAX);
    CHECK_OK(enter(quota, "large"));
    quota_free(quota);
}

TEST(tenants_that_are_gone_leave_nothing)
{
    struct quota *quota = made(3);
    struct map_tenant row;
    struct map_tenants all;
    uint64_t before = quota_bytes(quota);
    for (int i = 0; i < 10000; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "t%d", i);
        CHECK_OK(enter(quota, name));
        leave(quota, name);
        CHECK(!quota_get(quota, span_str(name), &row));
    }
    CHECK_UEQ(quota_bytes(quota), before);
    // Nor one that is idle only when its alarm has been told, nor one whose limit is taken back.
    struct map_tenant news[2];
    for (int i = 0; i < 4; i++) {
        CHECK_OK(receive(quota, "loud"));
    }
    CHECK_UEQ(quota_news(quota, news, 2), 1);
    for (int i = 0; i < 4; i++) {
        leave(quota, "loud");
    }
    CHECK(quota_get(quota, SPAN_LIT("loud"), &row));
    CHECK_UEQ(quota_news(quota, news, 2), 1);
    CHECK_EQ(news[0].level, MAP_TENANT_ROOM);
    CHECK_OK(quota_set(quota, SPAN_LIT("named"), 5));
    CHECK_OK(quota_set(quota, SPAN_LIT("named"), 0));
    CHECK_UEQ(quota_largest(quota, news, 2, &all), 0);
    CHECK_UEQ(all.count, 0);
    CHECK_UEQ(quota_bytes(quota), before);
    quota_free(quota);
}

TEST(the_largest_come_first)
{
    static const int used[] = {3, 9, 1, 7, 5, 9};
    struct quota *quota = made(8);
    struct map_tenant rows[4], news[4];
    struct map_tenants all;
    for (size_t i = 0; i < 6; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        for (int n = 0; n < used[i]; n++) {
            CHECK_OK(receive(quota, name));
        }
    }
    CHECK_UEQ(quota_news(quota, news, 4), 2);
    CHECK_UEQ(quota_largest(quota, rows, 4, &all), 4);
    CHECK_UEQ(rows[0].used, 9);
    CHECK_UEQ(rows[1].used, 9);
    CHECK_UEQ(rows[2].used, 7);
    CHECK_STR(rows[3].name, "e");
    CHECK_UEQ(all.count, 6);
    CHECK_UEQ(all.used, 34);
    CHECK_UEQ(all.over, 2);
    CHECK_UEQ(quota_largest(quota, rows, 0, &all), 0);
    quota_free(quota);
}

TEST(each_change_of_level_is_told_once)
{
    struct quota *quota = made(10);
    struct map_tenant news[2];
    for (int i = 0; i < 10; i++) {
        CHECK_OK(enter(quota, "a"));
    }
    CHECK_UEQ(quota_news(quota, news, 2), 0);
    CHECK_EQ(enter(quota, "a"), ERR_FULL);
    CHECK_UEQ(quota_news(quota, news, 2), 1);
    CHECK_STR(news[0].name, "a");
    CHECK_EQ(news[0].level, MAP_TENANT_FULL);
    CHECK_EQ(enter(quota, "a"), ERR_FULL);
    CHECK_UEQ(quota_news(quota, news, 2), 0);
    // Over for a moment, between two looks.
    CHECK_OK(receive(quota, "a"));
    leave(quota, "a");
    CHECK_UEQ(quota_news(quota, news, 2), 1);
    CHECK_EQ(news[0].level, MAP_TENANT_OVER);
    CHECK_UEQ(quota_news(quota, news, 2), 1);
    CHECK_EQ(news[0].level, MAP_TENANT_FULL);
    leave(quota, "a");
    CHECK_UEQ(quota_news(quota, news, 2), 1);
    CHECK_EQ(news[0].level, MAP_TENANT_ROOM);
    CHECK_UEQ(quota_news(quota, news, 2), 0);
    quota_free(quota);
}

TEST(more_news_than_fit_come_at_the_next_call)
{
    struct quota *quota = made(1);
    struct map_tenant news[2];
    bool told[5] = {false};
    for (size_t i = 0; i < 5; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        CHECK_OK(receive(quota, name));
        CHECK_OK(receive(quota, name));
    }
    for (size_t calls = 0; calls < 3; calls++) {
        size_t count = quota_news(quota, news, 2);
        CHECK_UEQ(count, calls < 2 ? 2 : 1);
        for (size_t i = 0; i < count; i++) {
            CHECK(!told[news[i].name[0] - 'a']);
            told[news[i].name[0] - 'a'] = true;
        }
    }
    CHECK_UEQ(quota_news(quota, news, 2), 0);
    quota_free(quota);
}

static bool walk(void *arg)
{
    struct quota *quota = NULL;
    (void)arg;
    bool ok = quota_new(&quota) == ERR_OK && quota_set(quota, SPAN_LIT("named"), 5) == ERR_OK;
    for (int i = 0; ok && i < 200; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "t%d", i);
        ok = enter(quota, name) == ERR_OK;
    }
    quota_free(quota);
    return ok;
}

TEST(every_allocation_may_fail)
{
    CHECK_INT(failalloc_each(walk, NULL), ge, 203);
}

// --- threads

struct race {
    struct quota *quota;
    atomic_int inside, bad;
};

static void expect(struct race *race, bool condition)
{
    atomic_fetch_add(&race->bad, condition ? 0 : 1);
}

// One place for eight threads, so that the bound is met all the time: whoever is in looks for a moment whether
// somebody else is.  `inside` is raised after a place is taken and lowered before it is given back, so it never
// says more than there are.  Another tenant comes and goes.
static void *compete(void *arg)
{
    struct race *race = arg;
    for (int taken = 0; taken < ROUNDS;) {
        if (enter(race->quota, "t") != ERR_OK) {
            (void)sched_yield();
            continue;
        }
        taken++;
        expect(race, atomic_fetch_add(&race->inside, 1) == 0);
        for (int i = 0; i < 20; i++) {
            struct map_tenant row;
            bool there = quota_get(race->quota, SPAN_LIT("t"), &row);
            expect(race, there && row.used == 1 && atomic_load(&race->inside) == 1);
        }
        atomic_fetch_sub(&race->inside, 1);
        expect(race, move(race->quota, "t", QUOTA_LIVE, QUOTA_NONE) == ERR_OK);
        if (taken % 16 == 0 && enter(race->quota, "brief") == ERR_OK) {
            expect(race, move(race->quota, "brief", QUOTA_LIVE, QUOTA_NONE) == ERR_OK);
        }
    }
    return NULL;
}

TEST(eight_threads_never_hold_one_place_too_many)
{
    struct race race = {.quota = made(1)};
    struct map_tenant news[4];
    struct map_tenants all;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, compete, &race), 0);
    }
    for (int i = 0; i < 200; i++) {
        size_t count = quota_news(race.quota, news, 4);
        for (size_t n = 0; n < count; n++) {
            CHECK_INT(news[n].level, ne, MAP_TENANT_OVER);
        }
    }
    for (size_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    CHECK_EQ(atomic_load(&race.bad), 0);
    for (int i = 0; i < 4; i++) {
        (void)quota_news(race.quota, news, 4);
    }
    (void)quota_largest(race.quota, news, 0, &all);
    CHECK_UEQ(all.count, 0);
    quota_free(race.quota);
}

SUITE("localmap/quota", T(what_clients_make_without_a_bound_counts),
      T(a_decoded_record_counts_as_its_bytes_do), T(the_last_place_is_given_and_no_other),
      T(a_level_begins_at_its_bound_and_ends_below_it),
      T(what_enters_is_refused_at_the_limit_and_what_is_received_is_not),
      T(a_tombstone_gives_its_place_back_and_a_name_may_come_again),
      T(one_that_makes_and_deletes_names_for_ever_is_stopped),
      T(a_limit_of_its_own_comes_before_that_of_all),
      T(while_memory_is_short_the_largest_get_nothing_new), T(tenants_that_are_gone_leave_nothing),
      T(the_largest_come_first), T(each_change_of_level_is_told_once),
      T(more_news_than_fit_come_at_the_next_call), T(every_allocation_may_fail),
      T(eight_threads_never_hold_one_place_too_many));
