// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/localmap/storm.h"

#include <stdio.h>
#include <string.h>

const char *const storm_fault_names[] = {
#define ROW(id, name) #name,
    STORM_FAULTS(ROW)
#undef ROW
};

struct span storm_key(unsigned kind, unsigned number, char text[TABLE_KEY_MAX])
{
    size_t len = number % 100 == 99 ? TABLE_KEY_MAX : 12 + number % 37;
    memset(text, '.', len);
    int head = snprintf(text, TABLE_KEY_MAX, "%u-%u", kind, number);
    text[head] = '.';
    return span_of(text, len);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ b * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ x >> 29;
}

struct span storm_value(uint64_t of, uint64_t count, size_t len, char text[STORM_VALUE_MAX])
{
    uint64_t words[STORM_VALUE_MAX / 8 + 1] = {of, count, mix(mix(of, count), len)};
    for (size_t i = 3; i * 8 < len; i++) {
        words[i] = mix(words[2], i);
    }
    memcpy(text, words, len);
    return span_of(text, len);
}

uint64_t storm_count(uint64_t of, struct span value)
{
    char text[STORM_VALUE_MAX];
    uint64_t count = 0;
    if (value.len < STORM_VALUE_MIN || value.len > STORM_VALUE_MAX) {
        return 0;
    }
    memcpy(&count, value.ptr + 8, sizeof(count));
    return span_eq(value, storm_value(of, count, value.len, text)) ? count : 0;
}

size_t storm_length(struct random *random)
{
    uint64_t most = random_below(random, 200) == 0 ? STORM_VALUE_MAX - STORM_VALUE_MIN
                    : random_below(random, 8) == 0 ? 400
                                                   : 60;
    return STORM_VALUE_MIN + (size_t)random_below(random, most + 1);
}

unsigned storm_pick(struct random *random, unsigned grown)
{
    bool hot = grown > STORM_HOT && random_below(random, 2) == 0;
    return (unsigned)random_below(random, hot ? STORM_HOT : grown);
}

void storm_look(void *arg, struct span value)
{
    struct storm_sight *sight = arg;
    sight->len = value.len;
    memcpy(sight->value, value.ptr, value.len < STORM_VALUE_MAX ? value.len : STORM_VALUE_MAX);
}

bool storm_find(const struct storm *storm, struct span bytes, struct storm_sight *ret_sight)
{
    const struct table_key key = table_key(storm->table, bytes);
    return table_read(storm->table, &key, storm_look, ret_sight);
}
