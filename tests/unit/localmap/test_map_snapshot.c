// SPDX-License-Identifier: Apache-2.0
// Snapshots of the map.  At rest: one says of each record what map_get says, and its hashes add up to the digests.
// With writers: money that is passed on is never in two places and missing for at most one writer's step; and no
// change up to the index of the snapshot is missing from it.
#include "base/random.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/sanitizer.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/maps.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ACCOUNTS 64
#define WRITERS 2
#define READERS 2
#define MONEY 1000
#define SNAPSHOTS (SANITIZER_THREAD ? 20 : 150)

static struct span account_key(size_t number, char text[32])
{
    int len = snprintf(text, 32, "t%cs%zu%ci%zu", 0, number % 5, 0, number);
    return span_of(text, (size_t)len);
}

static void scan(struct map_snapshot *snapshot, const struct map_visitor *visitor)
{
    enum map_snapshot_result result = MAP_SNAPSHOT_MORE;
    while (result == MAP_SNAPSHOT_MORE) {
        result = map_snapshot_next(snapshot, visitor);
    }
    CHECK_EQ(result, MAP_SNAPSHOT_END);
}

// --- at rest

struct seen {
    const struct map *map;
    size_t records, bad;
    struct map_digest digests[MAPS_PARTITIONS];
};

static void compare(void *arg, const struct map_record *record)
{
    struct seen *seen = arg;
    struct map_copy copy;
    // Reading takes no lock: so it may be asked here.
    bool same = map_get(seen->map, record->key, &copy) &&
                version_cmp(copy.facts.version, record->facts.version) == 0 &&
                copy.facts.flags == record->facts.flags && copy.facts.hash == record->facts.hash &&
                copy.facts.health.health.status == record->facts.health.health.status &&
                span_eq(map_copy_body(&copy), record->body);
    seen->bad += same ? 0 : 1;
    seen->records++;
    if (record->digested) {
        struct map_digest *digest = &seen->digests[key_partition(record->key, MAPS_PARTITIONS)];
        digest->count++;
        digest->sum = (digest->sum + record->facts.hash) & CODEC_HASH_MASK;
    }
}

static void put(struct map *map, struct span key, uint64_t counter, uint32_t flags)
{
    char body[16];
    enum put_result result = PUT_STALE;
    (void)snprintf(body, sizeof(body), "%llu", (unsigned long long)counter);
    const struct codec_value value = maps_value(key, counter, body);
    CHECK_OK(map_put(map, key, &value, flags, 0, &result));
}

TEST(a_snapshot_says_of_each_record_what_a_look_says)
{
    struct map *map = maps_new();
    struct map_snapshot *snapshot = NULL;
    struct seen seen = {.map = map};
    const struct map_health health = {.health = {.status = STATUS_TIMEOUT}};
    const uint32_t flags[] = {0, MAP_TOMBSTONE, MAP_OPAQUE, MAP_LOCAL};
    enum put_result result = PUT_STALE;
    for (size_t i = 0; i < 500; i++) {
        char text[32];
        put(map, account_key(i, text), i + 1, flags[i % 4]);
    }
    char text[32];
    CHECK(map_set_health(map, account_key(4, text), &health, true));
    CHECK_OK(map_show(map, SPAN_LIT("t\0s0"), SPAN_LIT("wish"), 0, 1, &result));
    CHECK_OK(map_snapshot_new(map, MAP_CUT_CAUSAL, &snapshot));
    CHECK_UEQ(map_snapshot_index(snapshot), map_index(map));
    const struct map_visitor visitor = {compare, &seen};
    scan(snapshot, &visitor);
    map_snapshot_free(snapshot);
    CHECK_UEQ(seen.records, 501);
    CHECK_UEQ(seen.bad, 0);
    for (uint32_t p = 0; p < MAPS_PARTITIONS; p++) {
        CHECK_UEQ(seen.digests[p].count, map_digest(map, p).count);
        CHECK_UEQ(seen.digests[p].sum, map_digest(map, p).sum);
    }
    map_free(map);
}

// What changes after the cut is not in it: neither a new value, nor a new key, nor that one has gone.
static void sum_up(void *arg, const struct map_record *record)
{
    uint64_t *sum = arg;
    *sum += record->facts.version.counter;
}

