// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/map/measure.h"

#include <stdio.h>

static double alone(struct bench *bench)
{
    double began = measure_now_ns();
    for (uint32_t i = 0; i < bench->ops; i++) {
        struct peer_value value = {{0}};
        bool found = peer_get(&bench->workload.keys[i], &value);
        measure_check(bench, found, &value);
    }
    return (measure_now_ns() - began) / bench->ops;
}

static double by_16(struct bench *bench)
{
    struct peer_value values[PEER_BATCH];
    uint32_t end = bench->ops / PEER_BATCH * PEER_BATCH;
    double began = measure_now_ns();
    for (uint32_t i = 0; i < end; i += PEER_BATCH) {
        bool all = peer_get_many(&bench->workload.keys[i], PEER_BATCH, values) == PEER_BATCH;
        for (size_t j = 0; j < PEER_BATCH; j++) {
            measure_check(bench, all, &values[j]);
        }
    }
    return (measure_now_ns() - began) / end;
}

void measure_many(struct bench *bench)
{
    if (peer_get_many == NULL) {
        printf("many %s %s %u %s - -\n", peer_name, bench->hash, bench->keys, bench->dist);
        return;
    }
    alone(bench);
    double single = alone(bench);
    printf("many %s %s %u %s %.2f %.2f\n", peer_name, bench->hash, bench->keys, bench->dist, single,
           by_16(bench));
}
