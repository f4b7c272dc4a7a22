// SPDX-License-Identifier: Apache-2.0
// Keys of records: two to four names joined by NUL.
//
//     tenant 0 service                        the service's policy   (tenant `_mesh`: a node record)
//     tenant 0 service 0 instance             its registration
//     tenant 0 service 0 instance 0 `!`       its override
//     tenant 0 service 0 instance 0 observer  an observation
//
// Invariant: the joined bytes are the identity; names are UTF-8 without C0, DEL, C1, U+2028, U+2029,
// compared as bytes, never normalised.  Pure, any thread.  Read next: record.h.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

#define KEY_TENANT_MAX 63
#define KEY_SERVICE_MAX 255
#define KEY_INSTANCE_MAX 255
#define KEY_OBSERVER_MAX 63
#define KEY_LEN_MAX (KEY_TENANT_MAX + KEY_SERVICE_MAX + KEY_INSTANCE_MAX + KEY_OBSERVER_MAX + 3)

#define KEY_TENANT_DEFAULT "default"
#define KEY_TENANT_MESH "_mesh"
#define KEY_OBSERVER_OVERRIDE "!"

enum key_kind { KEY_POLICY, KEY_NODE, KEY_REGISTRATION, KEY_OVERRIDE, KEY_OBSERVATION };

// The parts; those that the kind does not have are empty.  Borrows from the bytes it was parsed from.
struct key {
    enum key_kind kind;
    struct span tenant;
    struct span service; // the node id of a KEY_NODE
    struct span instance;
    struct span observer; // "!" of a KEY_OVERRIDE
};

// A joined key by value.
struct key_bytes {
    uint16_t len;
    char ptr[KEY_LEN_MAX];
};

// Splits and validates joined bytes.  ERR_SYNTAX: wrong number of parts, a bad name, or too long.
enum err key_parse(struct span bytes, struct key *ret_key) MUST_USE;

// Joins the parts that `key->kind` has.  The parts must be valid (ASSERTs on lengths only).
void key_join(const struct key *key, struct key_bytes *ret_bytes);

// Shorthands over key_join.
void key_policy(struct span tenant, struct span service, struct key_bytes *ret_bytes);
void key_node(struct span node, struct key_bytes *ret_bytes);
void key_registration(struct span tenant, struct span service, struct span instance,
                      struct key_bytes *ret_bytes);
void key_override(struct span tenant, struct span service, struct span instance,
                  struct key_bytes *ret_bytes);
void key_observation(struct span tenant, struct span service, struct span instance,
                     struct span observer, struct key_bytes *ret_bytes);

// ERR_OK when `name` may stand in a key: non-empty, at most `len_max` bytes, allowed characters.
// Reserved names (a leading `!`, tenant `_mesh`) are the caller's rule.  ERR_SYNTAX, ERR_TOO_LARGE.
enum err key_name_check(struct span name, size_t len_max) MUST_USE;

// The prefix of a joined key that names its service: `tenant 0 service`, and its instance.
struct span key_service_prefix(struct span bytes);
struct span key_instance_prefix(struct span bytes); // empty for a policy or node key

static inline struct span key_span(const struct key_bytes *bytes)
{
    return span_of(bytes->ptr, bytes->len);
}

// The partition of a joined key: SipHash-1-3 with a zero key over `tenant 0 service`, mod `partitions`.
// The same on every node for ever: it is part of the wire.
uint32_t key_partition(struct span bytes, uint32_t partitions);
