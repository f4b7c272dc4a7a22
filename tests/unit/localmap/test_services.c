// SPDX-License-Identifier: Apache-2.0
// The index of services: what is counted of each record as it comes, changes and goes; keys in order.
#include "localmap/services.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>

#define PAY SPAN_LIT("t\0pay")
#define PAY1 SPAN_LIT("t\0pay\0a")

#define MEMBERS_MAX 16
#define PARTITIONS 16

// Remembers the members as the slots of a table would.
struct fixture {
    struct services *services;
    struct feed *feed;
    struct {
        struct span key; // NULL: free
        struct services_member *member;
    } held[MEMBERS_MAX];
};

static struct fixture fixture_new(void)
{
    struct fixture fixture = {.services = NULL};
    CHECK_OK(services_new(PARTITIONS, &fixture.services));
    CHECK_OK(feed_new(16, 1, &fixture.feed));
    return fixture;
}

static void fixture_free(struct fixture *fixture)
{
    services_free(fixture->services);
    feed_free(fixture->feed);
}

// The place of the key, or a free one.
static size_t place_of(const struct fixture *fixture, struct span key)
{
    size_t at = 0;
    while (at < MEMBERS_MAX && fixture->held[at].key.ptr != NULL &&
           !span_eq(fixture->held[at].key, key)) {
        at++;
    }
    CHECK_INT(at, lt, MEMBERS_MAX);
    return at;
}

static void set(struct fixture *fixture, struct span key, bool shown, enum status status)
{
    const struct services_change change = {
        .shown = shown, .status = status, .guarded = status == STATUS_DEGRADED};
    size_t at = place_of(fixture, key);
    if (fixture->held[at].key.ptr != NULL) {
        services_set(fixture->services, fixture->held[at].member, &change);
        return;
    }
    CHECK_OK(services_add(fixture->services, key, &change, &fixture->held[at].member));
    fixture->held[at].key = key;
}

static void drop(struct fixture *fixture, struct span key)
{
    size_t at = place_of(fixture, key);
    CHECK(fixture->held[at].key.ptr != NULL);
    services_drop(fixture->services, fixture->held[at].member);
    fixture->held[at].key = SPAN_LIT("dropped");
}

static size_t keys_behind(const struct fixture *fixture, struct span after, size_t cap,
                          struct key_bytes *keys)
{
    const struct services_range range = {PAY, after, cap};
    return services_keys(fixture->services, &range, keys);
}

TEST(an_instance_is_counted_once_by_what_is_shown_of_it)
{
    struct fixture f = fixture_new();
    struct map_service service;
    uint64_t by_status[STATUS_COUNT];
    CHECK(!services_get(f.services, PAY, &service));
    set(&f, PAY1, true, STATUS_UNKNOWN);
    set(&f, SPAN_LIT("t\0pay\0b"), true, STATUS_HEALTHY);
    set(&f, SPAN_LIT("t\0pay\0b\0node"), true, STATUS_UNKNOWN);
    CHECK(services_get(f.services, PAY, &service));
    CHECK(service.instances == 2 && !service.policy && service.guarded == 0);
    CHECK(service.by_status[STATUS_UNKNOWN] == 1 && service.by_status[STATUS_HEALTHY] == 1);
    set(&f, PAY1, true, STATUS_DEGRADED);
    set(&f, PAY, true, STATUS_UNKNOWN);
    CHECK(services_get(f.services, PAY, &service));
    CHECK(service.policy && service.guarded == 1 && service.by_status[STATUS_UNKNOWN] == 0);
    services_by_status(f.services, by_status);
    CHECK_UEQ(by_status[STATUS_DEGRADED], 1);
    set(&f, PAY1, false, STATUS_UNKNOWN);
    drop(&f, SPAN_LIT("t\0pay\0b"));
    CHECK(services_get(f.services, PAY, &service));
    CHECK(service.instances == 0 && service.guarded == 0);
    set(&f, PAY, false, STATUS_UNKNOWN);
    CHECK(!services_get(f.services, PAY, &service)); // only tombstones and an observation left
    services_by_status(f.services, by_status);
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        CHECK_UEQ(by_status[i], 0);
    }
    fixture_free(&f);
}

TEST(keys_of_a_service_come_in_order_from_behind_a_key)
{
    struct fixture f = fixture_new();
    const struct span ordered[] = {SPAN_LIT("t\0pay"),       SPAN_LIT("t\0pay\0a"),
                                   SPAN_LIT("t\0pay\0a\0!"), SPAN_LIT("t\0pay\0a\0node"),
                                   SPAN_LIT("t\0pay\0a-1"),  SPAN_LIT("t\0pay\0b")};
    const size_t count = sizeof(ordered) / sizeof(ordered[0]);
    struct key_bytes keys[8];
    for (size_t i = 0; i < count; i++) {
        set(&f, ordered[(i * 5 + 2) % count], i % 2 == 0, STATUS_UNKNOWN);
    }
    set(&f, SPAN_LIT("t\0pa\0x"), true, STATUS_UNKNOWN);
    set(&f, SPAN_LIT("t\0pay2\0x"), true, STATUS_UNKNOWN);
    CHECK_UEQ(keys_behind(&f, SPAN_NONE, 8, keys), count);
    for (size_t i = 0; i < count; i++) {
        CHECK(span_eq(key_span(&keys[i]), ordered[i]));
        struct key_bytes next;
        CHECK_UEQ(keys_behind(&f, ordered[i], 1, &next), i + 1 < count ? 1 : 0);
        CHECK(i + 1 == count || span_eq(key_span(&next), ordered[i + 1]));
    }
    CHECK_UEQ(keys_behind(&f, SPAN_LIT("t\0pay\0a\0m"), 8, keys), 3);
    CHECK_UEQ(keys_behind(&f, SPAN_LIT("t\0pb"), 8, keys), 0);
    fixture_free(&f);
}

