// SPDX-License-Identifier: Apache-2.0
// A patch is what a writer wants of one record, before the stream has decided.
//
//     PATCH_PUT     replace the record's fields (`record`); what the server makes itself stays
//     PATCH_MERGE   change the fields named in `mask` (RFC 7396); nothing on an absent record
//     PATCH_DELETE  make it a tombstone; nothing on an absent record
//
// Patches of one key compose: patch_compose(a, b) applied == a applied, then b applied.
// Invariant: apply is pure and reports when it changes nothing, so that nothing is published.
// Any thread.  Read next: record.h; replicator/core/outbox.h, which keeps them.
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "localmap/model/record.h"

#define PATCH_LEN_MAX 4608 // encoded

enum patch_op { PATCH_PUT, PATCH_MERGE, PATCH_DELETE };

// Bits of `mask` for PATCH_MERGE; one table of fields per kind.
enum patch_field {
    // registration
    PATCH_ADDRESS = 1 << 0,
    PATCH_PORT = 1 << 1,
    PATCH_REGION = 1 << 2,
    PATCH_ZONE = 1 << 3,
    PATCH_SUB_ZONE = 1 << 4,
    PATCH_WEIGHT = 1 << 5,
    PATCH_PRIORITY = 1 << 6,
    PATCH_LEASE = 1 << 7,
    PATCH_OWNER = 1 << 8,
    PATCH_SOURCE = 1 << 9,
    PATCH_LABELS = 1 << 10, // labels to set stand in `record`; names to remove in `labels_removed`
    PATCH_LABELS_CLEAR = 1 << 11, // remove all labels first
    // node
    PATCH_UP = 1 << 0,
    PATCH_INCARNATION = 1 << 1,
    PATCH_RELEASE = 1 << 2,
    // Of a PATCH_PUT that was composed with a delete before it: unknown fields of the base go too.
    PATCH_FRESH = 1 << 30
};

struct patch {
    enum patch_op op;
    uint32_t mask;
    struct record record; // .kind says which
    uint32_t labels_removed_count;
    struct span labels_removed[RECORD_LABELS_MAX];
};

enum patch_result { PATCH_CHANGED, PATCH_SAME };

// Applies `patch` to `base` (NULL or a tombstone: absent).  On PATCH_CHANGED `ret_record` is the new
// record (a tombstone for a delete), borrowing from both; it keeps `base`'s unknown fields.
// Observations: a difference of latency or text alone, or of `since`, is PATCH_SAME; so is one of a policy's
// `by` alone, or N nodes with one file would replace each other's.  Also PATCH_SAME: a merge that would give
// the record more labels than it may have.  On PATCH_SAME `ret_record` holds nothing of use.
enum patch_result patch_apply(const struct patch *patch, const struct record *base,
                              struct record *ret_record);

// `ret_patch` = first `a`, then `b`; borrows from both.  ERR_TOO_LARGE: more than RECORD_LABELS_MAX labels.
enum err patch_compose(const struct patch *a, const struct patch *b,
                       struct patch *ret_patch) MUST_USE;

// Bytes and back: patches travel between threads and wait in the outbox encoded.  Not a wire format.
size_t patch_write(const struct patch *patch, char *buf, size_t cap);
enum err patch_read(struct span bytes, struct patch *ret_patch) MUST_USE;
