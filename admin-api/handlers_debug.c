// SPDX-License-Identifier: Apache-2.0
// What the map is like inside: its shards, and who waited for whom.
#include "admin-api/handle.h"
#include "admin-api/handlers.h"
#include "admin-api/problem.h"
#include "admin-api/recording.h"
#include "base/json_write.h"
#include "base/metric.h"
#include "localmap/bands.h"
#include "localmap/map_debug.h"

#include <stdlib.h>

#define SHARDS_SHOWN_MAX 4096 // one by one; all are in the sums
#define TENANTS_SHOWN_MAX 64
#define NS_PER_US 1000

// Shards, call sites and stacks are of every tenant.
static bool may_look(const struct request *request, struct response *response)
{
    if (!auth_may(&request->identity, SPAN_LIT(""), false)) {
        problem_fill(response, PROBLEM_FORBIDDEN, "the token is restricted to a tenant");
        return false;
    }
    return true;
}

// --- /debug/map

static double share(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (double)part / (double)whole;
}

static void write_numbers(struct json_writer *json, const char *key, const uint64_t *numbers,
                          size_t count)
{
    json_write_array(json, key);
    for (size_t i = 0; i < count; i++) {
        json_write_u64(json, NULL, numbers[i]);
    }
    json_write_array_end(json);
}

static void write_lock(struct json_writer *json, const struct map_lock *lock)
{
    json_write_u64(json, "writes", lock->entries);
    json_write_u64(json, "waits", lock->waits);
    json_write_u64(json, "wait_total_us", lock->wait_total_ns / NS_PER_US);
    json_write_u64(json, "wait_max_us", lock->wait_max_ns / NS_PER_US);
    write_numbers(json, "wait_classes", lock->wait_classes, MAP_WAIT_CLASSES);
    json_write_u64(json, "hold_mean_ns", lock->holds == 0 ? 0 : lock->hold_total_ns / lock->holds);
    json_write_u64(json, "hold_max_us", lock->hold_max_ns / NS_PER_US);
}

static void write_shard(struct json_writer *json, uint32_t number, const struct map_shard *shard)
{
    json_write_object(json, NULL);
    json_write_int(json, "shard", number);
    json_write_text(json, "state", shard->growing ? "GROWING" : "STABLE");
    json_write_u64(json, "records", shard->records);
    json_write_double(json, "load", share(shard->records, shard->places));
    json_write_u64(json, "bytes", shard->bytes);
    write_numbers(json, "probes", shard->probes, MAP_PROBE_CLASSES);
    write_lock(json, &shard->lock);
    if (shard->lock.inside == NULL) {
        json_write_null(json, "inside");
    } else {
        json_write_text(json, "inside", shard->lock.inside);
    }
    json_write_object_end(json);
}

static void add_numbers(uint64_t *sums, const uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sums[i] += numbers[i];
    }
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void add_shard(struct map_shard *sum, const struct map_shard *shard)
{
    const struct map_lock *lock = &shard->lock;
    sum->records += shard->records;
    sum->places += shard->places;
    add_numbers(sum->probes, shard->probes, MAP_PROBE_CLASSES);
    sum->lock.entries += lock->entries;
    sum->lock.waits += lock->waits;
    sum->lock.wait_total_ns += lock->wait_total_ns;
    sum->lock.wait_max_ns = greater(sum->lock.wait_max_ns, lock->wait_max_ns);
    add_numbers(sum->lock.wait_classes, lock->wait_classes, MAP_WAIT_CLASSES);
    sum->lock.holds += lock->holds;
    sum->lock.hold_total_ns += lock->hold_total_ns;
    sum->lock.hold_max_ns = greater(sum->lock.hold_max_ns, lock->hold_max_ns);
}

// The shards as they are, as many as are shown one by one, and the sum of all.
struct shards {
    struct map_shard *rows;
    uint32_t count;   // of all
    uint32_t growing; // of all
    struct map_shard sum;
};

static uint32_t shown(const struct shards *shards)
{
    return shards->count < SHARDS_SHOWN_MAX ? shards->count : SHARDS_SHOWN_MAX;
}

