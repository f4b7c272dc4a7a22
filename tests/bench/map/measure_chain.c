// SPDX-License-Identifier: Apache-2.0
// What a single get takes from beginning to end, and the least that any table can do with: the hash, one line of
// tags, one line of the record.  Everything here waits for what came before, so that nothing overlaps and the parts
// may be added up.
#include "tests/bench/map/hashes.h"
#include "tests/bench/map/measure.h"

#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE 64
#define TAG_BYTES 2       // per record: one byte, in groups that are not full
#define RECORD_BYTES 120u // per record: as much as the bar allows
#define WARM_SHARE 8

// The key of an operation, but not before `wait` is known (which is 0).
static struct peer_key key_after(const struct bench *bench, uint32_t i, uint64_t wait)
{
    struct peer_key key = bench->workload.keys[i];
    key.bytes[0] = (char)(key.bytes[0] ^ (char)wait);
    return key;
}

static double chain_of_gets(struct bench *bench, uint32_t ops)
{
    uint64_t wait = 0;
    double began = measure_now_ns();
    for (uint32_t i = 0; i < ops; i++) {
        struct peer_value value = {{0}};
        struct peer_key key = key_after(bench, i, wait);
        bool found = peer_get(&key, &value);
        measure_check(bench, found, &value);
        wait = value.words[0] ^ value.words[PEER_WORDS - 1];
    }
    return (measure_now_ns() - began) / ops;
}

// `mask` is 0, which the compiler does not know.
static double chain_of_hashes(struct bench *bench, peer_hash_fn hash, uint64_t mask)
{
    uint64_t wait = mask;
    double began = measure_now_ns();
    for (uint32_t i = 0; i < bench->ops; i++) {
        struct peer_key key = key_after(bench, i, wait);
        wait = hash(&key) & mask;
    }
    return (measure_now_ns() - began + (double)wait) / bench->ops;
}

static double hashes_side_by_side(struct bench *bench, peer_hash_fn hash, uint64_t mask)
{
    uint64_t sum = 0;
    double began = measure_now_ns();
    for (uint32_t i = 0; i < bench->ops; i++) {
        sum += hash(&bench->workload.keys[i]) & mask;
    }
    return (measure_now_ns() - began + (double)sum) / bench->ops;
}

// One line after the other, in one random circle through `len` bytes.
static double chain_of_lines(size_t len, uint32_t steps)
{
    size_t count = len / LINE;
    size_t words = LINE / sizeof(uint64_t);
    uint64_t *lines = measure_memory(count * LINE);
    struct random rng;
    random_seed(&rng, 1);
    for (size_t i = 0; i < count; i++) {
        lines[i * words] = i;
    }
    for (size_t i = count - 1; i > 0; i--) { // Sattolo: a single circle
        size_t other = random_below(&rng, i);
        uint64_t held = lines[i * words];
        lines[i * words] = lines[other * words];
        lines[other * words] = held;
    }
    uint64_t at = 0;
    for (uint32_t i = 0; i < steps / WARM_SHARE; i++) {
        at = lines[at * words];
    }
    double began = measure_now_ns();
    for (uint32_t i = 0; i < steps; i++) {
        at = lines[at * words];
    }
    double took = (measure_now_ns() - began + (at > count ? 1 : 0)) / steps;
    free(lines);
    return took;
}

static uint64_t unknown_zero(const struct bench *bench)
{
    return bench->keys > WORKLOAD_KEYS_MAX ? 1 : 0;
}

void measure_chain(struct bench *bench)
{
    measure_pin(0);
    chain_of_gets(bench, bench->ops / WARM_SHARE);
    double get = chain_of_gets(bench, bench->ops);
    double hash = chain_of_hashes(bench, peer_hash, unknown_zero(bench));
    double tags = chain_of_lines((size_t)bench->keys * TAG_BYTES, bench->ops);
    double record = chain_of_lines((size_t)bench->keys * RECORD_BYTES, bench->ops / 2);
    measure_unpin();
    printf("chain %s %s %u %s %.2f %.2f %.2f %.2f %.4f\n", peer_name, bench->hash, bench->keys,
           bench->dist, get, hash, tags, record, get / (hash + tags + record));
}

void measure_hash(struct bench *bench)
{
    double together = hashes_side_by_side(bench, peer_hash, unknown_zero(bench));
    double chained = chain_of_hashes(bench, peer_hash, unknown_zero(bench));
    printf("hash %s %s %u %s %.2f %.2f\n", peer_name, bench->hash, bench->keys, bench->dist,
           together, chained);
}
