// SPDX-License-Identifier: Apache-2.0
// The key map against a plain array, with hashes that collide on purpose.
#include "replicator/core/keymap.h"

#include "tests/lib/suite.h"

#include <stdint.h>
#include <stdio.h>

static _Alignas(16) char region[1 << 22];

struct thing {
    struct keyed keyed;
    int value;
};

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

// Few hash values, so that chains are long and wrap around the end.
static uint64_t bad_hash(int i)
{
    return (uint64_t)(i % 7) + 12;
}

TEST(it_agrees_with_an_array_under_random_changes)
{
    struct arena arena;
    struct keymap map;
    bool held[200] = {false};
    uint32_t state = 42;
    arena_init(&arena, region, sizeof(region));
    keymap_init(&map, &arena);
    for (int round = 0; round < 20000; round++) {
        int i = (int)(next_random(&state) % 200);
        char key[16];
        snprintf(key, sizeof(key), "key-%d", i);
        struct thing *thing = keymap_get(&map, span_str(key), bad_hash(i));
        CHECK_EQ(thing != NULL, held[i]);
        if (thing != NULL) {
            CHECK_EQ(thing->value, i);
            keymap_remove(&map, thing);
        } else {
            thing = keymap_add(&map, span_str(key), sizeof(*thing), bad_hash(i));
            CHECK(thing != NULL);
            thing->value = i;
        }
        held[i] = !held[i];
    }
    uint32_t seen = 0;
    uint32_t index = 0;
    for (struct thing *t = NULL; (t = keymap_at(&map, &index)) != NULL; index++) {
        CHECK(held[t->value]);
        seen++;
    }
    CHECK_EQ(seen, map.count);
}

TEST(a_full_arena_refuses_and_changes_nothing)
{
    struct arena arena;
    struct keymap map;
    arena_init(&arena, region, 4096);
    keymap_init(&map, &arena);
    int i = 0;
    for (;; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", i);
        if (keymap_add(&map, span_str(key), sizeof(struct thing), (uint64_t)i) == NULL) {
            break;
        }
    }
    CHECK(i > 3);
    CHECK_EQ(map.count, i);
    for (int k = 0; k < i; k++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", k);
        CHECK(keymap_get(&map, span_str(key), (uint64_t)k) != NULL);
    }
}

SUITE("core/keymap", T(it_agrees_with_an_array_under_random_changes),
      T(a_full_arena_refuses_and_changes_nothing));
