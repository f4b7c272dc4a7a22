// SPDX-License-Identifier: Apache-2.0
// Snapshots while writers go on.  Pairs of writers pass money from one account to another, each account a record:
// in each cut the sum of all is the same but for what is on its way, and for a strict cut beside a writer that
// counts its own changes up, no count is missing before the greatest seen.  Then each way in which a record can
// change beside a scan that has not met it yet: larger, gone, new, moved.
#include "base/random.h"
#include "localmap/table/shard.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/sanitizer.h"
#include "tests/lib/suite.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#define KEYS 3000
#define ROUNDS (SANITIZER_THREAD ? 6 : 40)
#define SNAPSHOTS 3

static struct table *table_of(uint32_t shards)
{
    struct table *table = NULL;
    CHECK_OK(table_new(shards, &table));
    return table;
}

static struct table_key key_of(const struct table *table, uint32_t number, char text[16])
{
    memset(text, 0, 16);
    memcpy(text, &number, sizeof(number));
    return table_key(table, span_of(text, 12));
}

struct wish {
    struct span value;
    bool remove;
};

static enum table_verdict decide(void *arg, struct span old, struct table_value *ret_new)
{
    const struct wish *wish = arg;
    (void)old;
    ret_new->body = wish->value;
    return wish->remove ? TABLE_REMOVE : TABLE_STORE;
}

static enum err change(struct table *table, uint32_t number, struct wish wish)
{
    char text[16];
    const struct table_key key = key_of(table, number, text);
    const struct table_change change = {
        .decide = decide, .arg = &wish, .room = wish.value.len, .create = !wish.remove};
    return table_update(table, &key, &change);
}

static enum err store(struct table *table, uint32_t number, uint64_t value, size_t len)
{
    char bytes[1024] = {0};
    memcpy(bytes, &value, sizeof(value));
    return change(table, number, (struct wish){.value = span_of(bytes, len)});
}

static enum err drop(struct table *table, uint32_t number)
{
    return change(table, number, (struct wish){.remove = true});
}

// What a snapshot showed.
struct seen {
    uint32_t times[KEYS];
    uint64_t values[KEYS];
    size_t lens[KEYS];
    uint32_t others;
};

static void note(void *arg, struct span key, struct span value)
{
    struct seen *seen = arg;
    uint32_t number = 0;
    memcpy(&number, key.ptr, sizeof(number));
    if (number >= KEYS) {
        seen->others++;
        return;
    }
    seen->times[number]++;
    memcpy(&seen->values[number], value.ptr, sizeof(uint64_t));
    seen->lens[number] = value.len;
}

static enum table_scan read_on(struct table_snapshot *snapshot, struct seen *seen)
{
    const struct table_visitor visitor = {note, seen};
    enum table_scan scan = TABLE_SCAN_MORE;
    while (scan == TABLE_SCAN_MORE) {
        scan = table_snapshot_next(snapshot, &visitor);
    }
    return scan;
}

static struct table_snapshot *cut_of(struct table *table, enum table_cut cut)
{
    struct table_snapshot *snapshot = NULL;
    CHECK_OK(table_snapshot_new(table, cut, &snapshot));
    return snapshot;
}

static void fill(struct table *table, size_t len)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        CHECK_OK(store(table, i, i, len));
    }
}

static bool as_filled(const struct seen *seen, size_t len)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        if (seen->times[i] != 1 || seen->values[i] != i || seen->lens[i] != len) {
            return false;
        }
    }
    return seen->others == 0;
}

TEST(what_changes_beside_a_scan_is_shown_as_it_was_at_the_cut)
{
    for (int cut = TABLE_CUT_CAUSAL; cut <= TABLE_CUT_STRICT; cut++) {
        // `steps`: how far the scan has come when everything changes.
        for (int steps = 0; steps < 120; steps += steps < 12 ? 1 : 9) {
            struct table *table = table_of(2);
            struct seen seen = {.others = 0};
            const struct table_visitor visitor = {note, &seen};
            fill(table, 40);
            struct table_snapshot *snapshot = cut_of(table, (enum table_cut)cut);
            for (int i = 0; i < steps; i++) {
                CHECK(table_snapshot_next(snapshot, &visitor) != TABLE_SCAN_LOST);
            }
            for (uint32_t i = 0; i < KEYS; i++) {
                CHECK_OK(store(table, KEYS + i, 1, 200)); // new, so the table grows too
                CHECK_OK(i % 3 == 0 ? drop(table, i) : store(table, i, 1, i % 3 == 1 ? 40 : 900));
            }
            CHECK_OK(store(table, 0, 2, 40)); // in a slot that has had another life
            (void)table_tend(table);
            CHECK_EQ(read_on(snapshot, &seen), TABLE_SCAN_END);
            CHECK(as_filled(&seen, 40));
            table_snapshot_free(snapshot);
            table_free(table);
        }
    }
}

