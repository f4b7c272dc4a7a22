// SPDX-License-Identifier: Apache-2.0
// What a lock costs by itself, ns per enter + leave around a write of 48 bytes: the shard's lock, the same
// without its mark and its count, and pthread's.  The rounds of all stand in turns in one run, the median is
// told; the mark's price is the difference of two medians.
#include "base/clock.h"
#include "localmap/table/shard_lock.h"
#include "tests/bench/report.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 41
#define WRITES 2000000
#define THREADS_MAX 8

static struct {
    struct shard_lock lock;
    _Alignas(64) pthread_mutex_t mutex;
    _Alignas(64) char value[64];
} shared = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void write_value(uint64_t number)
{
    uint64_t words[6] = {number, number, number, number, number, number};
    memcpy(shared.value, words, sizeof(words));
    __asm__ __volatile__("" ::: "memory");
}

static void *whole(void *arg)
{
    for (uint64_t i = *(uint64_t *)arg; i > 0; i--) {
        shard_lock_enter(&shared.lock, "bench: whole");
        write_value(i);
        shard_lock_leave(&shared.lock);
    }
    return NULL;
}

static void *marked(void *arg)
{
    for (uint64_t i = *(uint64_t *)arg; i > 0; i--) {
        shard_lock_take(&shared.lock, "bench: marked");
        shard_lock_mark(&shared.lock, "bench: marked");
        write_value(i);
        shard_lock_unmark(&shared.lock);
        shard_lock_give(&shared.lock);
    }
    return NULL;
}

static void *bare(void *arg)
{
    for (uint64_t i = *(uint64_t *)arg; i > 0; i--) {
        shard_lock_take(&shared.lock, "bench: bare");
        write_value(i);
        shard_lock_give(&shared.lock);
    }
    return NULL;
}

static void *posix(void *arg)
{
    for (uint64_t i = *(uint64_t *)arg; i > 0; i--) {
        pthread_mutex_lock(&shared.mutex);
        write_value(i);
        pthread_mutex_unlock(&shared.mutex);
    }
    return NULL;
}

static const struct way {
    const char *name;
    void *(*run)(void *);
} ways[] = {{"shard lock", whole},
            {"shard lock, mark only", marked},
            {"shard lock, neither mark nor count", bare},
            {"pthread_mutex", posix}};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static double round_ns(const struct way *way, unsigned threads)
{
    pthread_t handles[THREADS_MAX];
    uint64_t each = WRITES / threads;
    const uint64_t began = clock_ns();
    for (unsigned i = 1; i < threads; i++) {
        if (pthread_create(&handles[i], NULL, way->run, &each) != 0) {
            abort();
        }
    }
    way->run(&each);
    for (unsigned i = 1; i < threads; i++) {
        pthread_join(handles[i], NULL);
    }
    return (double)(clock_ns() - began) / (double)(each * threads);
}

static int ascending(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void measure(unsigned threads, double ret_median[WAYS])
{
    static double rounds[WAYS][ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned way = 0; way < WAYS; way++) {
            rounds[way][round] = round_ns(&ways[way], threads);
        }
    }
    for (unsigned way = 0; way < WAYS; way++) {
        qsort(rounds[way], ROUNDS, sizeof(double), ascending);
        ret_median[way] = rounds[way][ROUNDS / 2];
    }
}

int main(void)
{
    struct wait_ring *ring;
    if (wait_ring_new(&ring) != ERR_OK) {
        return EXIT_FAILURE;
    }
    shard_lock_init(&shared.lock, 0, ring);
    static const unsigned threads[] = {1, 2, 8};
    double one[WAYS];
    for (unsigned i = 0; i < 3; i++) {
        double medians[WAYS];
        measure(threads[i], medians);
        for (unsigned way = 0; way < WAYS; way++) {
            char what[80];
            snprintf(what, sizeof(what), "ns, %u threads, %s", threads[i], ways[way].name);
            report_row("shard_lock", what, medians[way]);
        }
        if (i == 0) {
            memcpy(one, medians, sizeof(one));
        }
    }
    report_bar(&(struct report_bar){"mark_ns_per_write", one[1] - one[2], REPORT_AT_MOST, 1.0});
    report_bar(
        &(struct report_bar){"shard_lock_by_pthread_mutex", one[0] / one[3], REPORT_AT_MOST, 1.0});
    report_finish();
    wait_ring_free(ring);
    return EXIT_SUCCESS;
}
