// SPDX-License-Identifier: Apache-2.0
#include "admin-api/router.h"

#include "admin-api/handlers.h"
#include "base/text.h"

#include <stdio.h>

#define PATH_PARTS_MAX 10
#define TENANTS_PREFIX_PARTS 3 // v1 tenants {tenant}

static const struct route routes[] = {
#define ROUTE(method, template, handler, scope, space, text)                                       \
    {#method, template, handle_##handler, ROUTE_##scope, ROUTE_##space, text},
#include "admin-api/routes.def"
#undef ROUTE
};

#define ROUTE_COUNT (sizeof(routes) / sizeof(routes[0]))

static const struct {
    const char *word;
    enum route_param param;
} param_words[] = {
    {"{s}", ROUTE_PARAM_SERVICE},
    {"{i}", ROUTE_PARAM_INSTANCE},
    {"{observer}", ROUTE_PARAM_OBSERVER},
};

// The parts between the slashes.  More than PATH_PARTS_MAX parts: count is PATH_PARTS_MAX + 1.
struct parts {
    size_t count;
    struct span at[PATH_PARTS_MAX];
};

const struct route *route_table(size_t *ret_count)
{
    *ret_count = ROUTE_COUNT;
    return routes;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool escapes_are_good(struct span raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] != '%') {
            continue;
        }
        if (raw.len - i < 3 || !is_hex(raw.ptr[i + 1]) || !is_hex(raw.ptr[i + 2])) {
            return false;
        }
        i += 2;
    }
    return true;
}

static void split(struct span path, struct parts *ret_parts)
{
    ret_parts->count = 0;
    if (path.len == 0 || path.ptr[0] != '/') {
        return;
    }
    size_t start = 1;
    for (size_t i = 1; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/') {
            continue;
        }
        if (ret_parts->count == PATH_PARTS_MAX) {
            ret_parts->count++;
            return;
        }
        ret_parts->at[ret_parts->count++] = span_of(path.ptr + start, i - start);
        start = i + 1;
    }
}

// Compares without decoding into memory: a literal part of a template has no `%` in it.
static bool part_is(struct span part, struct span literal)
{
    char text[32];
    size_t len = 0;
    return text_percent_decode(part, text, sizeof(text), &len) == ERR_OK &&
           span_eq(span_of(text, len), literal);
}

static void take_param(struct route_match *match, enum route_param param, struct span raw)
{
    size_t len = ROUTE_PARAM_LEN_MAX; // stays so when it does not fit: too long for any name
    enum err err = text_percent_decode(raw, match->storage[param], ROUTE_PARAM_LEN_MAX, &len);
    match->params[param] =
        span_of(match->storage[param], err == ERR_OK ? len : ROUTE_PARAM_LEN_MAX);
}

static bool param_of(struct span word, enum route_param *ret_param)
{
    for (size_t i = 0; i < sizeof(param_words) / sizeof(param_words[0]); i++) {
        if (span_eq_str(word, param_words[i].word)) {
            *ret_param = param_words[i].param;
            return true;
        }
    }
    return false;
}

static bool template_matches(const struct parts *pattern, const struct parts *parts, size_t skip)
{
    if (pattern->count + skip != parts->count) {
        return false;
    }
    for (size_t i = 0; i < pattern->count; i++) {
        struct span part = parts->at[i + skip];
        enum route_param param = ROUTE_PARAM_COUNT;
        bool same = param_of(pattern->at[i], &param)
                        ? part.len > 0
                        : (i == 0 && skip > 0) || part_is(part, pattern->at[i]);
        if (!same) {
            return false;
        }
    }
    return true;
}

static void take_params(struct route_match *match, const struct parts *pattern,
                        const struct parts *parts, size_t skip)
{
    match->params[ROUTE_PARAM_TENANT] = SPAN_NONE;
    if (match->route->space == ROUTE_TENANT) {
        match->params[ROUTE_PARAM_TENANT] = SPAN_LIT("default");
    }
    if (skip > 0) {
        take_param(match, ROUTE_PARAM_TENANT, parts->at[2]);
    }
    for (size_t i = 0; i < pattern->count; i++) {
        enum route_param param = ROUTE_PARAM_COUNT;
        if (param_of(pattern->at[i], &param)) {
            take_param(match, param, parts->at[i + skip]);
        }
    }
}

static void allow_add(struct route_match *match, const char *method)
{
    size_t len = strlen(match->allow);
    (void)snprintf(match->allow + len, sizeof(match->allow) - len, "%s%s%s", len == 0 ? "" : ", ",
                   method, strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

// Is it /v1/tenants/{tenant}/services...?  Then the two parts before `services` are skipped.
static size_t tenant_skip(const struct parts *parts)
{
    bool named = parts->count > TENANTS_PREFIX_PARTS && part_is(parts->at[0], SPAN_LIT("v1")) &&
                 part_is(parts->at[1], SPAN_LIT("tenants")) && parts->at[2].len > 0;
    return named ? TENANTS_PREFIX_PARTS - 1 : 0;
}

void route_find(struct span method, struct span path, struct route_match *ret_match)
{
    *ret_match = (struct route_match){.result = ROUTE_UNKNOWN};
    if (!escapes_are_good(path)) {
        ret_match->result = ROUTE_BAD_ESCAPE;
        return;
    }
    struct parts parts = {.count = 0};
    split(path, &parts);
    if (parts.count > PATH_PARTS_MAX) {
        return;
    }
    size_t skip = tenant_skip(&parts);
    struct span wanted = span_eq_str(method, "HEAD") ? SPAN_LIT("GET") : method;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        struct parts pattern;
        split(span_str(routes[i].template), &pattern);
        bool reachable = skip == 0 || routes[i].space == ROUTE_TENANT;
        if (!reachable || !template_matches(&pattern, &parts, skip)) {
            continue;
        }
        ret_match->route = &routes[i];
        take_params(ret_match, &pattern, &parts, skip);
        if (span_eq_str(wanted, routes[i].method)) {
            ret_match->result = ROUTE_FOUND;
            ret_match->allow[0] = '\0';
            return;
        }
        ret_match->result = ROUTE_WRONG_METHOD;
        allow_add(ret_match, routes[i].method);
    }
}
