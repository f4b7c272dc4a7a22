// SPDX-License-Identifier: Apache-2.0
// What a server holds of one partition, in memory: the state (key -> value), the log, the meta fields, and
// the put that changes them together.  The same semantics as the scripts of stream/redis/scripts.c.
//
//     records: a vector in order of arrival (the scan's cursor is a place in it) + an index of hashes
//     log:     entries in order, trimmed at the front
//
// Invariant: digest = sum over the records; sequence = number of entries ever appended in this epoch.
// No thread, no time of its own.  Read next: memory.c (clients and faults).
#pragma once

#include "base/err.h"
#include "stream/position.h"

#include <stddef.h>

#define MEMORY_HEAD_LEN 22 // version and hash

struct memory_record {
    struct span key, value; // owned
    bool dead;              // purged: its place stays, so that scan cursors stay valid
    bool oversized;         // `value` is cut short
};

struct memory_entry {
    struct stream_entry entry; // `pairs` owned, as are their bytes
};

struct memory_partition {
    struct stream_meta meta;
    struct memory_record *records;
    size_t record_count, record_cap;
    uint32_t *index; // hash -> place + 1
    size_t index_count;
    struct memory_entry **log;
    size_t log_start, log_end, log_cap;
    uint64_t appended_records;
    struct stream_id last_id;
    uint64_t retention;          // records
    bool state_taken, log_taken; // something else stands at its key
};

void memory_partition_init(struct memory_partition *partition, uint64_t retention);
// It may be used again: everything is gone, ids start anew.
void memory_partition_fini(struct memory_partition *partition);
// A deep copy, for roll-backs and forks.
enum err memory_partition_copy(const struct memory_partition *from,
                               struct memory_partition *ret_copy) MUST_USE;

enum err memory_partition_create(struct memory_partition *partition,
                                 const struct stream_epoch *epoch, uint32_t partitions,
                                 int64_t now_ms) MUST_USE;

struct memory_put {
    const struct stream_epoch *epoch;
    const struct stream_record *records;
    uint32_t count;
    int64_t now_ms;
};

// Rows borrow from the partition.  STREAM_EPOCH, STREAM_MISTYPED: nothing was done.  ERR_NOMEM: nothing was done.
enum err memory_partition_put(struct memory_partition *partition, const struct memory_put *put,
                              struct stream_put_row *ret_rows,
                              enum stream_status *ret_status) MUST_USE;

// The first entry with an id greater than `after`; NULL when there is none.
const struct memory_entry *memory_partition_after(const struct memory_partition *partition,
                                                  struct stream_id after);
const struct memory_entry *memory_partition_at(const struct memory_partition *partition,
                                               struct stream_id id);
void memory_partition_trim(struct memory_partition *partition, size_t keep);
void memory_partition_lose(struct memory_partition *partition, size_t nth); // XDEL
// Something else stands at the key of the state, or of the log: what was there is gone.
void memory_partition_take_state(struct memory_partition *partition);
void memory_partition_take_log(struct memory_partition *partition);
// Appends an entry as it is, but for its id.
enum err memory_partition_append(struct memory_partition *partition,
                                 const struct stream_entry *entry, int64_t now_ms) MUST_USE;
// The meta fields, last_id being 0-0 where the log is empty.
struct stream_meta memory_partition_meta(const struct memory_partition *partition);
// A stranger's entry that is none of ours, and his record where none stands.
enum err memory_partition_garbage(struct memory_partition *partition, struct span key,
                                  struct span value, int64_t now_ms) MUST_USE;
// A stranger's record in the state, with neither entry nor digest: a plain HSET.
enum err memory_partition_plant(struct memory_partition *partition, struct span key,
                                struct span value) MUST_USE;
