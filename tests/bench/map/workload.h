// SPDX-License-Identifier: Apache-2.0
// The operations that every peer reads, in every language: files that `workload DIR` writes once, from a fixed seed.
//
//     ops-KEYS-DIST   WORKLOAD_OPS u32, little-endian: low 24 bits the number of a key, high 8 a roll 0..99;
//                     the operation is a read when the roll is below the share of reads
//
//     DIST: unif   every key alike          zipf  rank r with weight 1/(r+1)^0.99
//           8320   83 % of the operations on 20 % of the keys
//           hot    (no file) one key alone
//
// Key number i is a function of i (workload_key).  T threads split the operations evenly, in order.
// The keys of the operations are laid out in their order, so that reading them costs no cache miss of its own.
#pragma once

#include "tests/bench/map/peer.h"

#define WORKLOAD_OPS 2000000u
#define WORKLOAD_KEYS_MAX 10000000u // 200,000 services of 50, in 200 tenants

struct workload {
    struct peer_key *keys; // WORKLOAD_OPS, one for each operation
    uint8_t *rolls;
};

void workload_key(uint32_t number, struct peer_key *ret_key);
struct peer_value workload_value(uint64_t number);
// Key numbers 0..count-1, from malloc.
struct peer_key *workload_keys(uint32_t count);
// Fills `workload` (zeros at first) with the operations of this set of keys.  Ends the program when it cannot.
void workload_load(struct workload *workload, uint32_t keys, const char *dist);
// Writes all files into `dir` that are not there yet.
void workload_write_all(const char *dir);
