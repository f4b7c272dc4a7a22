// SPDX-License-Identifier: Apache-2.0
// Services whose bodies went because memory was short, and how they come again.
//
//     whole --core_evict--> stubs --wanted--> the partition is scanned beside its log --> whole
//              ^                                  |  a stub is not found there
//              '--- nobody here observes it       '--> again, a few times; then the server lost it
//
// Core keeps what it knows of the instances (voices, policy, health), so a service without bodies is judged,
// counted and assigned as before; what needs a body asks for it (evict_want) and is done when it has come.
// A stub is filled only by the version that it is of.  The scan touches neither the cursor nor the shadow:
// the log goes on being read.
// Invariant: only what the server held at our cursor, exactly as the map holds it, is evicted.
// Private to core.  Read next: hold.h, session.c.
#pragma once

#include "replicator/core/state.h"

// Is there a record without a body among those of its service?
bool evict_is_without_body(struct core *core, struct span service_key);
bool evict_lacks_body(const struct core *core, struct span key); // this record
// The bodies of the service are needed.  No effect when they are all there.
void evict_want(struct core *core, struct span service_key);
bool evict_is_wanted(const struct core *core, struct span key); // any key of the service

// A write needs what it changes.  true: it has been refused, and the bodies are on their way.
bool evict_refuses(struct core *core, const struct core_write *write);

// Starts scans that are due.
void evict_tick(struct core *core);
// The reply to a scan.  false: it is not for us.
bool evict_scanned(struct core *core, const struct stream_event *event);
// The partition is not live any more: its scan starts again when it is.
void evict_interrupted(struct core *core, uint32_t partition);
// The connection went: no reply will come.
void evict_cut(struct core *core, uint32_t partition);
