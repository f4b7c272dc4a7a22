// SPDX-License-Identifier: Apache-2.0
// The life of a partition, as a table of allowed moves:
//
//     OFFLINE --up, no cursor--> COLD --meta--> SCAN --done--> END --meta--> TAIL --end read--> LIVE
//        ^        cursor ------> PROBE --our place is there-----------------> TAIL ---------------^
//        |                         '--not--> COLD                              |
//        '---- down, from anywhere        COLD <--resync: epoch, gap, trim, digest, idle check
//
// Invariant: LIVE means that every entry up to the cursor was read in order, of one epoch, and that the
// shadow's digest was equal to the server's at each.  Private to core.
// Read next: hold.c (what is done with a pair), writer.c (what may be sent when).
#pragma once

#include "replicator/core/state.h"

void session_event(struct core *core, const struct stream_event *event);
void session_up(struct core *core);
void session_down(struct core *core);
// Timers: idle checks, delayed resyncs.
void session_tick(struct core *core);
bool session_all_live(const struct core *core);
// Makes a partition be read afresh.  `cause` is a literal.
void session_resync(struct core *core, uint32_t partition, const char *cause);
// Our own digest at `sequence`; false when it is not remembered.
bool session_history(const struct session *session, uint64_t sequence,
                     struct stream_digest *ret_digest);
const char *session_state_name(enum session_state state);
