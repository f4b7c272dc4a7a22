// SPDX-License-Identifier: Apache-2.0
// Composing one put: which slots and conditional writes go into it, with which versions.  The version is
// made here, when the call is sent: counter = max(expected, held, purge watermark) + 1.
// Private to core.  Read next: writer.c.
#pragma once

#include "replicator/core/state.h"

// Fills the partition's flight from its conditional writes and slots; stays inactive when there is
// nothing to say.  Slots that have nothing left to say are closed.
void flight_build(struct core *core, uint32_t partition);
