// SPDX-License-Identifier: Apache-2.0
// From method and path to a row of routes.def.
//
//     /v1/tenants/acme/services/outbound%7C80  -->  row "/v1/services/{s}", tenant acme,
//                                                   service outbound|80
//
// The path is split at its slashes first and each part is decoded then, so a name may hold a slash.
// Invariant: the names that come out are decoded bytes, not yet checked to be names (request.h does).
// Pure, any thread.  Read next: routes.def, handle.h.
#pragma once

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct api;
struct request;
struct response;

typedef void (*route_handler_fn)(struct api *api, const struct request *request,
                                 struct response *response);

enum route_scope { ROUTE_OPEN, ROUTE_READ, ROUTE_WRITE };
enum route_space { ROUTE_GLOBAL, ROUTE_TENANT };

struct route {
    const char *method;
    const char *template;
    route_handler_fn handler;
    enum route_scope scope;
    enum route_space space;
    const char *text; // one line for the documentation
};

enum route_param {
    ROUTE_PARAM_TENANT,
    ROUTE_PARAM_SERVICE,
    ROUTE_PARAM_INSTANCE,
    ROUTE_PARAM_OBSERVER,
    ROUTE_PARAM_COUNT
};

#define ROUTE_PARAM_LEN_MAX 320 // one that is longer has this length: too long for any name
#define ROUTE_ALLOW_LEN 64

enum route_result { ROUTE_FOUND, ROUTE_UNKNOWN, ROUTE_WRONG_METHOD, ROUTE_BAD_ESCAPE };

// Borrows `params` from its own storage: must not be copied.
struct route_match {
    enum route_result result;
    const struct route *route;   // ROUTE_FOUND; of ROUTE_WRONG_METHOD some row of that template
    char allow[ROUTE_ALLOW_LEN]; // ROUTE_WRONG_METHOD: the value of Allow
    struct span params[ROUTE_PARAM_COUNT]; // empty where the template has none
    char storage[ROUTE_PARAM_COUNT][ROUTE_PARAM_LEN_MAX];
};

void route_find(struct span method, struct span path, struct route_match *ret_match);

// The table, for documentation and tests.
const struct route *route_table(size_t *ret_count);
