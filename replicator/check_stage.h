// SPDX-License-Identifier: Apache-2.0
// Probing as a stage: what core assigns becomes targets of the checker, what it judges goes back to core.
// Invariant: with `check.external_policy: false` only services of our own file are probed, whatever policy
// another node publishes; own listeners are never probed.
// [loop].  Read next: replicator/check/checker.h, seed.h.
#pragma once

#include "base/span.h"

struct core_target;
struct daemon;

int check_stage_start(struct daemon *daemon);
void check_stage_stop(struct daemon *daemon);

// A driver_target_fn; `arg` is the daemon.
void check_stage_target(void *arg, struct span registration_key, const struct core_target *target);

// Probes in flight, as a metric.
void check_stage_measure(struct daemon *daemon);
