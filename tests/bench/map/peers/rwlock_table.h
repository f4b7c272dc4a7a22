// SPDX-License-Identifier: Apache-2.0
// What localmap/table was until its readers took no lock: shards under a pthread_rwlock each, entries from malloc,
// cells kept in the order of their hashes.  Here as what the new one is measured against; no part of the product.
//
//     hash --> shard [ rwlock | cells: (hash, entry) (hash, entry) - - (hash, entry) ... ]
//
// Invariant: as localmap/table/table.h, whose functions these are under another name.  Any thread.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

#define RWLOCK_TABLE_KEY_MAX 1024
#define RWLOCK_TABLE_SHARDS_MAX 65536

struct rwlock_table;

// A key with its hash, so that a request hashes once.  Borrows.
struct rwlock_table_key {
    struct span bytes; // 1..RWLOCK_TABLE_KEY_MAX bytes (ASSERTed)
    uint64_t hash;
};

// `shards`: a power of two.  *gives* the table.  ERR_NOMEM, ERR_INVALID.
enum err rwlock_table_new(uint32_t shards, struct rwlock_table **ret_table) MUST_USE;
void rwlock_table_free(struct rwlock_table *table);

struct rwlock_table_key rwlock_table_key(const struct rwlock_table *table, struct span bytes);

// Calls `look` with the value (borrowed; perhaps a copy).  false: not there.
typedef void (*rwlock_table_look_fn)(void *arg, struct span value);
bool rwlock_table_read(const struct rwlock_table *table, const struct rwlock_table_key *key,
                       rwlock_table_look_fn look, void *arg);

// What becomes of a key.
enum rwlock_table_verdict { RWLOCK_TABLE_KEEP, RWLOCK_TABLE_STORE, RWLOCK_TABLE_REMOVE };

// The new value is `head`, then `body`; both are copied.  The body may be a part of the old value.
struct rwlock_table_value {
    struct span head;
    struct span body;
};

// Is shown the value (ptr NULL: not there) and says what becomes of it.  What it says is done: memory was
// taken before, so it may keep its own books on the way.
typedef enum rwlock_table_verdict (*rwlock_table_decide_fn)(void *arg, struct span old,
                                                            struct rwlock_table_value *ret_new);

struct rwlock_table_change {
    rwlock_table_decide_fn decide;
    void *arg;
    size_t room; // the most bytes that a new value can need; an old one's length is always there
    bool create; // false: `decide` is not asked when the key is not there
};

// ERR_NOMEM: nothing has changed, `decide` was not asked.  ERR_NOT_FOUND: not there and not to be created.
enum err rwlock_table_update(struct rwlock_table *table, const struct rwlock_table_key *key,
                             const struct rwlock_table_change *change) MUST_USE;
