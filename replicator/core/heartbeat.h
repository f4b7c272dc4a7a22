// SPDX-License-Identifier: Apache-2.0
// What a heartbeat says, as text: `v=1;i=<incarnation>;r=<release>;z=<zone>;s=<state>;l=<lag ms>;
// d=<count>-<sum>;p=<sequence>:<count>-<sum>:<epoch, 8 digits>,...`.  Unknown parts are skipped, so that
// releases can add some.  Pure text in, plain data out.  Private to core.  Read next: presence.c.
#pragma once

#include "replicator/core/state.h"

#define HEARTBEAT_LEN_MAX 4096
#define HEARTBEAT_PARTITIONS_MAX 64 // of more partitions the whole digest alone is told

// Writes ours; returns its length.
size_t heartbeat_write(const struct core *core, char buf[HEARTBEAT_LEN_MAX]);
// Reads a peer's into `peer` and compares its positions with our own history.
void heartbeat_read(const struct core *core, struct span payload, struct peer *peer);
