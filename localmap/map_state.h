// SPDX-License-Identifier: Apache-2.0
// What a map is made of, for the two files that have it open: map.c reads, change.c changes.
//
// Every change of a key is one call of table_update: services, digest and feed are kept from inside its
// `decide`, under the shard's lock, so that they follow the table change by change.
// Ranks: interest 25, shard 30, quota 38, services 40, digest 50, feed 60, users 65; a thread takes locks in
// rising order only.
// Private to localmap.  Read next: change.c.
#pragma once

#include "base/assert.h"
#include "localmap/digest.h"
#include "localmap/feed.h"
#include "localmap/interest.h"
#include "localmap/map.h"
#include "localmap/quota.h"
#include "localmap/services.h"
#include "localmap/slot.h"
#include "localmap/table/table.h"
#include "localmap/users.h"

#include <stdatomic.h>

struct map {
    struct table *table;
    struct services *services;
    struct quota *quota;
    struct digest *digest;
    struct feed *feed;
    struct interest *interest;
    uint32_t partitions;
    struct users *users;
    // Set by map_close, which then takes each shard's lock once: who changes a shard after that finds it set,
    // through that lock; who looks at it outside is refused a little sooner or later.  Relaxed.
    atomic_bool ended;
    atomic_uint_fast64_t tombstones; // counters: relaxed, they publish nothing
    atomic_uint_fast64_t evicted;
    atomic_uint_fast64_t late;
    map_wake_fn wake; // set before the first write
    void *wake_arg;
};

static inline bool map_key_fits(struct span key)
{
    return key.len > 0 && key.len <= KEY_LEN_MAX;
}

static inline void map_wake_readers(const struct map *map)
{
    if (map->wake != NULL) {
        map->wake(map->wake_arg);
    }
}

// Has the map ended?  Then this write is counted as a late one.
static inline bool map_is_late(struct map *map)
{
    bool late = atomic_load_explicit(&map->ended, memory_order_relaxed);
    if (late) {
        atomic_fetch_add_explicit(&map->late, 1, memory_order_relaxed);
    }
    return late;
}

// What a reader wants of a slot.
struct map_look {
    bool registration;
    struct map_facts *facts;
    struct map_copy *copy; // NULL: the facts alone are wanted
};

// A table_look_fn; `arg`: a struct map_look.
void map_look_value(void *arg, struct span value);
