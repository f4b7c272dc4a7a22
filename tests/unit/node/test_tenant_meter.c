// SPDX-License-Identifier: Apache-2.0
// A map with tenants of known sizes; the metrics say who is large and lose nobody's records.
#include "replicator/tenant_meter.h"

#include "base/buf.h"
#include "base/metric.h"
#include "localmap/map.h"
#include "tests/lib/suite.h"

#include <stdio.h>

static struct map *new_map(void)
{
    const struct map_options options = {
        .shards = 4, .partitions = 4, .changefeed = 16, .instance = 1};
    struct map *map = NULL;
    CHECK_OK(map_new(&options, &map));
    return map;
}

static struct span key_of(int tenant, int instance, char text[48])
{
    int len = snprintf(text, 48, "t%03d%cs%ci%d", tenant, 0, 0, instance);
    return span_of(text, (size_t)len);
}

static void fill(struct map *map, int tenant, int count)
{
    for (int i = 0; i < count; i++) {
        char text[48];
        enum put_result result = PUT_STALE;
        CHECK_OK(map_show(map, key_of(tenant, i, text), SPAN_LIT("x"), 0, 1, &result));
        CHECK_EQ(result, PUT_NEW);
    }
}

static double records(const char *tenant)
{
    return metric_value(METRIC_TENANT_RECORDS, span_str(tenant), SPAN_NONE);
}

static double sum(void)
{
    double sum = records("other");
    for (int tenant = 0; tenant < 1000; tenant++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "t%03d", tenant);
        sum += records(name);
    }
    return sum;
}

TEST(the_largest_are_named_and_nobody_is_lost)
{
    struct map *map = new_map();
    struct tenant_meter meter = {.count = 0};
    metric_reset();
    CHECK_OK(map_set_quota(map, SPAN_NONE, 500));
    CHECK_OK(map_set_quota(map, SPAN_LIT("t199"), 600));
    for (int tenant = 0; tenant < 200; tenant++) {
        fill(map, tenant, tenant + 1);
    }
    tenant_meter_refresh(&meter, map);
    CHECK(records("t199") == 200);
    CHECK(records("t168") == 169);
    CHECK(records("t167") == 0); // the 33rd
    CHECK(records("other") == 168 * 169 / 2.0);
    CHECK(sum() == 200 * 201 / 2.0);
    CHECK(metric_value(METRIC_TENANT_QUOTA, SPAN_LIT("t199"), SPAN_NONE) == 600);
    CHECK(metric_value(METRIC_TENANT_QUOTA, SPAN_LIT("t198"), SPAN_NONE) == 500);
    CHECK(metric_value(METRIC_TENANTS_OVER_QUOTA, SPAN_NONE, SPAN_NONE) == 0);
    struct buf buf;
    buf_init(&buf, 1u << 20);
    metric_write(&buf);
    CHECK(strstr(buf_cstr(&buf), "meshpulse_map_over_quota_total{tenant=\"t199\"} 0\n") != NULL);
    buf_fini(&buf);
    map_free(map);
}

TEST(one_that_is_gone_has_no_records_and_one_that_explodes_gets_a_name)
{
    struct map *map = new_map();
    struct tenant_meter meter = {.count = 0};
    metric_reset();
    for (int tenant = 0; tenant < 50; tenant++) {
        fill(map, tenant, 10);
    }
    tenant_meter_refresh(&meter, map);
    fill(map, 999, 100);
    for (int tenant = 0; tenant < 50; tenant++) {
        char text[48];
        for (int i = 0; i < 10; i++) {
            CHECK(map_drop(map, key_of(tenant, i, text)));
        }
    }
    tenant_meter_refresh(&meter, map);
    CHECK(records("t999") == 100);
    CHECK(sum() == 100);
    map_free(map);
}

TEST(thousands_that_come_and_go_take_no_more_names_than_there_are)
{
    struct map *map = new_map();
    struct tenant_meter meter = {.count = 0};
    struct buf buf;
    unsigned series = 0;
    metric_reset();
    for (int tenant = 0; tenant < 1000; tenant++) {
        char text[48];
        fill(map, tenant, 2);
        tenant_meter_refresh(&meter, map);
        CHECK(sum() == 2);
        CHECK(map_drop(map, key_of(tenant, 0, text)));
        CHECK(map_drop(map, key_of(tenant, 1, text)));
    }
    buf_init(&buf, 1u << 20);
    metric_write(&buf);
    for (const char *at = strstr(buf_cstr(&buf), "tenant_records{"); at != NULL;
         at = strstr(at + 1, "tenant_records{")) {
        series++;
    }
    CHECK_UEQ(series, TENANT_METER_NAMES_MAX + 1);
    buf_fini(&buf);
    map_free(map);
}

SUITE("node/tenant_meter", T(the_largest_are_named_and_nobody_is_lost),
      T(one_that_is_gone_has_no_records_and_one_that_explodes_gets_a_name),
      T(thousands_that_come_and_go_take_no_more_names_than_there_are));
