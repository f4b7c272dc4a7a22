// SPDX-License-Identifier: Apache-2.0
// What a table does beside its writers: reads into a reader's own memory, many at once; samples and ticks;
// memory ahead, and memory that goes back and comes again under readers who know what they must find.
#include "base/random.h"
#include "localmap/table/table.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define KEYS 4000
#define LARGE 1200
#define SMALL 16

static struct table *table_of(uint32_t shards)
{
    struct table *table = NULL;
    CHECK_OK(table_new(shards, &table));
    return table;
}

static struct span text_of(size_t number, char text[24])
{
    int len = snprintf(text, 24, "record-%zu", number);
    return span_of(text, (size_t)len);
}

static enum table_verdict decide_store(void *arg, struct span old, struct table_value *ret_new)
{
    (void)old;
    ret_new->body = *(const struct span *)arg;
    return TABLE_STORE;
}

static enum table_verdict decide_remove(void *arg, struct span old, struct table_value *ret_new)
{
    (void)arg;
    (void)old;
    (void)ret_new;
    return TABLE_REMOVE;
}

static enum err change(struct table *table, size_t number, table_decide_fn decide,
                       struct span *value)
{
    char text[24];
    const struct table_key key = table_key(table, text_of(number, text));
    const struct table_change change = {
        .decide = decide, .arg = value, .room = value->len, .create = decide == decide_store};
    return table_update(table, &key, &change);
}

// A value of so many bytes, all of which say whose it is.
static enum err store(struct table *table, size_t number, size_t len)
{
    char bytes[LARGE];
    struct span value = span_of(bytes, len);
    memset(bytes, (int)(number % 251), sizeof(bytes));
    return change(table, number, decide_store, &value);
}

static bool whole(const struct table_copy *copy, size_t number)
{
    size_t there = copy->len < copy->cap ? copy->len : copy->cap;
    for (size_t i = 0; i < there; i++) {
        if ((unsigned char)copy->bytes[i] != number % 251) {
            return false;
        }
    }
    return copy->len == LARGE || copy->len == SMALL;
}

static bool holds(const struct table *table, size_t number)
{
    char text[24];
    char bytes[LARGE];
    struct table_copy copy = {.bytes = bytes, .cap = sizeof(bytes)};
    const struct table_key key = table_key(table, text_of(number, text));
    return table_get(table, &key, &copy) && whole(&copy, number);
}

TEST(a_small_copy_gets_the_beginning_and_the_length)
{
    struct table *table = table_of(2);
    char bytes[24];
    memset(bytes, '.', sizeof(bytes));
    struct table_copy copy = {.bytes = bytes, .cap = 16};
    const struct table_key key = table_key(table, SPAN_LIT("record-7"));
    CHECK(!table_get(table, &key, &copy));
    CHECK_OK(store(table, 7, LARGE));
    CHECK(table_get(table, &key, &copy));
    CHECK_UEQ(copy.len, LARGE);
    CHECK_MEM(bytes, "\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7........", 24);
    copy.cap = 0;
    CHECK(table_get(table, &key, &copy));
    CHECK_UEQ(copy.len, LARGE);
    table_free(table);
}

TEST(many_keys_at_once_are_found_as_one_by_one)
{
    enum { MANY = 45 }; // more than two blocks, and a rest
    struct table *table = table_of(4);
    struct table_key keys[MANY];
    struct table_copy copies[MANY];
    char texts[MANY][24];
    char bytes[MANY][SMALL];
    for (size_t i = 0; i < KEYS; i += 2) {
        CHECK_OK(store(table, i, SMALL));
    }
    for (size_t i = 0; i < MANY; i++) {
        keys[i] = table_key(table, text_of(i, texts[i]));
        copies[i] = (struct table_copy){.bytes = bytes[i], .cap = SMALL, .found = i % 3 == 0};
    }
    table_get_many(table, keys, MANY, copies);
    for (size_t i = 0; i < MANY; i++) {
        CHECK_EQ(copies[i].found, i % 2 == 0);
        CHECK(i % 2 != 0 || whole(&copies[i], i));
    }
    table_free(table);
}

