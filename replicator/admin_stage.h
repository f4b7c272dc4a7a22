// SPDX-License-Identifier: Apache-2.0
// The admin API as two stages: bound early, so that a socket in use is found before anything is written;
// served late, once core runs.
// Invariant: when it stops, every write that it handed over has been answered before it is freed.
// Main thread.  Read next: admin-api/server.h.
#pragma once

struct daemon;

int admin_stage_bind(struct daemon *daemon);
void admin_stage_free(struct daemon *daemon);

int admin_stage_serve(struct daemon *daemon);
void admin_stage_stop(struct daemon *daemon);

// The changefeed has grown.
void admin_stage_wake(struct daemon *daemon);

// Reads tokens and certificates again, or keeps those that it has.
void admin_stage_reload(struct daemon *daemon);
