// SPDX-License-Identifier: Apache-2.0
// The part of the daemon that minds its memory: it watches the control group, and acts on the band.
//
//     normal    rest
//     reserve   the helper thread takes room ahead in the map
//     evict     the loop lets services go that nobody here uses, a few in each turn; when nobody is left who may
//               go, new records of the largest tenants are refused until memory is there again
//
// [loop] but for memory_stage_want.  Read next: memory_watch.h, evictor.h, daemon_state.h.
#pragma once

#include "base/span.h"

struct daemon;
struct memory_stage;

// Returns an exit status, 0 being success.
int memory_stage_start(struct daemon *daemon);
void memory_stage_stop(struct daemon *daemon);

// Somebody reads a service that was evicted.  When too many ask at once some are forgotten, and ask again.  [any]
void memory_stage_want(struct daemon *daemon, struct span service_key);
