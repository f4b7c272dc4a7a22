// SPDX-License-Identifier: Apache-2.0
// A wish to change a record, from the API, the configuration, a check or core itself: into the outbox
// (unconditional), to the stream (conditional), or straight into the map (scope local).
// Private to core.  Read next: outbox.h, writer.h.
#pragma once

#include "replicator/core/state.h"

void write_external(struct core *core, const struct core_write *write);
// The one place where a tenant's quota decides.  Takes a place for the record that a PUT would make (to be given
// back when the record is shown, or will not be); false: there is none, and the caller was answered.
bool write_admit(struct core *core, const struct core_write *write, struct map_place *ret_place);
// Unconditional, nobody waits.
void write_internal(struct core *core, struct span key, const struct patch *patch);
// Compare-and-set on what is held now; given up when it fails.
void write_internal_if_unchanged(struct core *core, struct span key, const struct patch *patch);
// A registration or policy was deleted on a condition: what belongs to it goes, too.
void write_members_gone(struct core *core, struct span key);
// The checker's judgement becomes our own observation, if it says anything new.
void write_judged(struct core *core, const struct core_judged *judged);
