// SPDX-License-Identifier: Apache-2.0
// Services that were evicted while memory was short: nobody is answered for one before it has been read again.
//
//     request --> evicted? --yes--> 503 not_ready, Retry-After; the loop is asked to read it --> whole
//
// Invariant: a record without its body is never shown as absent.
// [worker].  Read next: localmap/map.h (eviction), handle.c and watch.c (the callers).
#pragma once

#include "admin-api/api.h"

struct response;
struct watch_cursor;

// Is the service evicted?  Then it is asked for, and the answer is in `response`.
bool evicted_refuses(struct api *api, struct span service_key, struct response *response);
// The same for those that a watch names; a watch of all services, or of a tenant's, is never refused.
bool evicted_refuses_watch(struct api *api, const struct watch_cursor *cursor,
                           struct response *response);

// A record without its body was met: the service is asked for.
void evicted_want(struct api *api, struct span key);
// The answer is then this.
void evicted_fill(struct response *response);
