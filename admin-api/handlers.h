// SPDX-License-Identifier: Apache-2.0
// The handlers, one for each row of routes.def: handle_NAME.  Each fills `response` completely, or makes
// it PENDING, MORE or WATCH (response.h).  They are reached through the router only.
// [worker].  Read next: handlers_read.c, handlers_write.c, handlers_status.c.
#pragma once

struct api;
struct request;
struct response;

#define ROUTE(method, template, handler, scope, space, text)                                       \
    void handle_##handler(struct api *api, const struct request *request,                          \
                          struct response *response);
#include "admin-api/routes.def"
#undef ROUTE
