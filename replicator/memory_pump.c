// SPDX-License-Identifier: Apache-2.0
#include "replicator/memory_pump.h"

#include "base/clock.h"
#include "base/loop.h"
#include "base/random.h"
#include "stream/memory.h"

#include <stdlib.h>

struct memory_pump {
    struct loop *loop;
    struct memory_server *server;
    struct stream *client;
    struct loop_timer *timer;
};

static void arm(void *arg)
{
    struct memory_pump *pump = arg;
    struct mono next = memory_server_next(pump->server);
    if (next.us == INT64_MAX) {
        loop_timer_cancel(pump->timer);
    } else {
        loop_timer_set(pump->timer, next);
    }
}

static struct mono now_of(void *arg)
{
    return loop_now(((const struct memory_pump *)arg)->loop);
}

static void on_timer(void *arg)
{
    struct memory_pump *pump = arg;
    (void)memory_server_step(pump->server, loop_now(pump->loop));
    arm(pump);
}

enum err memory_pump_new(const struct memory_pump_options *options, struct memory_pump **ret_pump,
                         struct stream **ret_stream)
{
    struct memory_pump *pump = calloc(1, sizeof(*pump));
    if (pump == NULL) {
        return ERR_NOMEM;
    }
    struct mono now = loop_now(options->loop);
    const struct memory_options server = {.partitions = options->partitions,
                                          .retention = options->retention,
                                          .seed = random_u64(),
                                          .wall_offset_ms = clock_wall().ms - now.us / 1000};
    pump->loop = options->loop;
    enum err err = loop_timer_new(options->loop, on_timer, pump, &pump->timer);
    if (err == ERR_OK) {
        err = memory_server_new(&server, &pump->server);
    }
    if (err == ERR_OK) {
        memory_server_on_wake(pump->server, arm, pump);
        memory_server_on_clock(pump->server, now_of, pump);
        err = memory_client_new(pump->server, options->on_event, options->arg, &pump->client);
    }
    if (err != ERR_OK) {
        memory_pump_free(pump);
        return err;
    }
    *ret_pump = pump;
    *ret_stream = pump->client;
    return ERR_OK;
}

void memory_pump_free(struct memory_pump *pump)
{
    if (pump == NULL) {
        return;
    }
    stream_free(pump->client);
    if (pump->server != NULL) {
        memory_server_free(pump->server);
    }
    loop_timer_free(pump->timer);
    free(pump);
}
