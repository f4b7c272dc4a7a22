// SPDX-License-Identifier: Apache-2.0
// Going through all records, and what a put meets meanwhile.
#include "tests/bench/map/measure.h"

#include "tests/bench/report.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

struct walker {
    struct bench *bench;
    atomic_bool stop;  // relaxed: nothing is handed over by it
    atomic_bool walks; // relaxed: the same
    pthread_t thread;
};

static void walk_once(struct bench *bench)
{
    if (peer_walk() < bench->keys) {
        atomic_fetch_add_explicit(&bench->wrong, 1, memory_order_relaxed);
    }
}

static void *walk_on(void *arg)
{
    struct walker *walker = arg;
    measure_pin(1);
    while (!atomic_load_explicit(&walker->stop, memory_order_relaxed)) {
        atomic_store_explicit(&walker->walks, true, memory_order_relaxed);
        walk_once(walker->bench);
    }
    return NULL;
}

static double walk_ns(struct bench *bench)
{
    walk_once(bench);
    double began = measure_now_ns();
    walk_once(bench);
    walk_once(bench);
    return (measure_now_ns() - began) / 2 / bench->keys;
}

// A walk under one lock would keep the puts waiting for minutes.
#define SECONDS_MAX 2

struct puts {
    double mean, p999, max; // ns
};

static void put_all(struct bench *bench, uint64_t *took, struct puts *ret_puts)
{
    double ticks = measure_ticks_per_ns();
    double began = measure_now_ns();
    uint64_t last = measure_ticks();
    uint64_t end = last + (uint64_t)(SECONDS_MAX * 1e9 * ticks);
    uint32_t count = 0;
    while (count < bench->ops && last < end) {
        struct peer_value value = workload_value(count);
        peer_put(&bench->workload.keys[count], &value);
        uint64_t now = measure_ticks();
        took[count++] = now - last;
        last = now;
    }
    ret_puts->mean = (measure_now_ns() - began) / count;
    measure_sort(took, count);
    ret_puts->p999 = (double)took[(size_t)(0.999 * (count - 1))] / ticks;
    ret_puts->max = (double)took[count - 1] / ticks;
}

static void put_beside(struct bench *bench, uint64_t *took, struct puts *ret_puts)
{
    struct walker walker = {.bench = bench};
    if (pthread_create(&walker.thread, NULL, walk_on, &walker) != 0) {
        report_give_up("cannot start a thread");
    }
    while (!atomic_load_explicit(&walker.walks, memory_order_relaxed)) {
        sched_yield();
    }
    put_all(bench, took, ret_puts);
    atomic_store_explicit(&walker.stop, true, memory_order_relaxed);
    pthread_join(walker.thread, NULL);
}

void measure_walk(struct bench *bench)
{
    if (peer_walk == NULL) {
        printf("walk %s %s %u %s - - - - - -\n", peer_name, bench->hash, bench->keys, bench->dist);
        return;
    }
    uint64_t *took = measure_memory(bench->ops * sizeof(*took));
    struct puts alone;
    struct puts beside;
    measure_pin(0);
    double walk = walk_ns(bench);
    put_all(bench, took, &alone);
    put_beside(bench, took, &beside);
    measure_unpin();
    printf("walk %s %s %u %s %.2f %.1f %.1f %.0f %.0f %.0f\n", peer_name, bench->hash, bench->keys,
           bench->dist, walk, alone.mean, beside.mean, alone.p999, beside.p999, beside.max);
    free(took);
}
