// SPDX-License-Identifier: Apache-2.0
// What an eviction takes and what it leaves, call by call.  Random calls of all kinds: test_map_model.c.
#include "localmap/map.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/maps.h"

#define PAY SPAN_LIT("t\0pay")
#define PAY1 SPAN_LIT("t\0pay\0a")
#define PAY2 SPAN_LIT("t\0pay\0b")
#define NODE1 SPAN_LIT("t\0pay\0a\0node")
#define CART1 SPAN_LIT("t\0cart\0a")

static enum put_result put(struct map *map, struct span key, uint64_t counter, const char *body)
{
    enum put_result result = PUT_OVER_QUOTA;
    const struct codec_value value = maps_value(key, counter, body);
    CHECK_OK(map_put(map, key, &value, 0, (uint32_t)counter, &result));
    return result;
}

static bool is_stub(const struct map *map, struct span key)
{
    struct map_copy copy;
    CHECK(map_get(map, key, &copy));
    bool stub = (copy.facts.flags & MAP_EVICTED) != 0;
    CHECK(!stub || copy.body_len == 0);
    return stub;
}

static bool shows(const struct map *map, struct span key, const char *body)
{
    struct map_copy copy;
    return map_get(map, key, &copy) && copy.facts.flags == 0 &&
           span_eq_str(map_copy_body(&copy), body);
}

static struct map_service service_of(const struct map *map, struct span key)
{
    struct map_service service;
    CHECK(map_service_get(map, key, &service));
    return service;
}

// All but the flags; by members, since nobody says what stands between them.
static void check_kept(const struct map_facts *before, const struct map_facts *after)
{
    const struct health *old = &before->health.health;
    const struct health *new = &after->health.health;
    CHECK_EQ(version_cmp(before->version, after->version), 0);
    CHECK_UEQ(before->hash, after->hash);
    CHECK_UEQ(before->pending, after->pending);
    CHECK_UEQ(before->mark, after->mark);
    CHECK(old->status == new->status && old->raw_status == new->raw_status);
    CHECK(old->reason == new->reason && old->guarded == new->guarded &&
          old->overridden == new->overridden);
    CHECK_EQ(before->health.since_ms, after->health.since_ms);
    CHECK_UEQ(before->health.revision, after->health.revision);
}

TEST(a_stub_keeps_all_but_the_body)
{
    struct map *map = maps_new();
    struct map_copy before;
    struct map_copy after;
    const struct map_health health = {.health = {.status = STATUS_UNHEALTHY}, .since_ms = 7};
    (void)put(map, PAY1, 5, "body");
    CHECK(map_set_health(map, PAY1, &health, true));
    uint32_t p = key_partition(PAY1, MAPS_PARTITIONS);
    struct map_digest digest = map_digest(map, p);
    uint64_t index = map_index(map);
    CHECK(map_get(map, PAY1, &before));
    CHECK_UEQ(map_evict(map, PAY1), 4);
    CHECK(map_get(map, PAY1, &after));
    CHECK_UEQ(after.facts.flags, MAP_EVICTED);
    check_kept(&before.facts, &after.facts);
    CHECK_UEQ(map_digest(map, p).count, digest.count);
    CHECK_UEQ(map_digest(map, p).sum, digest.sum);
    CHECK_UEQ(map_index(map), index); // nothing that is shown has changed
    CHECK_UEQ(map_evict(map, PAY1), 0);
    maps_check(map);
    map_free(map);
}

TEST(the_same_version_fills_a_stub)
{
    struct map *map = maps_new();
    (void)put(map, PAY1, 5, "body");
    (void)map_evict(map, PAY1);
    CHECK_EQ(put(map, PAY1, 4, "older"), PUT_STALE);
    CHECK(is_stub(map, PAY1));
    CHECK_EQ(put(map, PAY1, 5, "body"), PUT_SAME);
    CHECK(shows(map, PAY1, "body"));
    CHECK(!map_has_evicted(map));
    maps_check(map);
    map_free(map);
}

TEST(a_newer_record_takes_the_place_of_a_stub)
{
    struct map *map = maps_new();
    (void)put(map, PAY1, 5, "body");
    (void)map_evict(map, PAY1);
    CHECK_EQ(put(map, PAY1, 6, "another"), PUT_CHANGED);
    CHECK(shows(map, PAY1, "another"));
    CHECK_UEQ(service_of(map, PAY).evicted, 0);
    (void)map_evict(map, PAY1);
    CHECK(map_drop(map, PAY1));
    CHECK(!map_has_evicted(map));
    maps_check(map);
    map_free(map);
}

