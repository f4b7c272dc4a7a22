// SPDX-License-Identifier: Apache-2.0
// The table against a plain array of what it must hold, by random changes; walks while it changes; hashes
// that collide, made by hand; then threads, whose values prove that none was ever seen half.
#include "base/random.h"
#include "localmap/table/table.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define KEYS 400
#define VALUE_MAX 600

static struct table *table_of(uint32_t shards)
{
    struct table *table = NULL;
    CHECK_OK(table_new(shards, &table));
    return table;
}

static struct span key_text(size_t number, char text[16])
{
    int len = snprintf(text, 16, "key-%zu", number);
    return span_of(text, (size_t)len);
}

// What a change is told to do, and what it saw.
struct wish {
    enum table_verdict verdict;
    struct span head, body;
    bool append; // the new body is the old value
    bool asked, was_there;
    char seen[VALUE_MAX + 64];
    size_t seen_len;
};

static enum table_verdict decide(void *arg, struct span old, struct table_value *ret_new)
{
    struct wish *wish = arg;
    wish->asked = true;
    wish->was_there = old.ptr != NULL;
    wish->seen_len = old.len;
    if (old.len > 0) {
        memcpy(wish->seen, old.ptr, old.len);
    }
    *ret_new = (struct table_value){wish->head, wish->append ? old : wish->body};
    return wish->verdict;
}

static enum err change(struct table *table, struct span bytes, struct wish *wish, bool create)
{
    const struct table_key key = table_key(table, bytes);
    const struct table_change update = {
        .decide = decide, .arg = wish, .room = wish->head.len + wish->body.len, .create = create};
    return table_update(table, &key, &update);
}

static enum err store(struct table *table, struct span key, struct span value)
{
    struct wish wish = {.verdict = TABLE_STORE, .body = value};
    return change(table, key, &wish, true);
}

struct read {
    size_t len;
    char value[VALUE_MAX];
};

static void look(void *arg, struct span value)
{
    struct read *read = arg;
    read->len = value.len;
    if (value.len > 0) {
        memcpy(read->value, value.ptr, value.len);
    }
}

static bool get(const struct table *table, struct span bytes, struct read *ret_read)
{
    const struct table_key key = table_key(table, bytes);
    return table_read(table, &key, look, ret_read);
}

static bool holds(const struct table *table, struct span key, struct span value)
{
    struct read read;
    return get(table, key, &read) && span_eq(span_of(read.value, read.len), value);
}

TEST(a_verdict_is_carried_out)
{
    struct table *table = table_of(4);
    const struct span key = SPAN_LIT("k");
    struct wish wish = {.verdict = TABLE_STORE, .head = SPAN_LIT("ab"), .body = SPAN_LIT("cd")};
    CHECK_EQ(change(table, key, &wish, false), ERR_NOT_FOUND);
    CHECK(!wish.asked);
    CHECK_OK(change(table, key, &wish, true));
    CHECK(wish.asked && !wish.was_there);
    CHECK(holds(table, key, SPAN_LIT("abcd")));
    wish = (struct wish){.verdict = TABLE_KEEP, .body = SPAN_LIT("zz")};
    CHECK_OK(change(table, key, &wish, true));
    CHECK(wish.was_there && wish.seen_len == 4 && memcmp(wish.seen, "abcd", 4) == 0);
    CHECK(holds(table, key, SPAN_LIT("abcd")));
    CHECK_UEQ(table_count(table), 1);
    wish = (struct wish){.verdict = TABLE_STORE, .head = SPAN_LIT(""), .body = SPAN_LIT("")};
    CHECK_OK(change(table, key, &wish, false));
    CHECK(holds(table, key, SPAN_LIT("")));
    wish.verdict = TABLE_REMOVE;
    CHECK_OK(change(table, key, &wish, false));
    CHECK(wish.was_there);
    CHECK_UEQ(table_count(table), 0);
    CHECK_OK(change(table, key, &wish, true)); // nothing to remove
    CHECK_UEQ(table_count(table), 0);
    wish.verdict = TABLE_KEEP;
    CHECK_OK(change(table, key, &wish, true)); // and nothing made
    CHECK_UEQ(table_count(table), 0);
    table_free(table);
}

