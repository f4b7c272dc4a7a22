// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/map/measure.h"

#include "tests/bench/report.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TEND_EVERY_NS 1000000

// What a daemon's own helper does beside; the CPU that it takes is its own.
static void *tend(void *arg)
{
    const atomic_bool *stop = arg;
    const struct timespec pause = {.tv_nsec = TEND_EVERY_NS};
    measure_pin(1);
    while (!atomic_load_explicit(stop, memory_order_relaxed)) {
        peer_tend();
        nanosleep(&pause, NULL);
    }
    return NULL;
}

struct helper {
    atomic_bool stop; // relaxed: nothing is handed over by it
    pthread_t thread;
};

static void helper_start(struct helper *helper)
{
    *helper = (struct helper){.stop = false};
    if (peer_tend != NULL && pthread_create(&helper->thread, NULL, tend, &helper->stop) != 0) {
        report_give_up("cannot start a thread");
    }
}

static void helper_end(struct helper *helper)
{
    if (peer_tend != NULL) {
        atomic_store_explicit(&helper->stop, true, memory_order_relaxed);
        pthread_join(helper->thread, NULL);
    }
}

// The CPU's clock is read by a system call, which is part of each figure (some 0.2 us).
void measure_grow(struct bench *bench, uint32_t keys)
{
    struct peer_key *all = workload_keys(keys);
    uint64_t *cpu = measure_memory(keys * sizeof(*cpu));
    uint64_t *wall = measure_memory(keys * sizeof(*wall));
    struct helper helper;
    double ticks = measure_ticks_per_ns();
    double began = measure_now_ns();
    peer_open();
    measure_pin(0);
    helper_start(&helper);
    for (uint32_t i = 0; i < keys; i++) {
        struct peer_value value = workload_value(i);
        double cpu_began = measure_cpu_ns();
        uint64_t wall_began = measure_ticks();
        peer_put(&all[i], &value);
        wall[i] = measure_ticks() - wall_began;
        cpu[i] = (uint64_t)(measure_cpu_ns() - cpu_began);
    }
    double total = measure_now_ns() - began;
    helper_end(&helper);
    measure_unpin();
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
