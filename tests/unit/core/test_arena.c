// SPDX-License-Identifier: Apache-2.0
// The arena on a static region: classes, reuse, exhaustion.
#include "replicator/core/arena.h"

#include "tests/lib/suite.h"

#include <stdint.h>

static _Alignas(16) char region[1 << 16];

TEST(a_block_is_aligned_and_zeroed)
{
    struct arena arena;
    memset(region, 0xff, sizeof(region));
    arena_init(&arena, region + 1, sizeof(region) - 1);
    for (size_t len = 1; len < 3000; len = len * 3 / 2 + 1) {
        unsigned char *block = arena_take(&arena, len);
        CHECK(block != NULL);
        CHECK_EQ((uintptr_t)block % 16, 0);
        for (size_t i = 0; i < len; i++) {
            CHECK_EQ(block[i], 0);
        }
    }
}

TEST(a_freed_block_is_given_again)
{
    struct arena arena;
    arena_init(&arena, region, sizeof(region));
    void *a = arena_take(&arena, 100);
    memset(a, 7, 100);
    arena_give(&arena, a, 100);
    CHECK_EQ(arena.used, 0);
    char *b = arena_take(&arena, 97); // the same class: 96 < 97 <= 128
    CHECK(a == b);
    CHECK_EQ(b[99], 0);
}

TEST(a_full_arena_answers_null_and_recovers)
{
    struct arena arena;
    arena_init(&arena, region, sizeof(region));
    void *blocks[4096];
    size_t count = 0;
    while ((blocks[count] = arena_take(&arena, 64)) != NULL) {
        count++;
    }
    CHECK_EQ(count, sizeof(region) / 64);
    CHECK(arena_take(&arena, 1) == NULL || arena.bump == arena.len);
    arena_give(&arena, blocks[5], 64);
    CHECK(arena_take(&arena, 64) == blocks[5]);
    CHECK(arena_take(&arena, SIZE_MAX / 4) == NULL);
    arena_give(&arena, NULL, 64);
}

SUITE("core/arena", T(a_block_is_aligned_and_zeroed), T(a_freed_block_is_given_again),
      T(a_full_arena_answers_null_and_recovers));
