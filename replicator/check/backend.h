// SPDX-License-Identifier: Apache-2.0
// All that check knows of the daemon.  The daemon adds and removes targets as core assigns them, check
// probes them and tells when a target's judged status flips.
//
//     daemon --checker_set(target)--> checker --probe--> the instance
//     daemon <----- on_judged ------- hysteresis (rise/fall in one integer)
//
// Invariant: one probe of a target at a time; never more than `concurrency` probes in flight, nor more
// than `rate` begun in a second.  [loop].  Read next: checker.h, probe.h, hysteresis.h.
#pragma once

#include "base/span.h"
#include "base/time.h"
#include "localmap/model/record.h"

#include <stdbool.h>

// What came of one judgement; borrowed until the callback returns.
struct check_judgement {
    struct span registration_key;
    enum status status;
    enum reason reason;
    struct span text;
    uint64_t latency_us;
    uint64_t ticket; // of what was probed, for checker_confirm
    bool news;       // its status or reason is not the one that was confirmed last
};

// Called after every probe whose judged status is settled (also when it did not change: core compares with
// the record it holds and publishes only a difference).
typedef void (*check_judged_fn)(void *arg, const struct check_judgement *judgement);

struct check_limits {         // check.* of the configuration
    uint32_t concurrency;     // probes in flight on this node
    uint32_t rate;            // probes begun a second
    uint32_t jitter_percent;  // of the interval
    uint32_t min_interval_ms; // a policy below is clamped
    uint32_t per_target_max;  // probes in flight to one address and port
    const struct span *allow; // CIDRs; none = all but the refused
    uint32_t allow_count;
};

// An address of ours that must never be probed (own listeners).
struct check_refused {
    struct span address; // "" = any local address
    uint32_t port;
};
