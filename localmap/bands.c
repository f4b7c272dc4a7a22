// SPDX-License-Identifier: Apache-2.0
#include "localmap/bands.h"

#include "base/assert.h"

// Rounded down; does not overflow, whatever the limit.
static uint64_t per_cent(uint64_t limit, uint32_t percent)
{
    return limit / 100 * percent + limit % 100 * percent / 100;
}

static uint32_t evict_end(const struct bands_terms *terms)
{
    return terms->evict_at > BANDS_EVICT_SPAN ? terms->evict_at - BANDS_EVICT_SPAN : 0;
}

struct bands_verdict bands_judge(const struct bands_terms *terms, const struct bands_memory *memory,
                                 enum bands_band current)
{
    ASSERT(terms->reserve_at < terms->evict_at && terms->evict_at <= 100);
    if (memory->limit == 0) {
        return (struct bands_verdict){.band = BANDS_NORMAL, .action = BANDS_REST};
    }
    uint64_t above = per_cent(memory->limit, 100 - terms->evict_at) / 2;
    uint64_t free = memory->free < above ? memory->free : above;
    uint64_t usage = memory->usage > free ? memory->usage - free : 0;
    uint64_t end = per_cent(memory->limit, evict_end(terms));
    uint64_t begin = current == BANDS_EVICT ? end : per_cent(memory->limit, terms->evict_at);
    if (usage > begin) {
        return (struct bands_verdict){BANDS_EVICT, BANDS_GIVE_UP, usage - end,
                                      memory->usage > memory->limit - above};
    }
    if (usage >= per_cent(memory->limit, terms->reserve_at)) {
        return (struct bands_verdict){.band = BANDS_RESERVE, .action = BANDS_TAKE_AHEAD};
    }
    return (struct bands_verdict){.band = BANDS_NORMAL, .action = BANDS_REST};
}

uint64_t bands_room(const struct bands_terms *terms, const struct bands_memory *memory)
{
    uint64_t most = per_cent(memory->limit, terms->evict_at);
    return memory->usage < most ? (most - memory->usage) / 2 : 0;
}

int64_t bands_wait_ms(const struct bands_memory *memory, int64_t every_ms)
{
    ASSERT(every_ms > 0);
    int64_t ms = every_ms;
    if (memory->limit > 0) {
        uint64_t left = memory->usage < memory->limit ? memory->limit - memory->usage : 0;
        ms = (int64_t)((double)every_ms * ((double)left / (double)memory->limit));
        ms = ms > every_ms / BANDS_HURRY_MAX ? ms : every_ms / BANDS_HURRY_MAX;
    }
    return ms > 0 ? ms : 1;
}

const char *bands_name(enum bands_band band)
{
    static const char *const names[BANDS_COUNT] = {
        [BANDS_NORMAL] = "normal", [BANDS_RESERVE] = "reserve", [BANDS_EVICT] = "evict"};
    ASSERT((unsigned)band < BANDS_COUNT);
    return names[band];
}
