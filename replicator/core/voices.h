// SPDX-License-Identifier: Apache-2.0
// What the observers of an instance say, kept beside it, so that judging it reads no record.
//
//     instance --> voice --> voice --> voice        one for each observation that is shown
//
// Invariant: they stand in bytewise order of the observers, so that a cut at HEALTH_INPUTS_MAX is the same on
// every replica.  Kept by derive.c, which is told of each change of what is shown.  Private to core.
#pragma once

#include "replicator/core/state.h"

// What `observer` says from now on; NULL: nothing any more.  false: no memory, it is not heard.
bool voices_set(struct core *core, struct instance *instance, struct span observer,
                const struct observation *observation);

// Puts them into core->inputs.  Returns how many.
size_t voices_inputs(struct core *core, const struct instance *instance);
