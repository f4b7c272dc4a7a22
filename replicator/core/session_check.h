// SPDX-License-Identifier: Apache-2.0
// Asking the server whether it still is where we think it is.  XREAD is silent after a trim, a FLUSHALL, an
// older RDB or a failover, so the meta fields of every partition are compared on a timer, and the digest at
// every entry.  Private to core.  Read next: session.c.
#pragma once

#include "replicator/core/state.h"

#define SESSION_PATIENCE_MS 2000 // a check saw entries ahead of us that do not come

// One question at a time: while one is open, the next is asked when that one is answered.
void session_ask_meta(struct core *core, uint32_t partition);
// A question was answered.  false: the answer is to an older question than the one that matters, which has
// been asked now.
bool session_meta_answered(struct core *core, uint32_t partition);
void session_schedule_check(struct core *core, struct session *session);
bool session_same_epoch(const struct session *session, const struct stream_meta *meta);
// Unequal: one resync in resync_min, then the partition is called diverged and goes on.
void session_compare_digest(struct core *core, uint32_t partition,
                            const struct stream_digest *server);
// The answer to a check of a partition in TAIL or LIVE.
void session_meta_check(struct core *core, uint32_t partition, const struct stream_meta *meta);
