// SPDX-License-Identifier: Apache-2.0
// The calls of a map about its tenants.
#include "localmap/map_state.h"

enum err map_set_quota(struct map *map, struct span tenant, uint32_t limit)
{
    return quota_set(map->quota, tenant, limit);
}

void map_squeeze(struct map *map, uint64_t records)
{
    quota_squeeze(map->quota, records);
}

bool map_tenant(const struct map *map, struct span tenant, struct map_tenant *ret_tenant)
{
    return quota_get(map->quota, tenant, ret_tenant);
}

size_t map_tenants(const struct map *map, struct map_tenant *ret_tenants, size_t cap,
                   struct map_tenants *ret_all)
{
    return quota_largest(map->quota, ret_tenants, cap, ret_all);
}

size_t map_tenant_news(struct map *map, struct map_tenant *ret_tenants, size_t cap)
{
    return quota_news(map->quota, ret_tenants, cap);
}

enum err map_take_place(struct map *map, struct span key, const struct record *record,
                        struct map_place *ret_place)
{
    struct map_facts facts;
    *ret_place = (struct map_place){.taken = false};
    if (!quota_counts_record(key, record)) {
        return ERR_OK;
    }
    bool held = map_peek(map, key, &facts);
    if (held && (facts.flags & MAP_TOMBSTONE) == 0) {
        return ERR_OK;
    }
    const struct quota_move move = {
        .key = key, .to = QUOTA_LIVE, .enters = true, .new_name = !held, .place = true};
    enum err err = quota_apply(map->quota, &move);
    ret_place->taken = err == ERR_OK;
    return err;
}

void map_give_place(struct map *map, struct span key, struct map_place *place)
{
    const struct quota_move move = {.key = key, .from = QUOTA_LIVE, .place = true};
    if (place->taken) {
        enum err err = quota_apply(map->quota, &move);
        ASSERT(err == ERR_OK);
        place->taken = false;
    }
}
