// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/map/facade/facade.h"
#include "tests/bench/map/measure.h"
#include "tests/bench/report.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define STACK_LEN ((size_t)256 << 10)

struct member {
    struct map *map;
    pthread_barrier_t *start;
    const struct codec_value *value;
    struct key_bytes *keys;
    uint64_t *took;
    unsigned operations;
    pthread_t thread;
};

static void *work(void *arg)
{
    struct member *member = arg;
    struct map_copy copy;
    bool was_held = false;
    pthread_barrier_wait(member->start);
    for (unsigned i = 0; i < member->operations; i++) {
        uint64_t began = measure_ticks();
        enum err err = map_get_or_put(member->map, key_span(&member->keys[i]), member->value, 0,
                                      &copy, &was_held);
        member->took[i] = measure_ticks() - began;
        if (err != ERR_OK || copy.body_len != member->value->body.len) {
            report_give_up("map_get_or_put failed");
        }
    }
    return NULL;
}

// The same keys as crowdKey of peers/go.
static void make_keys(struct member *member, unsigned number, unsigned new_percent)
{
    for (unsigned i = 0; i < member->operations; i++) {
        bool is_new = i * 61 % 100 < new_percent;
        unsigned instance = is_new ? member->operations + number * member->operations + i : i;
        char service[32];
        char name[32];
        snprintf(service, sizeof(service), "service-%06u", instance / 50);
        snprintf(name, sizeof(name), "pod-%010u", instance);
        key_registration(SPAN_LIT("default"), span_str(service), span_str(name), &member->keys[i]);
    }
}

static void begin(struct member *member)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_LEN);
    if (pthread_create(&member->thread, &attr, work, member) != 0) {
        report_give_up("cannot start so many threads");
    }
    pthread_attr_destroy(&attr);
}

void facade_crowd(unsigned threads, unsigned operations, unsigned new_percent)
{
    struct facade_record record;
    pthread_barrier_t start;
    size_t count = (size_t)threads * operations;
    struct map *map = facade_map();
    struct member *members = measure_memory(threads * sizeof(*members));
    struct key_bytes *keys = measure_memory(count * sizeof(*keys));
    uint64_t *took = measure_memory(count * sizeof(*took));
    double ticks = measure_ticks_per_ns() * 1e3;
    facade_record(0, &record);
    pthread_barrier_init(&start, NULL, threads);
    for (unsigned i = 0; i < threads; i++) {
        members[i] = (struct member){.map = map,
                                     .start = &start,
                                     .value = &record.value,
                                     .keys = &keys[(size_t)i * operations],
                                     .took = &took[(size_t)i * operations],
                                     .operations = operations};
        make_keys(&members[i], i, new_percent);
    }
    for (unsigned i = 0; i < threads; i++) {
        begin(&members[i]);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(members[i].thread, NULL);
    }
    measure_sort(took, count);
    printf("crowd map - %u %u %u %.2f %.2f %.2f %.2f\n", threads, operations, new_percent,
           (double)took[count / 2] / ticks, (double)took[count / 100 * 99] / ticks,
           (double)took[count / 1000 * 999] / ticks, (double)took[count - 1] / ticks);
    pthread_barrier_destroy(&start);
    free(took);
    free(keys);
    free(members);
    map_free(map);
}
