// SPDX-License-Identifier: Apache-2.0
// Reads of services and instances, and the beginning of a watch.
#include "admin-api/evicted.h"
#include "admin-api/handle.h"
#include "admin-api/handlers.h"
#include "admin-api/instance.h"
#include "admin-api/problem.h"

#include <strings.h>

#define IF_NONE_MATCH "If-None-Match"

static bool no_query(const struct request *request, struct response *response)
{
    static const char *const none[] = {NULL};
    if (request_query_only(request->in.http->query, none)) {
        return true;
    }
    problem_fill(response, PROBLEM_BAD_REQUEST, "this resource takes no query");
    return false;
}

static void start_list(struct api *api, struct response *response)
{
    response->content_type = RESPONSE_JSON;
    response->kind = RESPONSE_MORE;
    (void)response_more(api, response);
}

void handle_services_list(struct api *api, const struct request *request, struct response *response)
{
    if (!no_query(request, response)) {
        return;
    }
    // The keys of a tenant's services are those that begin with its name and a NUL.
    struct key_bytes within;
    memcpy(within.ptr, request->tenant.ptr, request->tenant.len);
    within.ptr[request->tenant.len] = '\0';
    within.len = (uint16_t)(request->tenant.len + 1);
    list_begin(api, LIST_SERVICES, &within, &response->list);
    start_list(api, response);
}

// The service as the map knows it; one that is only configured here has no instances.
static bool find_service(struct api *api, const struct request *request,
                         struct map_service *ret_service)
{
    struct key_bytes key;
    key_policy(request->tenant, request->service, &key);
    if (map_service_get(api->backend->map, key_span(&key), ret_service)) {
        return true;
    }
    *ret_service = (struct map_service){.key = key};
    return api->backend->has_service(api->backend->daemon, key_span(&key));
}

void handle_service_get(struct api *api, const struct request *request, struct response *response)
{
    struct map_service service;
    if (!no_query(request, response)) {
        return;
    }
    if (!find_service(api, request, &service)) {
        problem_fill(response, PROBLEM_NOT_FOUND, "there is no such service");
        return;
    }
    response->content_type = RESPONSE_JSON;
    list_write_service(&service, &response->body);
}

void handle_instances_list(struct api *api, const struct request *request,
                           struct response *response)
{
    struct map_service service;
    if (!no_query(request, response)) {
        return;
    }
    if (!find_service(api, request, &service)) {
        problem_fill(response, PROBLEM_NOT_FOUND, "there is no such service");
        return;
    }
    list_begin(api, LIST_INSTANCES, &service.key, &response->list);
    start_list(api, response);
    if (response->body.err == ERR_BUSY) {
        evicted_fill(response); // since the question whether it is
    }
}

static bool is_unchanged(const struct http1_request *http, const char *etag)
{
    for (size_t i = 0; i < http->header_count; i++) {
        const struct http1_header *header = &http->headers[i];
        if (header->name.len == sizeof(IF_NONE_MATCH) - 1 &&
            strncasecmp(header->name.ptr, IF_NONE_MATCH, header->name.len) == 0 &&
            etag_none_match_hits(header->value, etag)) {
            return true;
        }
    }
    return false;
}

void handle_instance_get(struct api *api, const struct request *request, struct response *response)
{
    struct key_bytes key;
    char etag[ETAG_LEN];
    if (!no_query(request, response)) {
        return;
    }
    key_registration(request->tenant, request->service, request->instance, &key);
    struct instance_view view = {.registration = &key};
    if (!instance_write(api, &view, &response->body)) {
        if (view.evicted) {
            evicted_fill(response);
            return;
        }
        problem_fill(response, PROBLEM_NOT_FOUND, "there is no such instance");
        return;
    }
    response->content_type = RESPONSE_JSON;
    etag_format(view.version, view.pending, etag);
    response_header(response, "ETag", etag);
    if (is_unchanged(request->in.http, etag)) {
        response->status = 304;
        response->content_type = NULL;
        buf_reset(&response->body);
    }
}
