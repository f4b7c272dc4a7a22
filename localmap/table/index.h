// SPDX-License-Identifier: Apache-2.0
// From a hash to the references of the records that may have it.  Groups of 12, a cache line each:
//
//     | t t t t t t t t t t t t | - - - | o |  ref ref ref ref ref ref ref ref ref ref ref ref |
//       12 tags of a byte                 1 B     12 references of 4 B
//
// A tag is 8 bits of the hash, never 0; 0 is a free place.  The home of a hash is its low bits; what finds its
// home full goes to the next group that has a place, and leaves one of eight bits in `o` of each group that it
// passed: a search goes on only where its own bit is set, so a miss ends early and a delete leaves nothing.
// After boost::unordered_flat_map (Lopez Munoz, 2022), with references in place of elements.  Tags in an array of
// their own would make a miss cheaper, and did; but what is asked for is nearly always there, and then the
// reference's line came on top.
//
// An index does not grow; a new one of twice the size takes over bit by bit (see shard.h).
// Invariant: a reference stands in an index before its tag does, the record is whole before its reference
// is there.  Writers hold the shard's lock; readers hold nothing.  Private to table/.  Read next: shard.h.
#pragma once

#include "localmap/table/words.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_PLACES 12
#define INDEX_ALIGN 64
// The tag and the bit in `o` are bits of the hash above these.
#define INDEX_GROUP_BITS_MAX 21
#define INDEX_BYTES_MAX ((size_t)INDEX_ALIGN << INDEX_GROUP_BITS_MAX)

struct index_group {
    _Atomic uint64_t tags[2];
    _Atomic uint32_t refs[INDEX_PLACES];
};

_Static_assert(sizeof(struct index_group) == INDEX_ALIGN, "one line");

// An index as readers hold it.
struct index {
    struct index_group *groups;
    uint32_t mask; // groups - 1
};

// The same in one word, so that one load gives all of it: the address, whose low bits are zeros, and in
// those the logarithm of the number of groups.  0: no index.
static inline uint64_t index_pack(struct index index)
{
    return (uint64_t)(uintptr_t)index.groups | (uint64_t)__builtin_popcount(index.mask);
}

static inline struct index index_unpack(uint64_t word)
{
    uintptr_t bits = (uintptr_t)word % INDEX_ALIGN;
    return (struct index){(struct index_group *)((uintptr_t)word - bits),
                          (UINT32_C(1) << bits) - 1};
}

static inline struct index_group *index_home(struct index index, uint32_t hash)
{
    return &index.groups[hash & index.mask];
}

static inline uint32_t index_tag(uint32_t hash)
{
    uint32_t tag = hash >> 24;
    return tag == 0 ? 1 : tag;
}

static inline uint64_t index_passed_bit(uint32_t hash)
{
    return UINT64_C(1) << (56 + (hash >> INDEX_GROUP_BITS_MAX) %
                                    8); // in the last byte of a group's tags
}

// The places of one group that have `tag`: a bit each.
// Acquire; pairs with the release of the tag in index.c: the reference is there, and what it leads to.
static inline uint32_t index_places(const struct index_group *group, uint32_t tag)
{
    const uint32_t places = (1u << INDEX_PLACES) - 1;
#if defined(WORDS_ONE_BY_ONE)
    // The zero bytes of (tags ^ tag), exactly, and their high bits gathered by a multiplication.
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t low7 = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t a = words_load(&group->tags[0]) ^ ones * tag;
    uint64_t b = words_load(&group->tags[1]) ^ ones * tag;
    a = ~(((a & low7) + low7) | a | low7) >> 7;
    b = ~(((b & low7) + low7) | b | low7) >> 7;
    const uint64_t gather = UINT64_C(0x0102040810204080);
    return ((uint32_t)(a * gather >> 56) | (uint32_t)(b * gather >> 56) << 8) & places;
#else
    const __m128i wanted = _mm_set1_epi32((int)(tag * UINT32_C(0x01010101)));
    const __m128i same = _mm_cmpeq_epi8(words_load_pair(group->tags, 0), wanted);
    atomic_signal_fence(memory_order_acquire); // as words_equal
    return (uint32_t)_mm_movemask_epi8(same) & places;
#endif
}

static inline uint32_t index_ref(const struct index_group *group, uint32_t bits)
{
    // Acquire; pairs with the release in index_replace: the record that moved is whole.
    return atomic_load_explicit(&group->refs[__builtin_ctz(bits)], memory_order_acquire);
}

// A search through one index.
struct index_search {
    struct index index;
    const struct index_group *group;
    uint32_t hash;
    uint32_t bits; // places of `group` still to be looked at
    bool ends;     // behind this group
};

static inline void index_look(struct index_search *search)
{
    search->bits = index_places(search->group, index_tag(search->hash));
    // Acquire; pairs with the release in index_insert: the bit was set before the tag stood further on.
    uint64_t high = atomic_load_explicit(&search->group->tags[1], memory_order_acquire);
    search->ends = (high & index_passed_bit(search->hash)) == 0;
}

static inline void index_begin(struct index_search *search, struct index index, uint32_t hash)
{
    search->index = index;
    search->hash = hash;
    search->group = index_home(index, hash);
    index_look(search);
}

// The group behind one.
static inline struct index_group *index_behind(struct index index, const struct index_group *group)
{
    return &index.groups[((uint32_t)(group - index.groups) + 1) & index.mask];
}

// The next reference that may be meant; 0: no more.
static inline uint32_t index_next(struct index_search *search)
{
    for (;;) {
        while (search->bits != 0) {
            uint32_t ref = index_ref(search->group, search->bits);
            search->bits &= search->bits - 1;
            if (ref != 0) { // 0: the pages of a retired index went back meanwhile
                return ref;
            }
        }
        search->group = index_behind(search->index, search->group);
        if (search->ends || search->group == index_home(search->index, search->hash)) {
            return 0;
        }
        index_look(search);
    }
}

// --- writers, under the shard's lock

// There is a free place (ASSERTed).
void index_insert(struct index index, uint32_t hash, uint32_t ref);
// false: `ref` is not in this index.
bool index_erase(struct index index, uint32_t hash, uint32_t ref);
bool index_replace(struct index index, uint32_t hash, uint32_t ref, uint32_t by);
// References of one group, at most INDEX_PLACES; returns how many.
unsigned index_group_refs(const struct index_group *group, uint32_t refs[INDEX_PLACES]);
// Has anything whose home this group is, or a group before it, gone on to the next one?
bool index_was_passed(const struct index_group *group);

static inline size_t index_bytes(struct index index)
{
    return ((size_t)index.mask + 1) * sizeof(struct index_group);
}
