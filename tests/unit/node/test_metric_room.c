// SPDX-License-Identifier: Apache-2.0
// Metrics whose label values are a closed set have room for all of it: one value too many is shown as `other`, and a
// rule that waits for it waits for ever.
#include "base/metric.h"
#include "localmap/bands.h"
#include "localmap/model/record.h"
#include "replicator/write_queue.h"
#include "tests/lib/suite.h"

TEST(each_band_has_a_series)
{
    metric_reset();
    for (int band = 0; band < BANDS_COUNT; band++) {
        metric_gauge1(METRIC_MEMORY_BAND, span_str(bands_name((enum bands_band)band)), 1);
    }
    for (int band = 0; band < BANDS_COUNT; band++) {
        struct span name = span_str(bands_name((enum bands_band)band));
        CHECK(metric_value(METRIC_MEMORY_BAND, name, SPAN_NONE) == 1);
    }
}

TEST(each_status_and_each_transition_has_a_series)
{
    metric_reset();
    for (int from = 0; from < STATUS_COUNT; from++) {
        struct span name = span_str(status_name((enum status)from));
        metric_gauge1(METRIC_INSTANCES, name, 1);
        for (int to = 0; to < STATUS_COUNT; to++) {
            struct span other = span_str(status_name((enum status)to));
            metric_count2(METRIC_HEALTH_TRANSITIONS, name, other, from != to);
        }
    }
    for (int from = 0; from < STATUS_COUNT; from++) {
        struct span name = span_str(status_name((enum status)from));
        CHECK(metric_value(METRIC_INSTANCES, name, SPAN_NONE) == 1);
        for (int to = 0; to < STATUS_COUNT; to++) {
            struct span other = span_str(status_name((enum status)to));
            CHECK_EQ((int)metric_value(METRIC_HEALTH_TRANSITIONS, name, other), from != to);
        }
    }
}

TEST(each_priority_has_a_series)
{
    metric_reset();
    for (int i = 0; i < WRITE_QUEUE_PRIORITIES; i++) {
        struct span name = span_str(write_queue_priority_name((enum write_queue_priority)i));
        metric_count1(METRIC_WRITE_QUEUE_DROPPED, name, 1);
        metric_count1(METRIC_WRITE_QUEUE_REFUSED, name, 1);
    }
    for (int i = 0; i < WRITE_QUEUE_PRIORITIES; i++) {
        struct span name = span_str(write_queue_priority_name((enum write_queue_priority)i));
        CHECK(metric_value(METRIC_WRITE_QUEUE_DROPPED, name, SPAN_NONE) == 1);
        CHECK(metric_value(METRIC_WRITE_QUEUE_REFUSED, name, SPAN_NONE) == 1);
    }
}

SUITE("node/metric_room", T(each_band_has_a_series),
      T(each_status_and_each_transition_has_a_series), T(each_priority_has_a_series));
