// SPDX-License-Identifier: Apache-2.0
// The only place that reads clocks.  Everything below the daemon's loop is given `now`, so that tests and
// the simulation can say what time it is.  Any thread.  Read next: time.h.
#pragma once

#include "base/time.h"

struct mono clock_mono(void);
struct wall clock_wall(void);

// Nanoseconds since the same start as clock_mono(): for measuring how long something took, never a deadline.
uint64_t clock_ns(void);
