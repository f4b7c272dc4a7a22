// SPDX-License-Identifier: Apache-2.0
// Effective health: what the records of an instance mean together (DESIGN: data model).
// A pure function of the instance's records, its service's policy and the node records: no clock, no
// arrival order, no local history; so replicas with equal maps give equal answers.
//
//     1 no registration -> absent   2 override -> its status   3 votes -> raw status   4 guard
//
// Votes: bad is UNHEALTHY or TIMEOUT; DEGRADED and DRAINING (which only an external report can say) count as
// degraded; UNKNOWN is no vote, so an observer that cannot tell neither clears nor condemns.  Within the
// external or the proxy group, from best to worst: HEALTHY, DEGRADED, DRAINING, TIMEOUT, UNHEALTHY.
// Reason: CheckPassed when healthy; of a bad majority the one that more than half of the bad votes share, else
// Majority; Minority when bad votes were outvoted; what the degraded votes share, else Minority; nobody's
// vote: NoObservation, or what those that could not tell share; an override: OperatorDrain.
// Any thread.  Read next: record.h; replicator/core/derive.c, which keeps the results.
#pragma once

#include "localmap/model/record.h"

// One observation as a vote sees it.
struct health_input {
    const struct observation *observation;
    bool assigned; // a probing observer (local, peer): chosen for this instance and its node is up
};

struct health {
    enum status status;     // served
    enum status raw_status; // before the guard
    enum reason reason;
    bool guarded;
    bool overridden;
};

// Steps 2 and 3.  `override` is NULL or not a tombstone.  The order of `inputs` does not matter.
// Proxies: the worst status that two of them report, or the only one.  External: the worst of them.
void health_judge(const struct override *override, const struct health_input *inputs, size_t count,
                  struct health *ret_health);

// Step 4 over all instances of one service: `bad` of `voting` instances without an override came out
// UNHEALTHY or TIMEOUT.  True when the guard holds (from 4 instances on, more than `max_percent`).
bool health_guard(uint32_t instances, uint32_t voting, uint32_t bad, uint32_t max_percent);

// Applies a guard's decision to one instance's judgement.
void health_apply_guard(bool guard, struct health *health);
