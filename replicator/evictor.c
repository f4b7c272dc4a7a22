// SPDX-License-Identifier: Apache-2.0
#include "replicator/evictor.h"

#include "base/random.h"
#include "localmap/evict.h"
#include "localmap/map.h"

#include <stdlib.h>

#define SAMPLES 8        // for each that goes
#define CHOICES_MAX 4    // in one step
#define REFUSALS_MAX 256 // in a row: then, most probably, nobody is left who may go

struct evictor {
    struct evictor_options options;
    struct random random;
    struct evict_pool pool;
    uint64_t left;    // bytes that are to go
    uint64_t settled; // bytes that went, and may not be missing in the usage yet
    struct mono settle_until;
    uint16_t idle_min;
    unsigned refusals;
};

enum err evictor_new(const struct evictor_options *options, struct evictor **ret_evictor)
{
    struct evictor *evictor = calloc(1, sizeof(*evictor));
    if (evictor == NULL) {
        return ERR_NOMEM;
    }
    evictor->options = *options;
    random_seed(&evictor->random, options->seed);
    *ret_evictor = evictor;
    return ERR_OK;
}

void evictor_free(struct evictor *evictor)
{
    free(evictor);
}

void evictor_aim(struct evictor *evictor, const struct bands_verdict *verdict, struct mono now)
{
    uint64_t excess = verdict->excess;

    // When it is urgent, too much that goes is better than too little.
    if (verdict->urgent || now.us >= evictor->settle_until.us) {
        evictor->settled = 0;
    }
    evictor->left = excess > evictor->settled ? excess - evictor->settled : 0;
    uint16_t idle_min = verdict->urgent ? 0 : EVICTOR_IDLE_MIN;
    if (idle_min != evictor->idle_min) {
        evictor->idle_min = idle_min;
        evictor->pool.count = 0; // chosen by another measure
    }
    evictor->refusals = 0;
}

// Is it a service, and not one that went before?
static bool is_candidate(const struct map *map, struct span service_key)
{
    struct map_service service;
    return map_service_get(map, service_key, &service) && service.evicted == 0;
}

static void sample(struct evictor *evictor, uint16_t tick)
{
    struct map_sample sample;
    if (!map_sample(evictor->options.map, random_next(&evictor->random), &sample)) {
        return;
    }
    struct span service_key = key_service_prefix(key_span(&sample.key));
    if (is_candidate(evictor->options.map, service_key)) {
        evict_offer(&evictor->pool, service_key, evict_idle(tick, sample.tick), evictor->idle_min);
    }
}

static uint64_t let_one_go(struct evictor *evictor, uint16_t tick)
{
    struct evict_candidate candidate;
    for (int i = 0; i < SAMPLES; i++) {
        sample(evictor, tick);
    }
    return evict_take(&evictor->pool, &candidate)
               ? evictor->options.evict(evictor->options.arg, key_span(&candidate.service_key))
               : 0;
}

enum evictor_step evictor_step(struct evictor *evictor, uint16_t tick, struct mono now)
{
    for (int i = 0; i < CHOICES_MAX && evictor->left > 0; i++) {
        uint64_t bytes = let_one_go(evictor, tick);
        evictor->refusals = bytes > 0 ? 0 : evictor->refusals + 1;
        if (evictor->refusals >= REFUSALS_MAX) {
            evictor->left = 0;
            return EVICTOR_STUCK;
        }
        if (bytes > 0) {
            evictor->left -= bytes < evictor->left ? bytes : evictor->left;
            evictor->settled += bytes;
            evictor->settle_until = mono_add_ms(now, EVICTOR_SETTLE_MS);
        }
    }
    return evictor->left > 0 ? EVICTOR_MORE : EVICTOR_DONE;
}
