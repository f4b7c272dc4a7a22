// SPDX-License-Identifier: Apache-2.0
// Values by name, the ceiling of series, counting from several threads, and the exposition text against
// the rules that `promtool check metrics` has: HELP and TYPE once and first, names and suffixes, no series
// twice, buckets that do not fall.
#include "base/metric.h"

#include "base/buf.h"
#include "tests/lib/suite.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>

static char *exposition(struct buf *buf)
{
    buf_init(buf, 1 << 20);
    metric_write(buf);
    ck_assert(buf->err == ERR_OK);
    return buf->ptr;
}

static void check_has(const char *text, const char *expected)
{
    ck_assert_msg(strstr(text, expected) != NULL, "%s is missing", expected);
}

TEST(values_are_kept_by_name_and_label)
{
    metric_reset();
    metric_count(METRIC_EVENTS_PUBLISHED, 2);
    metric_count(METRIC_EVENTS_PUBLISHED, 3);
    metric_count1(METRIC_EVENTS_CONSUMED, SPAN_LIT("b"), 7);
    metric_count2(METRIC_HEALTH_TRANSITIONS, SPAN_LIT("HEALTHY"), SPAN_LIT("UNHEALTHY"), 1);
    metric_gauge1(METRIC_INSTANCES, SPAN_LIT("HEALTHY"), 12);
    metric_gauge1(METRIC_INSTANCES, SPAN_LIT("HEALTHY"), 11);
    metric_gauge(METRIC_READY, 1);
    CHECK(metric_value(METRIC_EVENTS_PUBLISHED, SPAN_NONE, SPAN_NONE) == 5);
    CHECK(metric_value(METRIC_EVENTS_CONSUMED, SPAN_LIT("b"), SPAN_NONE) == 7);
    CHECK(metric_value(METRIC_EVENTS_CONSUMED, SPAN_LIT("c"), SPAN_NONE) == 0);
    CHECK(metric_value(METRIC_INSTANCES, SPAN_LIT("HEALTHY"), SPAN_NONE) == 11);
    struct buf buf;
    const char *text = exposition(&buf);
    check_has(text, "\nmeshpulse_events_published_total 5\n");
    check_has(text, "\nmeshpulse_events_consumed_total{peer=\"b\"} 7\n");
    check_has(text, "\nmeshpulse_health_transitions_total{from=\"HEALTHY\",to=\"UNHEALTHY\"} 1\n");
    check_has(text, "\nmeshpulse_instances{status=\"HEALTHY\"} 11\n");
    check_has(text, "\nmeshpulse_ready 1\n");
    check_has(text, "\nmeshpulse_xds_nacks_total 0\n");            // never touched, without labels
    check_has(text, "\n# TYPE meshpulse_repairs_total counter\n"); // never touched, with labels
    check_has(text, "meshpulse_build_info{version=\"" MESHPULSE_VERSION "\"} 1\n");
    buf_fini(&buf);
}

TEST(a_histogram_counts_up_to_each_edge)
{
    metric_reset();
    metric_time(METRIC_REPLICATION_LAG, 100); // on an edge: below or equal
    metric_time(METRIC_REPLICATION_LAG, 101);
    metric_time(METRIC_REPLICATION_LAG, 2000000);
    metric_time(METRIC_REPLICATION_LAG, 60000000);
    CHECK(metric_value(METRIC_REPLICATION_LAG, SPAN_NONE, SPAN_NONE) == 4);
    struct buf buf;
    const char *text = exposition(&buf);
    check_has(text, "meshpulse_replication_lag_seconds_bucket{le=\"0.0001\"} 1\n");
    check_has(text, "meshpulse_replication_lag_seconds_bucket{le=\"0.00025\"} 2\n");
    check_has(text, "meshpulse_replication_lag_seconds_bucket{le=\"1\"} 2\n");
    check_has(text, "meshpulse_replication_lag_seconds_bucket{le=\"2.5\"} 3\n");
    check_has(text, "meshpulse_replication_lag_seconds_bucket{le=\"10\"} 3\n");
    check_has(text, "meshpulse_replication_lag_seconds_bucket{le=\"+Inf\"} 4\n");
    check_has(text, "meshpulse_replication_lag_seconds_sum 62.000201\n");
    check_has(text, "meshpulse_replication_lag_seconds_count 4\n");
    buf_fini(&buf);
}

