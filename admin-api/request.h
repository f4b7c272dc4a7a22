// SPDX-License-Identifier: Apache-2.0
// A request as the handlers see it: what came in, and what the checks before them have made of it.
// Invariant: in a handler the names are names, the identity may do what the route does to the tenant,
// the media type is right and the conditions are well-formed; query and body are still unread.
// Borrows everything until the handler returns.  [worker].  Read next: handle.h, response.h.
#pragma once

#include "admin-api/auth.h"
#include "admin-api/etag.h"
#include "admin-api/router.h"
#include "base/http1_exchange.h"
#include "localmap/model/key.h"

// What the server knows when a request arrives.
struct request_input {
    const struct http1_request *http;
    const struct http1_listener_info *listener;
    const struct http1_peer *peer;
    bool is_probe; // it came to the probe listener
};

struct request {
    struct request_input in;
    struct route_match match;
    struct identity identity;
    struct span tenant, service, instance, observer; // "" where the route has none
    enum etag_condition if_match;                    // of a write
    struct version if_match_version;
    bool if_none_match_any; // of a write: If-None-Match: *
};

// --- the query

#define REQUEST_QUERY_LEN_MAX 1024 // of one decoded value

enum request_query {
    REQUEST_QUERY_ABSENT,
    REQUEST_QUERY_FOUND,
    REQUEST_QUERY_BAD // malformed escape, too long
};

// The value of `name`, decoded ("" for a bare name), into `buf` of REQUEST_QUERY_LEN_MAX bytes.
enum request_query request_query_get(struct span query, const char *name, char *buf,
                                     struct span *ret_value);

// Is every parameter one of `names` (NULL-terminated), and none there twice?
bool request_query_only(struct span query, const char *const *names);

// Does the Accept header prefer JSON to plain text?  (It names application/json or application/*.)
bool request_wants_json(const struct http1_request *http);

// Is the media type of the body one of `types` (NULL-terminated)?  Parameters do not matter.
bool request_media_is(const struct http1_request *http, const char *const *types);