TEST(a_sample_is_a_held_record_with_the_tick_of_its_last_use)
{
    struct table *table = table_of(2);
    struct table_sample sample;
    bool seen[4] = {false};
    CHECK(!table_sample(table, random_u64(), &sample));
    table_set_tick(table, 5);
    for (size_t i = 0; i < 4; i++) {
        CHECK_OK(store(table, i, SMALL));
    }
    table_set_tick(table, 6);
    CHECK(holds(table, 2));
    for (int i = 0; i < 2000; i++) {
        if (!table_sample(table, random_u64(), &sample)) {
            continue;
        }
        CHECK_UEQ(sample.key_len, 8);
        size_t number = (size_t)(sample.key[7] - '0');
        CHECK(number < 4);
        CHECK_UEQ(sample.tick, number == 2 ? 6 : 5);
        seen[number] = true;
    }
    CHECK(seen[0] && seen[1] && seen[2] && seen[3]);
    table_free(table);
}

static uint64_t tend_until_still(struct table *table)
{
    uint64_t before = 0;
    uint64_t now = table_tend(table);
    for (int still = 0; still < 8; still = now == before ? still + 1 : 0) {
        before = now;
        now = table_tend(table);
    }
    return now;
}

// Room ahead makes a larger index, into which nothing has been taken over.
TEST(a_sample_is_found_behind_an_index_that_grows)
{
    struct table *table = table_of(2);
    struct table_sample sample;
    unsigned met = 0;
    for (size_t i = 0; i < 20; i++) {
        CHECK_OK(store(table, i, SMALL));
    }
    CHECK_OK(table_reserve(table, 1000));
    for (int i = 0; i < 1000; i++) {
        met += table_sample(table, random_u64(), &sample);
    }
    CHECK_INT(met, gt, 100);
    table_free(table);
}

static enum table_verdict decide_shorter(void *arg, struct span old, struct table_value *ret_new)
{
    (void)arg;
    ret_new->head = span_of(old.ptr, SMALL);
    return TABLE_STORE;
}

// By a little, so that without the word nothing would move.
TEST(what_is_made_tight_gives_the_rest_back)
{
    struct table *table = table_of(2);
    for (size_t i = 0; i < KEYS; i++) {
        CHECK_OK(store(table, i, 3 * SMALL));
    }
    uint64_t before = table_bytes(table);
    for (int tight = 0; tight < 2; tight++) {
        for (size_t i = 0; i < KEYS; i++) {
            char text[24];
            const struct table_key key = table_key(table, text_of(i, text));
            const struct table_change change = {
                .decide = decide_shorter, .room = SMALL, .tight = tight != 0};
            CHECK_OK(table_update(table, &key, &change));
        }
        (void)tend_until_still(table);
        uint64_t saved = before - table_bytes(table);
        CHECK(tight != 0 ? saved > (uint64_t)KEYS * SMALL : saved < (uint64_t)KEYS * SMALL / 4);
    }
    table_free(table);
}

// Every fifth, so that no chunk is nearly empty.
TEST(who_is_short_of_memory_gets_back_what_is_vacant_all_over)
{
    struct table *table = table_of(2);
    struct span none = SPAN_NONE;
    for (size_t i = 0; i < KEYS; i++) {
        CHECK_OK(store(table, i, LARGE));
    }
    for (size_t i = 0; i < KEYS; i += 5) {
        CHECK_OK(change(table, i, decide_remove, &none));
    }
    uint64_t vacant = tend_until_still(table);
    CHECK_INT(vacant, gt, (uint64_t)KEYS / 5 * LARGE); // usual thrift leaves it
    unsigned steps = 0;
    while (table_compact(table)) {
        CHECK_INT(++steps, lt, 2000);
    }
    CHECK_INT(table_tend(table), lt, 2 * 3 * 65536);
    for (size_t i = 0; i < KEYS; i++) {
        CHECK_EQ(holds(table, i), i % 5 != 0);
    }
    table_free(table);
}