TEST(a_service_is_listed_and_counted_as_before)
{
    struct map *map = maps_new();
    struct map_counts counts;
    (void)put(map, PAY1, 5, "one");
    (void)put(map, PAY2, 5, "two");
    (void)put(map, NODE1, 5, "seen");
    (void)put(map, CART1, 5, "one");
    CHECK_UEQ(map_evict(map, NODE1), 4);
    CHECK_UEQ(map_evict(map, PAY1), 3);
    struct map_service service = service_of(map, PAY);
    CHECK_UEQ(service.instances, 2);
    CHECK_UEQ(service.by_status[STATUS_UNKNOWN], 2);
    CHECK_UEQ(service.evicted, 2);
    map_counts(map, &counts);
    CHECK_UEQ(counts.evicted_records, 2);
    CHECK_UEQ(counts.evicted_services, 1);
    CHECK_UEQ(map_evict(map, CART1), 3);
    map_counts(map, &counts);
    CHECK_UEQ(counts.evicted_services, 2);
    maps_check(map);
    map_free(map);
}

TEST(only_what_the_stream_has_accepted_and_shows_can_go)
{
    struct map *map = maps_new();
    enum put_result result = PUT_STALE;
    static const uint32_t flags[] = {MAP_OPAQUE, MAP_TOMBSTONE, MAP_LOCAL};
    CHECK_UEQ(map_evict(map, PAY1), 0); // not held
    CHECK_UEQ(map_evict(map, SPAN_NONE), 0);
    CHECK_OK(map_show(map, PAY1, SPAN_LIT("patched"), 0, 1, &result));
    CHECK_UEQ(map_evict(map, PAY1), 0); // never accepted
    (void)put(map, PAY1, 5, "base");
    CHECK_UEQ(map_evict(map, PAY1), 0); // under a patch
    CHECK_OK(map_show(map, PAY1, SPAN_LIT("base"), 0, 0, &result));
    CHECK_UEQ(map_evict(map, PAY1), 4);
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        const struct codec_value value = maps_value(PAY2, 5 + i, "body");
        CHECK_OK(map_put(map, PAY2, &value, flags[i], 0, &result));
        CHECK_UEQ(map_evict(map, PAY2), 0);
        struct map_facts facts;
        CHECK(map_peek(map, PAY2, &facts));
        CHECK_UEQ(facts.flags, flags[i]);
    }
    maps_check(map);
    map_free(map);
}

TEST(what_is_followed_stays)
{
    const struct map_filter filters[] = {{SPAN_LIT("t"), SPAN_LIT("pay")},
                                         {SPAN_LIT("t"), SPAN_NONE},
                                         {SPAN_NONE, SPAN_LIT("pay")},
                                         {SPAN_NONE, SPAN_NONE}};
    const struct map_filter others[] = {{SPAN_LIT("t"), SPAN_LIT("pa")},
                                        {SPAN_LIT("u"), SPAN_NONE},
                                        {SPAN_NONE, SPAN_LIT("t")},
                                        {SPAN_LIT("pay"), SPAN_LIT("t")}};
    struct map *map = maps_new();
    (void)put(map, PAY1, 5, "body");
    for (size_t i = 0; i < 4; i++) {
        CHECK_OK(map_follow(map, &filters[i]));
        CHECK_OK(map_follow(map, &filters[i]));
        CHECK_UEQ(map_evict(map, PAY1), 0);
        map_unfollow(map, &filters[i]);
        CHECK_UEQ(map_evict(map, PAY1), 0); // one of the two is left
        map_unfollow(map, &filters[i]);
        CHECK_OK(map_follow(map, &others[i]));
        CHECK_UEQ(map_evict(map, PAY1), 4);
        map_unfollow(map, &others[i]);
        CHECK_EQ(put(map, PAY1, 5, "body"), PUT_SAME);
    }
    map_free(map);
}

// false: no memory.
static bool follow_once(void *arg)
{
    const struct map_filter filter = {SPAN_LIT("t"), SPAN_NONE};
    enum err err = map_follow(arg, &filter);
    if (err == ERR_OK) {
        map_unfollow(arg, &filter);
    }
    return err == ERR_OK;
}

TEST(every_allocation_may_fail)
{
    struct map *map = maps_new();
    CHECK(failalloc_each(follow_once, map) > 0);
    (void)put(map, PAY1, 5, "body");
    CHECK_UEQ(map_evict(map, PAY1), 4);
    map_free(map);
}

SUITE("localmap/map (evict)", T(a_stub_keeps_all_but_the_body), T(the_same_version_fills_a_stub),
      T(a_newer_record_takes_the_place_of_a_stub), T(a_service_is_listed_and_counted_as_before),
      T(only_what_the_stream_has_accepted_and_shows_can_go), T(what_is_followed_stays),
      T(every_allocation_may_fail));