TEST(a_new_value_may_be_made_of_the_old_one)
{
    struct table *table = table_of(1);
    const struct span key = SPAN_LIT("k");
    CHECK_OK(store(table, key, SPAN_LIT("0123456789")));
    for (size_t i = 0; i < 30; i++) {
        struct read before;
        CHECK(get(table, key, &before));
        struct wish wish = {.verdict = TABLE_STORE,
                            .head = SPAN_LIT("abc"),
                            .body = span_of(before.value, before.len),
                            .append = true};
        CHECK_OK(change(table, key, &wish, true));
        struct read after;
        CHECK(get(table, key, &after));
        CHECK_UEQ(after.len, before.len + 3);
        CHECK_MEM(after.value, "abc", 3);
        CHECK_MEM(after.value + 3, before.value, before.len);
    }
    table_free(table);
}

TEST(only_a_power_of_two_of_shards_is_taken)
{
    static const uint32_t bad[] = {0, 3, 63, 2 * TABLE_SHARDS_MAX, UINT32_MAX};
    struct table *table = NULL;
    for (size_t i = 0; i < 5; i++) {
        CHECK_EQ(table_new(bad[i], &table), ERR_INVALID);
    }
    CHECK(table == NULL);
    table_free(NULL);
}

struct reference {
    bool there[KEYS];
    size_t len[KEYS];
    char value[KEYS][VALUE_MAX];
};

static void check_all(const struct table *table, const struct reference *reference)
{
    size_t count = 0;
    for (size_t i = 0; i < KEYS; i++) {
        char text[16];
        struct read read;
        struct span key = key_text(i, text);
        CHECK_EQ(get(table, key, &read), reference->there[i]);
        if (reference->there[i]) {
            count++;
            CHECK(holds(table, key, span_of(reference->value[i], reference->len[i])));
        }
    }
    CHECK_UEQ(table_count(table), count);
    struct table_cursor cursor = {0};
    struct read read;
    while (table_next(table, &cursor, look, &read)) {
        cursor.key[cursor.key_len] = '\0';
        size_t number = (size_t)strtoul(cursor.key + 4, NULL, 10);
        CHECK(number < KEYS && reference->there[number]);
        CHECK(span_eq(span_of(read.value, read.len),
                      span_of(reference->value[number], reference->len[number])));
        count--;
    }
    CHECK_UEQ(count, 0);
}

static void random_step(struct table *table, struct reference *reference, struct random *random)
{
    char text[16];
    size_t i = (size_t)random_below(random, KEYS);
    struct span key = key_text(i, text);
    struct wish wish = {.verdict = TABLE_REMOVE};
    if (random_below(random, 3) == 0) {
        enum err err = change(table, key, &wish, false);
        CHECK_EQ(err, reference->there[i] ? ERR_OK : ERR_NOT_FOUND);
        reference->there[i] = false;
        return;
    }
    reference->len[i] = (size_t)random_below(random, random_below(random, 8) == 0 ? VALUE_MAX : 60);
    for (size_t j = 0; j < reference->len[i]; j++) {
        reference->value[i][j] = (char)random_below(random, 256);
    }
    CHECK_OK(store(table, key, span_of(reference->value[i], reference->len[i])));
    reference->there[i] = true;
}

TEST(random_changes_leave_what_a_plain_array_holds)
{
    static struct reference reference;
    static const uint32_t shards[] = {1, 2, 64};
    struct random random;
    random_seed(&random, 1);
    for (size_t i = 0; i < 3; i++) {
        struct table *table = table_of(shards[i]);
        memset(&reference, 0, sizeof(reference));
        for (size_t step = 0; step < 20000; step++) {
            random_step(table, &reference, &random);
            if (step % 2000 == 0) {
                check_all(table, &reference);
            }
        }
        check_all(table, &reference);
        table_free(table);
    }
}

