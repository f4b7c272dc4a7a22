// SPDX-License-Identifier: Apache-2.0
// What a hash without a key risks: FNV-1a is public, so whoever names keys can choose such as share its low and its
// high bits, which in an open-addressed index is one place of one stripe.  They are searched for here as an attacker
// would, without looking at the map, and put into it; then they are read, and as many others.
#include "tests/bench/map/hashes.h"
#include "tests/bench/map/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHOSEN 1000u
#define ROUNDS 100
#define HIGH_BITS 6 // choose the stripe
#define LOW_BITS 12 // choose the place; enough for 100,000 records in 64 stripes

static bool collides(uint64_t hash)
{
    return hash >> (64 - HIGH_BITS) == 0 && (hash & ((1u << LOW_BITS) - 1)) == 0;
}

// Keys of one tenant and service, which differ in the name of the instance alone.
static void choose(struct peer_key *keys)
{
    peer_hash_fn fnv = hashes_find("fnv");
    uint32_t found = 0;
    for (uint64_t number = 0; found < CHOSEN; number++) {
        char text[64];
        snprintf(text, sizeof(text), "tenant-999/service-999999/%014llx",
                 (unsigned long long)number);
        memcpy(keys[found].bytes, text, PEER_KEY_LEN);
        found += collides(fnv(&keys[found])) ? 1 : 0;
    }
}

static double read_chosen(struct bench *bench, const struct peer_key *keys)
{
    double began = measure_now_ns();
    for (uint32_t i = 0; i < CHOSEN * ROUNDS; i++) {
        struct peer_value value = {{0}};
        bool found = peer_get(&keys[i % CHOSEN], &value);
        measure_check(bench, found, &value);
    }
    return (measure_now_ns() - began) / (CHOSEN * ROUNDS);
}

void measure_flood(struct bench *bench)
{
    struct peer_key *keys = measure_memory(CHOSEN * sizeof(*keys));
    choose(keys);
    for (uint32_t i = 0; i < CHOSEN; i++) {
        struct peer_value value = workload_value(i);
        peer_put(&keys[i], &value);
    }
    double ordinary = read_chosen(bench, bench->workload.keys);
    printf("flood %s %s %u %.2f %.2f\n", peer_name, bench->hash, bench->keys, ordinary,
           read_chosen(bench, keys));
    free(keys);
}
