// SPDX-License-Identifier: Apache-2.0
// What the map passes on to its table: samples and their ticks, room ahead, memory that stands free.
#include "localmap/map.h"

#include "base/random.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/maps.h"

#include <stdio.h>
#include <string.h>

#define RECORDS 60

static struct span key_of(unsigned number)
{
    static char text[32];
    int len = snprintf(text, sizeof(text), "t%cs%u%ci", 0, number, 0);
    return span_of(text, (size_t)len);
}

static void put(struct map *map, unsigned number, const char *body)
{
    enum put_result result = PUT_STALE;
    const struct codec_value value = maps_value(key_of(number), 1, body);
    CHECK_OK(map_put(map, key_of(number), &value, 0, 0, &result));
}

static struct map *filled(void)
{
    struct map *map = maps_new();
    map_set_tick(map, 7);
    for (unsigned i = 0; i < RECORDS; i++) {
        put(map, i, "body");
    }
    return map;
}

// How many of so many samples met a record, and the oldest tick among them.
static unsigned met(const struct map *map, unsigned samples, uint16_t *ret_oldest)
{
    struct random random;
    struct map_facts facts;
    unsigned count = 0;
    random_seed(&random, 1);
    *ret_oldest = UINT16_MAX;
    for (unsigned i = 0; i < samples; i++) {
        struct map_sample sample;
        if (map_sample(map, random_next(&random), &sample)) {
            count++;
            *ret_oldest = sample.tick < *ret_oldest ? sample.tick : *ret_oldest;
            CHECK(map_peek(map, key_span(&sample.key), &facts));
        }
    }
    return count;
}

TEST(samples_meet_records_and_tell_when_they_were_used)
{
    struct map *empty = maps_new();
    uint16_t oldest = 0;
    CHECK_UEQ(met(empty, 100, &oldest), 0);
    map_free(empty);
    struct map *map = filled();
    struct map_copy copy;
    CHECK_INT(met(map, 1000, &oldest), gt, 500);
    CHECK_UEQ(oldest, 7);
    map_set_tick(map, 9);
    for (unsigned i = 0; i < RECORDS; i++) {
        CHECK(map_get(map, key_of(i), &copy));
    }
    CHECK_INT(met(map, 1000, &oldest), gt, 500);
    CHECK_UEQ(oldest, 9);
    map_free(map);
}

// Room ahead makes the tables larger than what is in them.
TEST(samples_meet_records_also_when_room_was_taken_ahead)
{
    struct map *map = filled();
    uint16_t oldest = 0;
    CHECK_OK(map_reserve(map, 1000));
    CHECK_INT(met(map, 1000, &oldest), gt, 100);
    maps_check(map);
    map_free(map);
}

TEST(bodies_that_are_evicted_stand_free_in_the_end)
{
    static char body[2000];
    struct map *map = maps_new();
    struct map_counts before;
    struct map_counts after;
    memset(body, 'b', sizeof(body) - 1);
    for (unsigned i = 0; i < 2000; i++) {
        put(map, i, body);
    }
    map_counts(map, &before);
    for (unsigned i = 0; i < 2000; i++) {
        CHECK_UEQ(map_evict(map, key_of(i)), sizeof(body) - 1);
    }
    for (unsigned i = 0; i < 1000; i++) {
        (void)map_tend(map);
    }
    map_counts(map, &after);
    // 2,000 bodies of 2 kB: most of it has gone back, or stands free.
    CHECK_INT(after.bytes, lt, before.bytes);
    CHECK_INT(before.bytes - after.bytes + map_tend(map), gt, 2000 * 1500);
    maps_check(map);
    map_free(map);
}

SUITE("localmap/map (memory)", T(samples_meet_records_and_tell_when_they_were_used),
      T(samples_meet_records_also_when_room_was_taken_ahead),
      T(bodies_that_are_evicted_stand_free_in_the_end));
