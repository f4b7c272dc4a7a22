// SPDX-License-Identifier: Apache-2.0
// Who is there: heartbeats, joining, lapses, fencing, and when this node is ready.
//
//     ready --JOIN (conditional)--> joined --own name with a greater incarnation--> fenced
//
// Liveness is a record of the map, so that every replica judges by the same; who learns of a lapse writes
// it once.  No lapse is believed in the grace after a gap of the server.  Private to core.
// Read next: session.c, assign.c.
#pragma once

#include "replicator/core/state.h"

void presence_tick(struct core *core);
void presence_beat(struct core *core, const struct stream_event *event);
// A node record is shown otherwise.
void presence_node_changed(struct core *core, struct span node, struct span key);
// A newer record of `key` cannot be read here: when it is our own, we do not know whether we are fenced.
void presence_unreadable(struct core *core, struct span key);
// The conditional write by which we join was decided.
void presence_join_decided(struct core *core, enum core_outcome outcome, uint64_t incarnation);
void presence_leave(struct core *core);
// The server's clock now, in ms; 0 while no heartbeat was answered.
int64_t presence_server_now(const struct core *core);
struct peer *presence_peer(const struct core *core, struct span node);
enum core_state presence_state(const struct core *core);
