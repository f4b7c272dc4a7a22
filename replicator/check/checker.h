// SPDX-License-Identifier: Apache-2.0
// Probes targets on time and says what they are worth.
//
//     checker_set --> schedule (when) --> refuse? --> probe (http_client, conn) --> hysteresis --> on_judged
//                        ^--------------------- next start: interval +- jitter -----'
//
// Invariants: one probe of a target at a time; never more than limits.concurrency in flight, more than
// limits.rate begun in a second, or more than limits.per_target_max to one address and port; who is kept
// waiting by a ceiling goes first when there is room.  Nothing is judged after checker_remove.
// A probe that timed out while this loop itself was late says nothing about the target: when it ends more
// than half of its time-out (and 50 ms) past it, its result is dropped (Lifeguard, Dadgar et al. 2017,
// makes the same distinction).  So does one that failed for want of memory or descriptors here.
// [loop].  Read next: backend.h, schedule.h, hysteresis.h, probe.h, refuse.h.
#pragma once

#include "base/err.h"
#include "replicator/check/backend.h"

#include <stddef.h>
#include <stdint.h>

#define CHECKER_TARGETS_MAX 131072

struct checker;
struct loop;

struct checker_options {
    struct loop *loop;
    struct check_limits limits; // `allow` is copied; it must be valid
    const struct span
        *local_addresses; // IP literals of this host, copied: for check_refused.address ""
    uint32_t local_address_count;
    uint64_t seed; // of the jitter
    check_judged_fn on_judged;
    // By how much the next probe of a target whose probe ends now is to begin later.  NULL: never.
    uint32_t (*slow_ms)(void *arg);
    void *arg;
};

// ERR_NOMEM, ERR_INVALID.  *gives* it.
enum err checker_new(const struct checker_options *options, struct checker **ret_checker) MUST_USE;
// Cancels all probes.  Accepts NULL.
void checker_free(struct checker *checker);

// An own listener, known once it is bound; for targets of now and later.  ERR_NOMEM, ERR_INVALID.
enum err checker_refuse(struct checker *checker, const struct check_refused *refused) MUST_USE;

struct checker_target {
    struct span address; // IP literal
    uint32_t port;       // of the instance
    const struct check_policy *check;
};

// Adds a target or gives it new terms; all is copied.  Equal terms change nothing; another address, port
// or type of check starts its judgement anew.  A check that this version cannot make (none, gRPC) or an address that
// is none removes it.  A target that may not be probed is judged UNKNOWN, TARGET_REFUSED in place of each probe.
// ERR_NOMEM, ERR_FULL (CHECKER_TARGETS_MAX): nothing changed.
enum err checker_set(struct checker *checker, struct span registration_key,
                     const struct checker_target *target) MUST_USE;
// No effect when it is none.  A probe under way is cancelled.
void checker_remove(struct checker *checker, struct span registration_key);

// A judgement may wait, or be dropped, before it comes where it is to go: tell when it has.  Until then what
// it says counts as news.  false: it says nothing any more, for its target has gone, or something else is
// probed in its place.
bool checker_confirm(struct checker *checker, const struct check_judgement *judgement);

struct checker_counts {
    uint32_t targets;
    uint32_t in_flight;
    uint64_t begun, dropped_late;
};
void checker_counts(const struct checker *checker, struct checker_counts *ret_counts);
