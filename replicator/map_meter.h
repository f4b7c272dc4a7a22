// SPDX-License-Identifier: Apache-2.0
// The inside of the map, as metrics: sums and worst cases of its shards.  64 times a histogram is more than
// anybody looks at, and /debug/map has them one by one.
// One thread at a time.  Read next: localmap/map_debug.h, meter.h.
#pragma once

#include <stdint.h>

struct map;

// What was counted so far.  Starts as zeros.
struct map_meter {
    uint64_t writes, waits, long_waits;
};

void map_meter_refresh(struct map_meter *meter, const struct map *map);
