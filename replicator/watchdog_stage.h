// SPDX-License-Identifier: Apache-2.0
// Feeds the service manager's watchdog while the loop turns and all threads of the admin API answer; nothing
// when the manager did not ask for it.
//
//     every quarter of its interval:  have all answered?  -> "WATCHDOG=1", and ask them again
//
// Invariant: a thread that stands still is seen by silence alone, so nothing here waits for it.  A thread
// that is only slow has half of the interval to answer.
// [loop].  Read next: notify.h, admin-api/server.h (admin_ask).
#pragma once

struct daemon;

int watchdog_stage_start(struct daemon *daemon);
void watchdog_stage_stop(struct daemon *daemon);
