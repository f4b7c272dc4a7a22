// SPDX-License-Identifier: Apache-2.0
// Tells the service manager how far we are: one datagram to the socket that NOTIFY_SOCKET names, if any
// (sd_notify(3), protocol only: no library is needed for it).
//
//     start ---READY=1---> runs ---STOPPING=1---> leaves
//                          |  ^                       WATCHDOG=1 while it runs
//             RELOADING=1  v  |  READY=1
//                          reloads
//
// Never blocks; a manager that does not listen is no error of ours.  [any].  Read next: watchdog_stage.h.
#pragma once

#include "base/time.h"

#include <stdint.h>

// Assignments, one a line: "READY=1\nSTATUS=ready".
void notify_send(const char *state);

// A reload begins; "READY=1" ends it.  `now` is read from the monotonic clock: the manager tells by it
// whether this answers its own signal or an earlier one.
void notify_reloading(struct mono now);

// Within how many milliseconds the manager wants to hear "WATCHDOG=1" again, before it ends this process
// (WATCHDOG_USEC); 0: it does not ask us.
uint32_t notify_watchdog_ms(void);
