// SPDX-License-Identifier: Apache-2.0
// Memory for readers that may come too late: blocks of words that can be read, whatever they hold by then,
// until blocks_fini.
//
//     slab  [ 64 | 64 | 128 |    256    |  ...  ]     a block is 64 << size_class bytes, cut off a slab once
//     idle[size_class] --> block --> block            given back: for the next of its size
//
// Invariant: a block is never unmapped nor cut anew while the set lives, so its size is for ever.  The ceiling is
// therefore the sum of what each size once needed together.
// Not safe for threads by itself: the owner of the set locks.  Private to localmap.  Read next: ordered.h.
#pragma once

#include "localmap/sequence.h"

#define BLOCKS_CLASSES 26 // up to 2 GiB
#define BLOCKS_BYTES(size_class) ((size_t)64 << (size_class))
#define BLOCKS_WORDS(size_class) (BLOCKS_BYTES(size_class) / sizeof(struct word))

struct blocks_slab;

// Starts as zeros.
struct blocks {
    struct blocks_slab *slabs; // the newest first
    struct word *idle[BLOCKS_CLASSES];
    size_t cut;   // bytes of the newest slab that are in blocks
    size_t bytes; // of all slabs
};

void blocks_fini(struct blocks *blocks); // nobody may read any more
// The smallest class of `bytes` bytes.
unsigned blocks_class(size_t bytes);
// A block with anything in it.  NULL: no memory.
struct word *blocks_take(struct blocks *blocks, unsigned size_class);
// Readers may still have it: it is written to by word_set alone, for ever.
void blocks_give(struct blocks *blocks, unsigned size_class, struct word *block);
