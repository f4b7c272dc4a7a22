// SPDX-License-Identifier: Apache-2.0
#include "replicator/seed.h"

#include "base/log.h"
#include "replicator/config.h"
#include "replicator/driver.h"
#include "stream/position.h"

#include <stdlib.h>

#define KEYS_PAGE 16

struct seed_row {
    struct key_bytes key; // of the service
    const struct config_service *service;
    bool told; // that another node's policy is replaced
};

struct seed {
    uint32_t count;
    struct seed_row rows[]; // by key
};

static int by_key(const void *a, const void *b)
{
    const struct seed_row *left = a;
    const struct seed_row *right = b;
    return span_cmp(key_span(&left->key), key_span(&right->key));
}

enum err seed_new(const struct config *config, struct seed **ret_seed)
{
    struct seed *seed = calloc(1, sizeof(*seed) + config->service_count * sizeof(seed->rows[0]));
    if (seed == NULL) {
        return ERR_NOMEM;
    }
    seed->count = config->service_count;
    for (uint32_t i = 0; i < seed->count; i++) {
        const struct config_service *service = &config->services[i];
        key_policy(service->tenant, service->name, &seed->rows[i].key);
        seed->rows[i].service = service;
    }
    qsort(seed->rows, seed->count, sizeof(seed->rows[0]), by_key);
    *ret_seed = seed;
    return ERR_OK;
}

void seed_free(struct seed *seed)
{
    free(seed);
}

