// SPDX-License-Identifier: Apache-2.0
// The ordered set against a plain array of flags, with strings of all lengths and enough of them for many
// pages; then with readers that know which strings are there all the time.
#include "base/random.h"
#include "localmap/ordered.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <pthread.h>
#include <stdio.h>

#define ITEMS 3000

// Ascending: four digits, then as many bytes as the number says.
static struct span text_of(size_t number, char text[ORDERED_LEN_MAX + 1])
{
    size_t len = number % 50 == 7 ? ORDERED_LEN_MAX : 4 + number % 5 * 9;
    (void)snprintf(text, 5, "%04zu", number);
    memset(text + 4, (int)(number % 3), len - 4); // NUL too
    return span_of(text, len);
}

static void add(struct ordered *ordered, struct blocks *blocks, size_t number)
{
    char text[ORDERED_LEN_MAX + 1];
    CHECK_OK(ordered_add(ordered, blocks, text_of(number, text)));
}

static void take_out(struct ordered *ordered, struct blocks *blocks, size_t number)
{
    char text[ORDERED_LEN_MAX + 1];
    ordered_remove(ordered, blocks, text_of(number, text));
}

static void check_order(const struct ordered *ordered, const bool *there, size_t cap)
{
    char text[ORDERED_LEN_MAX + 1];
    struct key_bytes keys[70];
    size_t count = 0;
    size_t at = 0;
    keys[0].len = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        if (!there[i]) {
            continue;
        }
        if (at == count) {
            const struct ordered_range range = {
                .after = count == 0 ? SPAN_NONE : key_span(&keys[count - 1]), .cap = cap};
            count = ordered_after(ordered, &range, keys);
            at = 0;
        }
        CHECK_INT(count, gt, at);
        CHECK(span_eq(key_span(&keys[at++]), text_of(i, text)));
    }
    const struct ordered_range rest = {.after = count == 0 ? SPAN_NONE : key_span(&keys[at - 1]),
                                       .cap = 1};
    CHECK_UEQ(ordered_after(ordered, &rest, keys), 0);
}

TEST(strings_stand_in_order_whatever_came_and_went)
{
    static bool there[ITEMS];
    struct blocks blocks = {0};
    struct ordered ordered = {0};
    struct random random;
    random_seed(&random, 1);
    for (size_t step = 0; step < 40000; step++) {
        size_t i = (size_t)random_below(&random, ITEMS);
        bool shrink = step / 10000 % 2 == 1;
        if (there[i] && (shrink || random_below(&random, 4) == 0)) {
            take_out(&ordered, &blocks, i);
            there[i] = false;
        } else if (!there[i] && (!shrink || random_below(&random, 4) == 0)) {
            add(&ordered, &blocks, i);
            there[i] = true;
        }
        if (step % 1000 == 0) {
            check_order(&ordered, there, step % 2000 == 0 ? 1 : 70);
        }
    }
    for (size_t i = 0; i < ITEMS; i++) {
        if (there[i]) {
            take_out(&ordered, &blocks, i);
            there[i] = false;
        }
    }
    check_order(&ordered, there, 8);
    blocks_fini(&blocks);
}

TEST(a_reading_begins_behind_the_string_that_is_named)
{
    char text[ORDERED_LEN_MAX + 1];
    struct key_bytes key;
    struct blocks blocks = {0};
    struct ordered ordered = {0};
    for (size_t i = 0; i < ITEMS; i += 2) {
        add(&ordered, &blocks, i);
    }
    for (size_t i = 0; i + 2 < ITEMS; i++) {
        const struct ordered_range range = {.after = text_of(i, text), .cap = 1};
        CHECK_UEQ(ordered_after(&ordered, &range, &key), 1);
        CHECK(span_eq(key_span(&key), text_of(i % 2 == 0 ? i + 2 : i + 1, text)));
    }
    const struct ordered_range end = {.after = SPAN_LIT("9999"), .cap = 1};
    CHECK_UEQ(ordered_after(&ordered, &end, &key), 0);
    blocks_fini(&blocks);
}

TEST(the_empty_string_is_the_first_and_a_prefix_comes_before_each)
{
    struct key_bytes keys[3];
    struct blocks blocks = {0};
    struct ordered ordered = {0};
    CHECK_OK(ordered_add(&ordered, &blocks, SPAN_LIT("b")));
    CHECK_OK(ordered_add(&ordered, &blocks, SPAN_NONE));
    const struct ordered_range all = {.prefix = SPAN_LIT("a-"), .after = SPAN_NONE, .cap = 3};
    const struct ordered_range rest = {.prefix = SPAN_LIT("a-"), .after = SPAN_LIT(""), .cap = 3};
    CHECK_UEQ(ordered_after(&ordered, &all, keys), 2);
    CHECK(span_eq_str(key_span(&keys[0]), "a-") && span_eq_str(key_span(&keys[1]), "a-b"));
    CHECK_UEQ(ordered_after(&ordered, &rest, keys), 1);
    CHECK(span_eq_str(key_span(&keys[0]), "a-b"));
    ordered_remove(&ordered, &blocks, SPAN_NONE);
    CHECK_UEQ(ordered_after(&ordered, &all, keys), 1);
    blocks_fini(&blocks);
}

static bool never(const void *arg)
{
    (void)arg;
    return false;
}

TEST(a_set_that_has_become_another_gives_nothing)
{
    struct key_bytes key;
    struct blocks blocks = {0};
    struct ordered ordered = {0};
    CHECK_OK(ordered_add(&ordered, &blocks, SPAN_LIT("b")));
    const struct ordered_range range = {.after = SPAN_NONE, .cap = 1, .still = never};
    CHECK_UEQ(ordered_after(&ordered, &range, &key), 0);
    blocks_fini(&blocks);
}

