// SPDX-License-Identifier: Apache-2.0
#include "replicator/map_meter.h"

#include "base/metric.h"
#include "localmap/map_debug.h"

static void count_up_to(enum metric metric, uint64_t *counted, uint64_t total)
{
    metric_count(metric, total - *counted);
    *counted = total;
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void show_load(const struct map *map)
{
    unsigned growing = 0;
    double fullest = 0;
    for (uint32_t i = 0; i < map_shard_count(map); i++) {
        struct map_shard shard;
        map_shard_load(map, i, &shard);
        const double load = shard.places == 0 ? 0 : (double)shard.records / (double)shard.places;
        fullest = load > fullest ? load : fullest;
        growing += shard.growing;
    }
    metric_gauge(METRIC_MAP_SHARDS_GROWING, growing);
    metric_gauge(METRIC_MAP_LOAD_MAX, fullest);
}

void map_meter_refresh(struct map_meter *meter, const struct map *map)
{
    struct map_lock sum = {.entries = 0};
    for (uint32_t i = 0; i < map_shard_count(map); i++) {
        struct map_lock lock;
        map_lock_stats(map, i, &lock);
        sum.entries += lock.entries;
        sum.waits += lock.waits;
        sum.wait_total_ns += lock.wait_total_ns;
        sum.wait_max_ns = greater(sum.wait_max_ns, lock.wait_max_ns);
        sum.hold_max_ns = greater(sum.hold_max_ns, lock.hold_max_ns);
    }
    show_load(map);
    count_up_to(METRIC_MAP_WRITES, &meter->writes, sum.entries);
    count_up_to(METRIC_MAP_LOCK_WAITS, &meter->waits, sum.waits);
    count_up_to(METRIC_MAP_LOCK_LONG_WAITS, &meter->long_waits, map_waits_next(map));
    metric_gauge(METRIC_MAP_LOCK_WAIT, seconds(sum.wait_total_ns));
    metric_gauge(METRIC_MAP_LOCK_WAIT_MAX, seconds(sum.wait_max_ns));
    metric_gauge(METRIC_MAP_LOCK_HOLD_MAX, seconds(sum.hold_max_ns));
}