// More than what is left of a chunk, and the chunk is not left for it.
TEST(room_ahead_wastes_nothing_of_what_is_there)
{
    struct table *table = table_of(1);
    for (size_t i = 0; i < 100; i++) {
        CHECK_OK(store(table, i, LARGE));
    }
    for (int again = 0; again < 100; again++) {
        CHECK_OK(table_reserve(table, 128));
    }
    for (size_t i = 100; i < 200; i++) {
        CHECK_OK(store(table, i, LARGE));
        CHECK_OK(table_reserve(table, 128));
    }
    CHECK_INT(table_tend(table), lt, 3 * 65536); // the chunk that is cut, and the one ahead
    for (size_t i = 0; i < 200; i++) {
        CHECK(holds(table, i));
    }
    table_free(table);
}

TEST(what_was_reserved_needs_no_memory)
{
    struct table *table = table_of(1);
    for (size_t i = 100; i < 200; i++) {
        CHECK_OK(store(table, i, SMALL));
    }
    CHECK_OK(table_reserve(table, 128));
    failalloc_arm(1);
    size_t stored = 0; // Check itself takes memory: it is asked later
    for (size_t i = 200; i < 328; i++) {
        stored += store(table, i, SMALL) == ERR_OK;
    }
    CHECK(!failalloc_disarm());
    CHECK_UEQ(stored, 128);
    CHECK_UEQ(table_count(table), 228);
    table_free(table);
}

struct readers {
    struct table *table;
    atomic_bool over;
    atomic_uint missed;
};

static void *read_all(void *arg)
{
    struct readers *readers = arg;
    while (!atomic_load(&readers->over)) {
        for (size_t i = 0; i < KEYS; i += 4) {
            if (!holds(readers->table, i)) {
                atomic_fetch_add(&readers->missed, 1);
            }
        }
    }
    return NULL;
}

// Most are removed, the others, every fourth, stay spread over all chunks.
TEST(memory_goes_back_and_comes_again_under_readers)
{
    struct table *table = table_of(2);
    struct readers readers = {.table = table};
    struct span none = SPAN_NONE;
    pthread_t thread;
    for (size_t i = 0; i < KEYS; i++) {
        CHECK_OK(store(table, i, LARGE));
    }
    CHECK_EQ(pthread_create(&thread, NULL, read_all, &readers), 0);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < KEYS; i++) {
            CHECK(i % 4 == 0 || change(table, i, decide_remove, &none) == ERR_OK);
        }
        // Three quarters of 4.9 MB stand free, of which at most three chunks a shard are kept.
        CHECK_INT(tend_until_still(table), lt, 2 * 4 * 65536);
        for (size_t i = 0; i < KEYS; i++) {
            CHECK(i % 4 == 0 || store(table, i, LARGE) == ERR_OK);
        }
    }
    atomic_store(&readers.over, true);
    pthread_join(thread, NULL);
    CHECK_UEQ(atomic_load(&readers.missed), 0);
    CHECK_UEQ(table_count(table), KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        CHECK(holds(table, i));
    }
    table_free(table);
}

SUITE("localmap/table_tend", T(a_small_copy_gets_the_beginning_and_the_length),
      T(many_keys_at_once_are_found_as_one_by_one),
      T(a_sample_is_a_held_record_with_the_tick_of_its_last_use),
      T(a_sample_is_found_behind_an_index_that_grows), T(what_is_made_tight_gives_the_rest_back),
      T(who_is_short_of_memory_gets_back_what_is_vacant_all_over),
      T(room_ahead_wastes_nothing_of_what_is_there), T(what_was_reserved_needs_no_memory),
      T(memory_goes_back_and_comes_again_under_readers));
