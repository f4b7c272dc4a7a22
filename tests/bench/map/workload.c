// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/map/workload.h"

#include "tests/bench/report.h"

#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEED 20261125
#define DIR_DEFAULT "build/bench/map/data"

void workload_key(uint32_t number, struct peer_key *ret_key)
{
    char text[64];
    snprintf(text, sizeof(text), "tenant-%03u/service-%06u/pod-%010u", number % 200, number / 50,
             number);
    memcpy(ret_key->bytes, text, sizeof(ret_key->bytes));
}

struct peer_value workload_value(uint64_t number)
{
    struct peer_value value;
    for (size_t i = 0; i < PEER_WORDS; i++) {
        value.words[i] = number;
    }
    return value;
}

static void *take(size_t len)
{
    void *memory = malloc(len);
    if (memory == NULL) {
        report_give_up("no memory for the workload");
    }
    memset(memory, 1, len); // resident before the map is weighed
    return memory;
}

struct peer_key *workload_keys(uint32_t count)
{
    struct peer_key *keys = take(count * sizeof(*keys));
    for (uint32_t i = 0; i < count; i++) {
        workload_key(i, &keys[i]);
    }
    return keys;
}

static void file_name(char *path, size_t cap, const char *dir, const char *name)
{
    int len = snprintf(path, cap, "%s/%s", dir, name);
    if (len < 0 || (size_t)len >= cap) {
        report_give_up("the path of the workload is too long");
    }
}

static uint32_t *read_ops(uint32_t keys, const char *dist)
{
    char name[64];
    char path[1024];
    const char *dir = getenv("BENCH_MAP_DATA");
    snprintf(name, sizeof(name), "ops-%u-%s", keys, dist);
    file_name(path, sizeof(path), dir == NULL ? DIR_DEFAULT : dir, name);
    uint32_t *ops = take(WORKLOAD_OPS * sizeof(*ops));
    FILE *in = fopen(path, "rb");
    if (in == NULL || fread(ops, sizeof(*ops), WORKLOAD_OPS, in) != WORKLOAD_OPS) {
        fprintf(stderr, "bench: %s: not there or too short; `make bench-map-peers` writes it\n",
                path);
        exit(EXIT_FAILURE);
    }
    fclose(in);
    return ops;
}

void workload_load(struct workload *workload, uint32_t keys, const char *dist)
{
    if (workload->keys == NULL) {
        workload->keys = take(WORKLOAD_OPS * sizeof(*workload->keys));
        workload->rolls = take(WORKLOAD_OPS);
    }
    bool hot = strcmp(dist, "hot") == 0;
    uint32_t *ops = read_ops(keys, hot ? "unif" : dist);
    struct peer_key *all = workload_keys(keys);
    for (size_t i = 0; i < WORKLOAD_OPS; i++) {
        workload->keys[i] = all[hot ? keys / 2 : ops[i] & 0xffffff];
        workload->rolls[i] = (uint8_t)(ops[i] >> 24);
    }
    free(all);
    free(ops);
}

// --- writing

static double unit(struct random *rng)
{
    return (double)(random_next(rng) >> 11) * 0x1p-53;
}

static uint32_t *permutation(struct random *rng, uint32_t count)
{
    uint32_t *order = take(count * sizeof(*order));
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t other = (uint32_t)random_below(rng, i + 1);
        uint32_t held = order[i];
        order[i] = order[other];
        order[other] = held;
    }
    return order;
}

// By popularity, from 0 on.
struct ranks {
    const char *dist;
    uint32_t count;
    double *sums; // of zipf's weights
};

static uint32_t draw_zipf(const struct ranks *ranks, struct random *rng)
{
    double at = unit(rng) * ranks->sums[ranks->count - 1];
    uint32_t low = 0;
    uint32_t high = ranks->count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ranks->sums[middle] <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint32_t draw(const struct ranks *ranks, struct random *rng)
{
    if (strcmp(ranks->dist, "zipf") == 0) {
        return draw_zipf(ranks, rng);
    }
    if (strcmp(ranks->dist, "8320") == 0) {
        uint32_t popular = ranks->count / 5;
        return random_below(rng, 100) < 83
                   ? (uint32_t)random_below(rng, popular)
                   : popular + (uint32_t)random_below(rng, ranks->count - popular);
    }
    return (uint32_t)random_below(rng, ranks->count);
}

// A permutation keeps popular keys apart in memory.
static void write_ops(FILE *out, const struct ranks *ranks, struct random *rng)
{
    uint32_t *order = permutation(rng, ranks->count);
    for (uint32_t i = 0; i < WORKLOAD_OPS; i++) {
        uint32_t op = order[draw(ranks, rng)] | (uint32_t)random_below(rng, 100) << 24;
        if (fwrite(&op, sizeof(op), 1, out) != 1) {
            report_give_up("cannot write the workload");
        }
    }
    free(order);
}

static void write_file(const char *dir, uint32_t keys, const char *dist)
{
    char name[64];
    char path[1024];
    char path_new[1040];
    snprintf(name, sizeof(name), "ops-%u-%s", keys, dist);
    file_name(path, sizeof(path), dir, name);
    if (access(path, R_OK) == 0) {
        return;
    }
    struct ranks ranks = {dist, keys, take(keys * sizeof(double))};
    double sum = 0;
    for (uint32_t i = 0; i < keys; i++) {
        ranks.sums[i] = sum += pow(i + 1.0, -0.99);
    }
    struct random rng;
    random_seed(&rng, SEED);
    snprintf(path_new, sizeof(path_new), "%s.new", path);
    FILE *out = fopen(path_new, "wb");
    if (out == NULL) {
        report_give_up("cannot write the workload: is the folder there?");
    }
    write_ops(out, &ranks, &rng);
    if (fclose(out) != 0 || rename(path_new, path) != 0) {
        report_give_up("cannot write the workload");
    }
    free(ranks.sums);
}

void workload_write_all(const char *dir)
{
    static const uint32_t sizes[] = {10000, 100000, 1000000};
    static const char *const dists[] = {"unif", "zipf", "8320"};
    for (size_t s = 0; s < 3; s++) {
        for (size_t d = 0; d < 3; d++) {
            write_file(dir, sizes[s], dists[d]);
        }
    }
}