TEST(a_flood_of_label_values_ends_in_other)
{
    metric_reset();
    for (int i = 0; i < 1000; i++) {
        char peer[16];
        const int len = snprintf(peer, sizeof(peer), "peer-%d", i);
        metric_count1(METRIC_EVENTS_CONSUMED, span_of(peer, (size_t)len), 1);
    }
    struct buf buf;
    const char *text = exposition(&buf);
    unsigned series = 0;
    for (const char *at = strstr(text, "consumed_total{"); at != NULL;
         at = strstr(at + 1, "consumed_total{")) {
        series++;
    }
    CHECK_UEQ(series, 64);
    CHECK(metric_value(METRIC_EVENTS_CONSUMED, SPAN_LIT("peer-62"), SPAN_NONE) == 1);
    CHECK(metric_value(METRIC_EVENTS_CONSUMED, SPAN_LIT("peer-63"), SPAN_NONE) == 0);
    CHECK(metric_value(METRIC_EVENTS_CONSUMED, SPAN_LIT("other"), SPAN_NONE) == 937);
    buf_fini(&buf);
}

TEST(there_is_one_other_even_when_it_was_used_by_its_name_before)
{
    metric_reset();
    metric_count1(METRIC_EVENTS_CONSUMED, SPAN_LIT("other"), 5);
    for (int i = 0; i < 100; i++) {
        char peer[16];
        const int len = snprintf(peer, sizeof(peer), "peer-%d", i);
        metric_count1(METRIC_EVENTS_CONSUMED, span_of(peer, (size_t)len), 1);
    }
    struct buf buf;
    const char *text = exposition(&buf);
    const char *first = strstr(text, "{peer=\"other\"}");
    CHECK(first != NULL && strstr(first + 1, "{peer=\"other\"}") == NULL);
    CHECK(metric_value(METRIC_EVENTS_CONSUMED, SPAN_LIT("other"), SPAN_NONE) == 5 + 100 - 62);
    buf_fini(&buf);
}

TEST(label_values_from_outside_are_escaped_and_cut)
{
    char longer[100];
    memset(longer, 'x', sizeof(longer));
    metric_reset();
    metric_count1(METRIC_EVENTS_CONSUMED, SPAN_LIT("a\"b\\c\nd"), 1);
    metric_count1(METRIC_EVENTS_CONSUMED, SPAN_LIT("bad\xFF"), 1);
    metric_count1(METRIC_EVENTS_CONSUMED, SPAN_LIT("bad\xFF"), 1);
    metric_count1(METRIC_EVENTS_CONSUMED, span_of(longer, 100), 1);
    metric_count1(METRIC_EVENTS_CONSUMED, span_of(longer, 99), 1);
    struct buf buf;
    const char *text = exposition(&buf);
    check_has(text, "{peer=\"a\\\"b\\\\c\\nd\"} 1\n");
    check_has(text, "{peer=\"bad?\"} 2\n");
    memcpy(longer + METRIC_VALUE_MAX, "\"} 2\n", 6);
    check_has(text, longer);
    buf_fini(&buf);
}

static void *count_many(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 20000; i++) {
        char peer[16];
        const int len = snprintf(peer, sizeof(peer), "p%u", i % 100);
        metric_count1(METRIC_EVENTS_CONSUMED, span_of(peer, (size_t)len), 1);
        metric_time(METRIC_LOOP_LAG, i);
    }
    return NULL;
}

TEST(nothing_is_lost_between_threads)
{
    pthread_t threads[4];
    metric_reset();
    for (int i = 0; i < 4; i++) {
        ck_assert(pthread_create(&threads[i], NULL, count_many, NULL) == 0);
    }
    struct buf buf;
    exposition(&buf); // a scrape beside it
    buf_fini(&buf);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    double sum = metric_value(METRIC_EVENTS_CONSUMED, SPAN_LIT("other"), SPAN_NONE);
    for (int i = 0; i < 100; i++) {
        char peer[16];
        const int len = snprintf(peer, sizeof(peer), "p%d", i);
        sum += metric_value(METRIC_EVENTS_CONSUMED, span_of(peer, (size_t)len), SPAN_NONE);
    }
    CHECK(sum == 80000);
    CHECK(metric_value(METRIC_LOOP_LAG, SPAN_NONE, SPAN_NONE) == 80000);
}

