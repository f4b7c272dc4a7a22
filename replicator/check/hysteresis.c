// SPDX-License-Identifier: Apache-2.0
#include "replicator/check/hysteresis.h"

#include "base/assert.h"

#define TERM_MAX 1000000 // far above every policy; keeps the sums within int32_t

static uint32_t bounded(uint32_t term)
{
    if (term == 0) {
        return 1;
    }
    return term < TERM_MAX ? term : TERM_MAX;
}

static int32_t top(const struct hysteresis *hysteresis)
{
    return (int32_t)(hysteresis->rise + hysteresis->fall - 1);
}

void hysteresis_init(struct hysteresis *hysteresis, uint32_t rise, uint32_t fall)
{
    hysteresis->rise = bounded(rise);
    hysteresis->fall = bounded(fall);
    hysteresis->value = -(int32_t)hysteresis->fall;
}

void hysteresis_terms(struct hysteresis *hysteresis, uint32_t rise, uint32_t fall)
{
    enum status status = hysteresis_status(hysteresis);
    hysteresis_init(hysteresis, rise, fall);
    if (status == STATUS_HEALTHY) {
        hysteresis->value = top(hysteresis);
    } else if (status == STATUS_UNHEALTHY) {
        hysteresis->value = 0;
    }
}

void hysteresis_step(struct hysteresis *hysteresis, bool passed)
{
    int32_t rise = (int32_t)hysteresis->rise;
    int32_t value = hysteresis->value;
    if (passed) {
        bool up = value < 0 || value + 1 >= rise;
        hysteresis->value = up ? top(hysteresis) : value + 1;
    } else if (value < 0) {
        hysteresis->value = value + 1;
    } else {
        hysteresis->value = value - 1 >= rise ? value - 1 : 0;
    }
    ASSERT(hysteresis->value <= top(hysteresis));
}

enum status hysteresis_status(const struct hysteresis *hysteresis)
{
    if (hysteresis->value < 0) {
        return STATUS_UNKNOWN;
    }
    return hysteresis->value < (int32_t)hysteresis->rise ? STATUS_UNHEALTHY : STATUS_HEALTHY;
}

bool hysteresis_settled(const struct hysteresis *hysteresis)
{
    return hysteresis->value == 0 || hysteresis->value == top(hysteresis);
}