// false: no memory.
static bool read_shards(const struct map *map, struct shards *ret_shards)
{
    *ret_shards = (struct shards){.count = map_shard_count(map)};
    ret_shards->rows = calloc(shown(ret_shards), sizeof(struct map_shard));
    if (ret_shards->rows == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < ret_shards->count; i++) {
        struct map_shard shard;
        map_shard_stats(map, i, &shard);
        add_shard(&ret_shards->sum, &shard);
        ret_shards->growing += shard.growing;
        if (i < shown(ret_shards)) {
            ret_shards->rows[i] = shard;
        }
    }
    return true;
}

static void write_sum(struct json_writer *json, const struct map *map, const struct shards *shards)
{
    const struct map_shard *sum = &shards->sum;
    struct map_counts counts;
    map_counts(map, &counts);
    json_write_text(json, "state", shards->growing > 0 ? "GROWING" : "STABLE");
    json_write_int(json, "shard_count", shards->count);
    json_write_int(json, "shards_growing", shards->growing);
    json_write_u64(json, "records", counts.records);
    json_write_u64(json, "tombstones", counts.tombstones);
    json_write_u64(json, "bytes", counts.bytes);
    json_write_object(json, "evicted");
    json_write_u64(json, "records", counts.evicted_records);
    json_write_u64(json, "services", counts.evicted_services);
    json_write_object_end(json);
    json_write_double(json, "load", share(sum->records, sum->places));
    write_numbers(json, "probes", sum->probes, MAP_PROBE_CLASSES);
    write_lock(json, &sum->lock);
    json_write_u64(json, "long_waits", map_waits_next(map));
}

static void write_wait_bounds(struct json_writer *json)
{
    json_write_array(json, "wait_classes_below_us");
    for (unsigned i = 0; i + 1 < MAP_WAIT_CLASSES; i++) {
        json_write_u64(json, NULL, map_wait_class_end_ns(i) / NS_PER_US);
    }
    json_write_array_end(json);
}

// What others measure all the while stands among the metrics.
static double measured(enum metric metric)
{
    return metric_value(metric, SPAN_NONE, SPAN_NONE);
}

static void write_memory(struct json_writer *json)
{
    json_write_object(json, "memory");
    const char *band = NULL;
    for (int i = 0; i < BANDS_COUNT; i++) {
        const char *name = bands_name((enum bands_band)i);
        if (metric_value(METRIC_MEMORY_BAND, span_str(name), SPAN_NONE) > 0) {
            band = name;
        }
    }
    if (band == NULL) {
        json_write_null(json, "band"); // not measured yet
    } else {
        json_write_text(json, "band", band);
    }
    json_write_u64(json, "usage_bytes", (uint64_t)measured(METRIC_MEMORY_USAGE));
    json_write_u64(json, "limit_bytes", (uint64_t)measured(METRIC_MEMORY_LIMIT));
    json_write_double(json, "pressure", measured(METRIC_MEMORY_PRESSURE));
    json_write_object_end(json);
}

static void write_by_priority(struct json_writer *json, const char *key, enum metric metric)
{
    static const char *const priorities[] = {"operator", "api", "check", "latency"};
    json_write_object(json, key);
    for (size_t i = 0; i < sizeof(priorities) / sizeof(priorities[0]); i++) {
        json_write_u64(json, priorities[i],
                       (uint64_t)metric_value(metric, span_str(priorities[i]), SPAN_NONE));
    }
    json_write_object_end(json);
}

static void write_queue(struct json_writer *json)
{
    json_write_object(json, "queue");
    json_write_u64(json, "length", (uint64_t)measured(METRIC_WRITE_QUEUE_LENGTH));
    json_write_u64(json, "capacity", (uint64_t)measured(METRIC_WRITE_QUEUE_CAPACITY));
    json_write_bool(json, "slow", measured(METRIC_WRITE_QUEUE_SLOW) > 0);
    write_by_priority(json, "dropped", METRIC_WRITE_QUEUE_DROPPED);
    write_by_priority(json, "refused", METRIC_WRITE_QUEUE_REFUSED);
    json_write_object_end(json);
}

