// SPDX-License-Identifier: Apache-2.0
// YAML in: one document as a small read-only tree in which every node knows its line and column.
// This file is libyaml's only door.  Refused, because a configuration that one can read needs none of
// them: anchors, aliases, tags, a second document, duplicate keys, keys that are no scalars, a depth over
// YAML_DEPTH_MAX, more than YAML_LEN_MAX bytes, more than YAML_MAP_MAX keys in one map, NUL inside a
// scalar.  A UTF-8 byte order mark is skipped.
//
//     map --first--> value (key "node", 2:1) --next--> value (key "stream", 3:1)
//
// Invariant: scalars and keys are valid UTF-8 without NUL; keys of one map are distinct.
// Nodes borrow from the root.  A tree belongs to one thread at a time.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

#define YAML_LEN_MAX (1u << 20)
#define YAML_DEPTH_MAX 16
#define YAML_MAP_MAX 1024 // each key is compared with those before it

enum yaml_kind { YAML_SCALAR, YAML_MAP, YAML_SEQ };

struct yaml;

// A place in the text, both counted from 1.
struct yaml_mark {
    uint32_t line;
    uint32_t column;
};

// What is wrong, for people, and where.
struct yaml_error {
    struct yaml_mark at;
    char text[160];
};

// ERR_SYNTAX, ERR_TOO_LARGE (both with `ret_error` filled), ERR_NOMEM.  *gives* the tree; text without a
// document gives an empty map at 1:1.
enum err yaml_parse(struct span text, struct yaml **ret_root,
                    struct yaml_error *ret_error) MUST_USE;
// libyaml exports a yaml_free of its own, which ours would replace inside the library: hence another
// name for the linker.
#define yaml_free yaml_tree_free
void yaml_free(struct yaml *root);

enum yaml_kind yaml_kind(const struct yaml *node);
// Where the value begins, and where its key does (the value's own place for a node without key).
struct yaml_mark yaml_at(const struct yaml *node);
struct yaml_mark yaml_key_at(const struct yaml *node);

// The text of a scalar, its quotes and escapes undone; SPAN_NONE for a map or sequence.
struct span yaml_scalar(const struct yaml *node);
// A scalar that stands without quotes, and so may mean a number, a bool or nothing.
bool yaml_is_plain(const struct yaml *node);
// A plain scalar that is empty, `~` or `null`.
bool yaml_is_null(const struct yaml *node);

// A value by key; NULL when absent or when `map` is NULL or no map.
const struct yaml *yaml_get(const struct yaml *map, const char *key);
// Values or elements in their order; NULL at the end, and for a scalar.
const struct yaml *yaml_first(const struct yaml *parent);
const struct yaml *yaml_next(const struct yaml *node);
size_t yaml_count(const struct yaml *parent);
// The key under which a value stands; SPAN_NONE for an element or the root.
struct span yaml_key(const struct yaml *node);
