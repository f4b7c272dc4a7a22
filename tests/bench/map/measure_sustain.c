// SPDX-License-Identifier: Apache-2.0
// Two writers that never rest and two readers, one of each on a core.
#include "tests/bench/map/measure.h"

#include "tests/bench/report.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define WORKERS 4u
#define BETWEEN_COUNTS 256u

struct worker {
    _Alignas(128) _Atomic uint64_t count; // relaxed: only its growth is looked at
    struct bench *bench;
    const atomic_bool *stop; // relaxed: nothing is handed over by it
    uint32_t first;
    unsigned core;
    bool writes;
    pthread_t thread;
};

static void work_once(const struct worker *worker, uint32_t i)
{
    const struct peer_key *key = &worker->bench->workload.keys[i];
    struct peer_value value = workload_value(i);
    if (worker->writes) {
        peer_put(key, &value);
    } else {
        bool found = peer_get(key, &value);
        measure_check(worker->bench, found, &value);
    }
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    uint32_t at = worker->first;
    measure_pin(worker->core);
    while (!atomic_load_explicit(worker->stop, memory_order_relaxed)) {
        for (uint32_t i = 0; i < BETWEEN_COUNTS; i++) {
            work_once(worker, at);
            at = at + 1 == worker->bench->ops ? 0 : at + 1;
        }
        atomic_fetch_add_explicit(&worker->count, BETWEEN_COUNTS, memory_order_relaxed);
    }
    return NULL;
}

static uint64_t count_of(const struct worker *workers, bool writes)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        if (workers[i].writes == writes) {
            sum += atomic_load_explicit(&workers[i].count, memory_order_relaxed);
        }
    }
    return sum;
}

// The least rate of puts of any second.
static double watch(const struct worker *workers, unsigned seconds)
{
    double least = 1e300;
    for (unsigned i = 0; i < seconds; i++) {
        const struct timespec second = {.tv_sec = 1};
        uint64_t before = count_of(workers, true);
        double began = measure_now_ns();
        nanosleep(&second, NULL);
        double took = measure_now_ns() - began;
        double rate = (double)(count_of(workers, true) - before) * 1e9 / took;
        least = rate < least ? rate : least;
    }
    return least;
}

void measure_sustain(struct bench *bench, unsigned seconds)
{
    struct worker workers[WORKERS];
    atomic_bool stop = false;
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.bench = bench,
                                     .stop = &stop,
                                     .first = bench->ops / WORKERS * i,
                                     .core = i / 2,
                                     .writes = i % 2 == 0};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            report_give_up("cannot start a thread");
        }
    }
    double began = measure_now_ns();
    double least = watch(workers, seconds);
    double took = measure_now_ns() - began;
    uint64_t puts = count_of(workers, true);
    uint64_t read = count_of(workers, false);
    atomic_store_explicit(&stop, true, memory_order_relaxed);
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    printf("sustain %s %s %u %s %.0f %.0f %.0f\n", peer_name, bench->hash, bench->keys, bench->dist,
           least, (double)puts * 1e9 / took, (double)read * 1e9 / took);
}
