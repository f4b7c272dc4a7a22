// SPDX-License-Identifier: Apache-2.0
#include "localmap/model/merge.h"

enum merge_result merge_decide(struct version held, uint64_t held_hash, struct version offered,
                               uint64_t offered_hash)
{
    int order = version_cmp(offered, held);
    if (order != 0) {
        return order > 0 ? MERGE_NEWER : MERGE_OLDER;
    }
    if (offered_hash == held_hash) {
        return MERGE_SAME;
    }
    return offered_hash > held_hash ? MERGE_EQUIVOCATION_NEWER : MERGE_EQUIVOCATION_OLDER;
}
