// SPDX-License-Identifier: Apache-2.0
#include "admin-api/handle.h"

#include "admin-api/evicted.h"
#include "admin-api/problem.h"

static bool method_is(const struct request *request, const char *method)
{
    return span_eq_str(request->in.http->method, method);
}

static bool is_read(const struct request *request)
{
    return method_is(request, "GET") || method_is(request, "HEAD");
}

static bool is_open(const struct request *request)
{
    return request->match.route != NULL && request->match.route->scope == ROUTE_OPEN;
}

static struct host_door door_of(const struct request *request)
{
    return (struct host_door){.port = request->in.listener->port,
                              .is_tls = request->in.listener->is_tls};
}

// Each check returns true when the request may go on; otherwise the response has been filled.

static bool check_form(struct api *api, struct request *request, struct response *response)
{
    (void)api;
    if (request->match.result != ROUTE_BAD_ESCAPE) {
        return true;
    }
    problem_fill(response, PROBLEM_BAD_REQUEST, "the path has a malformed percent-encoding");
    response->close = true;
    return false;
}

static bool check_host(struct api *api, struct request *request, struct response *response)
{
    const struct http1_request *http = request->in.http;
    if (request->in.listener->is_unix || is_open(request)) {
        return true;
    }
    struct host_door door = door_of(request);
    bool named = http->host.ptr != NULL && host_is_ours(&api->hosts, door, http->host);
    bool same = http->authority.len == 0 || host_is_ours(&api->hosts, door, http->authority);
    if (named && same) {
        return true;
    }
    problem_fill(response, PROBLEM_WRONG_HOST,
                 "Host must name this listener, or be one of admin.allowed_hosts");
    return false;
}

// On a unix socket, behind a proxy, the page's own origin is the one that Host names.
static bool origin_is_host(const struct request *request, struct span origin)
{
    struct span host = request->in.http->host;
    return request->in.listener->is_unix && host.len > 0 && origin.len > host.len + 3 &&
           memcmp(origin.ptr + origin.len - host.len, host.ptr, host.len) == 0 &&
           memcmp(origin.ptr + origin.len - host.len - 3, "://", 3) == 0;
}

static bool check_origin(struct api *api, struct request *request, struct response *response)
{
    struct span origin;
    if (!http1_request_header(request->in.http, "Origin", &origin)) {
        return true;
    }
    bool one = http1_request_header_count(request->in.http, "Origin") == 1;
    if (one && (host_origin_is_ours(&api->hosts, door_of(request), origin) ||
                origin_is_host(request, origin))) {
        return true;
    }
    problem_fill(response, PROBLEM_FORBIDDEN, "the Origin is foreign");
    return false;
}

static bool check_token(struct api *api, struct request *request, struct response *response)
{
    enum route_scope scope = is_read(request) ? ROUTE_READ : ROUTE_WRITE;
    if (request->match.result == ROUTE_FOUND) {
        scope = request->match.route->scope;
    }
    const struct auth_question question = {.http = request->in.http,
                                           .listener = request->in.listener,
                                           .peer = request->in.peer,
                                           .scope = scope};
    switch (auth_identify(&api->auth, &question, &request->identity)) {
    case AUTH_OK:
        return true;
    case AUTH_UNAUTHORIZED:
        problem_fill(response, PROBLEM_UNAUTHORIZED,
                     "a token (Authorization: Bearer) or a client certificate is needed");
        response_header(response, "WWW-Authenticate", "Bearer realm=\"meshpulse\"");
        return false;
    case AUTH_FORBIDDEN:
        break;
    }
    problem_fill(response, PROBLEM_FORBIDDEN, "writes are taken from the loopback address only");
    return false;
}

static bool check_route(struct api *api, struct request *request, struct response *response)
{
    (void)api;
    if (request->match.result != ROUTE_UNKNOWN) {
        return true;
    }
    problem_fill(response, PROBLEM_NOT_FOUND, "there is no such route");
    return false;
}

static bool check_method(struct api *api, struct request *request, struct response *response)
{
    (void)api;
    if (request->match.result == ROUTE_FOUND) {
        return true;
    }
    problem_fill(response, PROBLEM_METHOD_NOT_ALLOWED, "Allow lists the methods of this resource");
    response_header(response, "Allow", request->match.allow);
    return false;
}

static bool check_may(struct api *api, struct request *request, struct response *response)
{
    (void)api;
    const struct route *route = request->match.route;
    // What belongs to no tenant is open to every reader; handlers that show tenants' names narrow it.
    bool global_read = route->space == ROUTE_GLOBAL && route->scope != ROUTE_WRITE;
    if (global_read || auth_may(&request->identity, request->match.params[ROUTE_PARAM_TENANT],
                                route->scope == ROUTE_WRITE)) {
        return true;
    }
    problem_fill(response, PROBLEM_FORBIDDEN, "the token does not grant this");
    return false;
}

static bool check_media(struct api *api, struct request *request, struct response *response)
{
    static const char *const json[] = {"application/json", NULL};
    static const char *const patch[] = {"application/merge-patch+json", "application/json", NULL};
    (void)api;
    const struct http1_request *http = request->in.http;
    bool has_body = method_is(request, "PUT") || method_is(request, "PATCH") || http->body.len > 0;
    if (is_read(request) || !has_body) {
        return true;
    }
    bool merge = method_is(request, "PATCH");
    struct span coding;
    bool coded =
        http1_request_header(http, "Content-Encoding", &coding) && !span_eq_str(coding, "identity");
    if (!coded && request_media_is(http, merge ? patch : json)) {
        return true;
    }
    problem_fill(response, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                 coded ? "bodies are taken without a content coding"
                       : "the body must be JSON, and its Content-Type say so");
    response_header(response, merge ? "Accept-Patch" : "Accept", merge ? patch[0] : json[0]);
    return false;
}

