// SPDX-License-Identifier: Apache-2.0
// A convoy in a map, as the metrics tell it.
#include "replicator/map_meter.h"

#include "base/metric.h"
#include "tests/lib/convoy.h"
#include "tests/lib/suite.h"

#include <stdio.h>

static double said(enum metric metric)
{
    return metric_value(metric, SPAN_NONE, SPAN_NONE);
}

TEST(waits_for_a_shard_are_counted_once_each)
{
    const struct map_options options = {.shards = 4, .partitions = 4, .changefeed = 64};
    struct map *map = NULL;
    struct map_meter meter = {0};
    metric_reset();
    CHECK_OK(map_new(&options, &map));
    map_meter_refresh(&meter, map);
    CHECK_EQ((int)said(METRIC_MAP_WRITES), 0);
    CHECK_EQ((int)said(METRIC_MAP_LOCK_LONG_WAITS), 0);
    convoy_plant(map, SPAN_LIT("any key"));
    const uint64_t waits = map_waits_next(map);
    map_meter_refresh(&meter, map);
    map_meter_refresh(&meter, map);
    CHECK(said(METRIC_MAP_WRITES) >= 1 + CONVOY_WAITERS);
    CHECK_UEQ((uint64_t)said(METRIC_MAP_LOCK_LONG_WAITS), waits);
    CHECK((uint64_t)said(METRIC_MAP_LOCK_WAITS) >= waits);
    CHECK(said(METRIC_MAP_LOCK_WAIT_MAX) >= 0.001);
    CHECK(said(METRIC_MAP_LOCK_WAIT_MAX) <= said(METRIC_MAP_LOCK_WAIT));
    map_free(map);
}
END_TEST

static void show(struct map *map, unsigned number)
{
    char name[16];
    struct key_bytes key;
    enum put_result result;
    const int len = snprintf(name, sizeof(name), "i%u", number);
    key_registration(SPAN_LIT("t"), SPAN_LIT("s"), span_of(name, (size_t)len), &key);
    CHECK_OK(map_show(map, key_span(&key), SPAN_LIT("body"), 0, 1, &result));
}

TEST(the_fullest_shard_and_those_that_grow_are_told)
{
    const struct map_options options = {.shards = 2, .partitions = 4, .changefeed = 64};
    struct map *map = NULL;
    struct map_meter meter = {0};
    unsigned grew = 0;
    metric_reset();
    CHECK_OK(map_new(&options, &map));
    map_meter_refresh(&meter, map);
    CHECK(said(METRIC_MAP_LOAD_MAX) == 0);
    for (unsigned i = 0; i < 500; i++) {
        show(map, i);
        map_meter_refresh(&meter, map);
        CHECK(said(METRIC_MAP_LOAD_MAX) > 0 && said(METRIC_MAP_LOAD_MAX) <= 1);
        CHECK(said(METRIC_MAP_SHARDS_GROWING) <= 2);
        grew += said(METRIC_MAP_SHARDS_GROWING) > 0;
    }
    CHECK_INT(grew, gt, 0);
    map_free(map);
}
END_TEST

SUITE("node/map_meter", T(the_fullest_shard_and_those_that_grow_are_told),
      T(waits_for_a_shard_are_counted_once_each));
