// SPDX-License-Identifier: Apache-2.0
// A hash map from joined keys to blocks of the arena; each kind of core's facts about keys is one.
//
//     struct thing { struct keyed keyed; ... };   keyed must be the first member
//
// Invariant: open addressing with backward-shift deletion, never over 3/4 full, so a look-up ends.
// Hashing is SipHash-1-3 with a key drawn per process: names come from tenants.  Pure; core's thread.
#pragma once

#include "base/span.h"
#include "replicator/core/arena.h"

#include <stdint.h>

struct keyed {
    uint64_t hash;
    uint32_t key_len;
    uint32_t block_len; // of the whole block, key included
    char *key;
};

struct keymap {
    struct arena *arena;
    struct keyed **cells;
    uint32_t cell_count; // a power of two, or 0
    uint32_t count;
};

// An empty map that *keeps* `arena`.
void keymap_init(struct keymap *keymap, struct arena *arena);
// A new block of `len` bytes with the key copied behind it, put into the map.  NULL: no memory.
// ASSERTs that the key is not there.
void *keymap_add(struct keymap *keymap, struct span key, size_t len, uint64_t hash);
void *keymap_get(const struct keymap *keymap, struct span key, uint64_t hash);
// Takes it out and gives its block back.
void keymap_remove(struct keymap *keymap, void *thing);

static inline struct span keyed_span(const struct keyed *keyed)
{
    return span_of(keyed->key, keyed->key_len);
}

// for (uint32_t i = 0; (thing = keymap_at(map, &i)) != NULL; i++) ... ; no change of the map meanwhile.
void *keymap_at(const struct keymap *keymap, uint32_t *index);
