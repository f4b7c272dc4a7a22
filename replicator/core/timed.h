// SPDX-License-Identifier: Apache-2.0
// What ends by itself: leases of registrations (kept by their owner), reports with a ttl (kept by the node
// that took them) and overrides with an `until` (ended by the first live node in rendezvous order, by the
// server's clock).  Each end is a write, so that every replica learns it the same way.
// Private to core.  Read next: write.c, presence.c (the server's clock).
#pragma once

#include "replicator/core/state.h"

// The observer under which an expired lease speaks.
#define TIMED_LEASE_OBSERVER "!lease"

// A write arrived (perhaps equal to what is held): leases and ttls start anew.
void timed_renewed(struct core *core, struct span key, const struct patch *patch);
void timed_registration_changed(struct core *core, struct instance *instance,
                                const struct registration *registration);
void timed_override_changed(struct core *core, struct span key);
// About once a second.
void timed_run(struct core *core);
