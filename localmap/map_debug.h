// SPDX-License-Identifier: Apache-2.0
// What the map is like inside, for people and for metrics: its shards, who waited for whom.
// Plain copies; nothing here changes the map.  [any], a few calls a second.  Read next: table/table_debug.h.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map;

#define MAP_PROBE_CLASSES 8
#define MAP_WAIT_CLASSES 8
#define MAP_WAIT_STACK_MAX 16
#define MAP_WAIT_LONG_NS 1000000

// The lock of one shard's writers, since the map was made.  Readers take none.
struct map_lock {
    uint64_t entries; // how often a writer came in
    uint64_t waits;   // those that had to wait
    uint64_t wait_total_ns, wait_max_ns;
    uint64_t wait_classes[MAP_WAIT_CLASSES]; // see map_wait_class_end_ns
    uint64_t holds;                          // that were timed: a sample
    uint64_t hold_total_ns, hold_max_ns;
    const char *inside; // the call site of the writer that is inside; NULL: nobody
};

struct map_shard {
    uint64_t records;
    uint64_t places; // for records
    uint64_t bytes;
    bool growing;
    uint64_t probes
        [MAP_PROBE_CLASSES]; // records by how many places are looked at to find them: 1, 2, ...
    struct map_lock lock;
};

uint32_t map_shard_count(const struct map *map);
// `shard` < map_shard_count.
void map_shard_stats(const struct map *map, uint32_t shard, struct map_shard *ret_stats);
// Its records, places, bytes and growing alone: its lock is taken for a few loads.
void map_shard_load(const struct map *map, uint32_t shard, struct map_shard *ret_stats);
// Its lock alone: a few loads.
void map_lock_stats(const struct map *map, uint32_t shard, struct map_lock *ret_stats);

// The upper end of a class of waits in ns; UINT64_MAX: it has none.
uint64_t map_wait_class_end_ns(unsigned number);

// A wait of a millisecond and more.  The last few hundred are kept, numbered from 0.
struct map_wait {
    uint64_t number;
    uint32_t shard;
    const char *waiter, *holder; // call sites; holder NULL: it had just left
    uint64_t ended_ns;           // as clock_ns()
    uint64_t waited_ns;
    uint32_t thread; // as gettid()
    size_t stack_len;
    uintptr_t stack[MAP_WAIT_STACK_MAX]; // of the waiter, the innermost first
};

// The number that the next wait will get.
uint64_t map_waits_next(const struct map *map);
// The wait `number`, or the oldest one kept if that one has gone.  false: not there yet.
bool map_wait_get(const struct map *map, uint64_t number, struct map_wait *ret_wait);

// --- recording all waits, the short ones too, the steps of growth, and how many reads there are

enum map_event_kind { MAP_EVENT_WAIT, MAP_EVENT_GROWTH };

struct map_event {
    enum map_event_kind kind;
    uint32_t shard;
    uint32_t thread;
    const char *site;  // who; of growth: what
    const char *other; // of a wait: who was inside; NULL: nobody any more
    uint64_t began_ns, took_ns;
};

struct map_trace {
    void *recorded; // to be given back by map_trace_free
    size_t count;
    uint64_t dropped; // events for which there was no place
};

// One at a time.  ERR_BUSY: somebody else records; ERR_NOMEM.
enum err map_trace_start(const struct map *map) MUST_USE;
// By whoever has started it.  Long waits stand in the ring above, not here.
void map_trace_stop(const struct map *map, struct map_trace *ret_trace);
// `number` < count.
struct map_event map_trace_event(const struct map_trace *trace, size_t number);
void map_trace_free(struct map_trace *trace);
// Reads of a shard's keys, counted from map_trace_start to map_trace_stop; the sum never falls.
uint64_t map_reads(const struct map *map, uint32_t shard);
