// SPDX-License-Identifier: Apache-2.0
// What a table is like inside, for people: its shards one by one, and who waited for their locks.
// Any thread; it is meant for a few calls a second.  Read next: shard_lock.h, localmap/map_debug.h.
#pragma once

#include "localmap/table/shard_lock.h"
#include "localmap/table/table.h"

struct trace_recorded;

// How many places were looked at before a record was found: 1, 2, ... and the last class, those from there on.
#define TABLE_PROBE_CLASSES 8

struct table_shard_stats {
    uint64_t records;
    uint64_t places; // for records; what a shard that is growing leaves behind is not counted
    uint64_t bytes;
    bool growing;
    uint64_t
        probes[TABLE_PROBE_CLASSES]; // records by class; of a large shard a part of its records
    struct shard_lock_stats lock;
};

uint32_t table_shard_count(const struct table *table);

// `shard` < table_shard_count.  Holds its lock for some loads only.
void table_shard_stats(const struct table *table, uint32_t shard,
                       struct table_shard_stats *ret_stats);
// Its records, places and state alone: a few loads under the lock.
void table_shard_load(const struct table *table, uint32_t shard,
                      struct table_shard_stats *ret_stats);
// The lock's part alone, which takes no lock.
void table_lock_stats(const struct table *table, uint32_t shard,
                      struct shard_lock_stats *ret_stats);

// The long waits, and the table's recorder.  Borrowed: good as long as the table.
struct wait_ring *table_waits(const struct table *table);

// From here to table_record_end all waits, steps of growth and reads are recorded.  ERR_BUSY: somebody else
// records; ERR_NOMEM.
enum err table_record(struct table *table) MUST_USE;
// By whoever has begun it.
void table_record_end(struct table *table, struct trace_recorded *ret_recorded);
// Of one shard, counted while somebody records; it never falls.
uint64_t table_reads(const struct table *table, uint32_t shard);