TEST(the_process_is_measured)
{
    metric_reset();
    struct buf buf;
    exposition(&buf);
    CHECK(metric_value(METRIC_PROCESS_RSS, SPAN_NONE, SPAN_NONE) > 100000);
    CHECK(metric_value(METRIC_PROCESS_VIRTUAL, SPAN_NONE, SPAN_NONE) > 100000);
    CHECK(metric_value(METRIC_PROCESS_FDS, SPAN_NONE, SPAN_NONE) >= 1);
    CHECK(metric_value(METRIC_PROCESS_FDS_MAX, SPAN_NONE, SPAN_NONE) >= 64);
    CHECK(metric_value(METRIC_PROCESS_START, SPAN_NONE, SPAN_NONE) > 1.6e9);
    CHECK(metric_value(METRIC_PROCESS_CPU, SPAN_NONE, SPAN_NONE) >= 0);
    check_has(buf.ptr, "# TYPE process_cpu_seconds_total counter\n");
    buf_fini(&buf);
}

// --- the rules of the text format

static bool ends_with(const char *text, const char *end)
{
    const size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

struct family {
    char name[100];
    char type[20];
};

static void check_name(const struct family *family)
{
    const char *name = family->name;
    CHECK(strncmp(name, "meshpulse_", 10) == 0 || strncmp(name, "process_", 8) == 0);
    for (const char *c = name; *c != '\0'; c++) {
        CHECK(islower((unsigned char)*c) || *c == '_' || isdigit((unsigned char)*c));
    }
    CHECK_EQ(strcmp(family->type, "counter") == 0, ends_with(name, "_total"));
    if (strcmp(family->type, "histogram") == 0) {
        CHECK(ends_with(name, "_seconds"));
    }
    static const char *const banned[] = {"_ms",    "_milliseconds", "_us",
                                         "_count", "_sum",          "_bucket"};
    for (size_t i = 0; i < sizeof(banned) / sizeof(banned[0]); i++) {
        CHECK(!ends_with(name, banned[i]));
    }
}

static void check_sample(const struct family *family, const char *sample)
{
    const size_t len = strlen(family->name);
    CHECK(strncmp(sample, family->name, len) == 0);
    const char *rest = sample + len;
    if (strcmp(family->type, "histogram") == 0) {
        CHECK(strncmp(rest, "_bucket{", 8) == 0 || strncmp(rest, "_sum", 4) == 0 ||
              strncmp(rest, "_count", 6) == 0);
    } else {
        CHECK(*rest == ' ' || *rest == '{');
    }
    char *end = NULL;
    strtod(strrchr(sample, ' ') + 1, &end);
    CHECK(*end == '\0');
}

TEST(the_text_keeps_the_rules_of_prometheus)
{
    metric_reset();
    metric_count2(METRIC_CHECKS, SPAN_LIT("http"), SPAN_LIT("passed"), 1);
    metric_count2(METRIC_HTTP_REQUESTS, SPAN_LIT("/v1/services"), SPAN_LIT("200"), 1);
    struct buf buf;
    char *text = exposition(&buf);
    struct family family = {"", ""};
    char seen[METRIC_COUNT][100];
    unsigned families = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            CHECK_EQ(sscanf(line, "# HELP %99s", family.name), 1);
            CHECK(ends_with(line, ".")); // a sentence
            for (unsigned i = 0; i < families; i++) {
                CHECK(strcmp(seen[i], family.name) != 0);
            }
            memcpy(seen[families++], family.name, sizeof(family.name));
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            char name[100];
            CHECK_EQ(sscanf(line, "# TYPE %99s %19s", name, family.type), 2);
            CHECK_STR(name, family.name);
            check_name(&family);
        } else {
            check_sample(&family, line);
        }
    }
    CHECK(families > 30);
    buf_fini(&buf);
}

SUITE("base/metric", T(values_are_kept_by_name_and_label), T(a_histogram_counts_up_to_each_edge),
      T(a_flood_of_label_values_ends_in_other),
      T(there_is_one_other_even_when_it_was_used_by_its_name_before),
      T(label_values_from_outside_are_escaped_and_cut), T(nothing_is_lost_between_threads),
      T(the_process_is_measured), T(the_text_keeps_the_rules_of_prometheus));
