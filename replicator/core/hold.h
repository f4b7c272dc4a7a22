// SPDX-License-Identifier: Apache-2.0
// Taking in what the server holds: from a scan, from an entry of the log, or from the reply to a put.
// Merges by version into the map and keeps the shadow.  Foreign bytes end here: whatever is malformed is
// counted, told (CORE_LOG_REJECTED) and skipped, never fatal.  Private to core.
// Read next: shadow.h, session.c and writer.c (the callers).
#pragma once

#include "replicator/core/state.h"

enum hold_result {
    HOLD_TAKEN,   // newer: the map holds it now
    HOLD_SAME,    // the map held exactly this
    HOLD_OLDER,   // the map holds a newer one than came, or than was purged: the server is behind
    HOLD_OPAQUE,  // newer, of a wire version that cannot be read here: must not be overwritten
    HOLD_REJECTED // no record of ours, or no memory for it: known by version and hash at most
};

struct hold_place {
    uint32_t partition;
    struct stream_id id; // of the entry; 0-0 for a scan or a reply
    bool scan;           // records may come twice and in any order
};

// One pair of a scan or an entry.
enum hold_result hold_pair(struct core *core, const struct hold_place *place,
                           const struct stream_pair *pair);

// A value that a put reply showed (our own, accepted; or the current one of a conflict): the map may run
// ahead of the cursor, the shadow does not move.
enum hold_result hold_reply(struct core *core, uint32_t partition, struct span key,
                            struct span value);

// A pair that is there again for a stub of ours: gives it its body if it is of just that version, else
// nothing.  The shadow does not move.
void hold_fill(struct core *core, uint32_t partition, const struct stream_pair *pair);

// Does a record that cannot be read here stand at `key`, in the map or at the server, and is it the one that
// counts?  Nothing may be written over it: what it says would be lost.
bool hold_is_opaque(struct core *core, uint32_t partition, struct span key);
// Tells that a write of `key` was refused for that.
void hold_tell_opaque(struct core *core, struct span key);

// Tells a rejection.
void hold_reject(struct core *core, const struct hold_place *place, const char *reason,
                 const struct stream_pair *pair);
