// SPDX-License-Identifier: Apache-2.0
// A concurrent table from bytes to bytes.  Knows nothing of health.
//
//     hash = SipHash-1-3(secret of this process, key)
//
//     top bits --> shard [ lock of the writers | index: tags and references | slab: records   ]
//                                                 low bits: where to begin      each under a sequence lock
//
// Invariant: a callback sees a whole value, never half of one; at most one change of a shard at a time; who
// learns of a change from inside its `decide` (through a feed, say) and then reads the key gets the new value.
// A read takes no lock; it waits where a writer is inside this very record, and looks again when records
// moved while it found nothing.  `decide`, and the callback of a walk, run under the shard's lock (rank
// 30): they are short, take only locks of a greater rank and never come back to the table.  Any thread.
// Read next: index.h, record.h, slab.h; localmap/map.c, the only user.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

#define TABLE_KEY_MAX 1024
#define TABLE_VALUE_MAX 8192
#define TABLE_SHARDS_MAX 65536

struct table;

// A key with its hash, so that a request hashes once.  Borrows.
struct table_key {
    struct span bytes; // 1..TABLE_KEY_MAX bytes (ASSERTed)
    uint64_t hash;
};

// `shards`: a power of two.  *gives* the table.  ERR_NOMEM, ERR_INVALID.
enum err table_new(uint32_t shards, struct table **ret_table) MUST_USE;
void table_free(struct table *table);

struct table_key table_key(const struct table *table, struct span bytes);

// A value as a reader gets it.
struct table_copy {
    char *bytes; // the reader's own
    size_t cap;  // of `bytes`, a multiple of 8; less than the value's length: it gets the beginning
    size_t len;  // of the value; up to the next multiple of 8 nothing is promised of `bytes`
    bool found;  // of table_get_many
};

// false: not there; what stands in the copy means nothing then.
bool table_get(const struct table *table, const struct table_key *key, struct table_copy *copy);

// As table_get for each of them; several keys' memory is fetched at once, so this is faster than one by one
// as soon as the table does not fit into the cache.
void table_get_many(const struct table *table, const struct table_key *keys, size_t count,
                    struct table_copy *copies);

// Calls `look` with a copy of the value (borrowed).  false: not there.
typedef void (*table_look_fn)(void *arg, struct span value);
bool table_read(const struct table *table, const struct table_key *key, table_look_fn look,
                void *arg);

// What becomes of a key.
enum table_verdict { TABLE_KEEP, TABLE_STORE, TABLE_REMOVE };

// The new value is `head`, then `body`; both are copied.  The body may be a part of the old value.
struct table_value {
    struct span head;
    struct span body;
};

// Is shown the value (ptr NULL: not there) and says what becomes of it.  What it says is done: memory was
// taken before, so it may keep its own books on the way.
typedef enum table_verdict (*table_decide_fn)(void *arg, struct span old,
                                              struct table_value *ret_new);

struct table_change {
    table_decide_fn decide;
    void *arg;
    // The most bytes that a new value can need, up to TABLE_VALUE_MAX; an old one's length is always there.
    size_t room;
    bool create; // false: `decide` is not asked when the key is not there
    bool tight;  // the value shall keep no more than `room`, so that what it had before can go back
    const char *site; // who it is, for the eye: what two writers that met, or waited, are called
};

// ERR_NOMEM: nothing has changed, `decide` was not asked.  ERR_NOT_FOUND: not there and not to be created.
enum err table_update(struct table *table, const struct table_key *key,
                      const struct table_change *change) MUST_USE;

// A place in the order of hashes.  Starts as zeros.
struct table_cursor {
    uint32_t shard;
    uint32_t key_len; // of the last key seen; 0: none of this shard yet
    uint64_t hash;
    char key[TABLE_KEY_MAX];
};

// Moves to the next key, which then stands in the cursor, and calls `look` with its value.  false: the end.
// A key that is there all the time is met exactly once, others at most once for each time that they came.
bool table_next(const struct table *table, struct table_cursor *cursor, table_look_fn look,
                void *arg);

// --- snapshots: all records as they were at one instant, while writers go on
//
// The causal cut waits for no writer: a change is in it or not as a whole, and with each change those that its
// writer had seen; but of two changes that ran at one time it may have the one that a reader saw later.
// The strict cut holds all writers up for a moment: what it shows is what stood in the table at that
// instant, for everybody.  One writer that has lost its core holds up all others then.
enum table_cut { TABLE_CUT_CAUSAL, TABLE_CUT_STRICT };

#define TABLE_SNAPSHOTS_MAX 8

struct table_snapshot;

// *gives* the snapshot, which must go before the table does.  While it lives each record that changes for the
// first time is copied.  ERR_NOMEM; ERR_FULL: there are TABLE_SNAPSHOTS_MAX.
enum err table_snapshot_new(struct table *table, enum table_cut cut,
                            struct table_snapshot **ret_snapshot) MUST_USE;
void table_snapshot_free(struct table_snapshot *snapshot); // accepts NULL

// Is called with each record where it lies, without a copy, under the shard's lock as `decide` is.
struct table_visitor {
    void (*visit)(void *arg, struct span key, struct span value);
    void *arg;
};

// LOST: more has changed meanwhile than may be kept (64 MiB), or there was no memory for it; make another one.
enum table_scan { TABLE_SCAN_MORE, TABLE_SCAN_END, TABLE_SCAN_LOST };

// The next records, at most 32 and those of which copies were kept; in the order of memory.  One thread at a time.
enum table_scan table_snapshot_next(struct table_snapshot *snapshot,
                                    const struct table_visitor *visitor) MUST_USE;

uint64_t table_count(const struct table *table);
uint64_t table_bytes(const struct table *table); // of memory, the allocator's own not counted

// --- keeping house

// A coarse clock of the caller's; a record keeps the tick at which it was last read or changed.  A hint.
void table_set_tick(struct table *table, uint16_t tick);
// A record that is held, and its tick; which one, `random` decides.  false: none was met (try again; most
// probably there are few).
struct table_sample {
    uint16_t tick;
    uint32_t key_len;
    char key[TABLE_KEY_MAX];
};
bool table_sample(const struct table *table, uint64_t random, struct table_sample *ret_sample);

// Sees to it that the next `records` of each shard, of the mean size of those held, meet memory that is there
// already.  ERR_NOMEM: as many as there was memory for.
enum err table_reserve(struct table *table, uint32_t records) MUST_USE;

// What needs no writer to wait for it, for a thread beside: populates pages before they are needed, moves records
// out of chunks that are nearly empty and gives those back.  Takes each shard's lock for some microseconds
// at a time.  One thread at a time.  Returns the bytes of chunks in which nobody lives, which are to come.
uint64_t table_tend(struct table *table);
// For whoever is short of memory: a step of giving back what is vacant all over, at the price of moving far more
// records.  By the same thread.  false: there is nothing to gain.
bool table_compact(struct table *table);
