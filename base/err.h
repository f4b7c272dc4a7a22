// SPDX-License-Identifier: Apache-2.0
// The result of every function that can fail: one enum from one table (base/err.def).
// Invariant: 0 is success; the text of an error lives in the table only.
// A result that belongs to the normal story (PUT_STALE, FEED_LAPPED) is no error and has its own enum.
// Any thread.  Read next: base/err.def, base/assert.h.
#pragma once

enum err {
#define ERR(name, text) ERR_##name,
#include "base/err.def"
#undef ERR
    ERR_COUNT
};

// The caller must look at the result.
#define MUST_USE __attribute__((warn_unused_result))

// The words of the table for `err`; never NULL.  [any]
const char *err_text(enum err err);
