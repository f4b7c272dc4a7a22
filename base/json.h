// SPDX-License-Identifier: Apache-2.0
// JSON in: a small read-only tree.  The strict lexer (json_lex.h) runs first, then cJSON builds the tree;
// this file is cJSON's only door.  For JSON out see json_write.h.
//
//     struct json *root;
//     err = json_parse(body, &root, &where);
//     err = json_int(json_get(root, "port"), 1, 65535, &port);     // NULL, absent: ERR_NOT_FOUND
//
// Invariant: strings and keys are valid UTF-8 without NUL; keys of one object are distinct.
// Nodes borrow from the root.  A tree belongs to one thread at a time.
#pragma once

#include "base/err.h"
#include "base/json_lex.h"
#include "base/span.h"

#include <stdint.h>

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

#define JSON_INT_MAX ((INT64_C(1) << 53) - 1) // beyond it a double no longer names one integer

struct json;

// ERR_SYNTAX with `ret_error` filled; ERR_NOMEM.  *gives* the tree.
enum err json_parse(struct span text, struct json **ret_root,
                    struct json_error *ret_error) MUST_USE;
void json_free(struct json *root);

enum json_type json_type(const struct json *node);

// A member; NULL when absent or when `object` is NULL or no object.
const struct json *json_get(const struct json *object, const char *key);

// Members or elements in their order; NULL at the end, and for whatever has none.
const struct json *json_first(const struct json *parent);
const struct json *json_next(const struct json *node);
size_t json_count(const struct json *parent);
// The key under which a member stands; SPAN_NONE for an element or the root.
struct span json_key(const struct json *node);

// Each reads one type.  ERR_NOT_FOUND: node is NULL; ERR_INVALID: another type (or not whole);
// ERR_RANGE.
enum err json_string(const struct json *node, struct span *ret_value) MUST_USE;
enum err json_bool(const struct json *node, bool *ret_value) MUST_USE;
enum err json_double(const struct json *node, double *ret_value) MUST_USE;
// A whole number in [min, max], which lie within +-JSON_INT_MAX.
enum err json_int(const struct json *node, int64_t min, int64_t max, int64_t *ret_value) MUST_USE;
// A decimal u64 in a string, as 64-bit numbers are written here; a number is taken too.
enum err json_u64(const struct json *node, uint64_t *ret_value) MUST_USE;

static inline bool json_is_null(const struct json *node)
{
    return node != NULL && json_type(node) == JSON_NULL;
}
