// SPDX-License-Identifier: Apache-2.0
// The façade, call by call, as small stories.  The whole against a reference stands in test_map_model.c, under
// threads in test_map_threads.c.
#include "localmap/map.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/maps.h"

#define PAY SPAN_LIT("t\0pay")
#define PAY1 SPAN_LIT("t\0pay\0a")
#define NODE1 SPAN_LIT("t\0pay\0a\0node")

static enum put_result put(struct map *map, struct span key, uint64_t counter, const char *body)
{
    enum put_result result = PUT_OVER_QUOTA;
    const struct codec_value value = maps_value(key, counter, body);
    CHECK_OK(map_put(map, key, &value, 0, (uint32_t)counter, &result));
    return result;
}

static enum put_result show(struct map *map, struct span key, const char *body, uint32_t pending)
{
    enum put_result result = PUT_OVER_QUOTA;
    CHECK_OK(map_show(map, key, span_str(body), 0, pending, &result));
    return result;
}

static bool shows(const struct map *map, struct span key, const char *body)
{
    struct map_copy copy;
    return map_get(map, key, &copy) && span_eq_str(map_copy_body(&copy), body);
}

static struct map_facts peek(const struct map *map, struct span key)
{
    struct map_facts facts;
    CHECK(map_peek(map, key, &facts));
    return facts;
}

TEST(the_newer_version_is_kept_and_none_goes_back)
{
    struct map *map = maps_new();
    struct map_copy copy;
    CHECK(!map_get(map, PAY1, &copy));
    CHECK_EQ(put(map, PAY1, 5, "five"), PUT_NEW);
    CHECK_EQ(put(map, PAY1, 7, "seven"), PUT_CHANGED);
    CHECK_EQ(put(map, PAY1, 6, "six"), PUT_STALE);
    CHECK(shows(map, PAY1, "seven"));
    CHECK_UEQ(peek(map, PAY1).version.counter, 7);
    CHECK_UEQ(peek(map, PAY1).mark, 7);
    CHECK_EQ(put(map, PAY1, 7, "seven"), PUT_SAME);
    map_free(map);
}

TEST(a_key_worked_out_before_reads_and_puts_as_its_bytes_do)
{
    struct map *map = maps_new();
    const struct span keys[] = {PAY, PAY1, NODE1};
    for (size_t i = 0; i < 3; i++) {
        const struct map_key key = map_key(map, keys[i]);
        const struct codec_value five = maps_value(keys[i], 5, "five");
        const struct map_put given = {.value = &five, .flags = MAP_LOCAL, .mark = 7};
        struct map_facts facts;
        enum put_result result = PUT_STALE;
        CHECK(!map_peek_at(map, &key, &facts));
        CHECK_OK(map_put_at(map, &key, &given, &result));
        CHECK_EQ(result, PUT_NEW);
        CHECK(shows(map, keys[i], "five"));
        CHECK_UEQ(peek(map, keys[i]).flags, MAP_LOCAL);
        CHECK_EQ(put(map, keys[i], 6, "six"), PUT_CHANGED);
        CHECK(map_peek_at(map, &key, &facts));
        CHECK_UEQ(facts.version.counter, 6);
        CHECK_OK(map_put_at(map, &key, &given, &result));
        CHECK_EQ(result, PUT_STALE);
    }
    maps_check(map);
    map_free(map);
}

TEST(a_worked_out_key_of_no_good_length_is_refused)
{
    static const char longest[KEY_LEN_MAX + 1] = "k";
    struct map *map = maps_new();
    const struct codec_value five = maps_value(PAY1, 5, "five");
    const struct map_put given = {.value = &five};
    for (size_t i = 0; i < 2; i++) {
        const struct map_key key = map_key(map, span_of(longest, i * sizeof(longest)));
        struct map_facts facts;
        enum put_result result = PUT_STALE;
        CHECK(!map_peek_at(map, &key, &facts));
        CHECK_EQ(map_put_at(map, &key, &given, &result), ERR_INVALID);
    }
    map_free(map);
}

TEST(of_two_bodies_of_one_version_the_greater_hash_is_kept)
{
    for (int turn = 0; turn < 2; turn++) {
        struct map *map = maps_new();
        const char *bodies[] = {"one", "two"};
        struct codec_value values[] = {maps_value(PAY1, 5, "one"), maps_value(PAY1, 5, "two")};
        const char *winner = bodies[values[0].hash > values[1].hash ? 0 : 1];
        (void)put(map, PAY1, 5, bodies[turn]);
        (void)put(map, PAY1, 5, bodies[1 - turn]);
        CHECK(shows(map, PAY1, winner));
        map_free(map);
    }
}

