// SPDX-License-Identifier: Apache-2.0
// Names made of others: `{service}.{tenant}.mesh` with each `{word}` replaced.
// Invariant: what is put in place of a word is not looked at again.
// Pure but for the buffer's memory, any thread.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct template_word {
    const char *name;
    struct span value;
};

// Appends to `out`.  ERR_SYNTAX: a brace that does not enclose one of the words; errors of memory and
// size are out->err.
enum err template_expand(struct span text, const struct template_word *words, size_t count,
                         struct buf *out) MUST_USE;
