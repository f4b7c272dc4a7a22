// SPDX-License-Identifier: Apache-2.0
// A small map and values for it.  One thread, but for the map itself.
#pragma once

#include "localmap/map.h"

#define MAPS_PARTITIONS 4
#define MAPS_WRITER UINT64_C(0xabc)

extern const struct map_options maps_options;

struct map *maps_new(void); // CHECKs
// A value whose version is (counter, MAPS_WRITER) and whose hash is right; borrows `body`.
struct codec_value maps_value(struct span key, uint64_t counter, const char *body);

// Reads everything that the map says more than once, in each way that it says it, and compares: services with
// the records, counts with the services, digests and the places of quotas with a scan.  Nobody may write meanwhile.
void maps_check(const struct map *map);
