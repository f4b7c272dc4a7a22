// SPDX-License-Identifier: Apache-2.0
#include "replicator/tenant_meter.h"

#include "base/metric.h"
#include "localmap/map.h"

static void take_name(struct tenant_meter *meter, const char *name)
{
    for (uint32_t i = 0; i < meter->count; i++) {
        if (strcmp(meter->names[i], name) == 0) {
            return;
        }
    }
    if (meter->count < TENANT_METER_NAMES_MAX) {
        memcpy(meter->names[meter->count++], name, strlen(name) + 1);
        // A counter that begins with its first refusal would hide it from rate().
        metric_count1(METRIC_MAP_OVER_QUOTA, span_str(name), 0);
    }
}

// Returns how many records it has.  One that is gone has none, and the quota that all have.
static uint64_t show(const struct map *map, const char *name)
{
    struct map_tenant tenant = {.used = 0};
    (void)map_tenant(map, span_str(name), &tenant);
    metric_gauge1(METRIC_TENANT_RECORDS, span_str(name), (double)tenant.used);
    metric_gauge1(METRIC_TENANT_QUOTA, span_str(name), tenant.limit);
    return tenant.used;
}

void tenant_meter_refresh(struct tenant_meter *meter, const struct map *map)
{
    struct map_tenant largest[TENANT_METER_LARGEST];
    struct map_tenants all;
    size_t count = map_tenants(map, largest, TENANT_METER_LARGEST, &all);
    for (size_t i = 0; i < count; i++) {
        take_name(meter, largest[i].name);
    }
    uint64_t named = 0;
    for (uint32_t i = 0; i < meter->count; i++) {
        named += show(map, meter->names[i]);
    }
    // They were not looked at in one moment.
    metric_gauge1(METRIC_TENANT_RECORDS, SPAN_LIT("other"),
                  named < all.used ? (double)(all.used - named) : 0);
    metric_gauge(METRIC_TENANTS_OVER_QUOTA, (double)all.over);
}
