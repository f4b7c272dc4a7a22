// SPDX-License-Identifier: Apache-2.0
// What the table's snapshots need of its writers.  Private to table/.
//
//     cut                     a bit of `cuts` goes up: changes that saw it are behind the cut, others before it
//     writer behind the cut   keeps the slot as it was, once, before it changes it:  undo[shard]: ref --> copy or "nobody"
//     scan                    slot by slot, from the highest address of a shard down; skips what is in undo[shard]
//     end of a shard          the copies of undo[shard]
//
// Invariant: each record of the cut is met exactly once: where it lies, or as a copy, never both: what was passed
// is not kept any more.  Read next: snapshot.c.
#pragma once

#include "localmap/table/shard.h"

// A change begins: from here on it is before a cut or behind it, as a whole, with all that its `decide` tells to
// others.  The lock of its shard is held.
static inline void snapshot_begin(const struct table *table, struct shard *shard)
{
    // Acquire; pairs with the release in table_snapshot_new: who sees the bit sees the snapshot.
    uint32_t cuts = atomic_load_explicit(&table->cuts, memory_order_acquire);
    if (__builtin_expect(cuts != shard->head->cuts,
                         0)) { // readers' line: is not written for nothing
        shard->head->cuts = cuts;
    }
}

void snapshot_keep_now(const struct table *table, const struct shard *shard, uint32_t ref);

// The slot `ref` is about to change: for snapshots it stays as it was.
static inline void snapshot_keep(const struct table *table, const struct shard *shard, uint32_t ref)
{
    if (__builtin_expect(shard->head->cuts != 0, 0)) {
        snapshot_keep_now(table, shard, ref);
    }
}
