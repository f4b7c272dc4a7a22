// SPDX-License-Identifier: Apache-2.0
// A concurrent table from bytes to bytes.  Knows nothing of health.
//
//     hash = SipHash-1-3(key, secret of this process)
//     shard = top bits of the hash --> [ rwlock | cells: hash, entry* ]   open addressing, linear probing
//
// Invariant: a callback sees the whole value, never half of one; at most one writer of a shard at a time.
// Any thread.  Callbacks run under the shard's lock (rank 40): they must be short and take no lock of a
// lower rank.  Read next: localmap/map.c, the only user.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

struct table;

// A key with its hash, so that a request hashes once.
struct table_key {
    struct span bytes;
    uint64_t hash;
};

// `shards`: a power of two.  ERR_NOMEM, ERR_INVALID.
enum err table_new(uint32_t shards, struct table **ret_table) MUST_USE;
void table_free(struct table *table);

struct table_key table_key(const struct table *table, struct span bytes);

// Calls `look` with the value.  false: not there.
typedef void (*table_look_fn)(void *arg, struct span value);
bool table_read(const struct table *table, struct table_key key, table_look_fn look, void *arg);

// Lets `change` edit the value in place (its length stays).  false: not there.
typedef void (*table_edit_fn)(void *arg, char *value, size_t len);
bool table_edit(struct table *table, struct table_key key, table_edit_fn edit, void *arg);

// What becomes of a key.
enum table_verdict { TABLE_KEEP, TABLE_STORE, TABLE_REMOVE };

// The new value is `head` followed by `body`; both are copied.
struct table_value {
    struct span head;
    struct span body;
};

// Shows `decide` the value (ptr NULL: not there) and does what it says.
// ERR_NOMEM: nothing has changed, though `decide` has run.
typedef enum table_verdict (*table_decide_fn)(void *arg, struct span old, struct table_value *ret_new);
enum err table_update(struct table *table, struct table_key key, table_decide_fn decide,
                      void *arg) MUST_USE;

// Calls `visit` for every key, without a lock held; keys that come or go meanwhile may be missed, none is
// seen twice.  Stops when it returns false.
typedef bool (*table_visit_fn)(void *arg, struct span key);
enum err table_keys(const struct table *table, table_visit_fn visit, void *arg) MUST_USE;

uint64_t table_count(const struct table *table);
uint64_t table_bytes(const struct table *table); // of memory, allocator overhead not counted
