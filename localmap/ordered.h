// SPDX-License-Identifier: Apache-2.0
// A set of items in bytewise order of their keys: a list of chunks, each a sorted run of pointers.
//
//     chunks: [ a..f ] [ g..m ] [ n..z ]     insert: find the chunk, then the place; a full one is halved
//
// Invariant: chunks are never empty, keys unique; look-up O(log n), insert and remove O(log n + chunk).
// Not safe for threads by itself: the owner locks.  Private to localmap.  Read next: services.c.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

// What an item begins with; the item owns its key's bytes.
struct ordered_item {
    uint32_t key_len;
    const char *key;
};

struct ordered_chunk;

struct ordered {
    struct ordered_chunk **chunks;
    size_t chunk_count, chunk_cap;
    size_t count;
};

// A place between items; valid until the next change.
struct ordered_place {
    size_t chunk, at;
};

void ordered_fini(struct ordered *ordered); // the items are the caller's
void *ordered_get(const struct ordered *ordered, struct span key);
// ERR_NOMEM: nothing has changed.  ASSERTs that the key is new.
enum err ordered_add(struct ordered *ordered, struct ordered_item *item) MUST_USE;
void ordered_remove(struct ordered *ordered, struct span key);
// The place of the first item whose key is greater than `after`.
struct ordered_place ordered_after(const struct ordered *ordered, struct span after);
// The item there, and the place moves on; NULL at the end.
void *ordered_next(const struct ordered *ordered, struct ordered_place *place);
