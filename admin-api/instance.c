// SPDX-License-Identifier: Apache-2.0
#include "admin-api/instance.h"

#include "admin-api/evicted.h"
#include "admin-api/problem.h"
#include "admin-api/response.h"
#include "base/json_write.h"
#include "localmap/model/codec.h"

// What is read before the first byte is written.
struct reading {
    struct api *api;
    bool evicted; // a record was met without its body
    struct key key;
    struct map_facts facts; // of the registration
    struct record registration;
    bool overridden;
    struct record override;
    uint64_t pending;
    bool all_accepted;
    char text[RECORD_TEXT_MAX]; // of the observation that explains the status
    size_t text_len;
};

typedef void (*observation_fn)(void *arg, struct span observer, const struct map_facts *facts,
                               const struct observation *observation);

// Copies and decodes a record that may be shown.  `ret_record` borrows from `copy`.
static bool read_record(const struct map *map, struct span key, struct map_copy *copy,
                        struct record *ret_record)
{
    struct key parsed;
    return key_parse(key, &parsed) == ERR_OK && map_get(map, key, copy) &&
           (copy->facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0 &&
           codec_body_read(parsed.kind, map_copy_body(copy), ret_record) == ERR_OK &&
           !ret_record->tombstone;
}

// One of the records of the instance that is read.
static bool read_own(struct reading *reading, struct span key, struct map_copy *copy,
                     struct record *ret_record)
{
    copy->facts.flags = 0;
    bool shown = read_record(reading->api->backend->map, key, copy, ret_record);
    reading->evicted = reading->evicted || (copy->facts.flags & MAP_EVICTED) != 0;
    return shown;
}

static void count_pending(struct reading *reading, const struct map_facts *facts)
{
    bool local = (facts->flags & MAP_LOCAL) != 0;
    reading->pending += facts->pending;
    if (version_is_none(facts->version) && !local) {
        reading->all_accepted = false;
    }
}

// Calls `visit` for each observation shown, in the order of the observers' names.
static void each_observation(struct reading *reading, const struct key_bytes *registration,
                             observation_fn visit, void *arg)
{
    struct api_scratch *scratch = reading->api->scratch;
    const struct map *map = reading->api->backend->map;
    struct key_bytes after = *registration;
    unsigned shown = 0;
    for (;;) {
        size_t count = map_service_keys(map, key_service_prefix(key_span(registration)),
                                        key_span(&after), scratch->observations, API_KEYS_PAGE);
        for (size_t i = 0; i < count; i++) {
            struct span key = key_span(&scratch->observations[i]);
            struct key parsed;
            struct record record;
            if (key_parse(key, &parsed) != ERR_OK || parsed.kind == KEY_REGISTRATION ||
                !span_eq(parsed.instance, reading->key.instance) ||
                shown == INSTANCE_OBSERVATIONS_MAX) {
                return;
            }
            if (parsed.kind == KEY_OBSERVATION &&
                read_own(reading, key, &scratch->observation, &record)) {
                visit(arg, parsed.observer, &scratch->observation.facts, &record.observation);
                shown++;
            }
        }
        if (count < API_KEYS_PAGE) {
            return;
        }
        after = scratch->observations[count - 1];
    }
}

static void look_at_observation(void *arg, struct span observer, const struct map_facts *facts,
                                const struct observation *observation)
{
    struct reading *reading = arg;
    const struct health *health = &reading->facts.health.health;
    (void)observer;
    count_pending(reading, facts);
    bool explains = !health->overridden && reading->text_len == 0 &&
                    observation->status == health->raw_status &&
                    observation->reason == health->reason;
    if (explains && observation->text.len > 0 && observation->text.len <= sizeof(reading->text)) {
        memcpy(reading->text, observation->text.ptr, observation->text.len);
        reading->text_len = observation->text.len;
    }
}

static bool reading_read(struct api *api, const struct key_bytes *registration,
                         struct reading *ret_reading)
{
    const struct map *map = api->backend->map;
    struct api_scratch *scratch = api->scratch;
    *ret_reading = (struct reading){.api = api, .all_accepted = true};
    if (!read_own(ret_reading, key_span(registration), &scratch->registration,
                  &ret_reading->registration) ||
        key_parse(key_span(registration), &ret_reading->key) != ERR_OK) {
        return false;
    }
    ret_reading->facts = scratch->registration.facts;
    count_pending(ret_reading, &ret_reading->facts);
    struct key_bytes override;
    key_override(ret_reading->key.tenant, ret_reading->key.service, ret_reading->key.instance,
                 &override);
    // A withdrawal that the stream has not accepted yet is pending as well.
    struct map_facts facts;
    if (map_peek(map, key_span(&override), &facts) && facts.pending > 0) {
        ret_reading->pending += facts.pending;
    }
    ret_reading->overridden =
        read_own(ret_reading, key_span(&override), &scratch->override, &ret_reading->override);
    if (ret_reading->overridden && version_is_none(scratch->override.facts.version) &&
        (scratch->override.facts.flags & MAP_LOCAL) == 0) {
        ret_reading->all_accepted = false;
    }
    each_observation(ret_reading, registration, look_at_observation, ret_reading);
    return true;
}

// --- writing

static void write_registration(struct json_writer *json, const struct reading *reading)
{
    const struct registration *registration = &reading->registration.registration;
    json_write_string(json, "tenant", reading->key.tenant);
    json_write_string(json, "service", reading->key.service);
    json_write_string(json, "id", reading->key.instance);
    json_write_string(json, "address", registration->address);
    json_write_int(json, "port", registration->port);
    json_write_object(json, "locality");
    json_write_string(json, "region", registration->region);
    json_write_string(json, "zone", registration->zone);
    json_write_string(json, "sub_zone", registration->sub_zone);
    json_write_object_end(json);
    json_write_int(json, "weight", registration->weight);
    json_write_int(json, "priority", registration->priority);
    json_write_object(json, "labels");
    for (uint32_t i = 0; i < registration->label_count; i++) {
        json_write_key(json, registration->labels[i].name);
        json_write_string(json, NULL, registration->labels[i].value);
    }
    json_write_object_end(json);
    json_write_duration(json, "lease", registration->lease_ms);
    json_write_string(json, "owner", registration->owner);
    json_write_text(json, "source", source_name(registration->source));
}

static void write_health(struct json_writer *json, const struct reading *reading)
{
    const struct map_health *health = &reading->facts.health;
    json_write_text(json, "status", status_name(health->health.status));
    json_write_text(json, "raw_status", status_name(health->health.raw_status));
    json_write_bool(json, "guarded", health->health.guarded);
    json_write_text(json, "reason", reason_word(health->health.reason));
    json_write_string(json, "text", span_of(reading->text, reading->text_len));
    json_write_time(json, "since", (struct wall){health->since_ms});
}

static void write_override(struct json_writer *json, const struct reading *reading)
{
    if (!reading->overridden) {
        json_write_null(json, "override");
        return;
    }
    const struct override *override = &reading->override.override;
    json_write_object(json, "override");
    json_write_text(json, "status", status_name(override->status));
    json_write_string(json, "reason", override->reason);
    json_write_string(json, "actor", override->actor);
    if (override->until_ms == 0) {
        json_write_null(json, "until"); // indefinite
    } else {
        json_write_time(json, "until", (struct wall){override->until_ms});
    }
    json_write_object_end(json);
}

struct observation_writer {
    struct json_writer *json;
    struct api *api;
};

// An external report stands until it is withdrawn; the others are worth what their node is.
static bool is_fresh(struct api *api, const struct observation *observation)
{
    struct key_bytes key;
    struct record node;
    if (observation->vantage == VANTAGE_EXTERNAL) {
        return true;
    }
    if (key_name_check(observation->via, KEY_SERVICE_MAX) != ERR_OK) {
        return false;
    }
    key_node(observation->via, &key);
    if (!read_record(api->backend->map, key_span(&key), &api->scratch->node, &node)) {
        return span_eq_str(observation->via, api->backend->node_id);
    }
    return node.node.up;
}

static void write_observation(void *arg, struct span observer, const struct map_facts *facts,
                              const struct observation *observation)
{
    struct observation_writer *writer = arg;
    struct json_writer *json = writer->json;
    char version[VERSION_TEXT_LEN];
    (void)version_format(facts->version, version);
    json_write_object(json, NULL);
    json_write_string(json, "observer", observer);
    json_write_text(json, "vantage", vantage_name(observation->vantage));
    json_write_text(json, "status", status_name(observation->status));
    json_write_text(json, "reason", reason_word(observation->reason));
    json_write_string(json, "text", observation->text);
    json_write_u64(json, "latency_us", observation->latency_us);
    json_write_time(json, "since", (struct wall){observation->since_ms});
    json_write_bool(json, "fresh", is_fresh(writer->api, observation));
    json_write_text(json, "version", version);
    json_write_object_end(json);
}

bool instance_exists(struct api *api, const struct key_bytes *registration)
{
    struct map_facts facts;
    return map_peek(api->backend->map, key_span(registration), &facts) &&
           (facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0;
}

static void write_all(struct reading *reading, const struct instance_view *view, struct buf *buf)
{
    struct json_writer json;
    char version[VERSION_TEXT_LEN];
    (void)version_format(reading->facts.version, version);
    buf_str(buf, view->before == NULL ? "" : view->before);
    json_writer_init(&json, buf, JSON_COMPACT);
    json_write_object(&json, NULL);
    write_registration(&json, reading);
    write_health(&json, reading);
    write_override(&json, reading);
    if (!view->without_observations) {
        struct observation_writer writer = {.json = &json, .api = reading->api};
        json_write_array(&json, "observations");
        each_observation(reading, view->registration, write_observation, &writer);
        json_write_array_end(&json);
    }
    json_write_text(&json, "version", version);
    json_write_bool(&json, "acked", reading->pending == 0 && reading->all_accepted);
    json_write_object_end(&json);
}

bool instance_write(struct api *api, struct instance_view *view, struct buf *buf)
{
    struct reading reading;
    size_t start = buf->len;
    bool there = reading_read(api, view->registration, &reading);
    if (there && !reading.evicted) {
        write_all(&reading, view, buf);
    }
    view->evicted = reading.evicted;
    if (reading.evicted) {
        buf->len = start;
        evicted_want(api, key_span(view->registration));
        return false;
    }
    view->version = reading.facts.version;
    view->pending = reading.pending;
    return there;
}

void instance_write_deleted(const struct key_bytes *registration, struct buf *buf)
{
    struct key key;
    struct json_writer json;
    if (key_parse(key_span(registration), &key) != ERR_OK) {
        return;
    }
    json_writer_init(&json, buf, JSON_COMPACT);
    json_write_object(&json, NULL);
    json_write_string(&json, "tenant", key.tenant);
    json_write_string(&json, "service", key.service);
    json_write_string(&json, "id", key.instance);
    json_write_bool(&json, "deleted", true);
    json_write_object_end(&json);
}

void instance_answer(struct api *api, const struct key_bytes *registration, unsigned status,
                     struct response *response)
{
    struct instance_view view = {.registration = registration};
    response->status = status;
    response->content_type = RESPONSE_JSON;
    if (!instance_write(api, &view, &response->body)) {
        if (!view.evicted) {
            instance_write_deleted(registration, &response->body);
        }
        return;
    }
    char etag[ETAG_LEN];
    etag_format(view.version, view.pending, etag);
    response_header(response, "ETag", etag);
}

void instance_answer_stale(struct api *api, const struct key_bytes *registration,
                           struct response *response)
{
    struct instance_view view = {.registration = registration};
    problem_stale_begin(response);
    if (!instance_write(api, &view, &response->body)) {
        buf_str(&response->body, "null");
    }
    problem_stale_end(response);
}
