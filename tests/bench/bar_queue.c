// SPDX-License-Identifier: Apache-2.0
// Writes of one or two threads on their way through the write queue into a real core and map, which publishes
// them to the memory backend meanwhile.  The thread of core is this one.  At the end each key must show what was put
// last, so that none was lost.
#include "base/clock.h"
#include "replicator/queued.h"
#include "replicator/write_queue.h"
#include "stream/memory.h"
#include "tests/bench/bars.h"
#include "tests/bench/mesh.h"
#include "tests/bench/report.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYS 100000u
#define PRODUCERS_MAX 2u
#define RUN_US 500000.0
#define REPETITIONS 5
#define BATCH 64 // as daemon_writes.c
#define TICK_US 100000.0

struct work {
    struct mesh_node node;
    struct memory_server *server;
    struct write_queue *queue;
    struct key_bytes *keys;
    uint32_t *weights; // of each key as put last; 0: never
    atomic_bool stop;
    bool with_core;
    uint64_t consumed;
};

struct producer {
    struct work *work;
    uint32_t first, step; // its keys
    uint64_t puts, refused;
    pthread_t thread;
};

// --- what is measured

static void step_write(struct work *work, const struct core_write *write)
{
    const struct core_event event = {.type = CORE_EV_WRITE, .write = *write};
    mesh_step(&work->node, &event);
}

static void take(void *arg, const struct write_queue_event *event)
{
    struct work *work = arg;
    work->consumed++;
    if (work->with_core) {
        struct queued queued;
        queued_read(event->data, &queued);
        step_write(work, &queued.write);
    }
}

static struct patch patch_new(void)
{
    return (struct patch){.op = PATCH_PUT,
                          .record = {.kind = KEY_REGISTRATION,
                                     .registration = {.address = SPAN_LIT("10.20.30.40"),
                                                      .port = 8080,
                                                      .zone = SPAN_LIT("eu-west-1a")}}};
}

// The next one of a key has another weight, so that each write changes something.
static enum err put(struct work *work, uint32_t key, struct patch *patch)
{
    struct queued_bytes bytes;
    const struct core_write write = {.key = key_span(&work->keys[key]), .patch = patch};
    patch->record.registration.weight = work->weights[key] % 1000000 + 1;
    if (queued_from_write(&write, &bytes) != ERR_OK) {
        report_give_up("a write cannot be encoded");
    }
    const struct write_queue_event event = {.data = span_of(bytes.ptr, bytes.len),
                                            .priority = WRITE_QUEUE_API};
    enum err err = write_queue_put(work->queue, &event, clock_mono());
    if (err == ERR_OK) {
        work->weights[key] = patch->record.registration.weight;
    }
    return err;
}

static void *produce(void *arg)
{
    struct producer *producer = arg;
    struct patch patch = patch_new();
    uint32_t key = producer->first;
    // relaxed: it only says when to end
    while (!atomic_load_explicit(&producer->work->stop, memory_order_relaxed)) {
        if (put(producer->work, key, &patch) == ERR_OK) {
            producer->puts++;
            key = key + producer->step < KEYS ? key + producer->step : producer->first;
        } else {
            producer->refused++;
            (void)sched_yield();
        }
    }
    return NULL;
}

// What the loop of a daemon does between two batches.
static void serve_stream(struct work *work, double *tick_us)
{
    (void)memory_server_step(work->server, clock_mono());
    if (report_now_us() >= *tick_us) {
        *tick_us = report_now_us() + TICK_US;
        mesh_tick(&work->node);
    }
}

static size_t drain(struct work *work)
{
    const struct write_queue_consumer consumer = {take, work, clock_mono()};
    return write_queue_drain(work->queue, BATCH, &consumer);
}

// A second of the clock and a second of CPU of the thread of core: on a machine that others use, too, only the
// latter tells something.
struct rate {
    struct report_samples per_s, per_cpu_s;
};

static void note(struct rate *rate, uint64_t count, double took_us, double cpu_us)
{
    report_add(&rate->per_s, (double)count / took_us * 1e6);
    report_add(&rate->per_cpu_s, (double)count / cpu_us * 1e6);
}

static void consume(struct work *work, struct rate *rate)
{
    double tick_us = 0;
    double began_us = report_now_us();
    double cpu_us = report_cpu_us();
    while (report_now_us() - began_us < RUN_US) {
        if (drain(work) == 0) {
            (void)sched_yield();
        }
        if (work->with_core) {
            serve_stream(work, &tick_us);
        }
    }
    note(rate, work->consumed, report_now_us() - began_us, report_cpu_us() - cpu_us);
}

// --- around it