static const struct seed_row *find(const struct seed *seed, struct span service_key)
{
    uint32_t low = 0;
    uint32_t high = seed->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = span_cmp(key_span(&seed->rows[middle].key), service_key);
        if (order == 0) {
            return &seed->rows[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

bool seed_has(const struct seed *seed, struct span service_key)
{
    return find(seed, service_key) != NULL;
}

// --- start

static void write_record(struct driver *driver, struct span key, const struct patch *patch)
{
    const struct core_write write = {.key = key, .patch = patch, .precondition = CORE_ANY};
    driver_write(driver, &write, NULL, NULL);
}

static void count_refused(void *arg, enum core_outcome outcome)
{
    uint32_t *refused = arg;
    *refused += outcome == CORE_OVER_QUOTA ? 1 : 0;
}

// Unconditional, and nobody waits for the stream: it is answered before this returns.
static void write_instance(struct driver *driver, const struct config_service *service,
                           const struct config_instance *instance, uint32_t *refused)
{
    struct key_bytes key;
    struct patch patch = {.op = PATCH_PUT, .record = {.kind = KEY_REGISTRATION}};
    config_registration(instance, &patch.record.registration);
    key_registration(service->tenant, service->name, instance->id, &key);
    const struct core_write write = {
        .key = key_span(&key), .patch = &patch, .precondition = CORE_ANY};
    driver_write(driver, &write, count_refused, refused);
}

void seed_write(const struct seed *seed, struct driver *driver)
{
    for (uint32_t i = 0; i < seed->count; i++) {
        const struct config_service *service = seed->rows[i].service;
        // The policy first: it says whether the instances are for the mesh at all.
        const struct patch patch = {.op = PATCH_PUT,
                                    .record = {.kind = KEY_POLICY, .policy = service->policy}};
        uint32_t refused = 0;
        write_record(driver, key_span(&seed->rows[i].key), &patch);
        for (uint32_t j = 0; j < service->instance_count; j++) {
            write_instance(driver, service, &service->instances[j], &refused);
        }
        if (refused > 0) {
            log_event(LOG_WARN, "over-quota", log_str("tenant", service->tenant),
                      log_str("service", service->name), log_uint("refused", refused),
                      log_text("why", "the file lists more instances than the tenant may have"));
        }
    }
}

// --- policies of others

static void watch_pair(struct seed *seed, const struct stream_pair *pair)
{
    struct key key;
    struct codec_value value;
    struct record held;
    struct record out;
    if (key_parse(pair->key, &key) != ERR_OK || key.kind != KEY_POLICY ||
        codec_value_parse(pair->value, &value) != ERR_OK || codec_is_tombstone(value.body) ||
        codec_body_read(KEY_POLICY, value.body, &held) != ERR_OK) {
        return;
    }
    const struct seed_row *found = find(seed, pair->key);
    if (found == NULL || found->told || span_eq(held.policy.by, found->service->policy.by)) {
        return;
    }
    const struct patch ours = {.op = PATCH_PUT,
                               .record = {.kind = KEY_POLICY, .policy = found->service->policy}};
    if (patch_apply(&ours, &held, &out) == PATCH_CHANGED) {
        seed->rows[found - seed->rows].told = true;
        log_event(LOG_WARN, "policy", log_str("service", key.service),
                  log_str("replaced", held.policy.by),
                  log_text("why", "another node has published another policy of this service"));
    }
}

void seed_watch(struct seed *seed, const struct stream_event *event)
{
    const struct stream_pair *pairs = NULL;
    uint32_t count = 0;
    if (event->status == STREAM_OK && event->type == STREAM_EV_SCAN) {
        pairs = event->scan.pairs;
        count = event->scan.count;
    } else if (event->type == STREAM_EV_ENTRY && event->entry.valid) {
        pairs = event->entry.pairs;
        count = event->entry.count;
    }
    for (uint32_t i = 0; i < count; i++) {
        watch_pair(seed, &pairs[i]);
    }
}

// --- warm

static bool is_listed(const struct config_service *service, struct span instance)
{
    for (uint32_t i = 0; i < service->instance_count; i++) {
        if (span_eq(service->instances[i].id, instance)) {
            return true;
        }
    }
    return false;
}

// Did a file make it, and does ours not know it?
static bool is_leftover(struct map_copy *copy, const struct map *map,
                        const struct config_service *service, struct span bytes)
{
    struct key key;
    struct record record;
    return key_parse(bytes, &key) == ERR_OK && key.kind == KEY_REGISTRATION &&
           !is_listed(service, key.instance) && map_get(map, bytes, copy) &&
           (copy->facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0 &&
           codec_body_read(KEY_REGISTRATION, map_copy_body(copy), &record) == ERR_OK &&
           record.registration.source == SOURCE_CONFIG;
}

static void delete_leftover(struct driver *driver, struct span bytes)
{
    struct key key;
    const struct patch gone = {.op = PATCH_DELETE, .record = {.kind = KEY_REGISTRATION}};
    if (key_parse(bytes, &key) == ERR_OK) {
        log_event(LOG_INFO, "delete", log_str("service", key.service),
                  log_str("instance", key.instance),
                  log_text("why", "the file no longer lists it"));
        write_record(driver, bytes, &gone);
    }
}

static void clean_service(const struct seed_row *row, struct driver *driver, const struct map *map,
                          struct map_copy *copy)
{
    struct key_bytes keys[KEYS_PAGE];
    struct key_bytes after = {.len = 0};
    size_t count = 0;
    do {
        count = map_service_keys(map, key_span(&row->key), key_span(&after), keys, KEYS_PAGE);
        for (size_t i = 0; i < count; i++) {
            if (is_leftover(copy, map, row->service, key_span(&keys[i]))) {
                delete_leftover(driver, key_span(&keys[i]));
            }
            after = keys[i];
        }
    } while (count == KEYS_PAGE);
}

void seed_clean(const struct seed *seed, struct driver *driver, const struct map *map)
{
    struct map_copy *copy = malloc(sizeof(*copy));
    if (copy == NULL) {
        log_event(LOG_WARN, "cleaning", log_err(ERR_NOMEM));
        return;
    }
    for (uint32_t i = 0; i < seed->count; i++) {
        clean_service(&seed->rows[i], driver, map, copy);
    }
    free(copy);
}
