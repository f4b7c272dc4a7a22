// SPDX-License-Identifier: Apache-2.0
// Who observes an instance: the first k live nodes in its rendezvous order (or all, or who is local).
// A pure function of the instance's key, its policy and the node records, so every replica agrees.
// Private to core.  Read next: derive.c (votes), presence.c (who is live).
#pragma once

#include "replicator/core/state.h"

// Place of `peer` among the live nodes in the order of `key_hash`; 0 = first.
uint32_t assign_rank(const struct core *core, uint64_t key_hash, const struct peer *peer);

// Is `address` (an IP literal) one of this host?
bool assign_is_own_address(const struct core *core, struct span address);

// Does the observation of `via` with this vantage have a voice for the instance?
bool assign_has_voice(const struct core *core, const struct instance *instance,
                      const struct observation *observation);

// Starts or stops our own probing of one instance, if that is to change; `again`: its terms changed.
void assign_instance(struct core *core, struct instance *instance, bool again);
// All of them (the set of live nodes has changed).
void assign_all(struct core *core);
