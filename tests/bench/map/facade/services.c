// SPDX-License-Identifier: Apache-2.0
// The map's services index, and the same figures in an open-addressed index under one pthread_rwlock.
#include "base/siphash.h"
#include "tests/bench/map/facade/facade.h"
#include "tests/bench/map/measure.h"
#include "tests/bench/report.h"
#include "tests/bench/sample.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVICES 1000u
#define INSTANCES (SERVICES * SAMPLE_PER_SERVICE)
#define CELLS 4096u
#define READS 10000u
#define WRITES 10u
#define ROUNDS 50u
#define THREADS 2u
#define TURNS 5u

struct index {
    pthread_rwlock_t lock; // guards the cells
    uint8_t secret[SIPHASH_KEY_LEN];
    struct map_service cells[CELLS];
};

struct world {
    struct map *map;
    struct index *index;
    struct key_bytes instances[INSTANCES];
    struct key_bytes services[SERVICES];
};

static struct map_service *find(struct index *index, struct span key)
{
    size_t at = siphash13(index->secret, key.ptr, key.len) % CELLS;
    while (index->cells[at].key.len > 0 && !span_eq(key_span(&index->cells[at].key), key)) {
        at = (at + 1) % CELLS;
    }
    return &index->cells[at];
}

static struct world *world_new(void)
{
    struct world *world = measure_memory(sizeof(*world));
    world->map = facade_map();
    world->index = calloc(1, sizeof(*world->index));
    if (world->index == NULL) {
        report_give_up("no memory");
    }
    pthread_rwlock_init(&world->index->lock, NULL);
    for (uint32_t i = 0; i < INSTANCES; i++) {
        struct facade_record record;
        enum put_result result;
        facade_record(i, &record);
        world->instances[i] = record.key;
        if (map_put(world->map, key_span(&record.key), &record.value, 0, 0, &result) != ERR_OK) {
            report_give_up("map_put failed");
        }
        struct key_bytes *service = &world->services[i / SAMPLE_PER_SERVICE];
        struct span name = key_service_prefix(key_span(&record.key));
        service->len = (uint16_t)name.len;
        memcpy(service->ptr, name.ptr, name.len);
        struct map_service *held = find(world->index, name);
        held->key = *service;
        held->instances++;
    }
    return world;
}

static bool read_map(struct world *world, struct span service, struct map_service *ret_service)
{
    return map_service_get(world->map, service, ret_service);
}

static void write_map(struct world *world, uint32_t instance, uint32_t turn)
{
    enum status status = turn % 2 == 0 ? STATUS_HEALTHY : STATUS_UNHEALTHY;
    const struct map_health health = {.health = {.status = status, .raw_status = status}};
    (void)map_set_health(world->map, key_span(&world->instances[instance]), &health, true);
}

// The name by its length: what a copy of all of its bytes would cost is not the lock's fault.
static bool read_index(struct world *world, struct span service, struct map_service *ret_service)
{
    struct index *index = world->index;
    pthread_rwlock_rdlock(&index->lock);
    const struct map_service *held = find(index, service);
    bool found = held->key.len > 0;
    ret_service->key.len = held->key.len;
    memcpy(ret_service->key.ptr, held->key.ptr, held->key.len);
    ret_service->instances = held->instances;
    memcpy(ret_service->by_status, held->by_status, sizeof(held->by_status));
    ret_service->guarded = held->guarded;
    ret_service->revision = held->revision;
    pthread_rwlock_unlock(&index->lock);
    return found;
}

static void write_index(struct world *world, uint32_t instance, uint32_t turn)
{
    struct index *index = world->index;
    struct span service = key_service_prefix(key_span(&world->instances[instance]));
    pthread_rwlock_wrlock(&index->lock);
    struct map_service *held = find(index, service);
    held->by_status[turn % 2 == 0 ? STATUS_HEALTHY : STATUS_UNHEALTHY]++;
    held->revision++;
    pthread_rwlock_unlock(&index->lock);
}

struct way {
    const char *name;
    bool (*read)(struct world *world, struct span service, struct map_service *ret_service);
    void (*write)(struct world *world, uint32_t instance, uint32_t turn);
};

struct runner {
    struct world *world;
    const struct way *way;
    pthread_barrier_t *start;
    unsigned number;
    double ns; // a read
    pthread_t thread;
};

static void *run(void *arg)
{
    struct runner *runner = arg;
    struct world *world = runner->world;
    struct map_service service;
    uint32_t at = runner->number * 77;
    measure_pin(runner->number);
    pthread_barrier_wait(runner->start);
    double began = measure_now_ns();
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < READS; i++) {
            at = (at + 389) % SERVICES;
            if (!runner->way->read(world, key_span(&world->services[at]), &service) ||
                service.instances != SAMPLE_PER_SERVICE) {
                report_give_up("a service is not there, or not whole");
            }
        }
        for (uint32_t i = 0; i < WRITES; i++) {
            runner->way->write(world, (at * 13 + i * 991) % INSTANCES, round);
        }
    }
    runner->ns = (measure_now_ns() - began) / (ROUNDS * READS);
    return NULL;
}

static double turn(struct world *world, const struct way *way)
{
    struct runner runners[THREADS];
    pthread_barrier_t start;
    double sum = 0;
    pthread_barrier_init(&start, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        runners[i] = (struct runner){.world = world, .way = way, .start = &start, .number = i};
        if (pthread_create(&runners[i].thread, NULL, run, &runners[i]) != 0) {
            report_give_up("cannot start a thread");
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(runners[i].thread, NULL);
        sum += runners[i].ns;
    }
    pthread_barrier_destroy(&start);
    return sum / THREADS;
}

void facade_services(void)
{
    static const struct way ways[] = {{"map", read_map, write_map},
                                      {"rwlock-index", read_index, write_index}};
    struct world *world = world_new();
    for (unsigned i = 0; i < TURNS; i++) {
        for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
            printf("services %s - %.2f\n", ways[w].name, turn(world, &ways[w]));
        }
    }
    map_free(world->map);
    pthread_rwlock_destroy(&world->index->lock);
    free(world->index);
    free(world);
}
