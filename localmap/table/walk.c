// SPDX-License-Identifier: Apache-2.0
// Walks through a table, and samples of it.
#include "localmap/table/shard.h"

#define GROUPS_SAMPLED 8

// In the order of (hash with its bits reversed, key).  The homes of an index, so ordered, each split in two
// when it doubles, without any other coming between: a place in this order survives growth.

static uint32_t reversed(uint32_t hash)
{
    hash = (hash >> 1 & 0x55555555) | (hash & 0x55555555) << 1;
    hash = (hash >> 2 & 0x33333333) | (hash & 0x33333333) << 2;
    hash = (hash >> 4 & 0x0f0f0f0f) | (hash & 0x0f0f0f0f) << 4;
    return __builtin_bswap32(hash);
}

// A search for the first record behind a place.
struct walk {
    const struct table *table;
    const struct table_cursor *cursor; // the place
    uint32_t mask;                     // of the newest index, whose homes are walked
    const struct record *best;         // so far; NULL: none
    uint32_t best_order;
};

static uint32_t order_of(const struct record *record)
{
    return reversed(atomic_load_explicit(&record->hash, memory_order_relaxed));
}

static int compare(uint32_t order1, struct span key1, uint32_t order2, struct span key2)
{
    return order1 != order2 ? (order1 < order2 ? -1 : 1) : span_cmp(key1, key2);
}

static void consider(struct walk *walk, const struct record *record)
{
    const struct table_cursor *cursor = walk->cursor;
    uint32_t order = order_of(record);
    const struct span last = span_of(cursor->key, cursor->key_len);
    bool behind = cursor->key_len == 0 ||
                  compare(order, record_key(record), (uint32_t)cursor->hash, last) > 0;
    if (behind && (walk->best == NULL || compare(order, record_key(record), walk->best_order,
                                                 record_key(walk->best)) < 0)) {
        walk->best = record;
        walk->best_order = order;
    }
}

// All with this home in `index`.
static void consider_home(struct walk *walk, struct index index, uint32_t home)
{
    const struct index_group *group = index_home(index, home);
    for (uint32_t left = index.mask + 1; left > 0; left--) {
        uint32_t refs[INDEX_PLACES];
        unsigned count = index_group_refs(group, refs);
        for (unsigned i = 0; i < count; i++) {
            const struct record *record = slab_at(walk->table->base, refs[i]);
            uint32_t hash = atomic_load_explicit(&record->hash, memory_order_relaxed);
            if ((hash & walk->mask) == home) {
                consider(walk, record);
            }
        }
        if (!index_was_passed(group)) {
            return;
        }
        group = index_behind(index, group);
    }
}

// The first record of the shard behind the cursor; NULL: none.
static const struct record *record_behind(const struct table *table, const struct shard *shard,
                                          const struct table_cursor *cursor)
{
    struct index index = shard_index(shard);
    struct index prev;
    bool grows = shard_prev(shard, &prev);
    struct walk walk = {.table = table, .cursor = cursor, .mask = index.mask};
    unsigned bits = (unsigned)__builtin_popcount(index.mask);
    uint32_t place = cursor->key_len == 0 || bits == 0 ? 0 : (uint32_t)cursor->hash >> (32 - bits);
    for (; place <= index.mask && walk.best == NULL; place++) {
        uint32_t home = bits == 0 ? 0 : reversed(place << (32 - bits));
        consider_home(&walk, index, home);
        if (grows) {
            consider_home(&walk, prev, home);
        }
    }
    return walk.best;
}

bool table_next(const struct table *table, struct table_cursor *cursor, table_look_fn look,
                void *arg)
{
    for (; cursor->shard < route_count(route_of(table)); cursor->shard++) {
        struct shard *shard = &table->shards[cursor->shard];
        shard_lock_visit(&shard->lock, "table: next");
        const struct record *record = record_behind(table, shard, cursor);
        if (record != NULL) {
            struct span key = record_key(record);
            cursor->hash = order_of(record);
            cursor->key_len = (uint32_t)key.len;
            memcpy(cursor->key, key.ptr, key.len);
            look(arg, record_value(record));
        }
        shard_lock_leave(&shard->lock);
        if (record != NULL) {
            return true;
        }
        cursor->key_len = 0;
    }
    return false;
}

// --- samples

void table_set_tick(struct table *table, uint16_t tick)
{
    atomic_store_explicit(&table->tick, tick, memory_order_relaxed);
}

// A record near the home of `random`; NULL: none.
static const struct record *record_near(const struct table *table, struct index index,
                                        uint64_t random)
{
    for (uint32_t tries = 0; tries <= index.mask && tries < GROUPS_SAMPLED; tries++) {
        uint32_t refs[INDEX_PLACES];
        unsigned count = index_group_refs(index_home(index, (uint32_t)random + tries), refs);
        if (count > 0) {
            return slab_at(table->base, refs[(random >> 32) % count]);
        }
    }
    return NULL;
}

bool table_sample(const struct table *table, uint64_t random, struct table_sample *ret_sample)
{
    struct shard *shard = head_of(table, random)->shard;
    struct index prev;
    shard_lock_visit(&shard->lock, "table: sample");
    const struct record *record = record_near(table, shard_index(shard), random);
    if (record == NULL && shard_prev(shard, &prev)) {
        record = record_near(table, prev, random); // not taken over yet
    }
    if (record != NULL) {
        struct span key = record_key(record);
        ret_sample->tick = atomic_load_explicit(&record->tick, memory_order_relaxed);
        ret_sample->key_len = (uint32_t)key.len;
        memcpy(ret_sample->key, key.ptr, key.len);
    }
    shard_lock_leave(&shard->lock);
    return record != NULL;
}
