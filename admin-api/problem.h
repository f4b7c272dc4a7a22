// SPDX-License-Identifier: Apache-2.0
// Refusals as application/problem+json (RFC 9457): one row of problem.def and what is wrong here.
//
//     {"type":"urn:meshpulse:problem:CODE","title","status","detail","code":"CODE"}
//      + errors:[{"pointer","detail"}]  of invalid_field     + current      of stale_version
//      + retry_after                    of 429 and 503 (and Retry-After)
//
// [worker].  Read next: problem.def.
#pragma once

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct response;

enum problem_code {
#define PROBLEM(name, code, status, title) PROBLEM_##name,
#include "admin-api/problem.def"
#undef PROBLEM
    PROBLEM_COUNT
};

unsigned problem_status(enum problem_code code);
const char *problem_word(enum problem_code code); // "bad_json"
const char *problem_title(enum problem_code code);

// Makes the response this problem, whatever it was before.  `detail` is a sentence, copied.
void problem_fill(struct response *response, enum problem_code code, const char *detail);

// --- invalid_field: everything that is wrong, not only the first

#define PROBLEM_FIELDS_MAX 16
#define PROBLEM_POINTER_LEN 96
#define PROBLEM_DETAIL_LEN 96

struct problem_fields {
    size_t count; // those over PROBLEM_FIELDS_MAX are dropped
    struct {
        char pointer[PROBLEM_POINTER_LEN];
        char detail[PROBLEM_DETAIL_LEN];
    } at[PROBLEM_FIELDS_MAX];
};

// Adds `parent` + "/" + `name` (escaped as RFC 6901 says, cut when too long); name NULL: `parent` alone.
void problem_field_add(struct problem_fields *fields, const char *parent, const struct span *name,
                       const char *detail);
void problem_fill_fields(struct response *response, const struct problem_fields *fields);

// One part of the path that is not a name.
void problem_field(struct response *response, const char *part, const char *detail);

// --- stale_version: between the two the value of `current` goes into response->body

void problem_stale_begin(struct response *response);
void problem_stale_end(struct response *response);
