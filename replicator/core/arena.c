// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/arena.h"

#include "base/assert.h"

#include <stdint.h>
#include <string.h>

void arena_init(struct arena *arena, void *base, size_t len)
{
    memset(arena, 0, sizeof(*arena));
    size_t skew = (16 - (uintptr_t)base % 16) % 16;
    ASSERT(len > skew);
    arena->base = (char *)base + skew;
    arena->len = len - skew;
}

// The class of `len` and the size of its blocks: 32, 48, 64, 96, 128, 192 ...
static size_t class_of(size_t len, size_t *ret_size)
{
    size_t size = 32;
    size_t class = 0;
    while (size < len) {
        size_t half = size + size / 2;
        if (half >= len) {
            *ret_size = half;
            return class + 1;
        }
        size *= 2;
        class += 2;
    }
    *ret_size = size;
    return class;
}

void *arena_take(struct arena *arena, size_t len)
{
    size_t size = 0;
    size_t class = class_of(len, &size);
    if (class >= ARENA_CLASSES) {
        return NULL;
    }
    void *block = arena->free[class];
    if (block != NULL) {
        memcpy(&arena->free[class], block, sizeof(void *));
    } else {
        if (arena->len - arena->bump < size) {
            return NULL;
        }
        block = arena->base + arena->bump;
        arena->bump += size;
    }
    arena->used += size;
    memset(block, 0, size);
    return block;
}

void arena_give(struct arena *arena, void *block, size_t len)
{
    if (block == NULL) {
        return;
    }
    size_t size = 0;
    size_t class = class_of(len, &size);
    ASSERT(class < ARENA_CLASSES && arena->used >= size);
    memcpy(block, &arena->free[class], sizeof(void *));
    arena->free[class] = block;
    arena->used -= size;
}
