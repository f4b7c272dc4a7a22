// SPDX-License-Identifier: Apache-2.0
// Two nodes beside a raw writer and raw readers, all of them in this thread, each with a loop of its own: the
// writer's is not run before the peer has the record, as the raw writer reads its answer after the raw
// reader has the entry.  So each way is one crossing to the server and one wake-up back.  All take turns,
// write by write, and before each write nothing happens for a while.  (With a thread for each end the
// scheduler is what is measured: on two cores the ends and the server wait for each other.)
#include "tests/bench/bars.h"

#include "base/loop.h"
#include "tests/bench/ladder.h"
#include "tests/bench/mesh.h"
#include "tests/bench/report.h"
#include "tests/bench/sample.h"
#include "tests/lib/redis_server.h"

#include <stdio.h>

#define WRITES 1000u
#define WARM_UP 100u
#define IDLE_US 1000
#define GIVE_UP_US 10e6
#define LIMIT 2.0

struct rig {
    struct redis_server server;
    struct loop *writer_loop, *peer_loop;
    struct mesh_node writer, peer;
    struct ladder ladder;
    struct sample sample;
};

static void turn(struct rig *rig)
{
    loop_run_once(rig->writer_loop, 0);
    loop_run_once(rig->peer_loop, 1);
}

static void await_joined(struct rig *rig)
{
    double until_us = report_now_us() + GIVE_UP_US;
    while (!mesh_is_joined(&rig->writer) || !mesh_is_joined(&rig->peer)) {
        turn(rig);
        if (report_now_us() > until_us) {
            report_give_up("the nodes did not join");
        }
    }
}

static void start(struct rig *rig)
{
    redis_server_start(&rig->server, NULL);
    ladder_open(&rig->ladder, rig->server.socket);
    if (loop_new(&rig->writer_loop) != ERR_OK || loop_new(&rig->peer_loop) != ERR_OK) {
        report_give_up("no memory");
    }
    mesh_init(&rig->writer, "node-a");
    mesh_init(&rig->peer, "node-b");
    mesh_connect(&rig->writer, rig->writer_loop, rig->server.url);
    mesh_connect(&rig->peer, rig->peer_loop, rig->server.url);
    await_joined(rig);
    const struct sample_wish wish = {.kind = SAMPLE_REGISTRATION};
    sample_make(&wish, &rig->sample);
    rig->peer.watched = key_span(&rig->sample.key);
}

static void stop(struct rig *rig)
{
    mesh_fini(&rig->writer);
    mesh_fini(&rig->peer);
    loop_free(rig->writer_loop);
    loop_free(rig->peer_loop);
    ladder_close(&rig->ladder);
    redis_server_stop(&rig->server);
}

// Both nodes have done what a write leaves to be done, and then nothing happens.
static void idle(struct rig *rig)
{
    while (core_get_pending(rig->writer.core) > 0 || rig->writer.puts_out > 0) {
        turn(rig);
    }
    double until_us = report_now_us() + IDLE_US;
    while (report_now_us() < until_us) {
        turn(rig);
    }
}

static double mesh_us(struct rig *rig, uint32_t number)
{
    char body[SAMPLE_VALUE_MAX];
    struct codec_value value;
    struct patch patch = {.op = PATCH_PUT};
    const struct sample_wish wish = {.kind = SAMPLE_REGISTRATION, .turn = number};
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
    rig->peer.give_up_us = start_us + GIVE_UP_US;
    mesh_step(&rig->writer, &event);
    loop_run_late(rig->writer_loop);
    loop_run(rig->peer_loop); // until the record is there
    return rig->peer.applied_us - start_us;
}

static double tell(const char *what, struct report_samples *samples)
{
    char text[96];
    double p50 = report_quantile(samples, 0.5);
    snprintf(text, sizeof(text), "%s, p50 us", what);
    report_row("latency", text, p50);
    snprintf(text, sizeof(text), "%s, p99 us", what);
    report_row("latency", text, report_quantile(samples, 0.99));
    return p50;
}

void bar_latency(void)
{
    static struct rig rig;
    static struct report_samples rungs[LADDER_RUNGS], mesh;
    start(&rig);
    for (uint32_t i = 0; i < WARM_UP + WRITES; i++) {
        for (enum ladder_rung rung = 0; rung < LADDER_RUNGS; rung++) {
            ladder_block(&rig.ladder, rung);
            idle(&rig);
            double took_us = ladder_write_us(&rig.ladder);
            if (i >= WARM_UP) {
                report_add(&rungs[rung], took_us);
            }
        }
        idle(&rig);
        double took_us = mesh_us(&rig, i);
        if (i >= WARM_UP) {
            report_add(&mesh, took_us);
        }
    }
    stop(&rig);
    for (enum ladder_rung rung = 0; rung < LADDER_RUNGS; rung++) {
        tell(ladder_name(rung), &rungs[rung]);
    }
    double mesh_p50 = tell("write on one node to map of its peer", &mesh);
    const struct report_bar bar = {"latency-idle-p50-to-raw",
                                   mesh_p50 / report_quantile(&rungs[LADDER_XADD], 0.5),
                                   REPORT_AT_MOST, LIMIT};
    report_bar(&bar);
}
