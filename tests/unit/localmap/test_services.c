// SPDX-License-Identifier: Apache-2.0
// The index of services: what is counted of each record as it comes, changes and goes; keys in order.  Then
// readers without a lock beside a writer, who know what must hold of every answer.
#include "localmap/services.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include "base/random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define PAY SPAN_LIT("t\0pay")
#define PAY1 SPAN_LIT("t\0pay\0a")

#define MEMBERS_MAX 16
#define PARTITIONS 16

// Remembers what the slots of a table would.
struct fixture {
    struct services *services;
    struct feed *feed;
    struct {
        struct span key; // NULL: free
        uint32_t service;
        struct services_shown shown;
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

static struct map_key key_of(struct span bytes)
{
    struct span instance = key_instance_prefix(bytes);
    return (struct map_key){.bytes = bytes,
                            .registration = instance.len > 0 && instance.len == bytes.len};
}

static void set(struct fixture *fixture, struct span bytes, bool shown, enum status status)
{
    size_t at = place_of(fixture, bytes);
    const struct map_key key = key_of(bytes);
    const struct services_change change = {
        .key = &key,
        .service = fixture->held[at].service,
        .before = fixture->held[at].shown,
        .after = {.shown = shown, .status = status, .guarded = status == STATUS_DEGRADED}};
    fixture->held[at].shown = change.after;
    if (fixture->held[at].key.ptr != NULL) {
        services_set(fixture->services, &change);
        return;
    }
    CHECK_OK(services_add(fixture->services, &change, &fixture->held[at].service));
    fixture->held[at].key = bytes;
}

static void drop(struct fixture *fixture, struct span key)
{
    size_t at = place_of(fixture, key);
    const struct map_key map_key = key_of(key);
    const struct services_change change = {
        .key = &map_key, .service = fixture->held[at].service, .before = fixture->held[at].shown};
    CHECK(fixture->held[at].key.ptr != NULL);
    services_drop(fixture->services, &change);
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
    const struct map_key key = key_of(PAY1);
    const struct services_change change = {.key = &key,
                                           .before = {.shown = true, .status = STATUS_UNKNOWN},
                                           .after = {.shown = true, .status = STATUS_HEALTHY}};
    set(&f, PAY1, true, STATUS_UNKNOWN);
    uint64_t index = services_tell(f.services, &change, f.feed);
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

TEST(what_a_dropped_record_leaves_is_used_again)
{
    struct fixture f = fixture_new();
    uint64_t before = services_bytes(f.services);
    set(&f, PAY1, true, STATUS_UNKNOWN);
    uint64_t with_one = services_bytes(f.services);
    CHECK_INT(with_one, gt, before);
    for (size_t i = 0; i < 1000; i++) {
        char text[32];
        int len = snprintf(text, sizeof(text), "t%cs%zu%ci%zu", 0, i, 0, i);
        struct map_key key = key_of(span_of(text, (size_t)len));
        struct services_change change = {.key = &key, .after = {.shown = true}};
        CHECK_OK(services_add(f.services, &change, &change.service));
        change.before = change.after;
        services_drop(f.services, &change);
    }
    CHECK_UEQ(services_bytes(f.services), with_one);
    fixture_free(&f);
}

TEST(a_slot_finds_the_partition_of_its_service)
{
    struct fixture f = fixture_new();
    const struct span keys[] = {PAY1, PAY, SPAN_LIT("t\0cart\0a"), SPAN_LIT("_mesh\0n")};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        set(&f, keys[i], true, STATUS_UNKNOWN);
        CHECK_UEQ(services_partition(f.services, f.held[place_of(&f, keys[i])].service),
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
        uint32_t service = 0;
        int len = snprintf(text, sizeof(text), "t%cs%zu%ci%zu", 0, i % 40, 0, i);
        const struct map_key key = key_of(span_of(text, (size_t)len));
        const struct services_change change = {.key = &key, .after = {.shown = true}};
        ok = services_add(services, &change, &service) == ERR_OK;
    }
    services_free(services);
    return ok;
}

TEST(every_allocation_may_fail)
{
    CHECK_INT(failalloc_each(walk, NULL), gt, 3);
}

// The key of a service that a_failed_entry_leaves_nothing_behind has made.
static struct span last_key(size_t number)
{
    static char text[8];
    int len = snprintf(text, sizeof(text), "t%cs%03zu", 0, number);
    return span_of(text, (size_t)len);
}

TEST(a_failed_entry_leaves_nothing_behind)
{
    struct fixture f = fixture_new();
    size_t failures = 0;
    for (size_t i = 0; i < 600; i++) {
        char text[32];
        int len = snprintf(text, sizeof(text), "t%cs%03zu%ci", 0, i, 0);
        const struct map_key key = key_of(span_of(text, (size_t)len));
        const struct services_change change = {.key = &key, .after = {.shown = true}};
        struct map_service found;
        struct key_bytes next;
        uint32_t service = 0;
        failalloc_arm(1);
        enum err err = services_add(f.services, &change, &service);
        if (failalloc_disarm()) {
            failures++;
            CHECK_EQ(err, ERR_NOMEM);
            CHECK(!services_get(f.services, key_service_prefix(key.bytes), &found));
            CHECK(!services_next_key(f.services, i == 0 ? SPAN_NONE : last_key(i - 1), &next));
            err = services_add(f.services, &change, &service);
        }
        CHECK_OK(err);
        CHECK(services_get(f.services, key_service_prefix(key.bytes), &found));
    }
    CHECK_INT(failures, gt, 3);
    fixture_free(&f);
}

// --- readers beside a writer

#define LANES 40 // services, of which every other one is opened and closed all the time
#define CHANGES 60000
#define READERS 2

struct shared {
    struct services *services;
    struct feed *feed;
    bool churn; // odd lanes change, too
    atomic_bool over;
    atomic_uint bad, readings;
};

static void expect(struct shared *shared, bool condition)
{
    atomic_fetch_add(&shared->bad, condition ? 0 : 1);
}

static struct span lane_key(size_t lane, size_t instance, char text[32])
{
    int len = snprintf(text, 32, "t%cs%02zu%ci%zu-%02zu", 0, lane, 0, instance, lane);
    return span_of(text, (size_t)len);
}

static struct span lane_service(size_t lane, char text[32])
{
    return key_service_prefix(lane_key(lane, 0, text));
}

// Two instances in an even lane: one UNKNOWN, the other as the revision says.  One UNKNOWN, or none, in an odd one.
static void check_counts(struct shared *shared, size_t lane, const struct map_service *service)
{
    uint32_t wanted[STATUS_COUNT] = {[STATUS_UNKNOWN] = 1};
    if (lane % 2 == 0) {
        wanted[service->revision % STATUS_COUNT]++;
    }
    expect(shared, memcmp(wanted, service->by_status, sizeof(wanted)) == 0);
    expect(shared, service->instances == (lane % 2 == 0 ? 2 : 1));
    expect(shared, service->guarded == service->by_status[STATUS_DEGRADED]);
}

static void check_service(struct shared *shared, size_t lane, uint64_t *revision)
{
    char text[32];
    struct map_service service;
    struct span key = lane_service(lane, text);
    if (!services_get(shared->services, key, &service)) {
        expect(shared, lane % 2 == 1);
        return;
    }
    check_counts(shared, lane, &service);
    expect(shared, span_eq(key_span(&service.key), key));
    expect(shared, lane % 2 == 1 || service.revision >= *revision);
    *revision = service.revision;
}

static void check_keys(struct shared *shared, size_t lane)
{
    char text[32];
    char other[32];
    struct key_bytes keys[4];
    const struct services_range range = {lane_service(lane, text), SPAN_NONE, 4};
    size_t count = services_keys(shared->services, &range, keys);
    expect(shared, lane % 2 == 0 ? count == 2 : count <= 1);
    for (size_t i = 0; i < count; i++) {
        expect(shared, span_eq(key_span(&keys[i]), lane_key(lane, i, other)));
    }
}

static void check_walk(struct shared *shared)
{
    char text[32];
    struct map_service service;
    struct key_bytes last = {.len = 0};
    size_t even = 0;
    while (services_next(shared->services, key_span(&last), &service)) {
        bool is_next =
            even < LANES / 2 && span_eq(key_span(&service.key), lane_service(even * 2, text));
        even += is_next ? 1 : 0;
        expect(shared, span_cmp(key_span(&last), key_span(&service.key)) < 0);
        last = service.key;
    }
    expect(shared, even == LANES / 2);
}

static void check_totals(struct shared *shared)
{
    uint64_t by_status[STATUS_COUNT];
    uint64_t sum = 0;
    services_by_status(shared->services, by_status);
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        sum += by_status[i];
    }
    // Whoever moves from one status to another is in one of them.
    expect(shared, sum >= LANES && sum <= LANES + (shared->churn ? LANES / 2 : 0));
}

static void *read_on(void *arg)
{
    struct shared *shared = arg;
    uint64_t revisions[LANES] = {0};
    while (!atomic_load(&shared->over)) {
        for (size_t lane = 0; lane < LANES; lane++) {
            check_service(shared, lane, &revisions[lane]);
            check_keys(shared, lane);
            for (size_t i = 0; i < 20; i++) { // a move is a few words: often, to meet one
                check_totals(shared);
            }
        }
        check_walk(shared);
        atomic_fetch_add(&shared->readings, 1);
    }
    return NULL;
}

struct lane {
    uint32_t service;
    struct services_shown shown;
};

static void open_lane(struct shared *shared, size_t number, size_t instance, struct lane *lane)
{
    char text[32];
    const struct map_key key = key_of(lane_key(number, instance, text));
    const struct services_change change = {.key = &key, .after = {.shown = true}};
    CHECK_OK(services_add(shared->services, &change, &lane->service));
    lane->shown = change.after;
}

// The instance of an odd lane comes or goes; the first one of an even lane gets the status of its revision.
static void change_lane(struct shared *shared, size_t number, struct lane *lane)
{
    char text[32];
    if (number % 2 == 1 && !lane->shown.shown) {
        open_lane(shared, number, 0, lane);
        return;
    }
    const struct map_key key = key_of(lane_key(number, 0, text));
    struct services_change change = {.key = &key, .service = lane->service, .before = lane->shown};
    if (number % 2 == 1) {
        services_drop(shared->services, &change);
    } else {
        enum status status = (enum status)((feed_index(shared->feed) + 1) % STATUS_COUNT);
        change.after = (struct services_shown){
            .shown = true, .status = status, .guarded = status == STATUS_DEGRADED};
        (void)services_tell(shared->services, &change, shared->feed);
    }
    lane->shown = change.after;
}

static void run_beside_readers(bool churn)
{
    struct fixture f = fixture_new();
    struct shared shared = {.services = f.services, .feed = f.feed, .churn = churn};
    struct lane lanes[LANES] = {{.service = 0}};
    struct random random;
    pthread_t readers[READERS];
    random_seed(&random, 5);
    for (size_t i = 0; i < LANES; i += 2) {
        struct lane other;
        open_lane(&shared, i, 0, &lanes[i]);
        open_lane(&shared, i, 1, &other);
        change_lane(&shared, i, &lanes[i]);
    }
    for (size_t i = 0; i < READERS; i++) {
        CHECK_EQ(pthread_create(&readers[i], NULL, read_on, &shared), 0);
    }
    for (size_t i = 0; i < CHANGES || atomic_load(&shared.readings) < 20; i++) {
        size_t number = (size_t)random_below(&random, LANES);
        number -= churn ? 0 : number % 2;
        change_lane(&shared, number, &lanes[number]);
    }
    atomic_store(&shared.over, true);
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
    }
    CHECK_EQ(atomic_load(&shared.bad), 0);
    fixture_free(&f);
}

TEST(readers_get_whole_answers_while_services_come_and_go)
{
    run_beside_readers(true);
}

TEST(readers_find_each_instance_in_one_status)
{
    run_beside_readers(false);
}

SUITE("localmap/services", T(an_instance_is_counted_once_by_what_is_shown_of_it),
      T(keys_of_a_service_come_in_order_from_behind_a_key),
      T(services_come_in_order_and_empty_ones_not_at_all),
      T(an_announcement_is_the_revision_of_its_service),
      T(what_a_dropped_record_leaves_is_used_again), T(a_slot_finds_the_partition_of_its_service),
      T(every_allocation_may_fail), T(a_failed_entry_leaves_nothing_behind),
      T(readers_get_whole_answers_while_services_come_and_go),
      T(readers_find_each_instance_in_one_status));
