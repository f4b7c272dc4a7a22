// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/map/measure.h"

#include "tests/bench/report.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#define THREADS_MAX 64
#define WARM_SHARE 8 // of a pass, before it

struct share {
    struct bench *bench;
    uint32_t first;
    uint32_t end;
    unsigned read_percent;
    unsigned number;
    atomic_uint *missing; // relaxed: nothing is handed over by it
    double began;
    double ended;
    pthread_t thread;
};

// Awake: on a machine that is idle otherwise, a thread that slept may begin when the others are nearly done.
static void wait_for_all(atomic_uint *missing)
{
    atomic_fetch_sub_explicit(missing, 1, memory_order_relaxed);
    while (atomic_load_explicit(missing, memory_order_relaxed) > 0) {
        sched_yield();
    }
}

static void *work(void *arg)
{
    struct share *share = arg;
    const struct workload *workload = &share->bench->workload;
    measure_pin(share->number);
    wait_for_all(share->missing);
    share->began = measure_now_ns();
    for (uint32_t i = share->first; i < share->end; i++) {
        struct peer_value value = {{0}};
        if (workload->rolls[i] < share->read_percent) {
            bool found = peer_get(&workload->keys[i], &value);
            measure_check(share->bench, found, &value);
        } else {
            value = workload_value(i);
            peer_put(&workload->keys[i], &value);
        }
    }
    share->ended = measure_now_ns();
    return NULL;
}

// Nanoseconds from the first thread's beginning to the last one's end, per operation.
static double pass(struct bench *bench, uint32_t ops, unsigned read_percent, unsigned threads)
{
    struct share shares[THREADS_MAX];
    atomic_uint missing = threads;
    uint32_t each = ops / threads;
    for (unsigned i = 0; i < threads; i++) {
        shares[i] = (struct share){.bench = bench,
                                   .first = each * i,
                                   .end = each * (i + 1),
                                   .read_percent = read_percent,
                                   .number = i,
                                   .missing = &missing};
        if (pthread_create(&shares[i].thread, NULL, work, &shares[i]) != 0) {
            report_give_up("cannot start a thread");
        }
    }
    double began = 1e300;
    double ended = 0;
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(shares[i].thread, NULL);
        began = shares[i].began < began ? shares[i].began : began;
        ended = shares[i].ended > ended ? shares[i].ended : ended;
    }
    return (ended - began) / (each * threads);
}

void measure_thru(struct bench *bench, unsigned read_percent, unsigned threads)
{
    if (threads < 1 || threads > THREADS_MAX) {
        report_give_up("1 to 64 threads");
    }
    pass(bench, bench->ops / WARM_SHARE, read_percent, threads);
    printf("thru %s %s %u %s %u %u %.2f\n", peer_name, bench->hash, bench->keys, bench->dist,
           read_percent, threads, pass(bench, bench->ops, read_percent, threads));
}
