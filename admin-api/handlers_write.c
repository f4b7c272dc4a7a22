// SPDX-License-Identifier: Apache-2.0
// Writes: a body becomes a patch, the patch goes to the daemon (writes.h).
#include "admin-api/handle.h"
#include "admin-api/handlers.h"
#include "admin-api/instance.h"
#include "admin-api/instance_parse.h"
#include "admin-api/problem.h"
#include "admin-api/report_parse.h"
#include "admin-api/writes.h"
#include "base/json.h"
#include "localmap/model/codec.h"

#include <stdio.h>

#define DETAIL_LEN 128

static bool stale(struct api *api, const struct request *request, const struct write_order *order,
                  struct response *response)
{
    if (!write_condition_fails(api, request, order->key, true)) {
        return false;
    }
    instance_answer_stale(api, order->shown, response);
    return true;
}

// NULL: the response is a problem.  *gives* the tree.
static struct json *parse_body(const struct request *request, struct response *response)
{
    struct json *body = NULL;
    struct json_error error = {.text = ""};
    enum err err = json_parse(request->in.http->body, &body, &error);
    if (err == ERR_OK) {
        return body;
    }
    char detail[DETAIL_LEN];
    if (err == ERR_NOMEM) {
        problem_fill(response, PROBLEM_NOT_READY, "no memory for the body");
    } else {
        (void)snprintf(detail, sizeof(detail), "at byte %zu: %s", error.offset, error.text);
        problem_fill(response, PROBLEM_BAD_JSON, detail);
    }
    return NULL;
}

// The body is wrong.  A condition that does not hold either comes first in the order of checks.
static void prefer_stale(struct api *api, const struct request *request,
                         const struct write_order *order, struct response *response)
{
    if (write_condition_fails(api, request, order->key, false)) {
        instance_answer_stale(api, order->shown, response);
    }
}

// --- instances

static void key_of_instance(const struct request *request, struct key_bytes *ret_key)
{
    key_registration(request->tenant, request->service, request->instance, ret_key);
}

