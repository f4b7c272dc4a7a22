// SPDX-License-Identifier: Apache-2.0
// The quota where the map keeps it: which writes are refused, what becomes of a place when a record changes, dies or
// fails, and that it is exact under eight threads.  The quota by itself stands in test_quota.c.
#include "localmap/map.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/maps.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define TENANT SPAN_LIT("t")
#define ONE SPAN_LIT("t\0s\0one")
#define TWO SPAN_LIT("t\0s\0two")
#define THREE SPAN_LIT("t\0s\0three")
#define REPORT SPAN_LIT("t\0s\0one\0me") // its bodies here are none that can be read, so it counts

static struct map *with_quota(uint32_t limit)
{
    struct map *map = maps_new();
    CHECK_OK(map_set_quota(map, SPAN_NONE, limit));
    return map;
}

static enum put_result put(struct map *map, struct span key, uint64_t counter, uint32_t flags)
{
    enum put_result result = PUT_STALE;
    const struct codec_value value = maps_value(key, counter, "value");
    CHECK_OK(map_put(map, key, &value, flags, 0, &result));
    return result;
}

static enum put_result show(struct map *map, struct span key, uint32_t pending, uint32_t flags)
{
    enum put_result result = PUT_STALE;
    CHECK_OK(map_show(map, key, SPAN_LIT("wish"), flags, pending, &result));
    return result;
}

static uint64_t used(const struct map *map)
{
    struct map_tenant tenant;
    return map_tenant(map, TENANT, &tenant) ? tenant.used : 0;
}

TEST(a_new_record_over_the_quota_is_refused_and_leaves_nothing)
{
    struct map *map = with_quota(2);
    struct map_counts before, after;
    struct map_facts facts;
    struct key_bytes key;
    CHECK_EQ(put(map, ONE, 1, 0), PUT_NEW);
    CHECK_EQ(show(map, TWO, 1, 0), PUT_NEW);
    map_counts(map, &before);
    CHECK_EQ(put(map, THREE, 1, 0), PUT_OVER_QUOTA);
    CHECK_EQ(show(map, THREE, 1, 0), PUT_OVER_QUOTA);
    CHECK_EQ(put(map, REPORT, 1, MAP_OPAQUE), PUT_OVER_QUOTA);
    CHECK(!map_peek(map, THREE, &facts));
    CHECK_UEQ(map_service_keys(map, SPAN_LIT("t\0s"), SPAN_LIT("t\0s\0oneandmore"), &key, 1), 1);
    map_counts(map, &after);
    CHECK_UEQ(after.records, before.records);
    CHECK_UEQ(used(map), 2);
    maps_check(map);
    map_free(map);
}

TEST(changes_and_deletes_and_what_does_not_count_are_never_refused)
{
    struct map *map = with_quota(1);
    CHECK_EQ(put(map, ONE, 1, 0), PUT_NEW);
    CHECK_EQ(put(map, ONE, 2, 0), PUT_CHANGED);
    CHECK_EQ(show(map, ONE, 1, 0), PUT_CHANGED);
    CHECK_EQ(put(map, SPAN_LIT("t\0s"), 1, 0), PUT_NEW);
    CHECK_EQ(put(map, SPAN_LIT("t\0s\0one\0!"), 1, 0), PUT_NEW);
    CHECK_EQ(put(map, SPAN_LIT("_mesh\0n"), 1, 0), PUT_NEW);
    CHECK_EQ(put(map, TWO, 1, MAP_TOMBSTONE), PUT_NEW);
    CHECK_EQ(show(map, THREE, 1, MAP_TOMBSTONE), PUT_NEW);
    CHECK_EQ(put(map, ONE, 3, MAP_TOMBSTONE), PUT_CHANGED);
    CHECK_EQ(show(map, ONE, 0, MAP_TOMBSTONE), PUT_CHANGED);
    CHECK_UEQ(used(map), 0);
    maps_check(map);
    map_free(map);
}

TEST(what_the_stream_has_accepted_is_held_and_counted)
{
    struct map *map = with_quota(1);
    struct map_tenant tenant;
    CHECK_EQ(put(map, ONE, 1, MAP_ADMITTED), PUT_NEW);
    CHECK_EQ(put(map, TWO, 1, MAP_ADMITTED), PUT_NEW);
    CHECK_EQ(show(map, THREE, 1, MAP_ADMITTED), PUT_NEW);
    CHECK_EQ(show(map, THREE, 1, MAP_ADMITTED), PUT_SAME); // it is not kept among the flags
    CHECK_UEQ(used(map), 3);
    CHECK_UEQ(map_tenant_news(map, &tenant, 1), 1);
    CHECK_EQ(tenant.level, MAP_TENANT_OVER);
    map_free(map);
}

