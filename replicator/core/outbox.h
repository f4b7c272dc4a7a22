// SPDX-License-Identifier: Apache-2.0
// The outbox: what was wanted here and the stream has not accepted yet, one slot a key.
//
//     base (accepted)  +  sent (in the air)  +  waiting (composed since)   =   what readers are shown
//
// Patches of one key compose, so memory is bounded by keys; an accepted call removes exactly the patches
// that it contained; a patch that changes nothing on the base it meets is dropped.  Nothing that was
// answered is lost, and no version goes back.  Private to core.
// Read next: writer.c (sending), hold.c (the base changes).
#pragma once

#include "replicator/core/state.h"

struct slot *outbox_get(const struct core *core, struct span key);

// The slot of `key`, made from what the map holds when there is none.  NULL: no memory, or OUTBOX_MAX.
struct slot *outbox_open(struct core *core, struct span key, uint32_t partition);

// Composes `patch` into the slot.  false: no memory or too large; nothing has changed.
bool outbox_add(struct core *core, struct slot *slot, const struct patch *patch);

// In two steps, for patches that must be added all or none: outbox_grant takes the memory for a delete and
// changes nothing (false: no memory); outbox_settle puts it in place of what waits, or gives it back.
bool outbox_grant(struct core *core, struct slot *slot, const struct patch *gone);
void outbox_settle(struct core *core, struct slot *slot, bool add);

// `op` is answered when what waits in the slot is decided.  false: no memory.
bool outbox_wait(struct core *core, struct slot *slot, uint64_t op);

// Shows base + patches in the map, whatever the quota says: it was asked before the patch came here.  Returns
// what map_show said.
enum put_result outbox_show(struct core *core, struct slot *slot);

// The base is now this value (already in the map).
bool outbox_rebase(struct core *core, struct slot *slot, const struct codec_value *value,
                   uint32_t flags);
// The key was purged: there is no base any more.
void outbox_unbase(struct core *core, struct slot *slot);

// The patches in the air were accepted: gone.  Answers their callers.
void outbox_accepted(struct core *core, struct slot *slot);
// The patches in the air were not accepted: back in front of those that wait.
void outbox_returned(struct core *core, struct slot *slot);
// What waits goes into the air.
void outbox_launch(struct core *core, struct slot *slot);

// Applies what waits to the base.  PATCH_SAME: nothing left to say.  `applied` holds what `ret` borrows.
struct outbox_applied {
    struct patch sent, waiting;
    struct record base, middle, out;
    bool base_present; // not absent, not a tombstone
};
enum patch_result outbox_offer(const struct slot *slot, struct outbox_applied *ret_applied);

// Does what waits want to change a record that is not there any more?  (A delete has its wish.)
bool outbox_is_orphan(const struct slot *slot);

// Drops all patches and answers who waits for them with `outcome`; shows the bare base.
void outbox_drop(struct core *core, struct slot *slot, enum core_outcome outcome);
// Answers who still waits with `outcome` and closes the slot; shows the bare base.
void outbox_close(struct core *core, struct slot *slot, enum core_outcome outcome);
// Closes every slot (fenced): callers are told `outcome`.
void outbox_close_all(struct core *core, enum core_outcome outcome);
