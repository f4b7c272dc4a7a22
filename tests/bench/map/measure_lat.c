// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/map/measure.h"

#include "tests/bench/report.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scene {
    struct bench *bench;
    bool hot;           // reader and writer have one key, else the sequence
    atomic_bool stop;   // relaxed: nothing is handed over by it
    atomic_bool writes; // relaxed: the same
    uint64_t puts;
};

static const struct peer_key *key_at(const struct scene *scene, uint32_t i)
{
    return &scene->bench->workload.keys[scene->hot ? 0 : i];
}

static void *write_on(void *arg)
{
    struct scene *scene = arg;
    uint32_t ops = scene->bench->ops;
    uint64_t puts = 0;
    measure_pin(1);
    atomic_store_explicit(&scene->writes, true, memory_order_relaxed);
    for (; !atomic_load_explicit(&scene->stop, memory_order_relaxed); puts++) {
        struct peer_value value = workload_value(puts);
        peer_put(key_at(scene, ops - 1 - (uint32_t)(puts % ops)), &value);
    }
    scene->puts = puts;
    return NULL;
}

// From the end of one get to the end of the next, in ticks.
static void read_all(struct scene *scene, uint64_t *gaps)
{
    uint64_t last = measure_ticks();
    for (uint32_t i = 0; i < scene->bench->ops; i++) {
        struct peer_value value = {{0}};
        bool found = peer_get(key_at(scene, i), &value);
        measure_check(scene->bench, found, &value);
        uint64_t now = measure_ticks();
        gaps[i] = now - last;
        last = now;
    }
}

static void print_scene(const struct scene *scene, bool beside, const uint64_t *gaps, double rate)
{
    static const double quantiles[] = {0.5, 0.99, 0.999, 0.9999};
    const struct bench *bench = scene->bench;
    double ticks = measure_ticks_per_ns();
    printf("lat %s %s %u %s %s", peer_name, bench->hash, bench->keys,
           scene->hot ? "hot" : bench->dist, beside ? "writer" : "idle");
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        printf(" %.0f", (double)gaps[(size_t)(quantiles[i] * bench->ops)] / ticks);
    }
    printf(" %.0f %.2f\n", (double)gaps[bench->ops - 1] / ticks, rate);
}

static void run(struct scene *scene, bool beside, uint64_t *gaps)
{
    pthread_t writer;
    double began = measure_now_ns();
    if (beside && pthread_create(&writer, NULL, write_on, scene) != 0) {
        report_give_up("cannot start a thread");
    }
    measure_pin(0);
    while (beside && !atomic_load_explicit(&scene->writes, memory_order_relaxed)) {
        sched_yield();
    }
    read_all(scene, gaps);
    atomic_store_explicit(&scene->stop, true, memory_order_relaxed);
    if (beside) {
        pthread_join(writer, NULL);
    }
    measure_unpin();
    double rate = (double)scene->puts * 1e3 / (measure_now_ns() - began);
    measure_sort(gaps, scene->bench->ops);
    print_scene(scene, beside, gaps, rate);
}

void measure_lat(struct bench *bench)
{
    uint64_t *gaps = measure_memory(bench->ops * sizeof(*gaps));
    for (unsigned i = 0; i < 4; i++) {
        struct scene scene = {.bench = bench, .hot = i < 2};
        run(&scene, i % 2 == 1, gaps);
    }
    free(gaps);
}
