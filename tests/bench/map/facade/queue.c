// SPDX-License-Identifier: Apache-2.0
// A write's way in the daemon without the daemon: producers encode and put into the write queue; one consumer, as the
// loop does, takes batches of 64, hands each to core, which shows it in the map, and lets a stream in this process
// accept what core appends.  A put that the queue refuses is counted and tried again after a yield.
#include "base/clock.h"
#include "replicator/queued.h"
#include "replicator/write_queue.h"
#include "stream/memory.h"
#include "tests/bench/map/facade/facade.h"
#include "tests/bench/map/measure.h"
#include "tests/bench/mesh.h"
#include "tests/bench/report.h"
#include "tests/bench/sample.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define PRODUCERS_MAX 8u
#define KEYS 10000u
#define BATCH 64
#define TICK_US 100000

struct lane {
    struct write_queue *queue;
    const atomic_bool *stop; // relaxed: nothing is handed over by it
    const struct key_bytes *keys;
    unsigned number;
    uint64_t refused;
    pthread_t thread;
};

struct intake {
    struct mesh_node node;
    struct memory_server *server;
    uint64_t taken;
};

static void encode(const struct lane *lane, uint32_t i, struct queued_bytes *ret_bytes)
{
    struct patch patch = {
        .op = PATCH_MERGE, .mask = PATCH_WEIGHT, .record = {.kind = KEY_REGISTRATION}};
    patch.record.registration.weight = 1 + (i / KEYS + lane->number) % 1000;
    const struct core_write write = {.key = key_span(&lane->keys[i % KEYS]), .patch = &patch};
    if (queued_from_write(&write, ret_bytes) != ERR_OK) {
        report_give_up("a write does not encode");
    }
}

static void *produce(void *arg)
{
    struct lane *lane = arg;
    uint64_t refused = 0;
    for (uint32_t i = lane->number * 4999;; i += 7) {
        struct queued_bytes bytes;
        encode(lane, i, &bytes);
        const struct write_queue_event event = {.data = span_of(bytes.ptr, bytes.len),
                                                .priority = WRITE_QUEUE_API};
        while (write_queue_put(lane->queue, &event, clock_mono()) != ERR_OK) {
            if (atomic_load_explicit(lane->stop, memory_order_relaxed)) {
                lane->refused = refused;
                return NULL;
            }
            refused++;
            sched_yield();
        }
    }
}

static void take(void *arg, const struct write_queue_event *event)
{
    struct intake *intake = arg;
    struct queued queued;
    queued_read(event->data, &queued);
    const struct core_event core_event = {.type = CORE_EV_WRITE, .write = queued.write};
    mesh_step(&intake->node, &core_event);
    intake->taken++;
}

static void join(struct intake *intake)
{
    const struct memory_options options = {
        .partitions = MESH_PARTITIONS, .retention = 100000, .seed = 1};
    mesh_init(&intake->node, "node-self");
    if (memory_server_new(&options, &intake->server) != ERR_OK ||
        memory_client_new(intake->server, mesh_on_stream, &intake->node, &intake->node.stream) !=
            ERR_OK) {
        report_give_up("no memory");
    }
    stream_start(intake->node.stream);
    while (!mesh_is_joined(&intake->node)) {
        (void)memory_server_step(intake->server, clock_mono());
        mesh_tick(&intake->node);
    }
}

// The records that the producers change.
static struct key_bytes *register_all(struct intake *intake)
{
    struct key_bytes *keys = measure_memory(KEYS * sizeof(*keys));
    for (uint32_t i = 0; i < KEYS; i++) {
        struct facade_record record;
        struct patch patch = {.op = PATCH_PUT, .record = {.kind = KEY_REGISTRATION}};
        facade_record(i, &record);
        keys[i] = record.key;
        patch.record.registration.address = SPAN_LIT("10.0.0.1");
        patch.record.registration.port = 8080;
        patch.record.registration.weight = 1;
        const struct core_event event = {.type = CORE_EV_WRITE,
                                         .write = {.key = key_span(&keys[i]), .patch = &patch}};
        mesh_step(&intake->node, &event);
        (void)memory_server_step(intake->server, clock_mono());
    }
    return keys;
}

static void consume(struct intake *intake, struct write_queue *queue, double seconds)
{
    double began = report_now_us();
    double ticked = began;
    for (double now = began; now - began < seconds * 1e6; now = report_now_us()) {
        const struct write_queue_consumer consumer = {
            .take = take, .arg = intake, .now = clock_mono()};
        (void)write_queue_drain(queue, BATCH, &consumer);
        (void)memory_server_step(intake->server, clock_mono());
        if (now - ticked >= TICK_US) {
            ticked = now;
            mesh_tick(&intake->node);
        }
    }
}

static uint64_t stop_all(struct lane *lanes, unsigned count, atomic_bool *stop)
{
    uint64_t refused = 0;
    atomic_store_explicit(stop, true, memory_order_relaxed);
    write_queue_close(lanes[0].queue);
    for (unsigned i = 0; i < count; i++) {
        pthread_join(lanes[i].thread, NULL);
        refused += lanes[i].refused;
    }
    return refused;
}

void facade_queue(unsigned producers, unsigned seconds)
{
    static struct intake intake;
    struct lane lanes[PRODUCERS_MAX];
    struct write_queue *queue = NULL;
    atomic_bool stop = false;
    const struct write_queue_options options = {.capacity = 1024, .drop_low_percent = 80};
    if (producers > PRODUCERS_MAX || write_queue_new(&options, &queue) != ERR_OK) {
        report_give_up("too many producers, or no memory");
    }
    join(&intake);
    struct key_bytes *keys = register_all(&intake);
    for (unsigned i = 0; i < producers; i++) {
        lanes[i] = (struct lane){.queue = queue, .stop = &stop, .keys = keys, .number = i};
        if (pthread_create(&lanes[i].thread, NULL, produce, &lanes[i]) != 0) {
            report_give_up("cannot start a thread");
        }
    }
    consume(&intake, queue, seconds);
    uint64_t refused = stop_all(lanes, producers, &stop);
    printf("queue map - %u %.0f %.0f\n", producers, (double)intake.taken / seconds,
           (double)refused / seconds);
    write_queue_free(queue);
    free(keys);
    mesh_fini(&intake.node);
    memory_server_free(intake.server);
}
