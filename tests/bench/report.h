// SPDX-License-Identifier: Apache-2.0
// What the benchmarks print: rows as they are measured, and the bars, one line each, at the very end.
//
//     report_row("apply", "records/s per core", 312000)  --> at once
//     report_bar(...)                                    --> kept; report_finish prints them, last
//
// Invariant: a bar that is missed is printed as SHORT and is no failure of the program: machines differ, and
// who reads the numbers judges.  One thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define REPORT_SAMPLES_MAX 8192

// Samples of one quantity; those over the ceiling are left out.
struct report_samples {
    size_t count;
    double values[REPORT_SAMPLES_MAX];
};

enum report_op { REPORT_AT_MOST, REPORT_AT_LEAST };

struct report_bar {
    const char *name; // *keeps*
    double value;
    enum report_op op;
    double limit;
};

void report_add(struct report_samples *samples, double value);
// The value below which `share` (0..1) of the samples lie; 0 of no samples.  Sorts them.
double report_quantile(struct report_samples *samples, double share);

void report_row(const char *bench, const char *what, double value);
void report_bar(const struct report_bar *bar);
void report_finish(void);

// CPU time of the calling thread, and time of no meaning but its differences; both in microseconds.
double report_cpu_us(void);
double report_now_us(void);

// Ends the program: it cannot run here at all.
_Noreturn void report_give_up(const char *what);