TEST(several_snapshots_show_each_their_own_instant)
{
    struct table *table = table_of(4);
    struct table_snapshot *snapshots[TABLE_SNAPSHOTS_MAX];
    struct table_snapshot *one_more = NULL;
    fill(table, 40);
    for (uint64_t i = 0; i < TABLE_SNAPSHOTS_MAX; i++) {
        snapshots[i] = cut_of(table, i % 2 == 0 ? TABLE_CUT_CAUSAL : TABLE_CUT_STRICT);
        CHECK_OK(store(table, 7, 1000 + i, 40));
    }
    CHECK_EQ(table_snapshot_new(table, TABLE_CUT_CAUSAL, &one_more), ERR_FULL);
    for (uint64_t i = 0; i < TABLE_SNAPSHOTS_MAX; i++) {
        struct seen seen = {.others = 0};
        CHECK_EQ(read_on(snapshots[i], &seen), TABLE_SCAN_END);
        CHECK_UEQ(seen.values[7], i == 0 ? 7 : 1000 + i - 1);
        CHECK_UEQ(seen.times[7], 1);
        table_snapshot_free(snapshots[i]);
    }
    CHECK_OK(table_snapshot_new(table, TABLE_CUT_CAUSAL, &one_more)); // the places are free again
    table_snapshot_free(one_more);
    table_free(table);
}

TEST(a_snapshot_without_memory_is_lost_and_writers_are_not)
{
    struct table *table = table_of(1);
    struct seen seen = {.others = 0};
    fill(table, 40);
    struct table_snapshot *snapshot = cut_of(table, TABLE_CUT_CAUSAL);
    failalloc_arm(1);
    enum err err = store(table, 5, 99, 40);
    CHECK(failalloc_disarm());
    CHECK_EQ(err, ERR_OK);
    CHECK_EQ(read_on(snapshot, &seen), TABLE_SCAN_LOST);
    table_snapshot_free(snapshot);
    failalloc_arm(1);
    err = table_snapshot_new(table, TABLE_CUT_STRICT, &snapshot);
    CHECK(failalloc_disarm());
    CHECK_EQ(err, ERR_NOMEM);
    table_free(table);
}

// --- with threads

struct bank {
    struct table *table;
    atomic_bool over;
    atomic_uint_fast64_t failed;
};

#define ACCOUNTS 64
#define MONEY 1000000

// Adds to the account: `amount` may be negative, in two's complement.
static enum table_verdict decide_pay(void *arg, struct span old, struct table_value *ret_new)
{
    uint64_t *amount = arg;
    uint64_t has = 0;
    memcpy(&has, old.ptr, sizeof(has));
    *amount += has;
    ret_new->body = span_of((const char *)amount, sizeof(*amount));
    return TABLE_STORE;
}

static void pay(struct bank *bank, uint32_t account, uint64_t amount)
{
    char text[16];
    const struct table_key key = key_of(bank->table, account, text);
    const struct table_change change = {.decide = decide_pay, .arg = &amount, .room = 8};
    if (table_update(bank->table, &key, &change) != ERR_OK) {
        atomic_fetch_add(&bank->failed, 1);
    }
}

// Takes 1 from an account before it gives it to the next one.
static void *transfer(void *arg)
{
    struct bank *bank = arg;
    for (uint32_t i = 0; !atomic_load(&bank->over); i++) {
        pay(bank, i % ACCOUNTS, (uint64_t)-1);
        pay(bank, (i * 7 + 1) % ACCOUNTS, 1);
        if (i % 64 == 0) { // others come and go, and the table grows
            enum err err = store(bank->table, ACCOUNTS + i % (KEYS - ACCOUNTS), 0, 8 + i % 1000);
            if (err != ERR_OK) {
                atomic_fetch_add(&bank->failed, 1);
            }
        }
    }
    return NULL;
}

