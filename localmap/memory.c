// SPDX-License-Identifier: Apache-2.0
// Memory of a map: who is idle, room ahead, memory that goes back.
#include "localmap/map_state.h"

void map_set_tick(struct map *map, uint16_t tick)
{
    table_set_tick(map->table, tick);
}

bool map_sample(const struct map *map, uint64_t random, struct map_sample *ret_sample)
{
    struct table_sample sample;
    if (!table_sample(map->table, random, &sample)) {
        return false;
    }
    ASSERT(sample.key_len <= KEY_LEN_MAX);
    ret_sample->tick = sample.tick;
    ret_sample->key.len = (uint16_t)sample.key_len;
    memcpy(ret_sample->key.ptr, sample.key, sample.key_len);
    return true;
}

enum err map_reserve(struct map *map, uint32_t records)
{
    return table_reserve(map->table, records);
}

uint64_t map_tend(struct map *map)
{
    return table_tend(map->table);
}

bool map_compact(struct map *map)
{
    return table_compact(map->table);
}
