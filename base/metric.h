// SPDX-License-Identifier: Apache-2.0
// Counters, gauges and histograms out of one table (metric.def), shown as Prometheus text 0.0.4.
//
//     metric_count(METRIC_EVENTS_PUBLISHED, 1);
//     metric_count1(METRIC_EVENTS_CONSUMED, peer, 1);
//     metric_gauge1(METRIC_INSTANCES, SPAN_LIT("HEALTHY"), 12);
//
//     metric --series[0..max)--> {label values, value}     the last series is `other`, once all are taken
//
// Invariant: a metric never has more series than its row allows, whatever label values come from outside;
// a series, once there, never goes away and its counter never falls (gauges may be set to 0).
// [any]; adding to a series takes no lock, only the first use of new label values does.
#pragma once

#include "base/span.h"

#include <stdint.h>

enum metric {
#define METRIC(id, type, name, labels, series_max, help) METRIC_##id,
#include "base/metric.def"
#undef METRIC
    METRIC_COUNT
};

#define METRIC_LABELS_MAX 2
#define METRIC_VALUE_MAX 64 // bytes of one label value; a longer one is cut at a character

struct buf;
struct metric_series;

// The series of these label values (SPAN_NONE for labels that the metric does not have), made on first
// use; keep the pointer where the path is hot.  Never NULL: when the metric is full it is its `other`.
struct metric_series *metric_series(enum metric metric, struct span value1, struct span value2);

void metric_add(struct metric_series *series, uint64_t n);      // counter
void metric_set(struct metric_series *series, double value);    // gauge
void metric_observe(struct metric_series *series, uint64_t us); // histogram of seconds

// The same by name.
void metric_count(enum metric metric, uint64_t n);
void metric_count1(enum metric metric, struct span value1, uint64_t n);
void metric_count2(enum metric metric, struct span value1, struct span value2, uint64_t n);
void metric_gauge(enum metric metric, double value);
void metric_gauge1(enum metric metric, struct span value1, double value);
void metric_time(enum metric metric, uint64_t us);

// What a counter or gauge says now (a histogram: how many observations).  For tests and /readyz.
double metric_value(enum metric metric, struct span value1, struct span value2);

// Appends the exposition of everything.  Metrics without labels are always there; with labels, once a
// series has been used.  Process metrics are read from /proc here, so they cost a scraper, nobody else.
void metric_write(struct buf *out);

// All back to nothing: for tests, while no other thread runs.
void metric_reset(void);
