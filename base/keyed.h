// SPDX-License-Identifier: Apache-2.0
// A hash table of objects by the bytes of their key, which the objects hold themselves.
//
//     buckets[hash & mask] --> node --next--> node        each embedded in its object
//
// The hash is keyed (SipHash-1-3 with a key drawn by the owner): names come from tenants.
// Invariant: keys are distinct; a key stays in place and unchanged while its node is in.
// After keyed_init nothing fails: when there is no memory to grow, chains get longer.  One thread.
#pragma once

#include "base/err.h"
#include "base/siphash.h"
#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

struct keyed_node {
    struct keyed_node *next;
    uint64_t hash;
    struct span key;
};

struct keyed {
    struct keyed_node **buckets;
    size_t mask; // buckets - 1
    size_t count;
    uint8_t hash_key[SIPHASH_KEY_LEN];
};

// ERR_NOMEM.
enum err keyed_init(struct keyed *keyed, uint64_t seed) MUST_USE;
// The objects stay the owner's.
void keyed_fini(struct keyed *keyed);

// node->key is set; no other node has it.
void keyed_add(struct keyed *keyed, struct keyed_node *node);
void keyed_remove(struct keyed *keyed, struct keyed_node *node);
struct keyed_node *keyed_find(const struct keyed *keyed, struct span key);

// Any order; `visit` must not change the table.
typedef void (*keyed_visit_fn)(void *arg, struct keyed_node *node);
void keyed_each(const struct keyed *keyed, keyed_visit_fn visit, void *arg);
// Takes any node out; NULL when none is left.
struct keyed_node *keyed_pop(struct keyed *keyed);
