// SPDX-License-Identifier: Apache-2.0
// Who follows which services: a count for each filter that somebody has open.
//
//     follow (tenant, service)   (tenant, any)   (any, service)   (any, any)
//                    \__ a service is followed when one of its four filters is held
//
// Invariant: between interest_begin and interest_end nobody begins to follow, so what was not followed at the
// first stays so until the last.
// Any thread; one mutex (rank 25: a shard's lock may be taken under it).
// Private to localmap.  Read next: change.c, map_evict, the one that asks.
#pragma once

#include "localmap/map.h"

struct interest;

// ERR_NOMEM.
enum err interest_new(struct interest **ret_interest) MUST_USE;
void interest_free(struct interest *interest);

// ERR_NOMEM: nothing has changed.
enum err interest_add(struct interest *interest, const struct map_filter *filter) MUST_USE;
void interest_drop(struct interest *interest, const struct map_filter *filter); // of an added one

// Holds the lock from the first call to the second.
void interest_begin(struct interest *interest);
bool interest_has(const struct interest *interest, struct span service_key);
void interest_end(struct interest *interest);
