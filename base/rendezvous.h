// SPDX-License-Identifier: Apache-2.0
// Rendezvous hashing (Thaler, Ravishankar 1996): for each key the nodes stand in an order of their
// own, and every node computes the same order without talking.  Whoever is first does the work; when
// it leaves, only what it held moves.
//
//     weight(key, node) = SipHash-1-3(fixed key, hash(key) | hash(node))    greater weight = earlier
//     equal weights: the bytewise smaller name first
//
// Invariant: the order depends on the bytes of key and names alone, never on the order of a list.
// Part of the protocol: nodes of different releases must agree.  Pure, any thread.
#pragma once

#include "base/span.h"

#include <stdint.h>

// What a name contributes; keep it where one key meets many nodes or the other way round.
uint64_t rendezvous_hash(struct span name);

// The weight out of two such hashes.
uint64_t rendezvous_mix(uint64_t key_hash, uint64_t node_hash);

// rendezvous_mix of both hashes.
uint64_t rendezvous_weight(struct span key, struct span node);

// The place of nodes[self] in the order of `key`: 0 is first.  Names must be distinct; self < count.
size_t rendezvous_rank(struct span key, const struct span *nodes, size_t count, size_t self);
