// SPDX-License-Identifier: Apache-2.0
// Gives memory back a service at a time, a few in each turn of the loop.
//
//     evictor_aim(bytes) --> step: sample, choose the idlest, let it go --> ... --> DONE: so many bytes went
//                              '-- nobody goes, REFUSALS_MAX times in a row --> STUCK
//
// What went is not missing in the usage at once: the map gives memory back behind us.  So what went counts as
// gone already until a while has passed, or each reading would let go of the same bytes again.
// Invariant: a step is bounded; who was read within EVICTOR_IDLE_MIN ticks stays, unless it is urgent: to be asked
// again in a second is better than to be killed.
// [loop].  Read next: localmap/evict.h, memory_stage.c.
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "base/time.h"
#include "localmap/bands.h"

#include <stdint.h>

struct map;
struct evictor;

#define EVICTOR_IDLE_MIN 2     // ticks
#define EVICTOR_SETTLE_MS 5000 // until what went must be missing in the usage

typedef uint64_t (*evictor_fn)(void *arg, struct span service_key); // bytes that went; 0: it stays

struct evictor_options {
    const struct map *map;
    evictor_fn evict;
    void *arg;
    uint64_t seed;
};

enum evictor_step { EVICTOR_MORE, EVICTOR_DONE, EVICTOR_STUCK };

// ERR_NOMEM.
enum err evictor_new(const struct evictor_options *options, struct evictor **ret_evictor) MUST_USE;
void evictor_free(struct evictor *evictor); // accepts NULL

// What the newest reading says: the usage is so much too high, or nothing more is to go.
void evictor_aim(struct evictor *evictor, const struct bands_verdict *verdict, struct mono now);
enum evictor_step evictor_step(struct evictor *evictor, uint16_t tick, struct mono now);
