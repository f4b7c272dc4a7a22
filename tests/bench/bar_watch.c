// SPDX-License-Identifier: Apache-2.0
// Two real daemons: from a PUT at the admin API of one to the event at a watch of the other, one write at a
// time after an idle moment, in turns with XADD to blocked XREAD on the same server.  The way has five
// wake-ups more than the raw one (two workers, two loops, one of them twice), so it is told and not barred.
#include "tests/bench/bars.h"

#include "tests/bench/ladder.h"
#include "tests/bench/node_process.h"
#include "tests/bench/report.h"
#include "tests/lib/redis_server.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WRITES 500u
#define WARM_UP 50u
#define IDLE_NS 2000000

struct rig {
    struct redis_server server;
    struct node_process a, b;
    struct node_http put, watch;
    struct ladder ladder;
};

static void start(struct rig *rig)
{
    static const char watch[] = "GET /v1/watch?service=pay HTTP/1.1\r\nHost: localhost\r\n\r\n";
    redis_server_start(&rig->server, NULL);
    ladder_open(&rig->ladder, rig->server.socket);
    node_process_start(&rig->a, "a", rig->server.dir, rig->server.url);
    node_process_start(&rig->b, "b", rig->server.dir, rig->server.url);
    node_process_await_ready(&rig->a);
    node_process_await_ready(&rig->b);
    node_http_open(&rig->put, &rig->a);
    node_http_open(&rig->watch, &rig->b);
    node_http_send(&rig->watch, span_of(watch, sizeof(watch) - 1));
    node_http_await(&rig->watch, ": watching\n\n");
}

static void stop(struct rig *rig)
{
    char config[128];
    node_http_close(&rig->put);
    node_http_close(&rig->watch);
    node_process_stop(&rig->a);
    node_process_stop(&rig->b);
    snprintf(config, sizeof(config), "%s/mesh.yaml", rig->server.dir);
    (void)unlink(config);
    ladder_close(&rig->ladder);
    redis_server_stop(&rig->server);
}

static double watch_us(struct rig *rig, unsigned turn)
{
    char body[128];
    char request[512];
    char event[64];
    int body_len = snprintf(body, sizeof(body),
                            "{\"address\":\"10.0.0.1\",\"port\":8080,"
                            "\"labels\":{\"release\":\"1.4.%u\",\"track\":\"stable\"}}",
                            turn);
    int len = snprintf(request, sizeof(request),
                       "PUT /v1/services/pay/instances/pay-1 HTTP/1.1\r\nHost: localhost\r\n"
                       "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                       body_len, body);
    snprintf(event, sizeof(event), "\"release\":\"1.4.%u\"", turn);
    double start_us = report_now_us();
    node_http_send(&rig->put, span_of(request, (size_t)len));
    node_http_await(&rig->watch, event);
    double took_us = report_now_us() - start_us;
    node_http_await(&rig->put, event); // the answer shows the instance as well
    node_http_await(&rig->put, "}");
    return took_us;
}

void bar_watch(void)
{
    static struct rig rig;
    static struct report_samples raw, watch;
    const struct timespec pause = {0, IDLE_NS};
    start(&rig);
    for (unsigned i = 0; i < WARM_UP + WRITES; i++) {
        ladder_block(&rig.ladder, LADDER_XADD);
        nanosleep(&pause, NULL);
        double raw_took_us = ladder_write_us(&rig.ladder);
        nanosleep(&pause, NULL);
        double watch_took_us = watch_us(&rig, i);
        if (i >= WARM_UP) {
            report_add(&raw, raw_took_us);
            report_add(&watch, watch_took_us);
        }
    }
    stop(&rig);
    double raw_p50 = report_quantile(&raw, 0.5);
    double watch_p50 = report_quantile(&watch, 0.5);
    report_row("watch", "raw XADD to XREAD of 1 stream, p50 us", raw_p50);
    report_row("watch", "raw XADD to XREAD of 1 stream, p99 us", report_quantile(&raw, 0.99));
    report_row("watch", "PUT on one daemon to SSE of its peer, p50 us", watch_p50);
    report_row("watch", "PUT on one daemon to SSE of its peer, p99 us",
               report_quantile(&watch, 0.99));
    report_row("watch", "PUT to SSE / raw, p50", watch_p50 / raw_p50);
}
