// SPDX-License-Identifier: Apache-2.0
#include "base/metric.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/metric_process.h"
#include "base/utf8.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum type { COUNTER, GAUGE, HISTOGRAM, SECONDS };

#define L0                                                                                         \
    0,                                                                                             \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }
#define L1(a)                                                                                      \
    1,                                                                                             \
    {                                                                                              \
        a, NULL                                                                                    \
    }
#define L2(a, b)                                                                                   \
    2,                                                                                             \
    {                                                                                              \
        a, b                                                                                       \
    }

struct row {
    const char *name;
    const char *help;
    enum type type;
    size_t series_max;
    unsigned label_count;
    const char *labels[METRIC_LABELS_MAX];
};

static const struct row rows[METRIC_COUNT] = {
#define METRIC(id, type, name, labels, series_max, help)                                           \
    [METRIC_##id] = {name, help, type, series_max, labels},
#include "base/metric.def"
#undef METRIC
};

// Where the series of each metric begin in the pool: FIRST_x .. LAST_x.
enum place {
#define METRIC(id, type, name, labels, series_max, help)                                           \
    FIRST_##id, LAST_##id = FIRST_##id + (series_max)-1,
#include "base/metric.def"
#undef METRIC
    SERIES_COUNT
};

static const uint16_t first_of[METRIC_COUNT] = {
#define METRIC(id, type, name, labels, series_max, help) [METRIC_##id] = FIRST_##id,
#include "base/metric.def"
#undef METRIC
};

// Upper edges: 100 us to 10 s, about three to a decade.
static const struct {
    uint64_t us;
    const char *text;
} buckets[] = {{100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},
               {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"},
               {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
               {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},   {10000000, "10"}};
#define BUCKET_COUNT (sizeof(buckets) / sizeof(buckets[0]))

struct metric_series {
    char values[METRIC_LABELS_MAX][METRIC_VALUE_MAX + 1]; // written once, before it is published
    _Atomic uint64_t
        value; // COUNTER: the number; HISTOGRAM: the sum in us; else the bits of a double
    _Atomic uint64_t
        count[BUCKET_COUNT + 1]; // of a histogram; the last is what lies above all edges
};

static struct metric_series pool[SERIES_COUNT];
static _Atomic uint32_t series_used[METRIC_COUNT];
static pthread_mutex_t grow_lock = PTHREAD_MUTEX_INITIALIZER; // guards making series; a leaf

// --- series

// What a label value becomes: cut, and `?` for bytes that are no UTF-8.
static void clean_value(struct span value, char ret_text[METRIC_VALUE_MAX + 1])
{
    const struct span cut = utf8_cut(value, METRIC_VALUE_MAX);
    size_t at = 0;
    while (at < cut.len) {
        uint32_t code;
        const size_t len = utf8_next(span_of(cut.ptr + at, cut.len - at), &code);
        if (len == 0 || code == 0) {
            ret_text[at++] = '?';
            continue;
        }
        memcpy(ret_text + at, cut.ptr + at, len);
        at += len;
    }
    ret_text[at] = '\0';
}

static bool is_of(const struct metric_series *series, struct span value1, struct span value2)
{
    return span_eq_str(value1, series->values[0]) && span_eq_str(value2, series->values[1]);
}

static struct metric_series *find(enum metric metric, struct span value1, struct span value2)
{
    struct metric_series *first = &pool[first_of[metric]];
    // Acquire: pairs with the release in add_series; the values were written before.
    const uint32_t used = atomic_load_explicit(&series_used[metric], memory_order_acquire);
    for (uint32_t i = 0; i < used; i++) {
        if (is_of(&first[i], value1, value2)) {
            return &first[i];
        }
    }
    return NULL;
}

// With grow_lock held, and no series of these values yet.
static struct metric_series *add_series(enum metric metric, struct span value1, struct span value2)
{
    const struct row *row = &rows[metric];
    const uint32_t used = atomic_load_explicit(&series_used[metric], memory_order_relaxed);
    struct metric_series *first = &pool[first_of[metric]];
    if (used == row->series_max) {
        return &first[used - 1];
    }
    const bool last = row->series_max > 1 && used == row->series_max - 1;
    struct metric_series *series = &first[used];
    const struct span other = SPAN_LIT("other");
    struct metric_series *there = find(metric, other, row->label_count == 2 ? other : SPAN_NONE);
    if (last && there != NULL) {
        return there; // somebody has used it by its name: two of one name would be refused by every reader
    }
    clean_value(last ? other : value1, series->values[0]);
    clean_value(last && row->label_count == 2 ? other : value2, series->values[1]);
    // Release: pairs with the acquire in find.
    atomic_store_explicit(&series_used[metric], used + 1, memory_order_release);
    return series;
}

struct metric_series *metric_series(enum metric metric, struct span value1, struct span value2)
{
    ASSERT((unsigned)metric < METRIC_COUNT);
    ASSERT(rows[metric].label_count >= 1 || value1.len == 0);
    ASSERT(rows[metric].label_count == 2 || value2.len == 0);
    struct metric_series *series = find(metric, value1, value2);
    if (series != NULL) {
        return series;
    }
    char clean1[METRIC_VALUE_MAX + 1];
    char clean2[METRIC_VALUE_MAX + 1];
    clean_value(value1, clean1);
    clean_value(value2, clean2);
    pthread_mutex_lock(&grow_lock);
    series = find(metric, span_str(clean1), span_str(clean2));
    if (series == NULL) {
        series = add_series(metric, value1, value2);
    }
    pthread_mutex_unlock(&grow_lock);
    return series;
}

// --- values.  All relaxed: numbers for people, no other data hangs on them.

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

void metric_add(struct metric_series *series, uint64_t n)
{
    atomic_fetch_add_explicit(&series->value, n, memory_order_relaxed);
}

void metric_set(struct metric_series *series, double value)
{
    atomic_store_explicit(&series->value, bits_of(value), memory_order_relaxed);
}

void metric_observe(struct metric_series *series, uint64_t us)
{
    size_t bucket = 0;
    while (bucket < BUCKET_COUNT && us > buckets[bucket].us) {
        bucket++;
    }
    atomic_fetch_add_explicit(&series->count[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&series->value, us, memory_order_relaxed);
}

void metric_count(enum metric metric, uint64_t n)
{
    metric_add(metric_series(metric, SPAN_NONE, SPAN_NONE), n);
}

void metric_count1(enum metric metric, struct span value1, uint64_t n)
{
    metric_add(metric_series(metric, value1, SPAN_NONE), n);
}

void metric_count2(enum metric metric, struct span value1, struct span value2, uint64_t n)
{
    metric_add(metric_series(metric, value1, value2), n);
}

void metric_gauge(enum metric metric, double value)
{
    metric_set(metric_series(metric, SPAN_NONE, SPAN_NONE), value);
}

void metric_gauge1(enum metric metric, struct span value1, double value)
{
    metric_set(metric_series(metric, value1, SPAN_NONE), value);
}

void metric_time(enum metric metric, uint64_t us)
{
    metric_observe(metric_series(metric, SPAN_NONE, SPAN_NONE), us);
}

double metric_value(enum metric metric, struct span value1, struct span value2)
{
    struct metric_series *series = find(metric, value1, value2);
    if (series == NULL) {
        return 0;
    }
    const uint64_t value = atomic_load_explicit(&series->value, memory_order_relaxed);
    if (rows[metric].type == GAUGE || rows[metric].type == SECONDS) {
        return double_of(value);
    }
    if (rows[metric].type == COUNTER) {
        return (double)value;
    }
    uint64_t count = 0;
    for (size_t i = 0; i <= BUCKET_COUNT; i++) {
        count += atomic_load_explicit(&series->count[i], memory_order_relaxed);
    }
    return (double)count;
}

// --- exposition

static void put_escaped(struct buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\n') {
            buf_str(out, "\\n");
            continue;
        }
        if (*c == '\\' || *c == '"') {
            buf_byte(out, '\\');
        }
        buf_byte(out, *c);
    }
}

// `{a="x",b="y",le="0.1"}`, or nothing when there are no labels and no `le`.
static void put_labels(struct buf *out, const struct row *row, const struct metric_series *series,
                       const char *le)
{
    if (row->label_count == 0 && le == NULL) {
        return;
    }
    const char *before = "{";
    for (unsigned i = 0; i < row->label_count; i++) {
        buf_printf(out, "%s%s=\"", before, row->labels[i]);
        put_escaped(out, series->values[i]);
        buf_byte(out, '"');
        before = ",";
    }
    if (le != NULL) {
        buf_printf(out, "%sle=\"%s\"", before, le);
    }
    buf_byte(out, '}');
}

static void put_histogram(struct buf *out, const struct row *row, struct metric_series *series)
{
    uint64_t below = 0;
    for (size_t i = 0; i <= BUCKET_COUNT; i++) {
        below += atomic_load_explicit(&series->count[i], memory_order_relaxed);
        buf_printf(out, "%s_bucket", row->name);
        put_labels(out, row, series, i < BUCKET_COUNT ? buckets[i].text : "+Inf");
        buf_printf(out, " %llu\n", (unsigned long long)below);
    }
    const uint64_t us = atomic_load_explicit(&series->value, memory_order_relaxed);
    buf_printf(out, "%s_sum", row->name);
    put_labels(out, row, series, NULL);
    buf_printf(out, " %llu.%06llu\n", (unsigned long long)(us / 1000000),
               (unsigned long long)(us % 1000000));
    buf_printf(out, "%s_count", row->name);
    put_labels(out, row, series, NULL);
    buf_printf(out, " %llu\n", (unsigned long long)below);
}

static void put_series(struct buf *out, const struct row *row, struct metric_series *series)
{
    if (row->type == HISTOGRAM) {
        put_histogram(out, row, series);
        return;
    }
    const uint64_t value = atomic_load_explicit(&series->value, memory_order_relaxed);
    buf_str(out, row->name);
    put_labels(out, row, series, NULL);
    if (row->type == COUNTER) {
        buf_printf(out, " %llu\n", (unsigned long long)value);
    } else {
        buf_printf(out, " %.16g\n", double_of(value));
    }
}

static void put_metric(struct buf *out, enum metric metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram", "counter"};
    const struct row *row = &rows[metric];
    const uint32_t used = atomic_load_explicit(&series_used[metric], memory_order_acquire);
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
               types[row->type]);
    for (uint32_t i = 0; i < used; i++) {
        put_series(out, row, &pool[first_of[metric] + i]);
    }
}

void metric_write(struct buf *out)
{
    metric_gauge1(METRIC_BUILD_INFO, SPAN_LIT(MESHPULSE_VERSION), 1);
    metric_process_collect();
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        if (rows[i].label_count == 0) {
            metric_series((enum metric)i, SPAN_NONE, SPAN_NONE);
        }
        put_metric(out, (enum metric)i);
    }
}

void metric_reset(void)
{
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        atomic_store_explicit(&series_used[i], 0, memory_order_relaxed);
    }
    for (size_t i = 0; i < SERIES_COUNT; i++) {
        atomic_store_explicit(&pool[i].value, 0, memory_order_relaxed);
        for (size_t j = 0; j <= BUCKET_COUNT; j++) {
            atomic_store_explicit(&pool[i].count[j], 0, memory_order_relaxed);
        }
    }
}
