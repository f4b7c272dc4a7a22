// SPDX-License-Identifier: Apache-2.0
// A set of byte strings in bytewise order, which any thread reads without a lock.
//
//     directory [ page | page | page ]          ascending; a set of one page has none
//                   |
//                   v
//     page   | head | places ->          free          <- strings |        64 bytes, doubled up to 1 KiB
//            | count, top, dead, class
//            |        one byte a string, in its order: the word where it begins
//            |                                           each: length (2 bytes), bytes, up to a full word
//
// A string goes into the free middle, and its place between the others: a few words are set.  A page that is full
// is written anew without its dead strings, else twice as large, else halved.
// Invariant: no page is empty, and all strings of one come before those of the next.
// One writer at a time: the owner locks.  Readers copy, and copy again when the sequence has moved
// (sequence.h): they wait for nobody but a writer that is within its few words.
// Private to localmap.  Read next: services.c.
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "localmap/blocks.h"
#include "localmap/model/key.h"

#define ORDERED_LEN_MAX KEY_LEN_MAX

// Starts as zeros.  Its memory is that of the blocks: they go together.
struct ordered {
    struct sequence sequence;
    struct word root;         // the page, or the directory when there are several
    struct word pages;        // how many
    uint32_t directory_class; // of several; the writer's own
};

// ERR_NOMEM: it is not in.  ASSERTs that it is new.
enum err ordered_add(struct ordered *ordered, struct blocks *blocks, struct span string) MUST_USE;
// ASSERTs that it is in.
void ordered_remove(struct ordered *ordered, struct blocks *blocks, struct span string);

static inline bool ordered_is_empty(const struct ordered *ordered)
{
    return word_get(&ordered->pages) == 0;
}

struct ordered_range {
    struct span prefix; // put before each string
    struct span after;  // those greater than this; SPAN_NONE: all
    size_t cap;
    // Asked when the reading has begun; false: the set is no longer the one that is meant.  NULL: it always is.
    bool (*still)(const void *arg);
    const void *arg;
};

// The next strings, each with the prefix before it; at most `cap` into `ret_keys`.  Returns how many.  Within one page they
// are of one moment.  `after` may lie in `ret_keys`.
size_t ordered_after(const struct ordered *ordered, const struct ordered_range *range,
                     struct key_bytes *ret_keys);
