// SPDX-License-Identifier: Apache-2.0
// What a map must offer to be measured by driver.c: one map per program, one file per map.
//
//     peers/table.c   ---+
//     peers/boost.cc  ---+--> driver.c, measure_*.c, workload.c --> one program each
//     peers/rwlock64.c --+
//
// Keys are 40 bytes, values 48 of which all six words are equal, so that a torn one shows.  Every peer hashes
// with `peer_hash`, which the driver sets before peer_open: the same function on all sides.
// For C and C++.  To measure another map, write such a file and name it in bench.mk.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_KEY_LEN 40
#define PEER_WORDS 6
#define PEER_BATCH 16 // the most that peer_get_many is asked for

struct peer_key {
    char bytes[PEER_KEY_LEN];
};

struct peer_value {
    uint64_t words[PEER_WORDS];
};

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t (*peer_hash_fn)(const struct peer_key *key);
extern peer_hash_fn peer_hash;

extern const char *const peer_name;

// Makes the map, empty; once.  Ends the program when there is no memory.
void peer_open(void);
// Copies the value.  false: no such key.  Any thread, as peer_put.
bool peer_get(const struct peer_key *key, struct peer_value *ret_value);
// Inserts or replaces.
void peer_put(const struct peer_key *key, const struct peer_value *value);

// Optional: `count` gets at once; returns how many were found.
size_t peer_get_many(const struct peer_key *keys, size_t count, struct peer_value *ret_values)
    __attribute__((weak));
// Optional: looks at every record as the map's users would, and returns how many it met.
size_t peer_walk(void) __attribute__((weak));

// Optional: what a thread beside does again and again while the map grows.
void peer_tend(void) __attribute__((weak));

#ifdef __cplusplus
}
#endif
