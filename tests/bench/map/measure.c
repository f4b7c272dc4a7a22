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

// The cores that this process was given.
static cpu_set_t cores;

// Before main: no thread has been pinned yet.
__attribute__((constructor)) static void learn_cores(void)
{
    if (sched_getaffinity(0, sizeof(cores), &cores) != 0) {
        report_give_up("cannot tell which cores there are");
    }
}

void measure_pin(unsigned thread)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    thread %= (unsigned)CPU_COUNT(&cores);
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

double measure_resident(void)
{
    long skipped = 0;
    long pages = 0;
    long shared = 0; // with files: the program's own code, as it is first run
    FILE *in = fopen("/proc/self/statm", "r");
    if (in == NULL || fscanf(in, "%ld %ld %ld", &skipped, &pages, &shared) != 3) {
        report_give_up("cannot read /proc/self/statm");
    }
    fclose(in);
    return (double)(pages - shared) * (double)sysconf(_SC_PAGESIZE);
}
