// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/map/measure.h"

#include <stdio.h>
#include <stdlib.h>

// The CPU's clock is read by a system call, which is part of each figure (some 0.2 us).
void measure_grow(struct bench *bench, uint32_t keys)
{
    struct peer_key *all = workload_keys(keys);
    uint64_t *cpu = measure_memory(keys * sizeof(*cpu));
    uint64_t *wall = measure_memory(keys * sizeof(*wall));
    double ticks = measure_ticks_per_ns();
    double began = measure_now_ns();
    peer_open();
    for (uint32_t i = 0; i < keys; i++) {
        struct peer_value value = workload_value(i);
        double cpu_began = measure_cpu_ns();
        uint64_t wall_began = measure_ticks();
        peer_put(&all[i], &value);
        wall[i] = measure_ticks() - wall_began;
        cpu[i] = (uint64_t)(measure_cpu_ns() - cpu_began);
    }
    double total = measure_now_ns() - began;
    measure_sort(cpu, keys);
    measure_sort(wall, keys);
    uint32_t p999 = keys / 1000 * 999;
    uint32_t p9999 = keys / 10000 * 9999;
    printf("grow %s %s %u %.0f %.2f %.2f %.2f %.2f %.2f\n", peer_name, bench->hash, keys,
           total / 1e6, (double)cpu[p999] / 1e3, (double)cpu[p9999] / 1e3,
           (double)cpu[keys - 1] / 1e3, (double)wall[p9999] / ticks / 1e3,
           (double)wall[keys - 1] / ticks / 1e3);
    free(wall);
    free(cpu);
    free(all);
    bench->keys = keys;
}
