// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BARS_MAX 16

static struct report_bar bars[BARS_MAX];
static size_t bar_count;

void report_add(struct report_samples *samples, double value)
{
    if (samples->count < REPORT_SAMPLES_MAX) {
        samples->values[samples->count++] = value;
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double report_quantile(struct report_samples *samples, double share)
{
    if (samples->count == 0) {
        return 0;
    }
    qsort(samples->values, samples->count, sizeof(samples->values[0]), ascending);
    return samples->values[(size_t)(share * (double)(samples->count - 1) + 0.5)];
}

void report_row(const char *bench, const char *what, double value)
{
    printf("  %-10s %-52s %14.2f\n", bench, what, value);
    fflush(stdout);
}

void report_bar(const struct report_bar *bar)
{
    if (bar_count < BARS_MAX) {
        bars[bar_count++] = *bar;
    }
}

void report_finish(void)
{
    for (size_t i = 0; i < bar_count; i++) {
        const struct report_bar *bar = &bars[i];
        int ok = bar->op == REPORT_AT_MOST ? bar->value <= bar->limit : bar->value >= bar->limit;
        printf("bar %s %.2f %s %.2f %s\n", bar->name, bar->value,
               bar->op == REPORT_AT_MOST ? "<=" : ">=", bar->limit, ok ? "ok" : "SHORT");
    }
    fflush(stdout);
}

static double clock_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

double report_cpu_us(void)
{
    return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

double report_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

void report_give_up(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(EXIT_FAILURE);
}