TEST(the_same_value_moves_the_mark_and_leaves_what_is_shown)
{
    struct map *map = maps_new();
    (void)put(map, PAY1, 5, "base");
    CHECK_EQ(show(map, PAY1, "base and patch", 1), PUT_CHANGED);
    const struct codec_value same = maps_value(PAY1, 5, "base");
    enum put_result result = PUT_STALE;
    CHECK_OK(map_put(map, PAY1, &same, 0, 99, &result));
    CHECK_EQ(result, PUT_SAME);
    CHECK_UEQ(peek(map, PAY1).mark, 99);
    CHECK_UEQ(peek(map, PAY1).pending, 1);
    CHECK(shows(map, PAY1, "base and patch"));
    map_free(map);
}

TEST(an_accepted_value_changes_the_base_under_what_is_shown)
{
    struct map *map = maps_new();
    CHECK_EQ(show(map, PAY1, "wish", 1), PUT_NEW);
    CHECK(version_is_none(peek(map, PAY1).version));
    CHECK_EQ(show(map, PAY1, "wish", 1), PUT_SAME);
    CHECK_EQ(show(map, PAY1, "wish", 2), PUT_CHANGED);
    CHECK_EQ(put(map, PAY1, 3, "accepted"), PUT_CHANGED);
    CHECK(
        shows(map, PAY1, "wish")); // base + patches, until the owner of the patches has the new sum
    CHECK_UEQ(peek(map, PAY1).pending, 2);
    CHECK_UEQ(peek(map, PAY1).version.counter, 3);
    CHECK_EQ(show(map, PAY1, "accepted and more", 1), PUT_CHANGED);
    CHECK_UEQ(peek(map, PAY1).version.counter, 3);
    CHECK_EQ(put(map, PAY1, 2, "older"), PUT_STALE);
    CHECK(shows(map, PAY1, "accepted and more"));
    map_free(map);
}

TEST(a_conditional_put_wants_exactly_that_version)
{
    struct map *map = maps_new();
    enum put_result result = PUT_NEW;
    const struct codec_value five = maps_value(PAY1, 5, "five");
    const struct codec_value nine = maps_value(PAY1, 9, "nine");
    CHECK_OK(map_put_if(map, PAY1, five.version, &nine, 0, 0, &result));
    CHECK_EQ(result, PUT_STALE);
    struct map_copy copy;
    struct key_bytes key;
    CHECK(!map_get(map, PAY1, &copy));
    CHECK_UEQ(map_service_keys(map, PAY, SPAN_NONE, &key, 1), 0); // and no trace of it
    CHECK_OK(map_put_if(map, PAY1, (struct version){0, 0}, &five, 0, 0, &result));
    CHECK_EQ(result, PUT_NEW);
    CHECK_OK(map_put_if(map, PAY1, (struct version){0, 0}, &nine, 0, 0, &result));
    CHECK_EQ(result, PUT_STALE);
    CHECK_OK(map_put_if(map, PAY1, five.version, &nine, 0, 0, &result));
    CHECK_EQ(result, PUT_CHANGED);
    CHECK_OK(map_put_if(map, PAY1, nine.version, &five, 0, 0, &result));
    CHECK_EQ(result, PUT_STALE); // as expected, but not newer
    CHECK(shows(map, PAY1, "nine"));
    map_free(map);
}

TEST(what_does_not_fit_is_refused)
{
    static const char big[RECORD_LEN_MAX] = {0};
    struct map *map = maps_new();
    enum put_result result = PUT_NEW;
    struct map_copy copy;
    struct codec_value value = maps_value(PAY1, 1, "x");
    struct span long_key = span_of(big, KEY_LEN_MAX + 1);
    CHECK_EQ(map_put(map, long_key, &value, 0, 0, &result), ERR_INVALID);
    CHECK_EQ(map_put(map, SPAN_NONE, &value, 0, 0, &result), ERR_INVALID);
    CHECK_EQ(map_show(map, long_key, SPAN_LIT("x"), 0, 0, &result), ERR_INVALID);
    CHECK(!map_get(map, long_key, &copy) && !map_drop(map, long_key));
    value.body = span_of(big, CODEC_BODY_MAX + 1);
    CHECK_EQ(map_put(map, PAY1, &value, 0, 0, &result), ERR_TOO_LARGE);
    CHECK_EQ(map_show(map, PAY1, value.body, 0, 0, &result), ERR_TOO_LARGE);
    value.body.len = CODEC_BODY_MAX;
    CHECK_OK(map_put(map, PAY1, &value, 0, 0, &result));
    value.version = (struct version){0, 0};
    CHECK_EQ(map_put(map, PAY1, &value, 0, 0, &result), ERR_INVALID);
    map_free(map);
}

