// SPDX-License-Identifier: Apache-2.0
// Bodies of reports and overrides, checked field by field, as patches.
//
//     report    {"status","reason","text","latency_us","ttl"}
//     override  {"status","reason","actor", one of "ttl" | "until" | "indefinite": true}
//
// Invariant: what comes out is within the ranges of the data model; what is wrong is named, all of it.
// The patch borrows its texts from the JSON tree.  Pure, any thread; `now` is the caller's.
// Read next: problem.h (the errors), instance_parse.h.
#pragma once

#include "admin-api/problem.h"
#include "base/time.h"
#include "localmap/model/patch.h"

struct json;

// vantage is external, since is `now`; via is the caller's to set.  false: see `fields`.
bool report_parse_observation(const struct json *body, struct wall now, struct patch *ret_patch,
                              struct problem_fields *fields);

// actor is "" when the body names none.
bool report_parse_override(const struct json *body, struct wall now, struct patch *ret_patch,
                           struct problem_fields *fields);
