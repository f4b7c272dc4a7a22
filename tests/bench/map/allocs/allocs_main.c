// SPDX-License-Identifier: Apache-2.0
// What 1,000,000 puts into a table of 100,000 records ask of the allocator and the kernel, in the three bands of
// memory (localmap/bands.h).  One put in ten brings a new key.
//
//     normal   as it is
//     reserve  before each 1,000 puts room for 128 records of each shard is taken ahead (table_reserve, table_tend),
//              by the helper in the daemon and here by the same thread, counted apart
//     evict    a sampled record goes for each new one
//
//   allocs PEER - BAND writer's-calls helper's-calls page-faults-of-the-writer
#include "base/random.h"
#include "localmap/table/table.h"
#include "tests/bench/map/allocs/counted.h"
#include "tests/bench/map/workload.h"
#include "tests/bench/report.h"

#include <stdio.h>
#include <sys/resource.h>

#define SHARDS 64
#define HELD 100000u
#define PUTS 1000000u
#define NEW_EVERY 10u
#define HELP_EVERY 1000u
#define RESERVE 128

enum band { NORMAL, RESERVING, EVICTING, BAND_COUNT };
static const char *const band_names[BAND_COUNT] = {"normal", "reserve", "evict"};

struct run {
    struct table *table;
    enum band band;
    struct random rng;
    uint32_t newest; // number of the next new key
    uint64_t writer_calls, helper_calls;
    long writer_faults;
};

static enum table_verdict store(void *arg, struct span old, struct table_value *ret_new)
{
    (void)old;
    ret_new->head = span_of(arg, sizeof(struct peer_value));
    return TABLE_STORE;
}

static enum table_verdict take_away(void *arg, struct span old, struct table_value *ret_new)
{
    (void)arg;
    (void)old;
    (void)ret_new;
    return TABLE_REMOVE;
}

static void put(struct run *run, uint32_t number)
{
    struct peer_key key;
    struct peer_value value = workload_value(number);
    workload_key(number, &key);
    const struct table_key at = table_key(run->table, span_of(key.bytes, sizeof(key.bytes)));
    const struct table_change change = {
        .decide = store, .arg = &value, .room = sizeof(value), .create = true, .site = "bench"};
    if (table_update(run->table, &at, &change) != ERR_OK) {
        report_give_up("table_update failed");
    }
}

static void evict_one(struct run *run)
{
    struct table_sample sample;
    while (!table_sample(run->table, random_next(&run->rng), &sample)) {
    }
    const struct table_key at = table_key(run->table, span_of(sample.key, sample.key_len));
    const struct table_change change = {.decide = take_away, .site = "bench"};
    if (table_update(run->table, &at, &change) != ERR_OK) {
        report_give_up("a sampled record is not held");
    }
}

static long faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
}

static void help(struct run *run)
{
    uint64_t before = counted_calls();
    if (run->band == RESERVING) {
        if (table_reserve(run->table, RESERVE) != ERR_OK) {
            report_give_up("no memory to reserve");
        }
        (void)table_tend(run->table);
    }
    run->helper_calls += counted_calls() - before;
}

static void write_some(struct run *run, uint32_t first)
{
    uint64_t calls = counted_calls();
    long faulted = faults();
    for (uint32_t i = first; i < first + HELP_EVERY; i++) {
        if (i % NEW_EVERY != 0) {
            put(run, (uint32_t)random_below(&run->rng, HELD));
            continue;
        }
        if (run->band == EVICTING) {
            evict_one(run);
        }
        put(run, run->newest++);
    }
    run->writer_calls += counted_calls() - calls;
    run->writer_faults += faults() - faulted;
}

int main(void)
{
    for (enum band band = NORMAL; band < BAND_COUNT; band++) {
        struct run run = {.band = band, .newest = HELD};
        random_seed(&run.rng, 1);
        if (table_new(SHARDS, &run.table) != ERR_OK) {
            report_give_up("no memory");
        }
        for (uint32_t i = 0; i < HELD; i++) {
            put(&run, i);
        }
        for (uint32_t i = 0; i < PUTS; i += HELP_EVERY) {
            help(&run);
            write_some(&run, i);
        }
        printf("allocs table - %s %llu %llu %ld\n", band_names[band],
               (unsigned long long)run.writer_calls, (unsigned long long)run.helper_calls,
               run.writer_faults);
        table_free(run.table);
    }
    return 0;
}
