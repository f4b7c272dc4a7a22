// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/localmap/maps.h"

#include "localmap/quota.h"
#include "tests/lib/suite.h"

const struct map_options maps_options = {
    .shards = 4, .partitions = MAPS_PARTITIONS, .changefeed = 256, .instance = 5};

struct map *maps_new(void)
{
    struct map *map = NULL;
    CHECK_OK(map_new(&maps_options, &map));
    return map;
}

struct codec_value maps_value(struct span key, uint64_t counter, const char *body)
{
    struct codec_value value = {.version = {counter, MAPS_WRITER}, .body = span_str(body)};
    value.hash = codec_hash(key, value.version, value.body);
    return value;
}

// --- checking

struct sums {
    const struct map *map;
    uint64_t records, tombstones, evicted;
    uint64_t used; // places in quotas
    struct map_digest digests[MAPS_PARTITIONS];
    uint64_t by_status[STATUS_COUNT];
};

// Is the key in the index of its service?
static bool is_indexed(const struct map *map, struct span key)
{
    struct span service = key_service_prefix(key);
    struct key_bytes found;
    struct key_bytes after = {.len = 0};
    while (map_service_keys(map, service, key_span(&after), &found, 1) == 1) {
        if (span_eq(key_span(&found), key)) {
            return true;
        }
        after = found;
    }
    return false;
}

static bool sum_record(void *arg, struct span key, const struct map_copy *copy)
{
    struct sums *sums = arg;
    const struct map_facts *facts = &copy->facts;
    bool shown = (facts->flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0;
    struct span instance = key_instance_prefix(key);
    sums->records++;
    sums->evicted += (facts->flags & MAP_EVICTED) != 0 ? 1 : 0;
    CHECK((facts->flags & MAP_EVICTED) == 0 || copy->body_len == 0);
    sums->tombstones += (facts->flags & MAP_TOMBSTONE) != 0 ? 1 : 0;
    if ((facts->flags & MAP_TOMBSTONE) == 0 &&
        quota_counts(key, instance.len == key.len, map_copy_body(copy))) {
        sums->used++;
    }
    if (!version_is_none(facts->version) && (facts->flags & MAP_LOCAL) == 0) {
        struct map_digest *digest = &sums->digests[key_partition(key, MAPS_PARTITIONS)];
        digest->count++;
        digest->sum = (digest->sum + facts->hash) & CODEC_HASH_MASK;
    }
    if (shown && instance.len == key.len) {
        sums->by_status[facts->health.health.status]++;
    }
    CHECK(is_indexed(sums->map, key));
    return true;
}

static bool count_record(void *arg, struct span key, const struct map_copy *copy)
{
    uint64_t *count = arg;
    (void)key;
    (void)copy;
    (*count)++;
    return true;
}

struct service_sums {
    const struct map *map;
    struct key_bytes last;
    uint64_t by_status[STATUS_COUNT];
    uint64_t evicted, evicted_services;
};

static bool sum_service(void *arg, const struct map_service *service)
{
    struct service_sums *sums = arg;
    struct map_service again;
    uint32_t instances = 0;
    CHECK_INT(span_cmp(key_span(&sums->last), key_span(&service->key)), lt, 0);
    CHECK(service->policy || service->instances > 0);
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        sums->by_status[i] += service->by_status[i];
        instances += service->by_status[i];
    }
    CHECK_UEQ(instances, service->instances);
    CHECK(map_service_get(sums->map, key_span(&service->key), &again));
    CHECK_UEQ(again.instances, service->instances);
    CHECK_UEQ(again.evicted, service->evicted);
    sums->evicted += service->evicted;
    sums->evicted_services += service->evicted > 0;
    sums->last = service->key;
    return true;
}

void maps_check(const struct map *map)
{
    struct sums sums = {.map = map};
    struct service_sums services = {.map = map, .last = {.len = 0}};
    struct map_counts counts;
    struct map_tenants tenants;
    uint64_t in_partitions = 0;
    map_scan(map, sum_record, &sums);
    map_services(map, SPAN_NONE, sum_service, &services);
    map_counts(map, &counts);
    CHECK_UEQ(counts.records, sums.records);
    CHECK_UEQ(counts.tombstones, sums.tombstones);
    CHECK_UEQ(counts.evicted_records, sums.evicted);
    // A service of observations alone is not listed, but its records are counted.
    CHECK_INT(services.evicted, le, sums.evicted);
    CHECK_INT(services.evicted_services, le, counts.evicted_services);
    CHECK_EQ(map_has_evicted(map), sums.evicted > 0);
    (void)map_tenants(map, NULL, 0, &tenants);
    CHECK_UEQ(tenants.used, sums.used);
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        CHECK_UEQ(counts.by_status[i], sums.by_status[i]);
        CHECK_UEQ(services.by_status[i], sums.by_status[i]);
    }
    for (uint32_t p = 0; p < MAPS_PARTITIONS; p++) {
        struct map_digest digest = map_digest(map, p);
        CHECK_UEQ(digest.count, sums.digests[p].count);
        CHECK_UEQ(digest.sum, sums.digests[p].sum);
        map_scan_partition(map, p, count_record, &in_partitions);
    }
    CHECK_UEQ(in_partitions, sums.records); // every key of the index is held
}
