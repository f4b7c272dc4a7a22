// SPDX-License-Identifier: Apache-2.0
// Looking into a table while it is used: what is recorded is what was done, and nobody who reads meanwhile
// misses a key because of it.
#include "base/err.h"
#include "localmap/table/table_debug.h"
#include "localmap/table/trace.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <pthread.h>
#include <stdio.h>

#define KEYS 4000
#define READERS 3

static struct table *table_made(uint32_t shards)
{
    struct table *table = NULL;
    CHECK_OK(table_new(shards, &table));
    return table;
}

static struct table_key key_of(const struct table *table, uint32_t number, char text[16])
{
    const int len = snprintf(text, 16, "key-%u", (unsigned)number);
    return table_key(table, span_of(text, (size_t)len));
}

static enum table_verdict decide(void *arg, struct span old, struct table_value *ret_new)
{
    (void)old;
    ret_new->head = span_of(arg, sizeof(uint32_t));
    return TABLE_STORE;
}

static enum err store(struct table *table, uint32_t number)
{
    char text[16];
    const struct table_key key = key_of(table, number, text);
    const struct table_change change = {
        .decide = decide, .arg = &number, .room = sizeof(number), .create = true, .site = "test"};
    return table_update(table, &key, &change);
}

static bool holds(const struct table *table, uint32_t number)
{
    char text[16];
    uint64_t value = 0;
    const struct table_key key = key_of(table, number, text);
    struct table_copy copy = {.bytes = (char *)&value, .cap = sizeof(value)};
    return table_get(table, &key, &copy) && memcmp(&value, &number, sizeof(number)) == 0;
}

TEST(each_read_is_counted_while_it_is_recorded_and_only_then)
{
    struct table *table = table_made(1);
    struct trace_recorded recorded;
    CHECK_OK(store(table, 1));
    CHECK(holds(table, 1));
    CHECK_UEQ(table_reads(table, 0), 0);
    CHECK_OK(table_record(table));
    CHECK_EQ(table_record(table), ERR_BUSY);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK(holds(table, 1));
        CHECK(!holds(table, 2));
    }
    CHECK_UEQ(table_reads(table, 0), 200);
    table_record_end(table, &recorded);
    free(recorded.events);
    CHECK(holds(table, 1));
    CHECK_UEQ(table_reads(table, 0), 200);
    table_free(table);
}
END_TEST

TEST(growth_is_an_event_with_its_shard)
{
    struct table *table = table_made(2);
    struct trace_recorded recorded;
    unsigned begins[2] = {0, 0}, steps[2] = {0, 0};
    CHECK_OK(table_record(table));
    for (uint32_t i = 0; i < 200; i++) {
        CHECK_OK(store(table, i));
    }
    table_record_end(table, &recorded);
    for (size_t i = 0; i < recorded.count; i++) {
        const struct trace_event *event = &recorded.events[i];
        CHECK_EQ(event->kind, TRACE_GROWTH);
        begins[event->shard] += strcmp(event->site, "growth: begins") == 0;
        steps[event->shard] += strcmp(event->site, "growth: step") == 0;
    }
    CHECK(begins[0] > 0 && begins[1] > 0 && steps[0] > 0 && steps[1] > 0);
    CHECK_UEQ(recorded.dropped, 0);
    free(recorded.events);
    table_free(table);
}
END_TEST

struct storm {
    struct table *table;
    _Atomic uint32_t stored; // keys below are there
    atomic_bool over;
    atomic_uint missed;
};

static void *read_all(void *arg)
{
    struct storm *storm = arg;
    while (!atomic_load(&storm->over)) {
        const uint32_t count = atomic_load_explicit(&storm->stored, memory_order_acquire);
        for (uint32_t i = 0; i < count; i += 1 + count / 64) {
            atomic_fetch_add(&storm->missed, holds(storm->table, i) ? 0 : 1);
        }
    }
    return NULL;
}

static void *store_all(void *arg)
{
    struct storm *storm = arg;
    for (uint32_t i = 0; i < KEYS; i++) {
        atomic_fetch_add(&storm->missed, store(storm->table, i) == ERR_OK ? 0 : 1);
        atomic_store_explicit(&storm->stored, i + 1, memory_order_release);
    }
    return NULL;
}

TEST(who_reads_while_recording_begins_and_ends_misses_nothing)
{
    struct storm storm = {.table = table_made(2)};
    pthread_t readers[READERS], writer;
    for (unsigned i = 0; i < READERS; i++) {
        CHECK_EQ(pthread_create(&readers[i], NULL, read_all, &storm), 0);
    }
    CHECK_EQ(pthread_create(&writer, NULL, store_all, &storm), 0);
    while (atomic_load(&storm.stored) < KEYS ||
           table_reads(storm.table, 0) + table_reads(storm.table, 1) == 0) {
        struct trace_recorded recorded;
        CHECK_OK(table_record(storm.table));
        table_record_end(storm.table, &recorded);
        free(recorded.events);
    }
    pthread_join(writer, NULL);
    atomic_store(&storm.over, true);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
    }
    CHECK_UEQ(atomic_load(&storm.missed), 0);
    table_free(storm.table);
}
END_TEST

TEST(of_a_large_shard_a_part_is_looked_at)
{
    struct table *table = table_made(1);
    struct table_shard_stats stats;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < 30000; i++) {
        CHECK_OK(store(table, i));
    }
    table_shard_stats(table, 0, &stats);
    for (unsigned i = 0; i < TABLE_PROBE_CLASSES; i++) {
        seen += stats.probes[i];
    }
    CHECK_UEQ(stats.records, 30000);
    CHECK(seen > 5000 && seen < 25000);
    CHECK(stats.probes[0] > seen / 2);
    CHECK_UEQ(stats.lock.entries, 30000); // looking is no write
    table_free(table);
}
END_TEST

static bool walk(void *arg)
{
    struct trace_recorded recorded;
    if (table_record(arg) != ERR_OK) {
        return false;
    }
    table_record_end(arg, &recorded);
    free(recorded.events);
    return true;
}

TEST(without_memory_nothing_is_recorded)
{
    struct table *table = table_made(1);
    CHECK_UEQ(failalloc_each(walk, table), 1);
    table_free(table);
}
END_TEST

SUITE("localmap/table_debug", T(each_read_is_counted_while_it_is_recorded_and_only_then),
      T(growth_is_an_event_with_its_shard),
      T(who_reads_while_recording_begins_and_ends_misses_nothing),
      T(of_a_large_shard_a_part_is_looked_at), T(without_memory_nothing_is_recorded));