static void write_tenants(struct json_writer *json, const struct map *map)
{
    static const char *const levels[] = {
        [MAP_TENANT_ROOM] = "room", [MAP_TENANT_FULL] = "full", [MAP_TENANT_OVER] = "over"};
    struct map_tenant rows[TENANTS_SHOWN_MAX];
    struct map_tenants all;
    const size_t count = map_tenants(map, rows, TENANTS_SHOWN_MAX, &all);
    json_write_object(json, "tenants");
    json_write_u64(json, "count", all.count);
    json_write_u64(json, "used", all.used);
    json_write_u64(json, "refused", all.refused);
    json_write_u64(json, "over", all.over);
    json_write_array(json, "largest");
    for (size_t i = 0; i < count; i++) {
        json_write_object(json, NULL);
        json_write_text(json, "name", rows[i].name);
        json_write_text(json, "level", levels[rows[i].level]);
        json_write_u64(json, "used", rows[i].used);
        json_write_u64(json, "limit", rows[i].limit);
        json_write_u64(json, "deleted", rows[i].deleted);
        json_write_u64(json, "refused", rows[i].refused);
        json_write_object_end(json);
    }
    json_write_array_end(json);
    json_write_object_end(json);
}

void handle_debug_map_get(struct api *api, const struct request *request, struct response *response)
{
    static const char *const none[] = {NULL};
    struct json_writer json;
    if (!may_look(request, response)) {
        return;
    }
    if (!request_query_only(request->in.http->query, none)) {
        problem_fill(response, PROBLEM_BAD_REQUEST, "this resource takes no query");
        return;
    }
    struct shards shards;
    if (!read_shards(api->backend->map, &shards)) {
        problem_fill(response, PROBLEM_NOT_READY, "no memory for the answer");
        return;
    }
    response->content_type = RESPONSE_JSON;
    json_writer_init(&json, &response->body, JSON_COMPACT);
    json_write_object(&json, NULL);
    write_sum(&json, api->backend->map, &shards);
    write_wait_bounds(&json);
    write_memory(&json);
    write_queue(&json);
    write_tenants(&json, api->backend->map);
    json_write_array(&json, "shards");
    for (uint32_t i = 0; i < shown(&shards); i++) {
        write_shard(&json, i, &shards.rows[i]);
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
    free(shards.rows);
}

// --- what takes seconds

// 1 to RECORDING_SECONDS_MAX, in digits.
static bool parse_seconds(struct span text, uint32_t *ret_seconds)
{
    uint32_t seconds = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (c < '0' || c > '9' || seconds > RECORDING_SECONDS_MAX) {
            return false;
        }
        seconds = seconds * 10 + (uint32_t)(c - '0');
    }
    *ret_seconds = seconds;
    return seconds >= 1 && seconds <= RECORDING_SECONDS_MAX;
}

static bool read_seconds(const struct request *request, uint32_t *ret_seconds)
{
    static const char *const names[] = {"seconds", NULL};
    char buf[REQUEST_QUERY_LEN_MAX];
    struct span value;
    const struct span query = request->in.http->query;
    *ret_seconds = RECORDING_SECONDS_DEFAULT;
    if (!request_query_only(query, names)) {
        return false;
    }
    switch (request_query_get(query, "seconds", buf, &value)) {
    case REQUEST_QUERY_ABSENT:
        return true;
    case REQUEST_QUERY_FOUND:
        return parse_seconds(value, ret_seconds);
    case REQUEST_QUERY_BAD:
        break;
    }
    return false;
}

static void record(struct api *api, const struct request *request, enum recording_kind kind,
                   struct response *response)
{
    uint32_t seconds;
    if (!may_look(request, response)) {
        return;
    }
    if (!read_seconds(request, &seconds)) {
        problem_fill(response, PROBLEM_BAD_REQUEST, "it takes ?seconds=, from 1 to 60");
        return;
    }
    response->content_type = RESPONSE_JSON;
    if (request->in.http->head) {
        return;
    }
    switch ((int)recording_new(api, kind, seconds, &response->recording)) {
    case ERR_OK:
        response->kind = RESPONSE_RECORDING;
        break;
    case ERR_NOMEM:
        problem_fill(response, PROBLEM_NOT_READY, "no memory for what would be recorded");
        break;
    default:
        problem_fill(response, PROBLEM_RATE_LIMITED,
                     "others are recording: try again when they have ended");
        break;
    }
}

void handle_debug_contention_get(struct api *api, const struct request *request,
                                 struct response *response)
{
    record(api, request, RECORDING_CONTENTION, response);
}

void handle_debug_trace_get(struct api *api, const struct request *request,
                            struct response *response)
{
    record(api, request, RECORDING_TRACE, response);
}