static const char *read_if_match(struct request *request)
{
    const struct http1_request *http = request->in.http;
    struct span value;
    request->if_match = ETAG_NO_CONDITION;
    if (!http1_request_header(http, "If-Match", &value)) {
        return NULL;
    }
    request->if_match = http1_request_header_count(http, "If-Match") == 1
                            ? etag_if_match(value, &request->if_match_version)
                            : ETAG_MALFORMED;
    return request->if_match == ETAG_MALFORMED ? "If-Match takes one strong tag, or *" : NULL;
}

static const char *read_if_none_match(struct request *request)
{
    const struct http1_request *http = request->in.http;
    struct span value;
    if (is_read(request) || !http1_request_header(http, "If-None-Match", &value)) {
        return NULL;
    }
    request->if_none_match_any =
        http1_request_header_count(http, "If-None-Match") == 1 && span_eq_str(value, "*");
    if (!request->if_none_match_any) {
        return "If-None-Match of a write takes * only";
    }
    return request->if_match != ETAG_NO_CONDITION ? "If-Match and If-None-Match exclude each other"
                                                  : NULL;
}

static bool check_conditions(struct api *api, struct request *request, struct response *response)
{
    const char *wrong = read_if_match(request);
    if (wrong == NULL) {
        wrong = read_if_none_match(request);
    }
    if (wrong != NULL) {
        problem_fill(response, PROBLEM_BAD_REQUEST, wrong);
        return false;
    }
    // Reports and overrides are records of their own: the rule is about the registration's ETag.
    bool guarded = api->require_if_match && request->match.route->scope == ROUTE_WRITE &&
                   strcmp(request->match.route->template, API_TEMPLATE_INSTANCE) == 0;
    if (guarded && request->if_match == ETAG_NO_CONDITION && !request->if_none_match_any) {
        problem_fill(response, PROBLEM_IF_MATCH_REQUIRED,
                     "admin.require_if_match is set: send If-Match, or If-None-Match: *");
        return false;
    }
    return true;
}

static const char *wrong_name(struct span name, size_t len_max)
{
    enum err err = key_name_check(name, len_max);
    if (err == ERR_TOO_LARGE) {
        return "it is too long";
    }
    if (err != ERR_OK) {
        return "it is empty, not UTF-8, or has control characters";
    }
    return name.ptr[0] == '!' ? "names that begin with ! are reserved" : NULL;
}

static bool check_names(struct api *api, struct request *request, struct response *response)
{
    static const struct {
        const char *word;
        size_t len_max;
    } rules[ROUTE_PARAM_COUNT] = {
        [ROUTE_PARAM_TENANT] = {"tenant", KEY_TENANT_MAX},
        [ROUTE_PARAM_SERVICE] = {"service", KEY_SERVICE_MAX},
        [ROUTE_PARAM_INSTANCE] = {"instance", KEY_INSTANCE_MAX},
        [ROUTE_PARAM_OBSERVER] = {"observer", KEY_OBSERVER_MAX},
    };
    (void)api;
    for (size_t i = 0; i < ROUTE_PARAM_COUNT; i++) {
        struct span name = request->match.params[i];
        if (name.ptr == NULL) {
            continue;
        }
        const char *wrong = wrong_name(name, rules[i].len_max);
        if (i == ROUTE_PARAM_TENANT && span_eq_str(name, KEY_TENANT_MESH)) {
            wrong = "this tenant is reserved";
        }
        if (wrong != NULL) {
            problem_field(response, rules[i].word, wrong);
            return false;
        }
    }
    request->tenant = request->match.params[ROUTE_PARAM_TENANT];
    request->service = request->match.params[ROUTE_PARAM_SERVICE];
    request->instance = request->match.params[ROUTE_PARAM_INSTANCE];
    request->observer = request->match.params[ROUTE_PARAM_OBSERVER];
    return true;
}

// What is not all here can neither be shown nor changed.
static bool check_whole(struct api *api, struct request *request, struct response *response)
{
    struct key_bytes key;
    if (request->service.len == 0) {
        return true;
    }
    key_policy(request->tenant, request->service, &key);
    return !evicted_refuses(api, key_span(&key), response);
}

typedef bool (*check_fn)(struct api *api, struct request *request, struct response *response);

void handle_request(struct api *api, const struct request_input *in, struct response *response)
{
    static const check_fn checks[] = {
        check_form, check_host,  check_origin,     check_token, check_route, check_method,
        check_may,  check_media, check_conditions, check_names, check_whole,
    };
    struct request request = {.in = *in};
    route_find(in->http->method, in->http->path, &request.match);
    if (in->is_probe && !(request.match.result == ROUTE_FOUND && is_open(&request))) {
        problem_fill(response, PROBLEM_NOT_FOUND, "this listener serves probes and metrics only");
        return;
    }
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (!checks[i](api, &request, response)) {
            return;
        }
    }
    request.match.route->handler(api, &request, response);
}