TEST(what_comes_later_is_not_in_it)
{
    struct map *map = maps_new();
    struct map_snapshot *snapshots[2] = {NULL, NULL};
    char text[32];
    for (size_t i = 0; i < ACCOUNTS; i++) {
        put(map, account_key(i, text), 1, 0);
    }
    for (size_t cut = 0; cut < 2; cut++) {
        CHECK_OK(
            map_snapshot_new(map, cut == 0 ? MAP_CUT_CAUSAL : MAP_CUT_STRICT, &snapshots[cut]));
    }
    for (size_t i = 0; i < ACCOUNTS; i++) {
        put(map, account_key(i, text), 2, 0);
        put(map, account_key(ACCOUNTS + i, text), 1, 0);
        CHECK(i % 2 == 0 || map_drop(map, account_key(i, text)));
    }
    for (size_t cut = 0; cut < 2; cut++) {
        uint64_t sum = 0;
        const struct map_visitor visitor = {sum_up, &sum};
        scan(snapshots[cut], &visitor);
        CHECK_UEQ(sum, ACCOUNTS);
        map_snapshot_free(snapshots[cut]);
    }
    map_free(map);
}

// --- with writers

struct bank {
    struct map *map;
    atomic_bool over;
    atomic_uint bad, snapshots;
};

struct clerk {
    struct bank *bank;
    size_t number;
};

// A body of digits, so that its length changes, too.
static void pay_in(struct bank *bank, struct span key, uint64_t version, uint64_t money)
{
    char body[32];
    enum put_result result = PUT_STALE;
    (void)snprintf(body, sizeof(body), "%llu", (unsigned long long)money);
    const struct codec_value value = maps_value(key, version, body);
    bool ok = map_put(bank->map, key, &value, 0, 0, &result) == ERR_OK;
    atomic_fetch_add(&bank->bad, ok ? 0 : 1);
}

// Takes one from an account of its own and then puts it into another of its own.
static void *pass_on(void *arg)
{
    const struct clerk *clerk = arg;
    uint64_t money[ACCOUNTS];
    struct random random;
    random_seed(&random, clerk->number);
    for (size_t i = 0; i < ACCOUNTS; i++) {
        money[i] = MONEY;
    }
    for (uint64_t version = 2; !atomic_load(&clerk->bank->over); version++) {
        char text[32];
        size_t from = (size_t)random_below(&random, ACCOUNTS / WRITERS) * WRITERS + clerk->number;
        size_t to = (size_t)random_below(&random, ACCOUNTS / WRITERS) * WRITERS + clerk->number;
        if (money[from] > 0) {
            pay_in(clerk->bank, account_key(from, text), version, --money[from]);
            pay_in(clerk->bank, account_key(to, text), ++version, ++money[to]);
        }
    }
    return NULL;
}

static void add_money(void *arg, const struct map_record *record)
{
    uint64_t *sum = arg;
    char text[32] = {0};
    memcpy(text, record->body.ptr, record->body.len < 31 ? record->body.len : 31);
    *sum += strtoull(text, NULL, 10);
}

static void *audit(void *arg)
{
    const struct clerk *clerk = arg;
    struct bank *bank = clerk->bank;
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        struct map_snapshot *snapshot = NULL;
        enum map_snapshot_result result = MAP_SNAPSHOT_MORE;
        uint64_t sum = 0;
        const struct map_visitor visitor = {add_money, &sum};
        enum map_cut cut = (i + clerk->number) % 2 == 0 ? MAP_CUT_CAUSAL : MAP_CUT_STRICT;
        bool made = map_snapshot_new(bank->map, cut, &snapshot) == ERR_OK;
        while (made && result == MAP_SNAPSHOT_MORE) {
            result = map_snapshot_next(snapshot, &visitor);
        }
        map_snapshot_free(snapshot);
        bool whole = sum <= ACCOUNTS * MONEY && sum + WRITERS >= ACCOUNTS * MONEY;
        atomic_fetch_add(&bank->bad, made && result == MAP_SNAPSHOT_END && whole ? 0 : 1);
        atomic_fetch_add(&bank->snapshots, 1);
    }
    return NULL;
}

