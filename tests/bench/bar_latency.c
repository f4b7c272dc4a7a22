// SPDX-License-Identifier: Apache-2.0
// A node and a raw writer in this thread; the node's peer and a raw reader have a thread each, as the two ends
// of a mesh have.  Raw and mesh take turns, write by write, and between two writes nothing happens.
#include "tests/bench/bars.h"

#include "base/loop.h"
#include "tests/bench/mesh.h"
#include "tests/bench/raw.h"
#include "tests/bench/report.h"
#include "tests/bench/sample.h"
#include "tests/lib/redis_server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define WRITES 1500u
#define WARM_UP 100u
#define IDLE_MS 1
#define GIVE_UP_US 10e6
#define LIMIT 2.0

struct rig {
    struct redis_server server;
    struct loop *loop, *peer_loop;
    struct mesh_node writer, peer;
    pthread_t peer_thread;
    atomic_bool peer_joined; // release; pairs with the acquire in start
    struct raw raw_writer;
    pthread_t reader_thread;
    atomic_bool reader_stop;     // relaxed: it publishes nothing
    atomic_int_fast64_t read_ns; // release; pairs with the acquire in await
    struct sample sample;        // its key stays while the peer runs
};

static struct loop *open_loop(void)
{
    struct loop *loop = NULL;
    if (loop_new(&loop) != ERR_OK) {
        report_give_up("no memory");
    }
    return loop;
}

static void run_until_joined(struct loop *loop, const struct mesh_node *node)
{
    double until_us = report_now_us() + GIVE_UP_US;
    while (!mesh_is_joined(node)) {
        loop_run_once(loop, 20);
        if (report_now_us() > until_us) {
            report_give_up("a node did not join");
        }
    }
}

static void *run_peer(void *arg)
{
    struct rig *rig = arg;
    rig->peer_loop = open_loop();
    mesh_init(&rig->peer, "node-b");
    rig->peer.watched = key_span(&rig->sample.key);
    mesh_connect(&rig->peer, rig->peer_loop, rig->server.url);
    run_until_joined(rig->peer_loop, &rig->peer);
    atomic_store_explicit(&rig->peer_joined, true, memory_order_release);
    loop_run(rig->peer_loop);
    mesh_fini(&rig->peer);
    loop_free(rig->peer_loop);
    return NULL;
}

// Waits in XREAD from the last entry on; stands at `after` when it has read one.
static bool read_one(struct raw *reader, char after[STREAM_ID_LEN])
{
    raw_command(reader, 8);
    raw_arg_str(reader, "XREAD");
    raw_arg_str(reader, "COUNT");
    raw_arg_str(reader, "1");
    raw_arg_str(reader, "BLOCK");
    raw_arg_str(reader, "500");
    raw_arg_str(reader, "STREAMS");
    raw_arg_str(reader, "bare");
    raw_arg_str(reader, after);
    raw_flush(reader);
    if (raw_next(reader).number < 0) {
        return false; // nothing came
    }
    for (int i = 0; i < 4; i++) {
        raw_next(reader); // the stream, its name, its entries, the entry
    }
    struct span id = raw_next(reader).text;
    snprintf(after, STREAM_ID_LEN, "%.*s", (int)id.len, id.ptr);
    raw_skip(reader);
    return true;
}

static void *run_reader(void *arg)
{
    struct rig *rig = arg;
    struct raw reader;
    char after[STREAM_ID_LEN] = "0";
    raw_open(&reader, rig->server.socket);
    while (!atomic_load_explicit(&rig->reader_stop, memory_order_relaxed)) {
        if (read_one(&reader, after)) {
            atomic_store_explicit(&rig->read_ns, (int64_t)(report_now_us() * 1e3),
                                  memory_order_release);
        }
    }
    raw_close(&reader);
    return NULL;
}

static void start(struct rig *rig)
{
    const struct sample_wish wish = {.kind = SAMPLE_REGISTRATION};
    redis_server_start(&rig->server, NULL);
    raw_open(&rig->raw_writer, rig->server.socket);
    sample_make(&wish, &rig->sample);
    if (pthread_create(&rig->peer_thread, NULL, run_peer, rig) != 0 ||
        pthread_create(&rig->reader_thread, NULL, run_reader, rig) != 0) {
        report_give_up("no thread");
    }
    rig->loop = open_loop();
    mesh_init(&rig->writer, "node-a");
    mesh_connect(&rig->writer, rig->loop, rig->server.url);
    run_until_joined(rig->loop, &rig->writer);
    while (!atomic_load_explicit(&rig->peer_joined, memory_order_acquire)) {
        loop_run_once(rig->loop, 20);
    }
}

