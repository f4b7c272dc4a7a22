// SPDX-License-Identifier: Apache-2.0
// Who goes when memory is short: the service that nobody has read for the longest time, as far as samples tell.
//
//     random record -> its service, idle for so many ticks -> | pool: the idlest of all that were offered |
//                                                               '-> taken out, the idlest first
//
// As in Redis, the pool outlives a round: what was second best last time is better than the best of five now.
// A service that is offered again is as idle as its least idle record.
// Invariant: the pool holds each service once, the idlest first.
// Pure, any thread.  Read next: bands.h (how much goes), map.h (map_sample, map_evict).
#pragma once

#include "localmap/model/key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVICT_POOL_MAX 16

struct evict_candidate {
    struct key_bytes service_key;
    uint16_t idle; // ticks
};

struct evict_pool {
    size_t count;
    struct evict_candidate candidates[EVICT_POOL_MAX];
};

// Ticks between two looks at a clock that goes round.
static inline uint16_t evict_idle(uint16_t now, uint16_t tick)
{
    return (uint16_t)(now - tick);
}

// A sample.  `idle_min`: who is less idle than that is none, and stays; if it was in the pool it is taken out.
void evict_offer(struct evict_pool *pool, struct span service_key, uint16_t idle,
                 uint16_t idle_min);
// Takes the idlest out.  false: the pool is empty.
bool evict_take(struct evict_pool *pool, struct evict_candidate *ret_candidate);