// Hashes by hand: all alike, or all at the end of the last shard, where cells cannot move on.
TEST(colliding_hashes_are_told_apart_by_their_keys)
{
    static const uint64_t hashes[] = {0, UINT64_MAX, UINT64_C(0x8000000000000000)};
    struct table *table = table_of(2);
    for (size_t h = 0; h < 3; h++) {
        for (size_t i = 0; i < 40; i++) {
            char text[16];
            struct table_key key = {key_text(100 * h + i, text), hashes[h]};
            struct wish wish = {.verdict = TABLE_STORE, .body = key.bytes};
            const struct table_change update = {
                .decide = decide, .arg = &wish, .room = key.bytes.len, .create = true};
            CHECK_OK(table_update(table, &key, &update));
            CHECK(!wish.was_there);
        }
    }
    for (size_t h = 0; h < 3; h++) {
        for (size_t i = 0; i < 40; i++) {
            char text[16];
            struct read read;
            struct table_key key = {key_text(100 * h + i, text), hashes[h]};
            CHECK(table_read(table, &key, look, &read));
            CHECK(span_eq(span_of(read.value, read.len), key.bytes));
            struct wish wish = {.verdict = TABLE_REMOVE};
            const struct table_change update = {.decide = decide, .arg = &wish};
            CHECK_OK(table_update(table, &key, &update));
            CHECK(!table_read(table, &key, look, &read));
        }
    }
    CHECK_UEQ(table_count(table), 0);
    table_free(table);
}

TEST(a_walk_meets_each_key_that_stays_exactly_once)
{
    struct table *table = table_of(4);
    struct random random;
    size_t met[KEYS] = {0};
    char text[16];
    random_seed(&random, 2);
    for (size_t i = 0; i < KEYS; i++) {
        CHECK_OK(store(table, key_text(i, text), SPAN_LIT("v")));
    }
    struct table_cursor cursor = {0};
    struct read read;
    for (size_t step = 0; table_next(table, &cursor, look, &read); step++) {
        cursor.key[cursor.key_len] = '\0';
        size_t number = (size_t)strtoul(cursor.key + 4, NULL, 10);
        if (number < KEYS) {
            met[number]++;
        }
        // The odd keys go, thousands of others come, and the shards grow under the walk.
        struct wish wish = {.verdict = TABLE_REMOVE};
        (void)change(table, key_text(2 * (size_t)random_below(&random, KEYS / 2) + 1, text), &wish,
                     false);
        for (size_t i = 0; step < KEYS && i < 10; i++) {
            CHECK_OK(store(table, key_text(KEYS + 10 * step + i, text), SPAN_LIT("w")));
        }
    }
    for (size_t i = 0; i < KEYS; i++) {
        CHECK(i % 2 == 0 ? met[i] == 1 : met[i] <= 1);
    }
    table_free(table);
}

TEST(the_bytes_of_a_table_follow_its_values)
{
    struct table *table = table_of(1);
    static const char big[VALUE_MAX] = {0};
    uint64_t empty = table_bytes(table);
    CHECK_OK(store(table, SPAN_LIT("k"), span_of(big, VALUE_MAX)));
    CHECK_INT(table_bytes(table), ge, empty + VALUE_MAX);
    CHECK_OK(store(table, SPAN_LIT("k"), SPAN_LIT("small")));
    CHECK_INT(table_bytes(table), lt, empty + VALUE_MAX);
    struct wish wish = {.verdict = TABLE_REMOVE};
    CHECK_OK(change(table, SPAN_LIT("k"), &wish, false));
    CHECK_UEQ(table_bytes(table), empty);
    table_free(table);
}

static bool walk(void *arg)
{
    struct table *table = NULL;
    bool ok = table_new(2, &table) == ERR_OK;
    (void)arg;
    for (size_t i = 0; ok && i < 60; i++) {
        char text[16];
        ok = store(table, key_text(i, text), SPAN_LIT("value")) == ERR_OK;
        ok = ok &&
             store(table, key_text(i, text), SPAN_LIT("a value that is much longer")) == ERR_OK;
    }
    table_free(table);
    return ok;
}

TEST(every_allocation_may_fail)
{
    CHECK_INT(failalloc_each(walk, NULL), gt, 5);
}

// Memory comes in chunks: the failure meets the first key for which there is no slot any more.
TEST(a_failed_change_asks_nobody_and_changes_nothing)
{
    struct table *table = table_of(1);
    static const char big[VALUE_MAX] = {0};
    char text[16];
    struct wish wish = {.verdict = TABLE_STORE, .body = span_of(big, VALUE_MAX)};
    enum err err = ERR_OK;
    size_t stored = 0;
    CHECK_OK(store(table, SPAN_LIT("k"), SPAN_LIT("v")));
    failalloc_arm(1);
    for (; err == ERR_OK && stored < KEYS; stored += err == ERR_OK) {
        wish.asked = false;
        err = change(table, key_text(stored, text), &wish, true);
    }
    CHECK(failalloc_disarm());
    CHECK_EQ(err, ERR_NOMEM);
    CHECK(!wish.asked);
    CHECK_UEQ(table_count(table), stored + 1);
    failalloc_arm(1);
    enum err held = change(table, SPAN_LIT("k"), &wish, true);
    CHECK(failalloc_disarm());
    CHECK_EQ(held, ERR_NOMEM);
    CHECK(!wish.asked);
    CHECK(holds(table, SPAN_LIT("k"), SPAN_LIT("v")));
    table_free(table);
}

