// SPDX-License-Identifier: Apache-2.0
// One shard, and how a key is found in it.
//
//     head->index --> [ new ]      readers look here first,
//     head->prev  --> [ old ]      then here, as long as the old one is being taken over
//
// While it grows the old index stays as it is, but for deletes: what has moved on stands in both, so readers
// need no restart.  Each change takes two groups over; with the last one, `moves` goes up, `prev` becomes
// none, and the old one's pages go back.  A reader who has found nothing looks whether `moves` is what it
// was: only what raises it can hide a held key from a search (a record that went to another slot, an index
// or a chunk whose pages went back), and all of that raises it first.
// Invariant: at rest, each held key stands in `index` or in `prev`, and a deleted one in neither.
// Readers hold nothing; writers hold `lock` (rank 30), which guards all that stands behind it.
// Private to table/.  Read next: table.c (reading), update.c (changing).
#pragma once

#include "localmap/table/fetch.h"
#include "localmap/table/index.h"
#include "localmap/table/range.h"
#include "localmap/table/shard_lock.h"
#include "localmap/table/slab.h"

#include <pthread.h>

struct shard;

// What readers need of a shard: one line, the lines of all shards side by side.
struct shard_head {
    // The current index twice: packed, and as its parts for who looks into the home group only.  `mask` is that of
    // places in bytes; it is stored behind `groups` and loaded before, so it never leads behind the end.
    _Alignas(CACHE_LINE) _Atomic uint64_t mask;
    _Atomic uintptr_t groups;
    _Atomic uint64_t index; // index_pack
    _Atomic uint64_t prev;  // the one that is being taken over; 0: none
    _Atomic uint32_t moves;
    _Atomic uint32_t counts; // relaxed, as `reads`: are reads being counted?  See table_debug.c
    _Atomic uint64_t reads;
    struct shard *shard;
    // The writers', here because they look here anyway.  `busy`: with `prev`, or with giving its pages back.
    // `cuts`: those of the table as the change under way found them, before it decided anything.
    uint32_t cuts;
    bool busy;
};

_Static_assert(sizeof(struct shard_head) == CACHE_LINE, "one line");

// What writers need besides.
struct shard {
    struct shard_lock lock;
    struct shard_head *head;
    // Relaxed: a reader has found a writer at its record, and asks for a gap.  Not in the lock's line, which it would
    // take from the writer, nor in that of the head, which all readers need.
    atomic_bool starved;
    uintptr_t blind; // what stands in `groups` instead while reads are counted; else 0
    size_t count;
    uint32_t taken_over; // groups of `prev` that are done
    uint64_t retired;    // an index that was taken over, packed; 0: all its pages went back
    size_t retired_at;
    uint64_t spare; // made ahead, for the next growth; 0: none
    struct slab slab;
    struct slab_uncut populated; // what table_tend has seen to
};

struct table {
    // Which shard a hash belongs to.  One word, so that another routing may take its place at run time, and so
    // that one load gives all of it: the address of the heads, whose low bits are zeros, and in those the
    // logarithm of their number.
    _Atomic uint64_t route;
    char *base; // of the range
    _Atomic uint16_t tick;
    _Atomic uint32_t cuts; // snapshots that changes must care for, a bit each
    struct range *range;
    struct shard_head *heads;
    struct shard *shards;
    struct wait_ring *waits;
    void *zeros; // as long as the largest index; NULL: not needed so far
    uint8_t secret[16];
    pthread_mutex_t
        snapshots_lock; // rank 31; guards the two below, of which bits in `cuts` may be read without
    uint32_t places;    // of `snapshots` that are taken, a bit each
    struct table_snapshot *snapshots[TABLE_SNAPSHOTS_MAX];
};

struct route {
    struct shard_head *heads;
    unsigned bits;
};

static inline struct route route_of(const struct table *table)
{
    // Acquire; pairs with the release of who puts another route there: its shards are made.
    uint64_t word = atomic_load_explicit(&table->route, memory_order_acquire);
    uintptr_t bits = (uintptr_t)word % CACHE_LINE;
    return (struct route){(struct shard_head *)((uintptr_t)word - bits), (unsigned)bits};
}

static inline uint32_t route_count(struct route route)
{
    return route.heads == NULL ? 0 : UINT32_C(1) << route.bits;
}

static inline struct shard_head *head_of(const struct table *table, uint64_t hash)
{
    struct route route = route_of(table);
    // In two steps: a shift by 64 bits is not defined, and one shard needs it.
    return &route.heads[hash >> 1 >> (63 - route.bits)];
}

// The home group of a hash in the current index.
static inline const struct index_group *head_home(const struct shard_head *head, uint64_t hash)
{
    // Acquire, both: in this order, and what the index leads to is whole.  Pair with the releases in
    // shard_make_room.
    uint64_t mask = atomic_load_explicit(&head->mask, memory_order_acquire);
    uintptr_t groups = atomic_load_explicit(&head->groups, memory_order_acquire);
    return (const struct index_group *)(groups + (hash * sizeof(struct index_group) & mask));
}

// The first record that a home group may mean; a guess, unless its key is compared under the lock.  0: none.
static inline uint32_t head_guess(const struct index_group *home, uint64_t hash)
{
    uint32_t bits = index_places(home, index_tag((uint32_t)hash));
    return __builtin_expect(bits == 0, 0) ? 0 : index_ref(home, bits);
}

// The current index and the one before it, as a writer sees them under the lock.
static inline struct index shard_index(const struct shard *shard)
{
    return index_unpack(atomic_load_explicit(&shard->head->index, memory_order_relaxed));
}

static inline bool shard_prev(const struct shard *shard, struct index *ret_prev)
{
    uint64_t word = atomic_load_explicit(&shard->head->prev, memory_order_relaxed);
    *ret_prev = index_unpack(word);
    return word != 0;
}

// Of a reader, which takes no lock: asks whoever writes next to leave the shard at rest for as long as a reader needs.
static inline void shard_ask_gap(struct shard *shard)
{
    atomic_store_explicit(&shard->starved, true, memory_order_relaxed);
}

// Of a writer inside: has anybody asked since the last time?
static inline bool shard_gap_asked(struct shard *shard)
{
    if (__builtin_expect(!atomic_load_explicit(&shard->starved, memory_order_relaxed), 1)) {
        return false;
    }
    atomic_store_explicit(&shard->starved, false, memory_order_relaxed);
    return true;
}

// --- table.c, under the lock

uint64_t shard_bytes(const struct shard *shard);

// --- update.c, under the lock

// Says that what follows may hide held keys from a search that goes on meanwhile.
void shard_moved(struct shard *shard);
// The record at `from` gets the slot `to`, with the value given.
void shard_move(const struct table *table, struct shard *shard, const uint32_t from_to[2],
                const struct table_value *value);
// Sees to it that so many more keys have a place.  ERR_NOMEM.
enum err shard_make_room(const struct table *table, struct shard *shard, size_t keys) MUST_USE;
// An empty index.  ERR_NOMEM: no memory, or more groups than a hash has bits for.  Needs no lock.
enum err shard_index_new(struct range *range, uint32_t groups, uint64_t *ret_index) MUST_USE;
// Has readers look into it.
void shard_show_index(const struct shard *shard, uint64_t index);