TEST(an_option_out_of_range_makes_no_map)
{
    static const struct map_options rows[] = {
        {.shards = 3, .partitions = 16, .changefeed = 64},
        {.shards = 4, .partitions = 0, .changefeed = 64},
        {.shards = 4, .partitions = 16, .changefeed = 63},
    };
    struct map *map = NULL;
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(map_new(&rows[i], &map), ERR_INVALID);
    }
    map_free(NULL);
}

// --- health

static const struct map_health degraded = {.health = {.status = STATUS_DEGRADED,
                                                      .raw_status = STATUS_TIMEOUT,
                                                      .reason = REASON_GUARDED,
                                                      .guarded = true},
                                           .since_ms = 1234,
                                           .revision = 999};

static void count_wakes(void *arg)
{
    (*(int *)arg)++;
}

TEST(health_stays_until_it_is_set_again_or_the_instance_goes)
{
    struct map *map = maps_new();
    struct map_service service;
    enum put_result result = PUT_STALE;
    (void)put(map, PAY1, 1, "one");
    CHECK_EQ(peek(map, PAY1).health.health.status, STATUS_UNKNOWN);
    CHECK(map_set_health(map, PAY1, &degraded, true));
    (void)put(map, PAY1, 2, "two");
    (void)show(map, PAY1, "two and more", 1);
    const struct map_facts facts = peek(map, PAY1);
    CHECK_EQ(facts.health.health.status, STATUS_DEGRADED);
    CHECK_EQ(facts.health.health.raw_status, STATUS_TIMEOUT);
    CHECK(facts.health.health.guarded && facts.health.since_ms == 1234);
    CHECK_UEQ(facts.health.revision, map_index(map));
    CHECK(map_service_get(map, PAY, &service));
    CHECK(service.guarded == 1 && service.by_status[STATUS_DEGRADED] == 1);
    CHECK_OK(map_show(map, PAY1, SPAN_LIT("gone"), MAP_TOMBSTONE, 0, &result));
    CHECK_EQ(peek(map, PAY1).health.health.status, STATUS_UNKNOWN);
    CHECK(!map_set_health(map, PAY1, &degraded, true)); // a tombstone has none
    CHECK(!map_service_get(map, PAY, &service));
    (void)put(map, PAY1, 3, "three");
    CHECK_EQ(peek(map, PAY1).health.health.status, STATUS_UNKNOWN);
    CHECK(map_service_get(map, PAY, &service));
    CHECK(service.guarded == 0 && service.by_status[STATUS_UNKNOWN] == 1);
    map_free(map);
}

TEST(only_an_instance_that_is_held_takes_health)
{
    struct map *map = maps_new();
    uint64_t before = map_index(map);
    (void)put(map, PAY, 1, "policy");
    (void)put(map, NODE1, 1, "observation");
    CHECK(!map_set_health(map, PAY, &degraded, true));
    CHECK(!map_set_health(map, NODE1, &degraded, true));
    CHECK(!map_set_health(map, PAY1, &degraded, true));
    CHECK_UEQ(map_index(map), before);
    map_free(map);
}

TEST(a_change_is_announced_with_its_index_and_wakes_once)
{
    struct map *map = maps_new();
    struct map_service service;
    struct map_change change;
    int wakes = 0;
    map_on_change(map, count_wakes, &wakes);
    uint64_t start = map_index(map);
    (void)put(map, PAY1, 1, "one");
    CHECK_EQ(map_feed_next(map, start, &change), FEED_EMPTY); // health.c has not spoken yet
    CHECK(map_set_health(map, PAY1, &degraded, false));
    CHECK_EQ(wakes, 0);
    CHECK_UEQ(peek(map, PAY1).health.revision, 0);
    CHECK(map_set_health(map, PAY1, &degraded, true));
    CHECK_EQ(wakes, 1);
    CHECK_EQ(map_feed_next(map, start, &change), FEED_OK);
    CHECK(span_eq(key_span(&change.key), PAY1));
    CHECK_UEQ(peek(map, PAY1).health.revision, change.index);
    CHECK(map_set_health(map, PAY1, &degraded, false)); // keeps the revision that was told
    CHECK_UEQ(peek(map, PAY1).health.revision, change.index);
    CHECK_UEQ(map_announce(map, PAY), change.index + 1);
    CHECK_EQ(wakes, 2);
    CHECK(map_service_get(map, PAY, &service));
    CHECK_UEQ(service.revision, change.index + 1);
    map_free(map);
}

