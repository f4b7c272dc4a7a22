// SPDX-License-Identifier: Apache-2.0
#include "localmap/table/table_debug.h"

#include "base/assert.h"
#include "localmap/table/shard.h"
#include "localmap/table/trace.h"

#include <stdlib.h>
#include <sys/mman.h>

// Of all shards together, for the probes: an even part of them where there are more.  A cache miss for each of
// their records: two milliseconds.
#define GROUPS_LOOKED_AT 2048

uint32_t table_shard_count(const struct table *table)
{
    return route_count(route_of(table));
}

struct wait_ring *table_waits(const struct table *table)
{
    return table->waits;
}

void table_lock_stats(const struct table *table, uint32_t shard, struct shard_lock_stats *ret_stats)
{
    ASSERT(shard < table_shard_count(table));
    shard_lock_stats(&table->shards[shard].lock, ret_stats);
}

// --- probes

// How many groups were looked at for each record of one group.  It reads beside writers, as any reader: what has just
// moved may be counted as something else.
static void count_probes(const struct table *table, struct index index, uint32_t group,
                         uint64_t probes[TABLE_PROBE_CLASSES])
{
    uint32_t refs[INDEX_PLACES];
    unsigned count = index_group_refs(&index.groups[group], refs);
    for (unsigned i = 0; i < count; i++) {
        const struct record *record = slab_at(table->base, refs[i]);
        uint32_t home = atomic_load_explicit(&record->hash, memory_order_relaxed) & index.mask;
        uint32_t passed = (group - home) & index.mask;
        probes[passed < TABLE_PROBE_CLASSES ? passed : TABLE_PROBE_CLASSES - 1]++;
    }
}

// Without the lock: a walk through a large shard, a cache miss for each record, would make its writers wait.
static void look_at_probes(const struct table *table, struct index index,
                           uint64_t probes[TABLE_PROBE_CLASSES])
{
    const uint32_t groups = index.mask + 1;
    const uint32_t shards = table_shard_count(table);
    ASSERT(shards > 0);
    const uint32_t most = shards < GROUPS_LOOKED_AT ? GROUPS_LOOKED_AT / shards : 1;
    const uint32_t step = groups > most ? groups / most : 1;
    for (uint32_t group = 0; group <= index.mask; group += step) {
        count_probes(table, index, group, probes);
    }
}

// Its index as it was then.
static struct index read_load(const struct table *table, uint32_t number,
                              struct table_shard_stats *ret_stats)
{
    ASSERT(number < table_shard_count(table));
    struct shard *shard = &table->shards[number];
    struct index prev;
    *ret_stats = (struct table_shard_stats){.records = 0};
    shard_lock_visit(&shard->lock, "table: shard_load");
    const struct index index = shard_index(shard);
    ret_stats->records = shard->count;
    ret_stats->places = ((uint64_t)index.mask + 1) * INDEX_PLACES;
    ret_stats->bytes = shard_bytes(shard);
    ret_stats->growing = shard_prev(shard, &prev);
    shard_lock_leave(&shard->lock);
    return index;
}

void table_shard_load(const struct table *table, uint32_t shard,
                      struct table_shard_stats *ret_stats)
{
    (void)read_load(table, shard, ret_stats);
}

void table_shard_stats(const struct table *table, uint32_t shard,
                       struct table_shard_stats *ret_stats)
{
    const struct index index = read_load(table, shard, ret_stats);
    look_at_probes(table, index, ret_stats->probes);
    table_lock_stats(table, shard, &ret_stats->lock);
}

// --- counting reads
//
// A read that finds its record at once runs through a few dozen instructions: none of them counts.  Instead the short
// way is taken from it: the home groups that it looks into become zeros, so that it finds nothing there and
// goes the long way, which counts.  That costs it some nanoseconds while somebody records, and nothing else.
// A reader may hold the zeros' address for as long as it likes: they stay until the table goes.

static enum err make_zeros(struct table *table)
{
    if (table->zeros == NULL) {
        void *zeros = mmap(NULL, INDEX_BYTES_MAX, PROT_READ,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        table->zeros = zeros == MAP_FAILED ? NULL : zeros;
    }
    return table->zeros == NULL ? ERR_NOMEM : ERR_OK;
}

static void count_reads(struct table *table, bool on)
{
    for (uint32_t i = 0; i < table_shard_count(table); i++) {
        struct shard *shard = &table->shards[i];
        shard_lock_visit(&shard->lock, "table: count_reads");
        shard->blind = on ? (uintptr_t)table->zeros : 0;
        atomic_store_explicit(&shard->head->counts, on, memory_order_relaxed);
        // The size of the index has not changed: whichever address a reader meets, it stays within.
        shard_show_index(shard, index_pack(shard_index(shard)));
        shard_lock_leave(&shard->lock);
    }
}

uint64_t table_reads(const struct table *table, uint32_t shard)
{
    ASSERT(shard < table_shard_count(table));
    return atomic_load_explicit(&table->heads[shard].reads, memory_order_relaxed);
}

enum err table_record(struct table *table)
{
    enum err err = trace_start(wait_ring_trace(table->waits));
    if (err != ERR_OK) {
        return err;
    }
    // Whoever has started the trace is alone here.
    err = make_zeros(table);
    if (err != ERR_OK) {
        struct trace_recorded none;
        trace_stop(wait_ring_trace(table->waits), &none);
        free(none.events);
        return err;
    }
    count_reads(table, true);
    return ERR_OK;
}

void table_record_end(struct table *table, struct trace_recorded *ret_recorded)
{
    count_reads(table, false);
    trace_stop(wait_ring_trace(table->waits), ret_recorded);
}
