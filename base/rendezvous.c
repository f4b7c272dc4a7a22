// SPDX-License-Identifier: Apache-2.0
#include "base/rendezvous.h"

#include "base/assert.h"
#include "base/siphash.h"

// Differs from the zero key, so that a weight says nothing about the partition of the same name.
static const uint8_t order_key[SIPHASH_KEY_LEN] = {'r', 'e', 'n', 'd', 'e', 'z', 'v', 'o',
                                                   'u', 's', '-', 'o', 'r', 'd', 'e', 'r'};

uint64_t rendezvous_hash(struct span name)
{
    return siphash13(order_key, name.ptr, name.len);
}

static void store64(uint8_t *p, uint64_t x)
{
    for (unsigned i = 0; i < 8; i++) {
        p[i] = (uint8_t)(x >> (8 * i));
    }
}

uint64_t rendezvous_mix(uint64_t key_hash, uint64_t node_hash)
{
    uint8_t pair[16];
    store64(pair, key_hash);
    store64(pair + 8, node_hash);
    return siphash13(order_key, pair, sizeof(pair));
}

uint64_t rendezvous_weight(struct span key, struct span node)
{
    return rendezvous_mix(rendezvous_hash(key), rendezvous_hash(node));
}

size_t rendezvous_rank(struct span key, const struct span *nodes, size_t count, size_t self)
{
    ASSERT(self < count);
    const uint64_t key_hash = rendezvous_hash(key);
    const uint64_t own = rendezvous_mix(key_hash, rendezvous_hash(nodes[self]));
    size_t rank = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == self) {
            continue;
        }
        const uint64_t weight = rendezvous_mix(key_hash, rendezvous_hash(nodes[i]));
        const bool tie_before = weight == own && span_cmp(nodes[i], nodes[self]) < 0;
        rank += weight > own || tie_before;
    }
    ASSERT(rank < count);
    return rank;
}
