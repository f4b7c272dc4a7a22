// SPDX-License-Identifier: Apache-2.0
// Two kinds of chance that must not be mixed: random_bytes comes from the kernel and is for keys and
// ids; `struct random` is a small seeded generator (xoshiro256**, Blackman and Vigna 2018, seeded by
// splitmix64) for jitter, simulation and tests, and everybody who knows the seed knows what follows.
// Invariant: equal seeds give equal sequences on every machine.
// random_bytes and random_u64: any thread.  `struct random`: one thread at a time; pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t s[4];
};

// From the kernel; waits until its pool is ready once after boot, and cannot fail after that.
void random_bytes(void *ret_bytes, size_t len);
uint64_t random_u64(void);

void random_seed(struct random *rng, uint64_t seed);
uint64_t random_next(struct random *rng);
// Evenly in [0, bound); bound > 0.
uint64_t random_below(struct random *rng, uint64_t bound);
// Evenly within `value` (at most INT64_MAX) +- `percent` (at most 100) of it.
uint64_t random_jitter(struct random *rng, uint64_t value, uint32_t percent);