TEST(services_come_in_order_and_empty_ones_not_at_all)
{
    struct fixture f = fixture_new();
    struct map_service service;
    struct key_bytes key;
    set(&f, SPAN_LIT("t\0c\0i"), true, STATUS_UNKNOWN);
    set(&f, SPAN_LIT("t\0b"), false, STATUS_UNKNOWN);
    set(&f, SPAN_LIT("t\0a"), true, STATUS_UNKNOWN);
    CHECK(services_next(f.services, SPAN_NONE, &service));
    CHECK(span_eq(key_span(&service.key), SPAN_LIT("t\0a")));
    CHECK(services_next(f.services, SPAN_LIT("t\0a"), &service));
    CHECK(span_eq(key_span(&service.key), SPAN_LIT("t\0c")));
    CHECK(!services_next(f.services, SPAN_LIT("t\0c"), &service));
    CHECK(services_next_key(f.services, SPAN_LIT("t\0a"), &key));
    CHECK(span_eq(key_span(&key), SPAN_LIT("t\0b"))); // of all that have a record
    fixture_free(&f);
}

TEST(an_announcement_is_the_revision_of_its_service)
{
    struct fixture f = fixture_new();
    struct map_service service;
    struct map_change told;
    const struct services_change change = {.shown = true, .status = STATUS_HEALTHY};
    set(&f, PAY1, true, STATUS_UNKNOWN);
    uint64_t index = services_tell(f.services, f.held[place_of(&f, PAY1)].member, &change, f.feed);
    CHECK_UEQ(index, feed_index(f.feed));
    CHECK(services_get(f.services, PAY, &service));
    CHECK_UEQ(service.revision, index);
    CHECK_UEQ(service.by_status[STATUS_HEALTHY], 1);
    CHECK_EQ(feed_next(f.feed, index - 1, &told), FEED_OK);
    CHECK(span_eq(key_span(&told.key), PAY1));
    uint64_t later = services_announce(f.services, f.feed, PAY);
    CHECK_UEQ(later, index + 1);
    CHECK(services_get(f.services, PAY, &service));
    CHECK_UEQ(service.revision, later);
    CHECK_UEQ(services_announce(f.services, f.feed, SPAN_LIT("t\0gone")), later + 1);
    fixture_free(&f);
}

TEST(bytes_go_back_to_where_they_began)
{
    struct fixture f = fixture_new();
    uint64_t before = services_bytes(f.services);
    set(&f, PAY1, true, STATUS_UNKNOWN);
    CHECK_INT(services_bytes(f.services), gt, before);
    drop(&f, PAY1);
    CHECK_UEQ(services_bytes(f.services), before);
    fixture_free(&f);
}

TEST(a_member_knows_the_partition_of_its_service)
{
    struct fixture f = fixture_new();
    const struct span keys[] = {PAY1, PAY, SPAN_LIT("t\0cart\0a"), SPAN_LIT("_mesh\0n")};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        set(&f, keys[i], true, STATUS_UNKNOWN);
        CHECK_UEQ(services_partition(f.held[place_of(&f, keys[i])].member),
                  key_partition(keys[i], PARTITIONS));
    }
    fixture_free(&f);
}

static bool walk(void *arg)
{
    struct services *services = NULL;
    bool ok = services_new(PARTITIONS, &services) == ERR_OK;
    (void)arg;
    for (size_t i = 0; ok && i < 300; i++) {
        char text[32];
        struct services_member *member = NULL;
        int len = snprintf(text, sizeof(text), "t%cs%zu%ci%zu", 0, i % 3, 0, i);
        const struct services_change change = {.shown = true};
        ok = services_add(services, span_of(text, (size_t)len), &change, &member) == ERR_OK;
    }
    services_free(services);
    return ok;
}

TEST(every_allocation_may_fail)
{
    CHECK_INT(failalloc_each(walk, NULL), gt, 300);
}

TEST(a_failed_entry_leaves_nothing_behind)
{
    struct fixture f = fixture_new();
    uint64_t before = services_bytes(f.services);
    const struct services_change change = {.shown = true};
    struct services_member *member = NULL;
    size_t failures = 0;
    for (size_t nth = 1;; nth++) {
        failalloc_arm(nth);
        enum err err = services_add(f.services, PAY1, &change, &member);
        bool failed = failalloc_disarm();
        if (!failed) {
            CHECK_OK(err);
            break;
        }
        failures++;
        struct key_bytes key;
        CHECK_EQ(err, ERR_NOMEM);
        CHECK(!services_next_key(f.services, SPAN_NONE, &key));
        CHECK_UEQ(services_bytes(f.services), before);
    }
    CHECK_INT(failures, gt, 3);
    fixture_free(&f);
}

SUITE("localmap/services", T(an_instance_is_counted_once_by_what_is_shown_of_it),
      T(keys_of_a_service_come_in_order_from_behind_a_key),
      T(services_come_in_order_and_empty_ones_not_at_all),
      T(an_announcement_is_the_revision_of_its_service), T(bytes_go_back_to_where_they_began),
      T(a_member_knows_the_partition_of_its_service), T(every_allocation_may_fail),
      T(a_failed_entry_leaves_nothing_behind));
