// SPDX-License-Identifier: Apache-2.0
// Says whether bytes are one JSON text as RFC 8259 has it, read strictly, in one pass; builds nothing.
// Beyond the grammar it refuses what two parsers could read differently: a byte order mark, bytes that
// are no UTF-8, lone surrogates, \u0000, duplicate keys (compared decoded: "a" and "\u0061" are one),
// numbers that no double can hold (1e999, more than 63 bytes), depth over JSON_DEPTH_MAX, trailing bytes.
// Invariant: whatever it accepts, the tree builder behind json.h reads alike, without loss but for the
// precision of a double.  [any]; allocates only to remember the keys of the open objects.
// Read next: json.h.
#pragma once

#include "base/err.h"
#include "base/span.h"

#define JSON_DEPTH_MAX 32      // objects and arrays inside one another
#define JSON_NUMBER_LEN_MAX 63 // bytes of one number

// What is wrong, for people, and at which byte.
struct json_error {
    size_t offset;
    const char *text; // a literal
};

// ERR_SYNTAX with `ret_error` filled; ERR_NOMEM.
enum err json_lex(struct span text, struct json_error *ret_error) MUST_USE;
