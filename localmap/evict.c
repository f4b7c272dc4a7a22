// SPDX-License-Identifier: Apache-2.0
#include "localmap/evict.h"

#include "base/assert.h"

#include <string.h>

static size_t place_of(const struct evict_pool *pool, struct span service_key)
{
    size_t at = 0;
    while (at < pool->count && !span_eq(key_span(&pool->candidates[at].service_key), service_key)) {
        at++;
    }
    return at;
}

static void take_out(struct evict_pool *pool, size_t at)
{
    pool->count--;
    memmove(&pool->candidates[at], &pool->candidates[at + 1],
            (pool->count - at) * sizeof(pool->candidates[0]));
}

static void put_in(struct evict_pool *pool, struct span service_key, uint16_t idle)
{
    size_t at = 0;
    while (at < pool->count && pool->candidates[at].idle >= idle) {
        at++;
    }
    if (at == EVICT_POOL_MAX) {
        return; // all are idler
    }
    pool->count -= pool->count == EVICT_POOL_MAX ? 1 : 0;
    memmove(&pool->candidates[at + 1], &pool->candidates[at],
            (pool->count - at) * sizeof(pool->candidates[0]));
    struct evict_candidate *candidate = &pool->candidates[at];
    candidate->idle = idle;
    candidate->service_key.len = (uint16_t)service_key.len;
    memcpy(candidate->service_key.ptr, service_key.ptr, service_key.len);
    pool->count++;
}

void evict_offer(struct evict_pool *pool, struct span service_key, uint16_t idle, uint16_t idle_min)
{
    ASSERT(service_key.len > 0 && service_key.len <= KEY_LEN_MAX);
    size_t at = place_of(pool, service_key);
    if (at < pool->count) {
        idle = idle < pool->candidates[at].idle ? idle : pool->candidates[at].idle;
        take_out(pool, at);
    }
    if (idle >= idle_min) {
        put_in(pool, service_key, idle);
    }
}

bool evict_take(struct evict_pool *pool, struct evict_candidate *ret_candidate)
{
    if (pool->count == 0) {
        return false;
    }
    *ret_candidate = pool->candidates[0];
    take_out(pool, 0);
    return true;
}
