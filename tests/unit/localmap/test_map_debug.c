// SPDX-License-Identifier: Apache-2.0
// What the map says of its inside: records and locks add up to what was done; and a convoy, planted where
// nothing else can be meant.
#include "tests/lib/convoy.h"
#include "tests/unit/localmap/maps.h"

#include <stdio.h>

#define RECORDS 1000

static void show_many(struct map *map)
{
    for (unsigned i = 0; i < RECORDS; i++) {
        char name[16];
        struct key_bytes key;
        const int len = snprintf(name, sizeof(name), "i%u", i);
        key_registration(SPAN_LIT("t"), SPAN_LIT("s"), span_of(name, (size_t)len), &key);
        enum put_result result;
        CHECK_OK(map_show(map, key_span(&key), SPAN_LIT("body"), 0, 1, &result));
    }
}

TEST(the_shards_add_up_to_the_map)
{
    struct map *map = maps_new();
    show_many(map);
    struct map_counts counts;
    map_counts(map, &counts);
    uint64_t records = 0, found = 0, entries = 0;
    for (uint32_t i = 0; i < map_shard_count(map); i++) {
        struct map_shard shard;
        map_shard_stats(map, i, &shard);
        records += shard.records;
        entries += shard.lock.entries;
        CHECK(shard.places >= shard.records);
        CHECK(shard.bytes > 0 && shard.bytes <= counts.bytes);
        for (unsigned c = 0; c < MAP_PROBE_CLASSES; c++) {
            found += shard.probes[c];
        }
        struct map_lock lock;
        map_lock_stats(map, i, &lock);
        CHECK_UEQ(lock.entries, shard.lock.entries);
        CHECK_UEQ(lock.waits, 0);
        CHECK(lock.inside == NULL);
    }
    CHECK_UEQ(records, RECORDS);
    CHECK(entries >= RECORDS);
    CHECK(found > 0 && found <= RECORDS);
    map_free(map);
}
END_TEST

TEST(a_convoy_shows_who_waited_for_whom)
{
    struct map *map = maps_new();
    struct map_wait wait = {.number = 99};
    CHECK(!map_wait_get(map, 0, &wait));
    convoy_plant(map, SPAN_LIT("any key"));
    CHECK(map_wait_get(map, 0, &wait));
    CHECK_UEQ(wait.number, 0);
    CHECK_STR(wait.waiter, CONVOY_WAITER);
    CHECK(wait.holder != NULL);
    CHECK(wait.waited_ns >= map_wait_class_end_ns(3));
    CHECK(wait.stack_len > 1);
    struct map_lock lock;
    map_lock_stats(map, wait.shard, &lock);
    CHECK(lock.waits >= 1 && lock.wait_max_ns >= wait.waited_ns);
    CHECK(lock.wait_total_ns >= lock.wait_max_ns);
    map_free(map);
}
END_TEST

TEST(a_writer_is_seen_inside_under_its_name)
{
    struct map *map = maps_new();
    struct convoy convoy = {.map = map, .key = SPAN_LIT("any key")};
    pthread_t holder;
    CHECK_EQ(pthread_create(&holder, NULL, convoy_holder_main, &convoy), 0);
    while (!atomic_load(&convoy.held)) {
        sched_yield();
    }
    unsigned inside = 0;
    for (uint32_t i = 0; i < map_shard_count(map); i++) {
        struct map_lock lock;
        map_lock_stats(map, i, &lock);
        inside += lock.inside != NULL && strcmp(lock.inside, CONVOY_HOLDER) == 0;
    }
    atomic_store(&convoy.arrived, CONVOY_WAITERS);
    pthread_join(holder, NULL);
    CHECK_UEQ(inside, 1);
    map_free(map);
}
END_TEST

SUITE("localmap/map_debug", T(the_shards_add_up_to_the_map), T(a_convoy_shows_who_waited_for_whom),
      T(a_writer_is_seen_inside_under_its_name));