TEST(money_that_is_passed_on_is_in_one_place_in_each_of_several_cuts)
{
    struct bank bank = {.map = maps_new()};
    struct clerk clerks[WRITERS + READERS];
    pthread_t threads[WRITERS + READERS];
    char text[32];
    for (size_t i = 0; i < ACCOUNTS; i++) {
        pay_in(&bank, account_key(i, text), 1, MONEY);
    }
    for (size_t i = 0; i < WRITERS + READERS; i++) {
        clerks[i] = (struct clerk){&bank, i < WRITERS ? i : i - WRITERS};
        CHECK_EQ(pthread_create(&threads[i], NULL, i < WRITERS ? pass_on : audit, &clerks[i]), 0);
    }
    for (size_t i = WRITERS; i < WRITERS + READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    atomic_store(&bank.over, true);
    for (size_t i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_EQ(atomic_load(&bank.bad), 0);
    CHECK_EQ(atomic_load(&bank.snapshots), READERS * SNAPSHOTS);
    map_free(bank.map);
}

// One writer announces account after account: so the index of a change names its account.
static void *announce_in_turn(void *arg)
{
    struct bank *bank = arg;
    while (!atomic_load(&bank->over)) {
        char text[32];
        uint64_t index = map_index(bank->map) + 1;
        const struct map_health health = {
            .health = {.status = (enum status)(index % STATUS_COUNT)}};
        bool ok = map_set_health(bank->map, account_key(index % ACCOUNTS, text), &health, true);
        atomic_fetch_add(&bank->bad, ok ? 0 : 1);
    }
    return NULL;
}

struct revisions {
    uint64_t index;
    size_t missing, records;
};

static void look_for_changes(void *arg, const struct map_record *record)
{
    struct revisions *revisions = arg;
    char text[32] = {0};
    memcpy(text, record->body.ptr, record->body.len < 31 ? record->body.len : 31);
    uint64_t account = strtoull(text, NULL, 10) - 1;
    // Of this account's changes the last one up to the index.
    uint64_t due = revisions->index - (revisions->index % ACCOUNTS + ACCOUNTS - account) % ACCOUNTS;
    revisions->missing += record->facts.health.revision >= due ? 0 : 1;
    revisions->records++;
}

// Both on one core, so that whenever we run the writer stands still somewhere: also after it has announced and
// before it has stored.  Where that is not allowed the test sees less.
static void share_a_core(cpu_set_t *ret_before)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CHECK_EQ(sched_getaffinity(0, sizeof(*ret_before), ret_before), 0);
    int cpu = sched_getcpu();
    if (cpu >= 0) {
        CPU_SET((unsigned)cpu, &one);
        (void)sched_setaffinity(0, sizeof(one), &one);
    }
}

TEST(no_change_up_to_its_index_is_missing)
{
    struct bank bank = {.map = maps_new()};
    pthread_t writer;
    cpu_set_t cores;
    share_a_core(&cores);
    for (size_t i = 0; i < ACCOUNTS; i++) {
        char text[32];
        put(bank.map, account_key(i, text), i + 1, 0);
    }
    uint64_t start = map_index(bank.map);
    CHECK_EQ(pthread_create(&writer, NULL, announce_in_turn, &bank), 0);
    while (map_index(bank.map) < start + ACCOUNTS) { // each account has had its turn
        sched_yield();
    }
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        struct map_snapshot *snapshot = NULL;
        enum map_cut cut = i % 2 == 0 ? MAP_CUT_CAUSAL : MAP_CUT_STRICT;
        uint64_t last = map_index(bank.map);
        while (map_index(bank.map) == last) { // the writer has had the core in between
            sched_yield();
        }
        CHECK_OK(map_snapshot_new(bank.map, cut, &snapshot));
        struct revisions revisions = {.index = map_snapshot_index(snapshot)};
        const struct map_visitor visitor = {look_for_changes, &revisions};
        scan(snapshot, &visitor);
        map_snapshot_free(snapshot);
        CHECK_UEQ(revisions.records, ACCOUNTS);
        CHECK_UEQ(revisions.missing, 0);
    }
    atomic_store(&bank.over, true);
    pthread_join(writer, NULL);
    (void)sched_setaffinity(0, sizeof(cores), &cores);
    CHECK_EQ(atomic_load(&bank.bad), 0);
    map_free(bank.map);
}

// --- what cannot be had

static bool walk(void *arg)
{
    struct map *map = arg;
    struct map_snapshot *snapshot = NULL;
    bool ok = map_snapshot_new(map, MAP_CUT_CAUSAL, &snapshot) == ERR_OK;
    map_snapshot_free(snapshot);
    return ok;
}

TEST(every_allocation_may_fail)
{
    struct map *map = maps_new();
    CHECK_INT(failalloc_each(walk, map), gt, 1);
    map_free(map);
}

TEST(there_are_eight_at_once)
{
    struct map *map = maps_new();
    struct map_snapshot *snapshots[9] = {NULL};
    for (size_t i = 0; i < 8; i++) {
        CHECK_OK(map_snapshot_new(map, MAP_CUT_CAUSAL, &snapshots[i]));
    }
    CHECK_EQ(map_snapshot_new(map, MAP_CUT_CAUSAL, &snapshots[8]), ERR_FULL);
    map_snapshot_free(snapshots[3]);
    CHECK_OK(map_snapshot_new(map, MAP_CUT_STRICT, &snapshots[3]));
    for (size_t i = 0; i < 8; i++) {
        map_snapshot_free(snapshots[i]);
    }
    map_free(map);
}

SUITE("localmap/map (snapshots)", T(a_snapshot_says_of_each_record_what_a_look_says),
      T(what_comes_later_is_not_in_it),
      T(money_that_is_passed_on_is_in_one_place_in_each_of_several_cuts),
      T(no_change_up_to_its_index_is_missing), T(every_allocation_may_fail),
      T(there_are_eight_at_once));
