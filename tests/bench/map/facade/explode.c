// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/map/facade/facade.h"
#include "tests/bench/map/measure.h"
#include "tests/bench/report.h"

#include <stdio.h>

#define TENANTS 200u
#define RECORDS 500u // each, of 1,000 that it may have
#define LIMIT 1000u
#define STORM 1000000u

static void key_of(unsigned tenant, uint32_t number, struct key_bytes *ret_key)
{
    char name[16];
    char service[32];
    char instance[32];
    snprintf(name, sizeof(name), "tenant-%03u", tenant);
    snprintf(service, sizeof(service), "service-%06u", number / 50);
    snprintf(instance, sizeof(instance), "pod-%010u", number);
    key_registration(span_str(name), span_str(service), span_str(instance), ret_key);
}

static enum put_result put(struct map *map, const struct key_bytes *key,
                           const struct codec_value *value)
{
    enum put_result result;
    if (map_put(map, key_span(key), value, 0, 0, &result) != ERR_OK) {
        report_give_up("map_put failed");
    }
    return result;
}

static void fill(struct map *map, const struct codec_value *value)
{
    for (uint32_t i = 0; i < TENANTS * RECORDS; i++) {
        struct key_bytes key;
        key_of(i % TENANTS, i / TENANTS, &key);
        if (put(map, &key, value) != PUT_NEW) {
            report_give_up("a tenant below its quota was refused");
        }
    }
}

static uint64_t used_by_others(const struct map *map)
{
    struct map_tenants all;
    struct map_tenant loud;
    (void)map_tenants(map, NULL, 0, &all);
    return map_tenant(map, SPAN_LIT("tenant-000"), &loud) ? all.used - loud.used : 0;
}

void facade_explode(void)
{
    struct facade_record record;
    struct map *map = facade_map();
    uint64_t refused = 0;
    facade_record(0, &record);
    if (map_set_quota(map, SPAN_NONE, LIMIT) != ERR_OK) {
        report_give_up("no memory");
    }
    double empty = measure_resident();
    fill(map, &record.value);
    double before = measure_resident();
    uint64_t others = used_by_others(map);
    for (uint32_t i = 0; i < STORM; i++) {
        struct key_bytes key;
        key_of(0, RECORDS + i, &key);
        refused += put(map, &key, &record.value) == PUT_OVER_QUOTA ? 1 : 0;
    }
    double after = measure_resident();
    if (used_by_others(map) != others || refused != STORM - (LIMIT - RECORDS)) {
        report_give_up("the quota is not exact, or others were disturbed");
    }
    printf("explode map - %u %u %.0f %.3f\n", TENANTS, RECORDS, (before - empty) / 1024,
           (after - before) * 100 / (before - empty));
    map_free(map);
}