static void check_sums(struct bank *bank, uint32_t writers)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct table_snapshot *snapshots[SNAPSHOTS];
        for (int i = 0; i < SNAPSHOTS; i++) {
            snapshots[i] =
                cut_of(bank->table, round % 2 == 0 ? TABLE_CUT_CAUSAL : TABLE_CUT_STRICT);
        }
        for (int i = 0; i < SNAPSHOTS; i++) {
            struct seen seen = {.others = 0};
            uint64_t sum = 0;
            CHECK_EQ(read_on(snapshots[i], &seen), TABLE_SCAN_END);
            for (uint32_t j = 0; j < ACCOUNTS; j++) {
                CHECK_UEQ(seen.times[j], 1);
                sum += seen.values[j];
            }
            // Taken and not yet given: at most 1 for each writer, and never given before it was taken.
            CHECK(sum <= MONEY * (uint64_t)ACCOUNTS);
            CHECK(sum >= MONEY * (uint64_t)ACCOUNTS - writers);
            table_snapshot_free(snapshots[i]);
        }
        (void)table_tend(bank->table);
    }
}

TEST(no_cut_shows_what_was_given_before_it_was_taken)
{
    enum { WRITERS = 2 };
    struct bank bank = {.table = table_of(8)};
    pthread_t threads[WRITERS];
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        CHECK_OK(store(bank.table, i, MONEY, 8));
    }
    for (int i = 0; i < WRITERS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, transfer, &bank), 0);
    }
    check_sums(&bank, WRITERS);
    atomic_store(&bank.over, true);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_UEQ(atomic_load(&bank.failed), 0);
    table_free(bank.table);
}

// --- a change that is told to others before it is done

struct telling {
    struct table *table;
    atomic_bool told;
    uint64_t value;
};

static enum table_verdict decide_and_tell(void *arg, struct span old, struct table_value *ret_new)
{
    struct telling *telling = arg;
    (void)old;
    telling->value = 1;
    ret_new->body = span_of((const char *)&telling->value, sizeof(telling->value));
    atomic_store(&telling->told, true);
    while (atomic_load(&telling->table->cuts) == 0) { // the cut is made while we are still here
        sched_yield();
    }
    return TABLE_STORE;
}

static void *tell(void *arg)
{
    struct telling *telling = arg;
    char text[16];
    const struct table_key key = key_of(telling->table, 0, text);
    const struct table_change change = {.decide = decide_and_tell, .arg = telling, .room = 8};
    enum err err = table_update(telling->table, &key, &change);
    return err == ERR_OK ? NULL : arg;
}

// A key that does not wait for the shard of key 0.
static uint32_t other_shard_than_0(const struct table *table)
{
    char text[16];
    uint32_t number = 1;
    const struct shard_head *first = head_of(table, key_of(table, 0, text).hash);
    while (head_of(table, key_of(table, number, text).hash) == first) {
        number++;
    }
    return number;
}

TEST(what_was_done_because_of_a_change_is_not_shown_without_it)
{
    struct telling telling = {.table = table_of(8)};
    struct seen seen = {.others = 0};
    pthread_t thread;
    void *failed = NULL;
    uint32_t answer = other_shard_than_0(telling.table);
    CHECK(answer < KEYS);
    CHECK_OK(store(telling.table, 0, 0, 8));
    CHECK_OK(store(telling.table, answer, 0, 8));
    CHECK_EQ(pthread_create(&thread, NULL, tell, &telling), 0);
    while (!atomic_load(&telling.told)) {
        sched_yield();
    }
    CHECK_OK(store(telling.table, answer, 1, 8));
    struct table_snapshot *snapshot = cut_of(telling.table, TABLE_CUT_CAUSAL);
    CHECK_EQ(read_on(snapshot, &seen), TABLE_SCAN_END);
    CHECK_UEQ(seen.values[answer], 1);
    CHECK_UEQ(seen.values[0], 1);
    table_snapshot_free(snapshot);
    pthread_join(thread, &failed);
    CHECK(failed == NULL);
    table_free(telling.table);
}

SUITE("localmap/table_snapshot", T(what_changes_beside_a_scan_is_shown_as_it_was_at_the_cut),
      T(several_snapshots_show_each_their_own_instant),
      T(a_snapshot_without_memory_is_lost_and_writers_are_not),
      T(no_cut_shows_what_was_given_before_it_was_taken),
      T(what_was_done_because_of_a_change_is_not_shown_without_it));
