// SPDX-License-Identifier: Apache-2.0
// Puts: what goes into the air, and what comes of it.  One call of a partition is in flight at a time.
//
//     slots, conds --build--> flight --PUT--> accepted   patches gone, caller answered
//                               |             conflict   what the server holds is merged; composed again
//                               |             refused    nothing was executed: later
//                               '- no reply   the same bytes again; a conflict then is in doubt until the
//                                             reader has got to that sequence
//
// Private to core.  Read next: outbox.h, session.c (echoes).
#pragma once

#include "replicator/core/state.h"

// Sends what there is to send.  At the end of each step, for each partition.
void writer_pump(struct core *core, uint32_t partition);
void writer_reply(struct core *core, const struct stream_event *event);
// An entry carried this pair: is it one of ours in the air?  Marks it seen and settles it.
void writer_echo(struct core *core, uint32_t partition, struct span key,
                 const struct codec_value *value);
// The reader has moved: doubts and awaited echoes up to its place are decided.
void writer_reader_moved(struct core *core, uint32_t partition);
// The connection is gone: outcomes are unknown.
void writer_connection_lost(struct core *core, uint32_t partition);
// The partition is read afresh: calls in the air are abandoned.
void writer_abandon(struct core *core, uint32_t partition);
// A conditional write enters.
void writer_conditional(struct core *core, const struct core_write *write, enum cond_kind kind);
// Answers a conditional write and forgets it.
void writer_answer(struct core *core, struct session *session, struct cond *cond,
                   enum core_outcome outcome);
// Was a value of `key` accepted whose echo has not been read yet?
bool writer_is_awaited(const struct core *core, uint32_t partition, struct span key);
// This node may not write any more: everything is answered with `outcome`.
void writer_stop(struct core *core, enum core_outcome outcome);
