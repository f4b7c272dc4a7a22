// SPDX-License-Identifier: Apache-2.0
// Repair: any holder that finds the server behind what it holds puts the identical bytes back, after a
// delay by its place in the key's rendezvous order, and only if that is still needed.  A key that the
// server lacks at or below its purge watermark was purged while we were away and is dropped instead.
// Private to core.  Read next: session.c (after a scan), hold.c (an entry older than the record).
#pragma once

#include "replicator/core/state.h"

// Plans one key.  `cause` is a literal: scan, behind, echo.
void repair_plan(struct core *core, struct span key, const char *cause);
// Plans every record that the server lacks or holds older.
void repair_plan_all(struct core *core, uint32_t partition, const char *cause);
// Queues what is due.
void repair_run(struct core *core);