static void work_init(struct work *work, bool with_core)
{
    const struct memory_options memory = {
        .partitions = MESH_PARTITIONS, .retention = 1000, .seed = 1};
    const struct write_queue_options queue = {.capacity = 1024, .drop_low_percent = 80};
    *work = (struct work){.with_core = with_core};
    work->keys = calloc(KEYS, sizeof(*work->keys));
    work->weights = calloc(KEYS, sizeof(*work->weights));
    mesh_init(&work->node, "node-self");
    if (work->keys == NULL || work->weights == NULL ||
        write_queue_new(&queue, &work->queue) != ERR_OK ||
        memory_server_new(&memory, &work->server) != ERR_OK ||
        memory_client_new(work->server, mesh_on_stream, &work->node, &work->node.stream) !=
            ERR_OK) {
        report_give_up("no memory");
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        char service[32];
        char instance[32];
        (void)snprintf(service, sizeof(service), "service-%u", i / 20);
        (void)snprintf(instance, sizeof(instance), "instance-%u", i);
        key_registration(SPAN_LIT("default"), span_str(service), span_str(instance),
                         &work->keys[i]);
    }
    stream_start(work->node.stream);
    while (!mesh_is_joined(&work->node)) {
        (void)memory_server_step(work->server, clock_mono());
        mesh_tick(&work->node);
    }
}

static void verify(const struct work *work)
{
    static struct map_copy copy;
    for (uint32_t i = 0; i < KEYS; i++) {
        if (work->weights[i] == 0) {
            continue;
        }
        struct record record;
        if (!map_get(work->node.map, key_span(&work->keys[i]), &copy) ||
            codec_body_read(KEY_REGISTRATION, map_copy_body(&copy), &record) != ERR_OK ||
            record.registration.weight != work->weights[i]) {
            report_give_up("a key does not show what was put last");
        }
    }
}

static void work_fini(struct work *work)
{
    while (drain(work) > 0) {
    }
    if (work->with_core) {
        verify(work);
    }
    write_queue_close(work->queue);
    write_queue_free(work->queue);
    mesh_fini(&work->node);
    memory_server_free(work->server);
    free(work->keys);
    free(work->weights);
}

struct cell {
    struct rate rate;
    struct report_samples refused; // per cent of the puts
};

static void measure(uint32_t count, bool with_core, struct cell *cell)
{
    static struct work work;
    struct producer producers[PRODUCERS_MAX];
    uint64_t puts = 0;
    uint64_t in_vain = 0;
    work_init(&work, with_core);
    for (uint32_t i = 0; i < count; i++) {
        producers[i] = (struct producer){.work = &work, .first = i, .step = count};
        if (pthread_create(&producers[i].thread, NULL, produce, &producers[i]) != 0) {
            report_give_up("no thread");
        }
    }
    consume(&work, &cell->rate);
    atomic_store_explicit(&work.stop, true, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        (void)pthread_join(producers[i].thread, NULL);
        puts += producers[i].puts;
        in_vain += producers[i].refused;
    }
    report_add(&cell->refused, (double)in_vain / (double)(puts + in_vain) * 100);
    work_fini(&work);
}

// The same writes without a queue, made and decided by one thread.
static void measure_core(struct rate *rate)
{
    static struct work work;
    struct patch patch = patch_new();
    double tick_us = 0;
    uint32_t key = 0;
    work_init(&work, true);
    double began_us = report_now_us();
    double cpu_us = report_cpu_us();
    while (report_now_us() - began_us < RUN_US) {
        for (int i = 0; i < BATCH; i++) {
            const struct core_write write = {.key = key_span(&work.keys[key]), .patch = &patch};
            patch.record.registration.weight = ++work.weights[key];
            step_write(&work, &write);
            work.consumed++;
            key = (key + 1) % KEYS;
        }
        serve_stream(&work, &tick_us);
    }
    note(rate, work.consumed, report_now_us() - began_us, report_cpu_us() - cpu_us);
    work_fini(&work);
}

static void show(const char *what, struct rate *rate)
{
    char text[96];
    (void)snprintf(text, sizeof(text), "%s, writes/s", what);
    report_row("queue", text, report_quantile(&rate->per_s, 0.5));
    (void)snprintf(text, sizeof(text), "%s, writes per second of CPU of core's thread", what);
    report_row("queue", text, report_quantile(&rate->per_cpu_s, 0.5));
}

void bar_queue(void)
{
    static struct rate core;
    static struct cell alone[PRODUCERS_MAX], whole[PRODUCERS_MAX];
    for (int i = 0; i < REPETITIONS; i++) {
        measure_core(&core);
        for (uint32_t count = 1; count <= PRODUCERS_MAX; count++) {
            measure(count, false, &alone[count - 1]);
            measure(count, true, &whole[count - 1]);
        }
    }
    show("core without a queue, one thread", &core);
    for (uint32_t i = 0; i < PRODUCERS_MAX; i++) {
        char what[64];
        (void)snprintf(what, sizeof(what), "queue without core, %u to write", i + 1);
        show(what, &alone[i].rate);
        (void)snprintf(what, sizeof(what), "queue and core, %u to write", i + 1);
        show(what, &whole[i].rate);
        (void)snprintf(what, sizeof(what), "queue and core, %u to write, refused, per cent", i + 1);
        report_row("queue", what, report_quantile(&whole[i].refused, 0.5));
    }
}