TEST(a_place_follows_its_record)
{
    struct map *map = with_quota(1);
    CHECK_EQ(put(map, ONE, 1, 0), PUT_NEW);
    CHECK_EQ(show(map, ONE, 1, MAP_TOMBSTONE), PUT_CHANGED); // a delete that waits for the stream
    CHECK_UEQ(used(map), 0);
    CHECK_EQ(put(map, TWO, 1, 0), PUT_NEW);
    CHECK_EQ(show(map, ONE, 2, 0), PUT_OVER_QUOTA); // wanted again, but the place is gone
    CHECK(map_drop(map, TWO));
    CHECK_EQ(show(map, ONE, 2, 0), PUT_CHANGED);
    CHECK_UEQ(used(map), 1);
    CHECK(map_drop(map, ONE));
    CHECK_UEQ(used(map), 0);
    CHECK_EQ(put(map, ONE, 1, MAP_TOMBSTONE), PUT_NEW);
    CHECK(map_drop(map, ONE));
    struct map_tenant tenant;
    CHECK(!map_tenant(map, TENANT, &tenant));
    maps_check(map);
    map_free(map);
}

TEST(get_or_put_says_that_there_is_no_room)
{
    struct map *map = with_quota(1);
    struct map_copy copy;
    bool was_held = true;
    const struct codec_value one = maps_value(ONE, 1, "one");
    const struct codec_value two = maps_value(TWO, 1, "two");
    CHECK_OK(map_get_or_put(map, ONE, &one, 0, &copy, &was_held));
    CHECK(!was_held);
    CHECK_EQ(map_get_or_put(map, TWO, &two, 0, &copy, &was_held), ERR_FULL);
    CHECK_OK(map_get_or_put(map, ONE, &two, 0, &copy, &was_held));
    CHECK(was_held);
    CHECK_OK(map_get_or_put(map, TWO, &two, MAP_ADMITTED, &copy, &was_held));
    CHECK(!was_held);
    CHECK_UEQ(copy.facts.flags, 0);
    map_free(map);
}

TEST(a_place_taken_before_keeps_others_out_until_it_is_given_back)
{
    struct map *map = with_quota(2);
    const struct record registration = {.kind = KEY_REGISTRATION};
    struct map_place place, another, none;
    struct map_tenant tenant;
    CHECK_EQ(put(map, ONE, 1, 0), PUT_NEW);
    CHECK_OK(map_take_place(map, TWO, &registration, &place));
    CHECK(place.taken);
    CHECK_EQ(map_take_place(map, THREE, &registration, &another), ERR_FULL);
    CHECK(!another.taken);
    CHECK_EQ(put(map, THREE, 1, 0), PUT_OVER_QUOTA);
    CHECK_OK(map_take_place(map, ONE, &registration, &none)); // it is there: a change
    CHECK(!none.taken);
    CHECK_OK(map_take_place(map, SPAN_LIT("t\0s\0one\0!"), &(struct record){.kind = KEY_OVERRIDE},
                            &none));
    CHECK(!none.taken);
    map_give_place(map, ONE, &none);
    CHECK_EQ(put(map, TWO, 1, MAP_ADMITTED), PUT_NEW);
    CHECK_UEQ(map_tenant_news(map, &tenant, 1), 1); // both count for the moment, which is no alarm
    CHECK_EQ(tenant.level, MAP_TENANT_FULL);
    map_give_place(map, TWO, &place);
    CHECK_UEQ(map_tenant_news(map, &tenant, 1), 0);
    map_give_place(map, TWO, &place); // once given, it is nobody's
    CHECK_UEQ(used(map), 2);
    maps_check(map);
    map_free(map);
}

TEST(a_write_that_finds_no_memory_gives_its_place_back)
{
    struct map *map = with_quota(1);
    const struct codec_value value = maps_value(ONE, 1, "one");
    enum put_result result = PUT_STALE;
    size_t failures = 0;
    for (size_t nth = 1;; nth++) {
        failalloc_arm(nth);
        enum err err = map_put(map, ONE, &value, 0, 0, &result);
        if (!failalloc_disarm()) {
            CHECK_OK(err);
            CHECK_EQ(result, PUT_NEW);
            break;
        }
        failures++;
        CHECK_EQ(err, ERR_NOMEM);
        CHECK_UEQ(used(map), 0);
    }
    CHECK_INT(failures, ge, 2);
    CHECK_EQ(put(map, TWO, 1, 0), PUT_OVER_QUOTA);
    map_free(map);
}

// --- one tenant and the others

#define OTHERS 200
#define RECORDS_EACH 100

static struct span key_text(int tenant, int instance, char text[48])
{
    int len = snprintf(text, 48, "tenant-%d%cpay%cinstance-%d", tenant, 0, 0, instance);
    return span_of(text, (size_t)len);
}

static void fill(struct map *map, int tenant, int count, size_t *ret_taken)
{
    for (int i = 0; i < count; i++) {
        char text[48];
        *ret_taken += put(map, key_text(tenant, i, text), 1, 0) == PUT_NEW ? 1 : 0;
    }
}

