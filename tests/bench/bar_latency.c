// SPDX-License-Identifier: Apache-2.0
// Two nodes on one loop beside a raw writer and a raw reader, all of them in this thread, so that each way is
// one crossing to the server and one wake-up back.  Raw and mesh take turns, write by write, and between
// two writes nothing happens.  (With a thread for each end the scheduler is what is measured: on two cores
// the ends and the server then wait for each other.)
#include "tests/bench/bars.h"

#include "base/loop.h"
#include "tests/bench/mesh.h"
#include "tests/bench/raw.h"
#include "tests/bench/report.h"
#include "tests/bench/sample.h"
#include "tests/lib/redis_server.h"

#include <stdio.h>

#define WRITES 1500u
#define WARM_UP 100u
#define IDLE_MS 1
#define GIVE_UP_US 10e6
#define LIMIT 2.0

struct rig {
    struct redis_server server;
    struct loop *loop;
    struct mesh_node writer, peer;
    struct raw raw_writer, raw_reader;
    struct sample sample;
};

static void await_joined(struct rig *rig)
{
    double until_us = report_now_us() + GIVE_UP_US;
    while (!mesh_is_joined(&rig->writer) || !mesh_is_joined(&rig->peer)) {
        loop_run_once(rig->loop, 20);
        if (report_now_us() > until_us) {
            report_give_up("the nodes did not join");
        }
    }
}

static void start(struct rig *rig)
{
    redis_server_start(&rig->server, NULL);
    raw_open(&rig->raw_writer, rig->server.socket);
    raw_open(&rig->raw_reader, rig->server.socket);
    if (loop_new(&rig->loop) != ERR_OK) {
        report_give_up("no memory");
    }
    mesh_init(&rig->writer, "node-a");
    mesh_init(&rig->peer, "node-b");
    mesh_connect(&rig->writer, rig->loop, rig->server.url);
    mesh_connect(&rig->peer, rig->loop, rig->server.url);
    const struct sample_wish wish = {.kind = SAMPLE_REGISTRATION};
    sample_make(&wish, &rig->sample);
    rig->peer.watched = key_span(&rig->sample.key);
    await_joined(rig);
}

static void stop(struct rig *rig)
{
    mesh_fini(&rig->writer);
    mesh_fini(&rig->peer);
    loop_free(rig->loop);
    raw_close(&rig->raw_writer);
    raw_close(&rig->raw_reader);
    redis_server_stop(&rig->server);
}

static void raw_block(struct raw *reader, const char *after)
{
    raw_command(reader, 6);
    raw_arg_str(reader, "XREAD");
    raw_arg_str(reader, "BLOCK");
    raw_arg_str(reader, "5000");
    raw_arg_str(reader, "STREAMS");
    raw_arg_str(reader, "bare");
    raw_arg_str(reader, after);
    raw_flush(reader);
}

// The reader waits before the clock starts, as the peer does.
static double raw_us(struct rig *rig)
{
    struct raw *writer = &rig->raw_writer;
    raw_block(&rig->raw_reader, "$");
    loop_run_once(rig->loop, IDLE_MS);
    double start_us = report_now_us();
    raw_command(writer, 5);
    raw_arg_str(writer, "XADD");
    raw_arg_str(writer, "bare");
    raw_arg_str(writer, "*");
    raw_arg(writer, key_span(&rig->sample.key));
    raw_arg(writer, sample_value(&rig->sample));
    raw_flush(writer);
    raw_skip(&rig->raw_reader);
    double took_us = report_now_us() - start_us;
    raw_skip(writer);
    return took_us;
}

static double mesh_us(struct rig *rig, uint32_t turn)
{
    char body[SAMPLE_VALUE_MAX];
    struct codec_value value;
    struct patch patch = {.op = PATCH_PUT};
    const struct sample_wish wish = {.kind = SAMPLE_REGISTRATION, .turn = turn};
    sample_make(&wish, &rig->sample);
    if (codec_value_parse(sample_value(&rig->sample), &value) != ERR_OK) {
        report_give_up("a sample does not decode");
    }
    memcpy(body, value.body.ptr, value.body.len);
    if (codec_body_read(KEY_REGISTRATION, span_of(body, value.body.len), &patch.record) != ERR_OK) {
        report_give_up("a sample does not decode");
    }
    const struct core_event event = {.type = CORE_EV_WRITE,
                                     .write = {.key = key_span(&rig->sample.key), .patch = &patch}};
    rig->peer.applied_us = 0;
    double start_us = report_now_us();
    mesh_step(&rig->writer, &event);
    while (rig->peer.applied_us <= 0) {
        loop_run_once(rig->loop, 20);
        if (report_now_us() > start_us + GIVE_UP_US) {
            report_give_up("a write did not arrive");
        }
    }
    double took_us = rig->peer.applied_us - start_us;
    while (core_get_pending(rig->writer.core) > 0) {
        loop_run_once(rig->loop, 20);
    }
    return took_us;
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