// What comes in order (a scan of the log, a file) fills its pages; what goes gives them to others.
TEST(memory_follows_what_is_in_the_set)
{
    struct blocks blocks = {0};
    struct ordered ordered = {0};
    size_t strings = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        char text[ORDERED_LEN_MAX + 1];
        strings += text_of(i, text).len;
        add(&ordered, &blocks, i);
    }
    CHECK_INT(blocks.bytes, lt, strings * 2);
    size_t before = blocks.bytes;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < ITEMS; i++) {
            take_out(&ordered, &blocks, i);
        }
        for (size_t i = 0; i < ITEMS; i++) {
            add(&ordered, &blocks, i);
        }
    }
    CHECK_INT(blocks.bytes, le, before + before / 8);
    blocks_fini(&blocks);
}

static bool walk(void *arg)
{
    struct blocks blocks = {0};
    struct ordered ordered = {0};
    bool ok = true;
    (void)arg;
    for (size_t i = 0; ok && i < 600; i++) {
        char text[ORDERED_LEN_MAX + 1];
        ok = ordered_add(&ordered, &blocks, text_of(i * 7 % ITEMS, text)) == ERR_OK;
    }
    blocks_fini(&blocks);
    return ok;
}

TEST(every_allocation_may_fail)
{
    CHECK_INT(failalloc_each(walk, NULL), gt, 3);
}

TEST(a_failed_addition_has_changed_nothing)
{
    static bool there[ITEMS];
    struct blocks blocks = {0};
    struct ordered ordered = {0};
    size_t failures = 0;
    for (size_t i = 0; i < 900; i++) {
        char text[ORDERED_LEN_MAX + 1];
        size_t number = i * 7 % ITEMS;
        failalloc_arm(1);
        enum err err = ordered_add(&ordered, &blocks, text_of(number, text));
        if (failalloc_disarm()) {
            CHECK_EQ(err, ERR_NOMEM);
            check_order(&ordered, there, 70);
            failures++;
            add(&ordered, &blocks, number);
        }
        there[number] = true;
    }
    check_order(&ordered, there, 70);
    CHECK_INT(failures, gt, 3);
    blocks_fini(&blocks);
}

// --- with readers

#define SHARED 600
#define CHANGES 40000
#define READERS 2

// Strings of odd numbers come and go; those of even ones are there all the time.
struct shared {
    struct blocks blocks;
    struct ordered ordered;
    atomic_bool over;
    atomic_uint bad;
    atomic_uint readings;
};

// The number that a string tells; checks that it is one of ours, byte for byte.
static size_t number_of(struct shared *shared, const struct key_bytes *key)
{
    char text[ORDERED_LEN_MAX + 1];
    size_t number = 0;
    for (size_t i = 0; i < 4 && i < key->len; i++) {
        number = number * 10 + (size_t)(key->ptr[i] - '0');
    }
    bool ours = number < SHARED && span_eq(key_span(key), text_of(number, text));
    atomic_fetch_add(&shared->bad, ours ? 0 : 1);
    return number;
}

static void *read_on(void *arg)
{
    struct shared *shared = arg;
    struct random random;
    struct key_bytes keys[16];
    char text[ORDERED_LEN_MAX + 1];
    random_seed(&random, 3);
    while (!atomic_load(&shared->over)) {
        size_t last = (size_t)random_below(&random, SHARED);
        const struct ordered_range range = {.after = text_of(last, text),
                                            .cap = 1 + (size_t)random_below(&random, 16)};
        size_t count = ordered_after(&shared->ordered, &range, keys);
        for (size_t i = 0; i < count; i++) {
            size_t number = number_of(shared, &keys[i]);
            // Ascending, and no even one left out.
            bool next = number > last && number <= (last | 1) + 1;
            atomic_fetch_add(&shared->bad, next ? 0 : 1);
            last = number;
        }
        bool whole = count == range.cap || last + 2 >= SHARED;
        atomic_fetch_add(&shared->bad, whole ? 0 : 1);
        atomic_fetch_add(&shared->readings, 1);
    }
    return NULL;
}

TEST(readers_find_all_that_stays_while_a_writer_changes_the_rest)
{
    static struct shared shared;
    static bool there[SHARED];
    pthread_t readers[READERS];
    struct random random;
    random_seed(&random, 2);
    for (size_t i = 0; i < SHARED; i += 2) {
        add(&shared.ordered, &shared.blocks, i);
    }
    for (size_t i = 0; i < READERS; i++) {
        CHECK_EQ(pthread_create(&readers[i], NULL, read_on, &shared), 0);
    }
    for (size_t step = 0; step < CHANGES || atomic_load(&shared.readings) < 100; step++) {
        // A window that wanders, so that pages fill, split, empty and go.
        size_t i = (step / 64 * 20 + (size_t)random_below(&random, 80)) % SHARED | 1;
        if (there[i]) {
            take_out(&shared.ordered, &shared.blocks, i);
        } else {
            add(&shared.ordered, &shared.blocks, i);
        }
        there[i] = !there[i];
    }
    atomic_store(&shared.over, true);
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
    }
    CHECK_EQ(atomic_load(&shared.bad), 0);
    blocks_fini(&shared.blocks);
}

SUITE("localmap/ordered", T(strings_stand_in_order_whatever_came_and_went),
      T(a_reading_begins_behind_the_string_that_is_named),
      T(the_empty_string_is_the_first_and_a_prefix_comes_before_each),
      T(a_set_that_has_become_another_gives_nothing), T(memory_follows_what_is_in_the_set),
      T(every_allocation_may_fail), T(a_failed_addition_has_changed_nothing),
      T(readers_find_all_that_stays_while_a_writer_changes_the_rest));