static void stop(struct rig *rig)
{
    loop_stop(rig->peer_loop);
    pthread_join(rig->peer_thread, NULL);
    atomic_store_explicit(&rig->reader_stop, true, memory_order_relaxed);
    pthread_join(rig->reader_thread, NULL);
    mesh_fini(&rig->writer);
    loop_free(rig->loop);
    raw_close(&rig->raw_writer);
    redis_server_stop(&rig->server);
}

// The loop runs meanwhile: the writer's node has its own replies to read.
static double await_us(struct rig *rig, atomic_int_fast64_t *at_ns, double start_us)
{
    int_fast64_t ns = 0;
    while (ns == 0 || core_get_pending(rig->writer.core) > 0) {
        loop_run_once(rig->loop, 1);
        ns = atomic_load_explicit(at_ns, memory_order_acquire);
        if (report_now_us() > start_us + GIVE_UP_US) {
            report_give_up("a write did not arrive");
        }
    }
    return (double)ns / 1e3 - start_us;
}

static double raw_us(struct rig *rig)
{
    struct raw *writer = &rig->raw_writer;
    atomic_store_explicit(&rig->read_ns, 0, memory_order_relaxed);
    double start_us = report_now_us();
    raw_command(writer, 5);
    raw_arg_str(writer, "XADD");
    raw_arg_str(writer, "bare");
    raw_arg_str(writer, "*");
    raw_arg(writer, key_span(&rig->sample.key));
    raw_arg(writer, sample_value(&rig->sample));
    raw_flush(writer);
    raw_skip(writer);
    return await_us(rig, &rig->read_ns, start_us);
}

static double mesh_us(struct rig *rig, uint32_t turn)
{
    struct codec_value value;
    struct patch patch = {.op = PATCH_PUT};
    const struct sample_wish wish = {.kind = SAMPLE_REGISTRATION, .turn = turn};
    struct sample sample;
    sample_make(&wish, &sample);
    if (codec_value_parse(sample_value(&sample), &value) != ERR_OK) {
        report_give_up("a sample does not decode");
    }
    if (codec_body_read(KEY_REGISTRATION, value.body, &patch.record) != ERR_OK) {
        report_give_up("a sample does not decode");
    }
    const struct core_event event = {.type = CORE_EV_WRITE,
                                     .write = {.key = key_span(&sample.key), .patch = &patch}};
    atomic_store_explicit(&rig->peer.applied_ns, 0, memory_order_relaxed);
    double start_us = report_now_us();
    mesh_step(&rig->writer, &event);
    return await_us(rig, &rig->peer.applied_ns, start_us);
}

void bar_latency(void)
{
    static struct rig rig;
    static struct report_samples raw, mesh;
    start(&rig);
    for (uint32_t i = 0; i < WARM_UP + WRITES; i++) {
        double raw_took_us = raw_us(&rig);
        loop_run_once(rig.loop, IDLE_MS);
        double mesh_took_us = mesh_us(&rig, i);
        if (i >= WARM_UP) {
            report_add(&raw, raw_took_us);
            report_add(&mesh, mesh_took_us);
        }
    }
    stop(&rig);
    double raw_p50 = report_quantile(&raw, 0.5);
    double mesh_p50 = report_quantile(&mesh, 0.5);
    report_row("latency", "raw XADD to blocked XREAD, p50 us", raw_p50);
    report_row("latency", "raw XADD to blocked XREAD, p99 us", report_quantile(&raw, 0.99));
    report_row("latency", "write on one node to map of its peer, p50 us", mesh_p50);
    report_row("latency", "write on one node to map of its peer, p99 us",
               report_quantile(&mesh, 0.99));
    const struct report_bar bar = {"latency-idle-p50-to-raw", mesh_p50 / raw_p50, REPORT_AT_MOST,
                                   LIMIT};
    report_bar(&bar);
}
