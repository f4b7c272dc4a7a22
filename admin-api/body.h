// SPDX-License-Identifier: Apache-2.0
// Reads a JSON object by a table of its fields, and collects everything that is wrong with it.
//
//     {"weight": 5, "colour": "red"}  +  {{"weight", read_weight}, ...}
//         --> read_weight(reader, 5),  errors: [{"/colour", "unknown field"}]
//
// Invariant: a reader function either takes the value or adds an error.
// Pure, any thread.  Read next: instance_parse.c.
#pragma once

#include "admin-api/problem.h"
#include "base/json.h"

#include <stdint.h>

struct body_reader {
    struct problem_fields *errors;
    const char *parent; // pointer of the object: "" or "/locality"
    bool merge;         // RFC 7396: null takes a field back to its default
    void *into;         // of the reader functions
};

// Never called with a null value unless `takes_null`.
typedef void (*body_field_fn)(struct body_reader *reader, const struct json *value);

struct body_field {
    const char *name;
    body_field_fn read; // NULL: accepted and ignored
    bool takes_null;    // else null is an error
};

// One reader function per member; unknown members are errors.  false: `object` is none (an error was added).
bool body_read(struct body_reader *reader, const struct json *object,
               const struct body_field *table, size_t count);

// `value` is wrong; its own key names it (NULL: the object itself is wrong).
void body_error(struct body_reader *reader, const struct json *value, const char *detail);

// Adds an error when the object has no such member.
void body_require(struct body_reader *reader, const struct json *object, const char *key);

// --- values; each adds an error and returns false when it is something else

// At most JSON_INT_MAX, as a number or in a string.
bool body_u64(struct body_reader *reader, const struct json *value, uint64_t *ret_value);
bool body_string(struct body_reader *reader, const struct json *value, struct span *ret_text);
// A free text: cut to RECORD_TEXT_MAX bytes at a character.
bool body_text(struct body_reader *reader, const struct json *value, struct span *ret_text);
// A duration between `min_ms` and `max_ms`; `0s` too when `zero` is allowed.
struct body_duration {
    uint64_t min_ms, max_ms;
    bool zero;
    const char *detail; // what is allowed
};
bool body_duration(struct body_reader *reader, const struct json *value,
                   const struct body_duration *rule, uint64_t *ret_ms);