// --- the rest

TEST(a_mark_is_set_beside_everything_else)
{
    struct map *map = maps_new();
    CHECK(!map_set_mark(map, PAY1, 5));
    (void)put(map, PAY1, 1, "one");
    CHECK(map_set_health(map, PAY1, &degraded, true));
    CHECK(map_set_mark(map, PAY1, 5));
    CHECK_UEQ(peek(map, PAY1).mark, 5);
    CHECK_EQ(peek(map, PAY1).health.health.status, STATUS_DEGRADED);
    CHECK(shows(map, PAY1, "one"));
    map_free(map);
}

TEST(a_record_is_read_or_put_in_one_step)
{
    struct map *map = maps_new();
    struct map_copy copy;
    bool was_held = true;
    const struct codec_value one = maps_value(PAY1, 1, "one");
    const struct codec_value two = maps_value(PAY1, 2, "two");
    CHECK_OK(map_get_or_put(map, PAY1, &one, 0, &copy, &was_held));
    CHECK(!was_held && span_eq_str(map_copy_body(&copy), "one"));
    CHECK_UEQ(copy.facts.version.counter, 1);
    CHECK_OK(map_get_or_put(map, PAY1, &two, 0, &copy, &was_held));
    CHECK(was_held && span_eq_str(map_copy_body(&copy), "one"));
    CHECK(shows(map, PAY1, "one"));
    map_free(map);
}

TEST(many_are_read_as_each_alone)
{
    struct map *map = maps_new();
    static struct map_copy copies[40];
    static char too_long[KEY_LEN_MAX + 1];
    const struct span some[] = {PAY1, SPAN_LIT("t\0pay\0nobody"), PAY, SPAN_NONE,
                                span_of(too_long, sizeof(too_long))};
    struct span keys[40];
    bool found[40];
    (void)put(map, PAY1, 1, "one");
    (void)put(map, PAY, 1, "policy");
    const struct map_health health = {.health = {.status = STATUS_TIMEOUT}, .since_ms = 9};
    CHECK(map_set_health(map, PAY1, &health, false));
    for (size_t i = 0; i < 40; i++) {
        keys[i] = some[i * 7 % 5];
        memset(&copies[i], 0xff, sizeof(copies[i])); // what was there is nothing that counts
    }
    const struct map_many many = {.keys = keys, .count = 40, .copies = copies, .found = found};
    map_get_many(map, &many);
    for (size_t i = 0; i < 40; i++) {
        struct map_copy alone;
        CHECK(found[i] == map_get(map, keys[i], &alone));
        CHECK(found[i] == (i * 7 % 5 == 0 || i * 7 % 5 == 2));
        if (found[i]) {
            const struct map_facts *facts = &copies[i].facts;
            CHECK_EQ(version_cmp(facts->version, alone.facts.version), 0);
            CHECK(facts->hash == alone.facts.hash && facts->flags == alone.facts.flags);
            CHECK_EQ(facts->health.health.status, alone.facts.health.health.status);
            CHECK_EQ(facts->health.since_ms, i * 7 % 5 == 0 ? 9 : 0);
            CHECK(span_eq(map_copy_body(&copies[i]), map_copy_body(&alone)));
        }
    }
    map_free(map);
}

TEST(only_accepted_records_of_the_mesh_are_in_the_digest)
{
    struct map *map = maps_new();
    const uint32_t p = key_partition(PAY, MAPS_PARTITIONS);
    enum put_result result = PUT_STALE;
    struct codec_value value = maps_value(PAY1, 1, "one");
    (void)show(map, PAY1, "wish", 1);
    CHECK_UEQ(map_digest(map, p).count, 0);
    (void)put(map, PAY1, 1, "one");
    CHECK_UEQ(map_digest(map, p).count, 1);
    CHECK_UEQ(map_digest(map, p).sum, value.hash);
    (void)show(map, PAY1, "one and more", 1); // what is shown does not count, the base does
    CHECK_UEQ(map_digest(map, p).sum, value.hash);
    value = maps_value(PAY1, 2, "local");
    CHECK_OK(map_put(map, PAY1, &value, MAP_LOCAL, 0, &result));
    CHECK_UEQ(map_digest(map, p).count, 0);
    CHECK_UEQ(map_digest(map, p).sum, 0);
    value = maps_value(PAY1, 3, "of a newer release");
    CHECK_OK(map_put(map, PAY1, &value, MAP_OPAQUE, 0, &result));
    CHECK_UEQ(map_digest(map, p).sum, value.hash);
    CHECK(map_drop(map, PAY1) && !map_drop(map, PAY1));
    CHECK_UEQ(map_digest(map, p).count, 0);
    map_free(map);
}

