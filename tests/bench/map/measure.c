// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/map/measure.h"

#include "tests/bench/report.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static double clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double measure_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

double measure_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t measure_ticks(void)
{
#if defined(__x86_64__)
    unsigned core;
    return __rdtscp(&core);
#else
    return (uint64_t)measure_now_ns();
#endif
}

double measure_ticks_per_ns(void)
{
    double began = measure_now_ns();
    uint64_t ticks = measure_ticks();
    double now = began;
    while (now - began < 1e8) {
        now = measure_now_ns();
    }
    return (double)(measure_ticks() - ticks) / (now - began);
}

void measure_check(struct bench *bench, bool found, const struct peer_value *value)
{
    if (!found || value->words[0] != value->words[PEER_WORDS - 1]) {
        atomic_fetch_add_explicit(&bench->wrong, 1, memory_order_relaxed);
    }
}

void *measure_memory(size_t len)
{
    void *memory = malloc(len);
    if (memory == NULL) {
        report_give_up("no memory to measure with");
    }
    memset(memory, 1, len);
    return memory;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void measure_sort(uint64_t *values, size_t count)
{
    qsort(values, count, sizeof(*values), ascending);
}

// The cores that this process was given, as it began.
static cpu_set_t cores;

static void learn_cores(void)
{
    if (CPU_COUNT(&cores) == 0 && sched_getaffinity(0, sizeof(cores), &cores) != 0) {
        report_give_up("cannot tell which cores there are");
    }
}

void measure_pin(unsigned thread, unsigned threads)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    if (threads > (unsigned)CPU_COUNT(&cores)) {
        return;
    }
    for (unsigned core = 0; core < CPU_SETSIZE; core++) {
        if (CPU_ISSET(core, &cores) && thread-- == 0) {
            CPU_SET(core, &one);
            sched_setaffinity(0, sizeof(one), &one);
            return;
        }
    }
}

void measure_unpin(void)
{
    sched_setaffinity(0, sizeof(cores), &cores);
}

static double resident(void)
{
    long skipped = 0;
    long pages = 0;
    FILE *in = fopen("/proc/self/statm", "r");
    if (in == NULL || fscanf(in, "%ld %ld", &skipped, &pages) != 2) {
        report_give_up("cannot read /proc/self/statm");
    }
    fclose(in);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

void measure_open(struct bench *bench, uint32_t keys)
{
    struct peer_key *all = workload_keys(keys);
    learn_cores();
    double before = resident();
    peer_open();
    double empty = resident();
    for (uint32_t i = 0; i < keys; i++) {
        struct peer_value value = workload_value(i);
        peer_put(&all[i], &value);
    }
    printf("open %s %s %u %.0f %.1f\n", peer_name, bench->hash, keys, empty - before,
           (resident() - before) / keys);
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
