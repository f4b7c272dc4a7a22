// SPDX-License-Identifier: Apache-2.0
// Bodies of writes of instances, checked field by field, as patches of registrations.
// Invariant: what comes out is within the ranges of the data model; what is wrong is named, all of it.
// The patch borrows its texts from the JSON tree.  Pure, any thread.
// Read next: problem.h (the errors), localmap/model/patch.h, report_parse.h.
#pragma once

#include "admin-api/problem.h"
#include "localmap/model/patch.h"

struct json;

#define INSTANCE_LEASE_MIN_MS 1000
#define INSTANCE_LEASE_MAX_MS (24 * 60 * 60 * 1000)
#define INSTANCE_WEIGHT_MAX 1000000
#define INSTANCE_PRIORITY_MAX 127
#define INSTANCE_LOCALITY_LEN_MAX 255

// PUT: omitted fields take their defaults.  owner and source are the caller's to set.  false: see `fields`.
bool instance_parse_put(const struct json *body, struct patch *ret_patch,
                        struct problem_fields *fields);

// PATCH (RFC 7396): null takes a field back to its default.  `held`: the registration as it is shown
// (NULL: none), against which the labels are counted.
bool instance_parse_merge(const struct json *body, const struct registration *held,
                          struct patch *ret_patch, struct problem_fields *fields);
