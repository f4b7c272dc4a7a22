// SPDX-License-Identifier: Apache-2.0
#include "localmap/map_debug.h"

#include "localmap/map_state.h"
#include "localmap/table/table_debug.h"
#include "localmap/table/trace.h"

#include <stdlib.h>

_Static_assert(MAP_PROBE_CLASSES == TABLE_PROBE_CLASSES, "classes of the table");
_Static_assert(MAP_WAIT_CLASSES == SHARD_LOCK_CLASSES, "classes of the lock");
_Static_assert(MAP_WAIT_LONG_NS == SHARD_LOCK_LONG_NS, "what the lock calls long");
_Static_assert(MAP_WAIT_STACK_MAX == WAIT_STACK_MAX, "stacks of the ring");

static void copy_lock(const struct shard_lock_stats *from, struct map_lock *to)
{
    *to = (struct map_lock){.entries = from->entries,
                            .waits = from->waits,
                            .wait_total_ns = from->wait_total_ns,
                            .wait_max_ns = from->wait_max_ns,
                            .holds = from->holds,
                            .hold_total_ns = from->hold_total_ns,
                            .hold_max_ns = from->hold_max_ns,
                            .inside = from->inside};
    memcpy(to->wait_classes, from->wait_classes, sizeof(to->wait_classes));
}

uint32_t map_shard_count(const struct map *map)
{
    return table_shard_count(map->table);
}

static struct map_shard load_of(const struct table_shard_stats *stats)
{
    return (struct map_shard){.records = stats->records,
                              .places = stats->places,
                              .bytes = stats->bytes,
                              .growing = stats->growing};
}

void map_shard_load(const struct map *map, uint32_t shard, struct map_shard *ret_stats)
{
    struct table_shard_stats stats;
    table_shard_load(map->table, shard, &stats);
    *ret_stats = load_of(&stats);
}

void map_shard_stats(const struct map *map, uint32_t shard, struct map_shard *ret_stats)
{
    struct table_shard_stats stats;
    table_shard_stats(map->table, shard, &stats);
    *ret_stats = load_of(&stats);
    memcpy(ret_stats->probes, stats.probes, sizeof(ret_stats->probes));
    copy_lock(&stats.lock, &ret_stats->lock);
}

void map_lock_stats(const struct map *map, uint32_t shard, struct map_lock *ret_stats)
{
    struct shard_lock_stats stats;
    table_lock_stats(map->table, shard, &stats);
    copy_lock(&stats, ret_stats);
}

uint64_t map_wait_class_end_ns(unsigned number)
{
    return shard_lock_class_end_ns(number);
}

uint64_t map_waits_next(const struct map *map)
{
    return wait_ring_next(table_waits(map->table));
}

bool map_wait_get(const struct map *map, uint64_t number, struct map_wait *ret_wait)
{
    struct wait_entry entry;
    uint64_t got;
    if (!wait_ring_get(table_waits(map->table), number, &entry, &got)) {
        return false;
    }
    *ret_wait = (struct map_wait){.number = got,
                                  .shard = entry.shard,
                                  .waiter = entry.waiter,
                                  .holder = entry.holder,
                                  .ended_ns = entry.ended_ns,
                                  .waited_ns = entry.waited_ns,
                                  .thread = entry.thread,
                                  .stack_len = entry.stack_len};
    memcpy(ret_wait->stack, entry.stack, entry.stack_len * sizeof(entry.stack[0]));
    return true;
}

// --- recording

enum err map_trace_start(const struct map *map)
{
    return table_record(map->table);
}

void map_trace_stop(const struct map *map, struct map_trace *ret_trace)
{
    struct trace_recorded recorded;
    table_record_end(map->table, &recorded);
    *ret_trace = (struct map_trace){recorded.events, recorded.count, recorded.dropped};
}

struct map_event map_trace_event(const struct map_trace *trace, size_t number)
{
    ASSERT(number < trace->count);
    const struct trace_event *event = (const struct trace_event *)trace->recorded + number;
    return (struct map_event){.kind = event->kind == TRACE_WAIT ? MAP_EVENT_WAIT : MAP_EVENT_GROWTH,
                              .shard = event->shard,
                              .thread = event->thread,
                              .site = event->site,
                              .other = event->other,
                              .began_ns = event->began_ns,
                              .took_ns = event->took_ns};
}

uint64_t map_reads(const struct map *map, uint32_t shard)
{
    return table_reads(map->table, shard);
}

void map_trace_free(struct map_trace *trace)
{
    free(trace->recorded);
    trace->recorded = NULL;
}