// The registration as it is shown now; NULL: none.  Borrows from the scratch.
static const struct registration *held_registration(struct api *api, const struct key_bytes *key,
                                                    struct record *record)
{
    struct map_copy *copy = &api->scratch->registration;
    bool shown = map_get(api->backend->map, key_span(key), copy) &&
                 (copy->facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0 &&
                 codec_body_read(KEY_REGISTRATION, map_copy_body(copy), record) == ERR_OK;
    return shown && !record->tombstone ? &record->registration : NULL;
}

// Who takes a registration keeps its lease.  Without a lease nobody keeps anything, and the same PUT at
// another node must change nothing.
static void set_owner(const struct api *api, const struct registration *held, struct patch *patch)
{
    struct registration *registration = &patch->record.registration;
    bool stays = registration->lease_ms == 0 && held != NULL && held->source == SOURCE_API;
    registration->owner = stays ? held->owner : span_str(api->backend->node_id);
    registration->source = SOURCE_API;
}

void handle_instance_put(struct api *api, const struct request *request, struct response *response)
{
    struct key_bytes key;
    struct patch patch;
    struct record record;
    struct problem_fields fields = {.count = 0};
    key_of_instance(request, &key);
    const struct write_order order = {
        .key = &key, .patch = &patch, .shown = &key, .creates = !instance_exists(api, &key)};
    if (stale(api, request, &order, response)) {
        return;
    }
    struct json *body = parse_body(request, response);
    if (body != NULL && instance_parse_put(body, &patch, &fields)) {
        set_owner(api, held_registration(api, &key, &record), &patch);
        write_submit(api, request, &order, response);
    } else {
        if (body != NULL) {
            problem_fill_fields(response, &fields);
        }
        prefer_stale(api, request, &order, response);
    }
    json_free(body);
}

void handle_instance_patch(struct api *api, const struct request *request,
                           struct response *response)
{
    struct key_bytes key;
    struct patch patch;
    struct record record;
    struct problem_fields fields = {.count = 0};
    key_of_instance(request, &key);
    const struct write_order order = {.key = &key, .patch = &patch, .shown = &key};
    if (stale(api, request, &order, response)) {
        return;
    }
    struct json *body = parse_body(request, response);
    const struct registration *held = held_registration(api, &key, &record);
    if (body != NULL && instance_parse_merge(body, held, &patch, &fields)) {
        if (patch.record.registration.lease_ms > 0) {
            patch.record.registration.owner = span_str(api->backend->node_id);
            patch.mask |= PATCH_OWNER;
        }
        write_submit(api, request, &order, response);
    } else {
        if (body != NULL) {
            problem_fill_fields(response, &fields);
        }
        prefer_stale(api, request, &order, response);
    }
    json_free(body);
}

void handle_instance_delete(struct api *api, const struct request *request,
                            struct response *response)
{
    const struct patch patch = {.op = PATCH_DELETE, .record = {.kind = KEY_REGISTRATION}};
    struct key_bytes key;
    key_of_instance(request, &key);
    const struct write_order order = {.key = &key, .patch = &patch, .shown = &key};
    if (!stale(api, request, &order, response)) {
        write_submit(api, request, &order, response);
    }
}

static bool service_exists(const struct api *api, const struct key_bytes *key)
{
    struct map_service service;
    return map_service_get(api->backend->map, key_span(key), &service) ||
           api->backend->has_service(api->backend->daemon, key_span(key));
}

void handle_service_delete(struct api *api, const struct request *request,
                           struct response *response)
{
    const struct patch patch = {.op = PATCH_DELETE, .record = {.kind = KEY_POLICY}};
    struct key_bytes key;
    if (request->if_match != ETAG_NO_CONDITION || request->if_none_match_any) {
        problem_fill(response, PROBLEM_BAD_REQUEST, "a service has no version to compare");
        return;
    }
    key_policy(request->tenant, request->service, &key);
    if (!service_exists(api, &key)) {
        problem_fill(response, PROBLEM_NOT_FOUND, "there is no such service");
        return;
    }
    const struct write_order order = {.key = &key, .patch = &patch, .shown = &key};
    write_submit(api, request, &order, response);
}

// --- reports

// May this request write observations of this name?  false: the response is a problem.
static bool observer_is_free(struct api *api, const struct request *request,
                             struct response *response)
{
    if (!auth_may_observe(&request->identity, request->observer)) {
        problem_fill(response, PROBLEM_FORBIDDEN,
                     "the observer must be the writer's own name, or NAME.suffix");
        return false;
    }
    if (span_eq_str(request->observer, api->backend->node_id) ||
        api->backend->is_node(api->backend->daemon, request->observer)) {
        problem_fill(response, PROBLEM_CONFLICT, "a node of this name observes itself");
        return false;
    }
    return true;
}

// Reports and overrides belong to an instance that is there.
static bool instance_is_there(struct api *api, const struct key_bytes *registration,
                              struct response *response)
{
    if (instance_exists(api, registration)) {
        return true;
    }
    problem_fill(response, PROBLEM_NOT_FOUND, "there is no such instance");
    return false;
}

struct report {
    struct key_bytes key;
    struct key_bytes registration;
    struct patch patch;
};

typedef bool (*report_parse_fn)(const struct json *body, struct wall now, struct patch *ret_patch,
                                struct problem_fields *fields);

static void set_makers(const struct api *api, const struct request *request, struct report *report)
{
    struct record *record = &report->patch.record;
    if (record->kind == KEY_OBSERVATION) {
        record->observation.via = span_str(api->backend->node_id);
    } else if (record->override.actor.len == 0) {
        record->override.actor = request->identity.name;
    }
}

static void put_report(struct api *api, const struct request *request, struct report *report,
                       struct response *response)
{
    report_parse_fn parse =
        request->observer.len > 0 ? report_parse_observation : report_parse_override;
    struct problem_fields fields = {.count = 0};
    key_of_instance(request, &report->registration);
    const struct write_order order = {.key = &report->key,
                                      .patch = &report->patch,
                                      .shown = &report->registration,
                                      .creates = !instance_exists(api, &report->key)};
    if (stale(api, request, &order, response)) {
        return;
    }
    struct json *body = parse_body(request, response);
    struct wall now = api->backend->wall_now(api->backend->daemon);
    if (body != NULL && parse(body, now, &report->patch, &fields)) {
        set_makers(api, request, report);
        if (instance_is_there(api, &report->registration, response)) {
            write_submit(api, request, &order, response);
        }
    } else {
        if (body != NULL) {
            problem_fill_fields(response, &fields);
        }
        prefer_stale(api, request, &order, response);
    }
    json_free(body);
}

static void delete_report(struct api *api, const struct request *request, struct report *report,
                          struct response *response)
{
    report->patch = (struct patch){.op = PATCH_DELETE};
    report->patch.record.kind = request->observer.len > 0 ? KEY_OBSERVATION : KEY_OVERRIDE;
    key_of_instance(request, &report->registration);
    const struct write_order order = {
        .key = &report->key, .patch = &report->patch, .shown = &report->registration};
    if (!stale(api, request, &order, response)) {
        write_submit(api, request, &order, response);
    }
}

static void key_of_observation(const struct request *request, struct key_bytes *ret_key)
{
    key_observation(request->tenant, request->service, request->instance, request->observer,
                    ret_key);
}

void handle_observation_put(struct api *api, const struct request *request,
                            struct response *response)
{
    struct report report;
    key_of_observation(request, &report.key);
    if (observer_is_free(api, request, response)) {
        put_report(api, request, &report, response);
    }
}

void handle_observation_delete(struct api *api, const struct request *request,
                               struct response *response)
{
    struct report report;
    key_of_observation(request, &report.key);
    if (observer_is_free(api, request, response)) {
        delete_report(api, request, &report, response);
    }
}

void handle_override_put(struct api *api, const struct request *request, struct response *response)
{
    struct report report;
    key_override(request->tenant, request->service, request->instance, &report.key);
    put_report(api, request, &report, response);
}

void handle_override_delete(struct api *api, const struct request *request,
                            struct response *response)
{
    struct report report;
    key_override(request->tenant, request->service, request->instance, &report.key);
    delete_report(api, request, &report, response);
}
