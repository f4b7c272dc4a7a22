// SPDX-License-Identifier: Apache-2.0
// GET /v1/watch: what the reader wants to see, and from where.
#include "admin-api/evicted.h"
#include "admin-api/handle.h"
#include "admin-api/handlers.h"
#include "admin-api/problem.h"

// Digits only: an index is what this API has written.
static bool parse_index(struct span text, uint64_t *ret_index)
{
    uint64_t value = 0;
    if (text.len == 0 || text.len > 20) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c < '0' || c > '9' || value > (UINT64_MAX - (uint64_t)(c - '0')) / 10) {
            return false;
        }
        value = value * 10 + (uint64_t)(c - '0');
    }
    *ret_index = value;
    return true;
}

// Last-Event-ID is newer than the query of the address that is connected to again.
static bool read_position(struct api *api, const struct request *request, uint64_t *ret_position)
{
    char buf[REQUEST_QUERY_LEN_MAX];
    struct span value;
    if (http1_request_header(request->in.http, "Last-Event-ID", &value)) {
        return parse_index(value, ret_position);
    }
    switch (request_query_get(request->in.http->query, "since", buf, &value)) {
    case REQUEST_QUERY_ABSENT:
        *ret_position = map_index(api->backend->map);
        return true;
    case REQUEST_QUERY_FOUND:
        return parse_index(value, ret_position);
    case REQUEST_QUERY_BAD:
        break;
    }
    return false;
}

struct filter {
    const char *name;
    size_t len_max;
    char *into;
    uint16_t *ret_len;
};

// An empty filter is none.
static bool read_filter(const struct request *request, const struct filter *filter)
{
    char buf[REQUEST_QUERY_LEN_MAX];
    struct span value = SPAN_NONE;
    enum request_query found =
        request_query_get(request->in.http->query, filter->name, buf, &value);
    *filter->ret_len = 0;
    if (found == REQUEST_QUERY_BAD) {
        return false;
    }
    if (value.len == 0) {
        return true;
    }
    if (key_name_check(value, filter->len_max) != ERR_OK) {
        return false;
    }
    memcpy(filter->into, value.ptr, value.len);
    *filter->ret_len = (uint16_t)value.len;
    return true;
}

static const char *read_watch(struct api *api, const struct request *request,
                              struct watch_cursor *cursor)
{
    static const char *const names[] = {"service", "tenant", "since", NULL};
    const struct filter tenant = {"tenant", KEY_TENANT_MAX, cursor->tenant, &cursor->tenant_len};
    const struct filter service = {"service", KEY_SERVICE_MAX, cursor->service,
                                   &cursor->service_len};
    if (!request_query_only(request->in.http->query, names)) {
        return "a watch takes ?service=, ?tenant= and ?since=, once each";
    }
    if (!read_position(api, request, &cursor->position)) {
        return "since and Last-Event-ID are the number of an event";
    }
    return read_filter(request, &tenant) && read_filter(request, &service)
               ? NULL
               : "service and tenant of a watch are names";
}

void handle_watch_get(struct api *api, const struct request *request, struct response *response)
{
    const char *wrong = read_watch(api, request, &response->watch);
    if (wrong != NULL) {
        problem_fill(response, PROBLEM_BAD_REQUEST, wrong);
        return;
    }
    struct span tenant = span_of(response->watch.tenant, response->watch.tenant_len);
    if (!auth_may(&request->identity, tenant, false)) {
        problem_fill(response, PROBLEM_FORBIDDEN,
                     "the token reads one tenant: name it with ?tenant=");
        return;
    }
    if (evicted_refuses_watch(api, &response->watch, response)) {
        return;
    }
    response->content_type = "text/event-stream";
    response_header(response, "Cache-Control", "no-store");
    response->kind = request->in.http->head ? RESPONSE_COMPLETE : RESPONSE_WATCH;
}
