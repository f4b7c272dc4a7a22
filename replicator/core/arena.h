// SPDX-License-Identifier: Apache-2.0
// Core's memory: blocks of a few size classes out of one region that was given at the start.
//
//     region: | bump ->                                  free |      free[class]: freed blocks, LIFO
//
// Invariant: never asks anybody for memory; a block is freed with the length it was taken with.
// A NULL answer is ordinary: the caller refuses what it was about to do.  Pure; core's thread.
#pragma once

#include <stddef.h>

#define ARENA_CLASSES 56 // 32 B, 48 B, 64 B, 96 B ... two per power of two

struct arena {
    char *base;
    size_t len;
    size_t bump;
    size_t used;
    void *free[ARENA_CLASSES];
};

void arena_init(struct arena *arena, void *base, size_t len);
// Zeroed memory of at least `len` bytes, 16-byte aligned; NULL when there is none.
void *arena_take(struct arena *arena, size_t len);
// Gives back what arena_take(len) gave.  Accepts NULL.
void arena_give(struct arena *arena, void *block, size_t len);
