// SPDX-License-Identifier: Apache-2.0
// The hashes that a peer can be run with: xxh3 (seeded; what the bars are measured with), sip (SipHash-1-3, what
// the product uses), fnv (FNV-1a, which has no key: what that costs, and see measure_flood.c).
// Pure, any thread.
#pragma once

#include "tests/bench/map/peer.h"

// NULL: there is none of that name.
peer_hash_fn hashes_find(const char *name);
