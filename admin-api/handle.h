// SPDX-License-Identifier: Apache-2.0
// One request in, one response out: the checks in their order, then the handler of the route.
//
//     form -> Host -> Origin -> token -> route -> method -> media type -> If-* -> names -> handler
//
// Knows no socket, so that the tests drive it with tables.  [worker]: one thread at a time per struct api.
// Read next: request.h, response.h, routes.def; server.h, which feeds it.
#pragma once

#include "admin-api/api.h"
#include "admin-api/request.h"
#include "admin-api/response.h"

// Fills `response`, which response_init has set up.  What it borrows from (see response.h) must stay.
void handle_request(struct api *api, const struct request_input *in, struct response *response);
