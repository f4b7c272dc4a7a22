// SPDX-License-Identifier: Apache-2.0
// Words of every length, at every place in memory: stored, compared, read back; no byte beyond is touched.
// Tags of a group: each place, each value, beside neighbours that differ by one bit.
#include "localmap/table/index.h"
#include "tests/lib/suite.h"

#if !defined(SUITE_NAME)
#define SUITE_NAME "localmap/table/words"
#endif

#define LEN_MAX 150
#define WORDS_MAX 20
#define GUARD UINT64_C(0xa5a5a5a5a5a5a5a5)

static const char text[] =
    "the quick brown fox jumps over the lazy dog, again and again, until the dog has had "
    "enough of it and goes away; then the fox jumps over the cat, which sleeps on.";

_Static_assert(sizeof(text) > LEN_MAX + 8, "long enough from each of eight places");

static void all(_Atomic uint64_t words[WORDS_MAX], uint64_t value)
{
    for (size_t i = 0; i < WORDS_MAX; i++) {
        atomic_store_explicit(&words[i], value, memory_order_relaxed);
    }
}

TEST(what_was_stored_is_equal_and_nothing_else)
{
    _Atomic uint64_t words[WORDS_MAX];
    char other[LEN_MAX];
    for (size_t len = 0; len <= LEN_MAX; len++) {
        struct span bytes = span_of(text + len % 8, len);
        all(words, GUARD);
        words_set(words, bytes);
        CHECK(words_equal(words, bytes));
        CHECK(len < WORDS_LONG || words_equal_long(words, bytes));
        CHECK_EQ(atomic_load(&words[words_of(len)]), GUARD);
        for (size_t i = 0; i < len; i++) {
            memcpy(other, bytes.ptr, len);
            other[i] = (char)(other[i] ^ 1);
            CHECK(!words_equal(words, span_of(other, len)));
            CHECK(len < WORDS_LONG || !words_equal_long(words, span_of(other, len)));
        }
    }
}

TEST(the_last_word_is_filled_up_with_zeros)
{
    _Atomic uint64_t words[WORDS_MAX];
    for (size_t len = 1; len <= LEN_MAX; len++) {
        all(words, GUARD);
        words_set(words, span_of(text, len));
        uint64_t last = 0;
        memcpy(&last, text + (words_of(len) - 1) * 8, len - (words_of(len) - 1) * 8);
        CHECK_EQ(atomic_load(&words[words_of(len) - 1]), last);
    }
}

TEST(so_many_words_are_read_and_no_more)
{
    _Atomic uint64_t words[WORDS_MAX];
    char copy[8 * WORDS_MAX + 8];
    words_set(words, span_of(text, 144));
    for (size_t count = 0; count <= 18; count++) {
        memset(copy, '#', sizeof(copy));
        words_get(words, copy + 1, count); // at an odd place
        CHECK(memcmp(copy + 1, text, 8 * count) == 0);
        CHECK_EQ(copy[0], '#');
        CHECK_EQ(copy[1 + 8 * count], '#');
    }
}

TEST(a_tag_is_found_where_it_is_and_only_there)
{
    struct index_group group;
    memset(&group, 0, sizeof(group));
    for (uint32_t tag = 0; tag < 256; tag++) {
        for (unsigned place = 0; place < 16; place++) {
            unsigned char bytes[16];
            memset(bytes, (int)(tag ^ (1u << place % 8)), sizeof(bytes));
            bytes[place] = (unsigned char)tag;
            words_set(group.tags, span_of((const char *)bytes, sizeof(bytes)));
            CHECK_EQ(index_places(&group, tag), place < INDEX_PLACES ? 1u << place : 0);
        }
    }
}

SUITE(SUITE_NAME, T(what_was_stored_is_equal_and_nothing_else),
      T(the_last_word_is_filled_up_with_zeros), T(so_many_words_are_read_and_no_more),
      T(a_tag_is_found_where_it_is_and_only_there));