static bool count_one(void *arg, struct span key, const struct map_copy *copy)
{
    size_t *left = arg;
    (void)key;
    (void)copy;
    return --*left > 0;
}

TEST(a_scan_stops_when_it_is_told)
{
    struct map *map = maps_new();
    (void)put(map, PAY1, 1, "one");
    (void)put(map, PAY, 1, "policy");
    (void)put(map, NODE1, 1, "observation");
    size_t left = 2;
    map_scan(map, count_one, &left);
    CHECK_UEQ(left, 0);
    left = 2;
    map_scan_partition(map, key_partition(PAY, MAPS_PARTITIONS), count_one, &left);
    CHECK_UEQ(left, 0);
    map_free(map);
}

static bool walk(void *arg)
{
    struct map *map = NULL;
    bool ok = map_new(&maps_options, &map) == ERR_OK;
    (void)arg;
    for (uint64_t i = 1; ok && i < 20; i++) {
        enum put_result result = PUT_STALE;
        const struct codec_value value = maps_value(PAY1, i, "value");
        ok = map_put(map, i % 2 == 0 ? PAY1 : NODE1, &value, 0, 0, &result) == ERR_OK &&
             map_show(map, PAY, SPAN_LIT("a wish that is longer than before"), 0, (uint32_t)i,
                      &result) == ERR_OK;
        (void)map_set_health(map, PAY1, &degraded, true);
    }
    map_free(map);
    return ok;
}

TEST(every_allocation_may_fail)
{
    CHECK_INT(failalloc_each(walk, NULL), gt, 10);
}

TEST(a_failed_put_leaves_no_trace)
{
    struct map *map = maps_new();
    const struct codec_value value = maps_value(PAY1, 1, "one");
    enum put_result result = PUT_STALE;
    size_t failures = 0;
    for (size_t nth = 1;; nth++) {
        struct key_bytes key;
        struct map_copy copy;
        struct map_counts counts;
        failalloc_arm(nth);
        enum err err = map_put(map, PAY1, &value, MAP_TOMBSTONE, 0, &result);
        if (!failalloc_disarm()) {
            CHECK_OK(err);
            break;
        }
        failures++;
        CHECK_EQ(err, ERR_NOMEM);
        map_counts(map, &counts);
        CHECK(counts.records == 0 && counts.tombstones == 0);
        CHECK(!map_get(map, PAY1, &copy));
        CHECK_UEQ(map_service_keys(map, PAY, SPAN_NONE, &key, 1), 0);
        CHECK_UEQ(map_digest(map, key_partition(PAY, MAPS_PARTITIONS)).count, 0);
    }
    CHECK_INT(failures, ge, 2);
    map_free(map);
}

SUITE("localmap/map", T(the_newer_version_is_kept_and_none_goes_back),
      T(a_key_worked_out_before_reads_and_puts_as_its_bytes_do),
      T(a_worked_out_key_of_no_good_length_is_refused),
      T(of_two_bodies_of_one_version_the_greater_hash_is_kept),
      T(the_same_value_moves_the_mark_and_leaves_what_is_shown),
      T(an_accepted_value_changes_the_base_under_what_is_shown),
      T(a_conditional_put_wants_exactly_that_version), T(what_does_not_fit_is_refused),
      T(an_option_out_of_range_makes_no_map),
      T(health_stays_until_it_is_set_again_or_the_instance_goes),
      T(only_an_instance_that_is_held_takes_health),
      T(a_change_is_announced_with_its_index_and_wakes_once),
      T(a_mark_is_set_beside_everything_else), T(a_record_is_read_or_put_in_one_step),
      T(many_are_read_as_each_alone), T(only_accepted_records_of_the_mesh_are_in_the_digest),
      T(a_scan_stops_when_it_is_told), T(every_allocation_may_fail),
      T(a_failed_put_leaves_no_trace));
