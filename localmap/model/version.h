// SPDX-License-Identifier: Apache-2.0
// The version of a record: a counter and who wrote it.  No clock takes part.
// Invariant: one version names one body; (counter, writer) is a total order; counter < 2^53, because
// the server's scripts count in doubles.  Pure, any thread.  Read next: merge.h.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define VERSION_LEN 16 // on the wire: counter, writer, both big-endian
#define VERSION_COUNTER_MAX ((UINT64_C(1) << 53) - 1)
#define VERSION_TEXT_LEN 40       // "<counter>-<16 hex>" and a NUL
#define VERSION_DELETE_STEP 65536 // by how much a tombstone raises the counter

struct version {
    uint64_t counter;
    uint64_t writer; // 40 bits: hash of the node id; 24 bits: attempt id
};

static inline bool version_is_none(struct version v)
{
    return v.counter == 0 && v.writer == 0;
}

// Negative, 0 or positive as `a` is older than, equal to or newer than `b`.
static inline int version_cmp(struct version a, struct version b)
{
    if (a.counter != b.counter) {
        return a.counter < b.counter ? -1 : 1;
    }
    return (a.writer > b.writer) - (a.writer < b.writer);
}

void version_put(struct version v, char ret_bytes[VERSION_LEN]);
struct version version_get(const char bytes[VERSION_LEN]);

// "12-00a1b2c3d4e5f601"; "0-0" for a record that the stream never accepted.  Returns the length.
size_t version_format(struct version v, char ret_text[VERSION_TEXT_LEN]);
// ERR_SYNTAX when `text` is not exactly what version_format writes.
enum err version_parse(struct span text, struct version *ret_version) MUST_USE;

// The writer half: 40 bits of SipHash-1-3 (zero key) over the node id, 24 bits `attempt`.
uint64_t version_writer(struct span node_id, uint32_t attempt);