TEST(one_that_explodes_changes_nothing_for_the_others)
{
    struct map *map = with_quota(2 * RECORDS_EACH);
    struct map_counts before, after;
    struct map_tenants all;
    struct map_tenant largest[2];
    size_t taken = 0;
    for (int tenant = 0; tenant <= OTHERS; tenant++) {
        fill(map, tenant, RECORDS_EACH, &taken);
    }
    CHECK_UEQ(taken, (OTHERS + 1) * RECORDS_EACH);
    map_counts(map, &before);
    taken = 0;
    fill(map, 0, 100000, &taken);
    CHECK_UEQ(taken, RECORDS_EACH);
    map_counts(map, &after);
    CHECK_UEQ(after.records, before.records + RECORDS_EACH);
    CHECK_INT(100 * (after.bytes - before.bytes), le, 3 * before.bytes);
    CHECK_UEQ(map_tenants(map, largest, 2, &all), 2);
    CHECK_STR(largest[0].name, "tenant-0");
    CHECK_UEQ(largest[0].used, 2 * RECORDS_EACH);
    CHECK_UEQ(largest[0].refused, 100000 - 2 * RECORDS_EACH);
    CHECK_UEQ(largest[1].used, RECORDS_EACH);
    CHECK_UEQ(largest[1].refused, 0);
    CHECK_UEQ(all.count, OTHERS + 1);
    // At its quota it changes nothing at all any more, not even its own memory.
    map_counts(map, &before);
    fill(map, 0, 10000, &taken);
    map_counts(map, &after);
    CHECK_INT(after.bytes, le, before.bytes);
    // And the others go on.
    char text[48];
    for (int tenant = 1; tenant <= OTHERS; tenant++) {
        CHECK_EQ(put(map, key_text(tenant, RECORDS_EACH, text), 1, 0), PUT_NEW);
    }
    map_free(map);
}

// --- threads

#define THREADS 8
#define KEYS_EACH 400
#define LIMIT 500

struct race {
    struct map *map;
    atomic_int taken, refused, bad;
    atomic_int next; // thread
};

static void judge(struct race *race, bool ok, bool taken, bool refused)
{
    atomic_fetch_add(&race->bad, ok && taken != refused ? 0 : 1);
    atomic_fetch_add(&race->taken, taken ? 1 : 0);
    atomic_fetch_add(&race->refused, refused ? 1 : 0);
}

// Three ways in, all of them entries.
static void enter(struct race *race, struct span key, int way)
{
    const struct codec_value value = maps_value(key, 1, "value");
    enum put_result result = PUT_STALE;
    if (way == 0) {
        struct map_copy copy;
        bool was_held = false;
        enum err err = map_get_or_put(race->map, key, &value, 0, &copy, &was_held);
        judge(race, !was_held, err == ERR_OK, err == ERR_FULL);
    } else {
        enum err err = way == 1 ? map_put(race->map, key, &value, 0, 0, &result)
                                : map_show(race->map, key, value.body, 0, 1, &result);
        judge(race, err == ERR_OK, result == PUT_NEW, result == PUT_OVER_QUOTA);
    }
}

static struct span key_of(int thread, int number, char text[48])
{
    int len = snprintf(text, 48, "t%cs%d%ci%d-%d", 0, number % 5, 0, thread, number);
    return span_of(text, (size_t)len);
}

static void *fill_up(void *arg)
{
    struct race *race = arg;
    int thread = atomic_fetch_add(&race->next, 1);
    for (int i = 0; i < KEYS_EACH; i++) {
        char text[48];
        struct map_tenant tenant;
        enter(race, key_of(thread, i, text), i % 3);
        bool seen = map_tenant(race->map, TENANT, &tenant);
        atomic_fetch_add(&race->bad, seen && tenant.used > LIMIT ? 1 : 0);
    }
    return NULL;
}

static void run(struct race *race)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, fill_up, race), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    CHECK_EQ(atomic_load(&race->bad), 0);
    maps_check(race->map);
}

TEST(eight_threads_fill_a_quota_to_the_last_record_and_not_one_over)
{
    struct race race = {.map = with_quota(LIMIT)};
    struct map_counts counts;
    run(&race);
    CHECK_EQ(atomic_load(&race.taken), LIMIT);
    CHECK_EQ(atomic_load(&race.refused), THREADS * KEYS_EACH - LIMIT);
    CHECK_UEQ(used(race.map), LIMIT);
    map_counts(race.map, &counts);
    CHECK_UEQ(counts.records, LIMIT);
    map_free(race.map);
}

SUITE("localmap/map_quota", T(a_new_record_over_the_quota_is_refused_and_leaves_nothing),
      T(changes_and_deletes_and_what_does_not_count_are_never_refused),
      T(what_the_stream_has_accepted_is_held_and_counted), T(a_place_follows_its_record),
      T(get_or_put_says_that_there_is_no_room),
      T(a_place_taken_before_keeps_others_out_until_it_is_given_back),
      T(a_write_that_finds_no_memory_gives_its_place_back),
      T(one_that_explodes_changes_nothing_for_the_others),
      T(eight_threads_fill_a_quota_to_the_last_record_and_not_one_over));
