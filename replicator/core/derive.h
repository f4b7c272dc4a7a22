// SPDX-License-Identifier: Apache-2.0
// Keeps the derived health of every instance: which records changed, whose health must be judged again,
// what the guard of the service says, what is announced on the changefeed.
// Invariant: after a step (of a first scan: at its end) the health in the map is health.c's function of the
// records in the map; the order in which they came is forgotten.  Private to core.
// Read next: localmap/model/health.h, assign.h.
#pragma once

#include "replicator/core/state.h"

// What is shown of `key` has changed (or went).  Judged at the end of the step.
void derive_touch(struct core *core, struct span key);

// The same, for who has just put it into the map and still has it decoded: nothing is looked up or decoded
// again.  `record`: no tombstone, and exactly what is shown; borrows.
void derive_touch_shown(struct core *core, struct span key, const struct record *record);

// A node went up or down: every instance may be judged otherwise.
void derive_touch_all(struct core *core);

// Judges what was touched.  At the end of each step.
void derive_run(struct core *core);

struct instance *derive_instance(const struct core *core, struct span registration_key);

// Scope local: the records of this service never leave this node.
bool derive_is_local(const struct core *core, struct span key);
