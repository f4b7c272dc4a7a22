// SPDX-License-Identifier: Apache-2.0
// The part of the daemon that minds its memory: it watches the control group, and acts on the band.
// [loop].  Read next: memory_watch.h, daemon_state.h.
#pragma once

struct daemon;

// Returns an exit status, 0 being success.
int memory_stage_start(struct daemon *daemon);
void memory_stage_stop(struct daemon *daemon);
