// SPDX-License-Identifier: Apache-2.0
// The one merge: the greater (counter, writer) wins; a tie with different bytes is decided by the hash
// as received and counted as an equivocation.  Idempotent, commutative, associative.
// Pure, any thread.  Read next: version.h.
#pragma once

#include "localmap/model/version.h"

enum merge_result {
    MERGE_NEWER,              // take the other
    MERGE_SAME,               // identical
    MERGE_OLDER,              // keep what is held
    MERGE_EQUIVOCATION_NEWER, // one version, two bodies: take the other (greater hash)
    MERGE_EQUIVOCATION_OLDER  // one version, two bodies: keep
};

static inline bool merge_takes(enum merge_result result)
{
    return result == MERGE_NEWER || result == MERGE_EQUIVOCATION_NEWER;
}

// Holding (version, hash), offered (version, hash).
enum merge_result merge_decide(struct version held, uint64_t held_hash, struct version offered,
                               uint64_t offered_hash);
