// SPDX-License-Identifier: Apache-2.0
#include "admin-api/evicted.h"

#include "admin-api/problem.h"
#include "admin-api/response.h"

void evicted_want(struct api *api, struct span key)
{
    api->backend->want(api->backend->daemon, key_service_prefix(key));
}

void evicted_fill(struct response *response)
{
    problem_fill(response, PROBLEM_NOT_READY,
                 "the service was evicted while memory was short; it is being read again");
}

bool evicted_refuses(struct api *api, struct span service_key, struct response *response)
{
    struct map_service service;
    if (!map_has_evicted(api->backend->map) ||
        !map_service_get(api->backend->map, service_key, &service) || service.evicted == 0) {
        return false;
    }
    evicted_want(api, service_key);
    evicted_fill(response);
    return true;
}

struct search {
    struct api *api;
    struct span name;
    bool found;
};

static bool visit(void *arg, const struct map_service *service)
{
    struct search *search = arg;
    struct key key;
    if (service->evicted > 0 && key_parse(key_span(&service->key), &key) == ERR_OK &&
        span_eq(key.service, search->name)) {
        evicted_want(search->api, key_span(&service->key));
        search->found = true;
    }
    return true;
}

bool evicted_refuses_watch(struct api *api, const struct watch_cursor *cursor,
                           struct response *response)
{
    struct search search = {.api = api, .name = span_of(cursor->service, cursor->service_len)};
    if (search.name.len == 0 || !map_has_evicted(api->backend->map)) {
        return false;
    }
    if (cursor->tenant_len > 0) {
        struct key_bytes key;
        key_policy(span_of(cursor->tenant, cursor->tenant_len), search.name, &key);
        return evicted_refuses(api, key_span(&key), response);
    }
    map_services(api->backend->map, SPAN_NONE, visit, &search);
    if (search.found) {
        evicted_fill(response);
    }
    return search.found;
}
