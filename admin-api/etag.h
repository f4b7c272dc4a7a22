// SPDX-License-Identifier: Apache-2.0
// Entity tags and the headers that name them (RFC 9110 sections 8.8.3, 13.1).
//
//     "12-00a1b2c3d4e5f601"     the version of the registration
//     "12-00a1b2c3d4e5f601+2"   the same, with two patches pending: matches no If-Match
//
// Pure, any thread.  Read next: localmap/model/version.h.
#pragma once

#include "base/span.h"
#include "localmap/model/version.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ETAG_LEN (VERSION_TEXT_LEN + 16)

enum etag_condition {
    ETAG_NO_CONDITION,
    ETAG_ANY,     // `*`
    ETAG_VERSION, // one strong tag that is a version
    ETAG_NEVER,   // one strong tag that is none: nothing has it
    ETAG_MALFORMED
};

// With its quotes.
void etag_format(struct version version, uint64_t pending, char ret_text[ETAG_LEN]);

// The value of If-Match: one strong tag or `*`.
enum etag_condition etag_if_match(struct span value, struct version *ret_version);

// Does the value of If-None-Match (a list, weak tags allowed) name `etag`, or is it `*`?
bool etag_none_match_hits(struct span value, const char *etag);