// --- threads

#define THREADS 4
#define SHARED 200
#define ROUNDS 20000

// A value is one number over and over, so that a torn one shows; the number counts the writes of the key.
struct torture {
    struct table *table;
    atomic_uint bad;
    atomic_uint_fast64_t writes[SHARED];
};

struct worker {
    struct torture *torture;
    uint64_t seed;
};

static bool is_whole(struct span value, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (value.len == 0 || value.len % sizeof(number) != 0) {
        return false;
    }
    memcpy(ret_number, value.ptr, sizeof(number));
    for (size_t at = 0; at < value.len; at += sizeof(number)) {
        memcpy(&number, value.ptr + at, sizeof(number));
        if (number != *ret_number) {
            return false;
        }
    }
    return true;
}

struct count_up {
    struct torture *torture;
    uint64_t copies;
    uint64_t value[VALUE_MAX / 8];
};

static enum table_verdict decide_count(void *arg, struct span old, struct table_value *ret_new)
{
    struct count_up *up = arg;
    uint64_t number = 0;
    if (old.ptr != NULL && !is_whole(old, &number)) {
        atomic_fetch_add(&up->torture->bad, 1);
    }
    for (size_t i = 0; i < up->copies; i++) {
        up->value[i] = number + 1;
    }
    ret_new->body = span_of(up->value, up->copies * sizeof(uint64_t));
    return TABLE_STORE;
}

static void look_whole(void *arg, struct span value)
{
    struct torture *torture = arg;
    uint64_t number = 0;
    if (!is_whole(value, &number)) {
        atomic_fetch_add(&torture->bad, 1);
    }
}

static void *work(void *arg)
{
    const struct worker *worker = arg;
    struct torture *torture = worker->torture;
    struct random random;
    random_seed(&random, worker->seed);
    for (size_t i = 0; i < ROUNDS; i++) {
        char text[16];
        size_t number = (size_t)random_below(&random, SHARED);
        const struct table_key key = table_key(torture->table, key_text(number, text));
        if (random_below(&random, 2) == 0) {
            (void)table_read(torture->table, &key, look_whole, torture);
            continue;
        }
        struct count_up up = {.torture = torture, .copies = 1 + random_below(&random, 60)};
        const struct table_change update = {
            .decide = decide_count, .arg = &up, .room = up.copies * 8, .create = true};
        if (table_update(torture->table, &key, &update) != ERR_OK) {
            atomic_fetch_add(&torture->bad, 1);
        }
        atomic_fetch_add(&torture->writes[number], 1);
        if (i % 4000 == 0) {
            struct table_cursor cursor = {0};
            while (table_next(torture->table, &cursor, look_whole, torture)) {
            }
        }
    }
    return NULL;
}

TEST(threads_lose_no_write_and_see_no_half_value)
{
    static struct torture torture;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    torture.table = table_of(2);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){&torture, i};
        CHECK_EQ(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_EQ(atomic_load(&torture.bad), 0);
    for (size_t i = 0; i < SHARED; i++) {
        char text[16];
        struct read read;
        uint64_t number = 0;
        bool there = get(torture.table, key_text(i, text), &read);
        CHECK(!there || is_whole(span_of(read.value, read.len), &number));
        CHECK_UEQ(number, atomic_load(&torture.writes[i]));
    }
    table_free(torture.table);
}

SUITE("localmap/table/table", T(a_verdict_is_carried_out),
      T(a_new_value_may_be_made_of_the_old_one), T(only_a_power_of_two_of_shards_is_taken),
      T(random_changes_leave_what_a_plain_array_holds),
      T(colliding_hashes_are_told_apart_by_their_keys),
      T(a_walk_meets_each_key_that_stays_exactly_once), T(the_bytes_of_a_table_follow_its_values),
      T(every_allocation_may_fail), T(a_failed_change_asks_nobody_and_changes_nothing),
      T(threads_lose_no_write_and_see_no_half_value));
