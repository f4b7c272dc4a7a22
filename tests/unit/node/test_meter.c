// SPDX-License-Identifier: Apache-2.0
// Events of a stream go past the meter; the metrics say what it made of them.
#include "replicator/meter.h"

#include "base/buf.h"
#include "base/metric.h"
#include "tests/lib/suite.h"
#include "tests/unit/node/fixture.h"

#include <string.h>

// An entry with one record, written by `node`.
static void pass_entry(struct fixture *fixture, const char *node)
{
    char value[CODEC_HEAD_LEN + 2] = {0};
    struct stream_pair pair = {.key = SPAN_LIT("k"), .value = span_of(value, sizeof(value))};
    const struct stream_event event = {
        .type = STREAM_EV_ENTRY,
        .entry = {.valid = true, .id = {1000, 0}, .pairs = &pair, .count = 1}};
    version_put((struct version){1, version_writer(span_str(node), 5)}, value);
    driver_on_stream(fixture->driver, &event);
}

// A heartbeat's answer that shows `peer`.
static void pass_beat(struct fixture *fixture, const char *peer)
{
    const struct stream_peer peers[] = {{.name = span_str(peer), .payload = SPAN_LIT("v=1;")}};
    const struct stream_event event = {
        .type = STREAM_EV_BEAT, .beat = {.server_ms = 5000, .peers = peers, .peer_count = 1}};
    driver_on_stream(fixture->driver, &event);
}

TEST(records_are_counted_by_the_node_that_wrote_them)
{
    struct fixture fixture;
    metric_reset();
    CHECK(fixture_init(&fixture));
    fixture_start(&fixture);
    fixture_up(&fixture);
    pass_beat(&fixture, "b");
    pass_entry(&fixture, "b");
    pass_entry(&fixture, "b");
    pass_entry(&fixture, "stranger");
    CHECK_EQ((int)metric_value(METRIC_EVENTS_CONSUMED, SPAN_LIT("b"), SPAN_NONE), 2);
    CHECK_EQ((int)metric_value(METRIC_EVENTS_CONSUMED, SPAN_LIT("other"), SPAN_NONE), 1);
    fixture_fini(&fixture);
}
END_TEST

TEST(own_records_are_not_consumed)
{
    struct fixture fixture;
    metric_reset();
    CHECK(fixture_init(&fixture));
    fixture_start(&fixture);
    fixture_up(&fixture);
    pass_entry(&fixture, "a");
    CHECK_EQ((int)metric_value(METRIC_EVENTS_CONSUMED, SPAN_LIT("a"), SPAN_NONE), 0);
    CHECK_EQ((int)metric_value(METRIC_EVENTS_CONSUMED, SPAN_LIT("other"), SPAN_NONE), 0);
    fixture_fini(&fixture);
}
END_TEST

TEST(entries_read_to_catch_up_tell_nothing_of_the_lag)
{
    struct fixture fixture;
    metric_reset();
    CHECK(fixture_init(&fixture));
    fixture_start(&fixture);
    fixture_up(&fixture);
    pass_beat(&fixture, "b");
    pass_entry(&fixture, "b");
    CHECK_EQ((int)metric_value(METRIC_REPLICATION_LAG, SPAN_NONE, SPAN_NONE), 0);
    fixture_fini(&fixture);
}
END_TEST

TEST(every_change_of_status_stands_there_before_its_first)
{
    struct fixture fixture;
    struct buf text;
    metric_reset();
    CHECK(fixture_init(&fixture));
    buf_init(&text, 1 << 20);
    metric_write(&text);
    CHECK(strstr(buf_cstr(&text), "{from=\"UNKNOWN\",to=\"HEALTHY\"} 0\n") != NULL);
    CHECK(strstr(buf_cstr(&text), "{from=\"DEGRADED\",to=\"TIMEOUT\"} 0\n") != NULL);
    buf_fini(&text);
    fixture_fini(&fixture);
}
END_TEST

SUITE("node/meter", T(records_are_counted_by_the_node_that_wrote_them),
      T(own_records_are_not_consumed), T(entries_read_to_catch_up_tell_nothing_of_the_lag),
      T(every_change_of_status_stands_there_before_its_first));
