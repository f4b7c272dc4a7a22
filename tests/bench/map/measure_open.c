// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/map/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void measure_open(struct bench *bench, uint32_t keys)
{
    struct peer_key *all = workload_keys(keys);
    double before = measure_resident();
    peer_open();
    double empty = measure_resident();
    for (uint32_t i = 0; i < keys; i++) {
        struct peer_value value = workload_value(i);
        peer_put(&all[i], &value);
    }
    printf("open %s %s %u %.0f %.1f\n", peer_name, bench->hash, keys, empty - before,
           (measure_resident() - before) / keys);
    free(all);
    bench->keys = keys;
}

void measure_use(struct bench *bench, const char *dist)
{
    if (bench->dist == NULL || strcmp(bench->dist, dist) != 0) {
        workload_load(&bench->workload, bench->keys, dist);
        bench->dist = dist;
    }
}
