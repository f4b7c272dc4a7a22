// SPDX-License-Identifier: Apache-2.0
// The changefeed: what a reader meets at each position; a writer and readers at once, where each reader
// gets every entry in order and whole, or is told that it was lapped.
#include "localmap/feed.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define INSTANCE UINT64_C(0xabcdef)
#define BASE (INSTANCE << 40)

static struct feed *feed_of(uint32_t entries)
{
    struct feed *feed = NULL;
    CHECK_OK(feed_new(entries, INSTANCE, &feed));
    return feed;
}

TEST(a_position_finds_the_change_behind_it)
{
    struct feed *feed = feed_of(4);
    struct map_change change;
    CHECK_UEQ(feed_index(feed), BASE);
    CHECK_EQ(feed_next(feed, BASE, &change), FEED_EMPTY);
    CHECK_UEQ(feed_append(feed, SPAN_LIT("one")), BASE + 1);
    CHECK_UEQ(feed_append(feed, SPAN_LIT("two")), BASE + 2);
    CHECK_UEQ(feed_index(feed), BASE + 2);
    CHECK_EQ(feed_next(feed, BASE, &change), FEED_OK);
    CHECK_UEQ(change.index, BASE + 1);
    CHECK(span_eq_str(key_span(&change.key), "one"));
    CHECK_EQ(feed_next(feed, BASE + 1, &change), FEED_OK);
    CHECK(span_eq_str(key_span(&change.key), "two"));
    CHECK_EQ(feed_next(feed, BASE + 2, &change), FEED_EMPTY);
    feed_free(feed);
}

TEST(a_strange_position_is_told_to_take_a_snapshot)
{
    struct feed *feed = feed_of(4);
    struct map_change change;
    (void)feed_append(feed, SPAN_LIT("one"));
    const uint64_t strange[] = {0, 1, BASE + 2, BASE - 1, UINT64_MAX, (INSTANCE - 1) << 40};
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
        CHECK_EQ(feed_next(feed, strange[i], &change), FEED_LAPPED);
    }
    feed_free(feed);
}

TEST(the_ring_keeps_as_many_as_it_was_made_for)
{
    struct feed *feed = feed_of(8);
    static const char longest[KEY_LEN_MAX] = "k";
    struct map_change change;
    for (uint64_t i = 1; i <= 100; i++) {
        // Keys of the greatest length: in a small ring even those do not lap a reader sooner.
        CHECK_UEQ(feed_append(feed, span_of(longest, KEY_LEN_MAX)), BASE + i);
        uint64_t oldest = i <= 8 ? 0 : i - 8;
        CHECK_EQ(feed_next(feed, BASE + oldest, &change), FEED_OK);
        CHECK_UEQ(change.index, BASE + oldest + 1);
        CHECK_EQ(change.key.len, KEY_LEN_MAX);
        if (oldest > 0) {
            CHECK_EQ(feed_next(feed, BASE + oldest - 1, &change), FEED_LAPPED);
        }
    }
    feed_free(feed);
}

TEST(long_keys_lap_a_large_ring_sooner_but_never_tear)
{
    struct feed *feed = feed_of(2048);
    char key[KEY_LEN_MAX];
    struct map_change change;
    for (uint64_t i = 1; i <= 5000; i++) {
        size_t len = 1 + (size_t)(i * 37 % KEY_LEN_MAX);
        memset(key, (int)('a' + i % 26), len);
        (void)feed_append(feed, span_of(key, len));
        uint64_t behind = i < 100 ? 0 : i - 100;
        CHECK_EQ(feed_next(feed, BASE + behind, &change), FEED_OK);
        CHECK_UEQ(change.key.len, 1 + (behind + 1) * 37 % KEY_LEN_MAX);
        for (size_t j = 0; j < change.key.len; j++) {
            CHECK_EQ(change.key.ptr[j], 'a' + (int)((behind + 1) % 26));
        }
    }
    CHECK_EQ(feed_next(feed, BASE, &change), FEED_LAPPED);
    feed_free(feed);
}

TEST(only_a_power_of_two_of_entries_is_taken)
{
    static const uint32_t bad[] = {0, 1, 3, 1000, 2 * FEED_ENTRIES_MAX};
    struct feed *feed = NULL;
    for (size_t i = 0; i < 5; i++) {
        CHECK_EQ(feed_new(bad[i], INSTANCE, &feed), ERR_INVALID);
    }
    feed_free(NULL);
}

static bool walk(void *arg)
{
    struct feed *feed = NULL;
    (void)arg;
    enum err err = feed_new(64, INSTANCE, &feed);
    feed_free(feed);
    return err == ERR_OK;
}

TEST(every_allocation_may_fail)
{
    CHECK_INT(failalloc_each(walk, NULL), ge, 3);
}

#define APPENDS 60000

struct race {
    struct feed *feed;
    atomic_uint bad;
};

static void *read_on(void *arg)
{
    struct race *race = arg;
    struct map_change change;
    uint64_t position = BASE;
    while (position < BASE + APPENDS) {
        char text[24];
        switch (feed_next(race->feed, position, &change)) {
        case FEED_OK: {
            int len =
                snprintf(text, sizeof(text), "key-%llu", (unsigned long long)(change.index - BASE));
            bool good = change.index == position + 1 &&
                        span_eq(key_span(&change.key), span_of(text, (size_t)len));
            atomic_fetch_add(&race->bad, good ? 0 : 1);
            position = change.index;
            break;
        }
        case FEED_LAPPED:
            position = feed_index(race->feed);
            break;
        case FEED_EMPTY:
        default:
            break;
        }
    }
    return NULL;
}

TEST(readers_beside_a_writer_get_whole_entries_in_order)
{
    struct race race = {.feed = feed_of(64)};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, read_on, &race), 0);
    }
    for (unsigned long long i = 1; i <= APPENDS; i++) {
        char text[24];
        int len = snprintf(text, sizeof(text), "key-%llu", i);
        (void)feed_append(race.feed, span_of(text, (size_t)len));
    }
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_EQ(atomic_load(&race.bad), 0);
    feed_free(race.feed);
}

SUITE("localmap/feed", T(a_position_finds_the_change_behind_it),
      T(a_strange_position_is_told_to_take_a_snapshot),
      T(the_ring_keeps_as_many_as_it_was_made_for),
      T(long_keys_lap_a_large_ring_sooner_but_never_tear),
      T(only_a_power_of_two_of_entries_is_taken), T(every_allocation_may_fail),
      T(readers_beside_a_writer_get_whole_entries_in_order));
