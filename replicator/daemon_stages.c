// SPDX-License-Identifier: Apache-2.0
// The rows of the daemon's life, in order.  Sockets are bound before anything is written anywhere; writes of
// the file come before the stream is live, so that core can drop those that change nothing.
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/random.h"
#include "localmap/map.h"
#include "replicator/admin_stage.h"
#include "replicator/board.h"
#include "replicator/check_stage.h"
#include "replicator/config.h"
#include "replicator/daemon_state.h"
#include "replicator/daemon_writes.h"
#include "replicator/driver.h"
#include "replicator/files_stage.h"
#include "replicator/memory_stage.h"
#include "replicator/notify.h"
#include "replicator/seed.h"
#include "replicator/stream_stage.h"
#include "replicator/watchdog_stage.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

static int failed(const char *what, enum err err)
{
    return err == ERR_OK ? 0 : daemon_complain(DAEMON_EXIT_FAILED, what, err_text(err));
}

// --- small stages

static int log_start(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    log_setup((enum log_level)config->log_level, (enum log_format)config->log_format);
    return 0;
}

static int start_loop(struct daemon *daemon)
{
    return failed("loop", loop_new(&daemon->loop));
}

static void stop_loop(struct daemon *daemon)
{
    loop_free(daemon->loop);
}

// Whoever follows the changefeed is told that it grew.  On the loop's thread.
static void on_change(void *arg)
{
    struct daemon *daemon = arg;
    admin_stage_wake(daemon);
    files_stage_wake(daemon);
}

static enum err set_quotas(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    enum err err = map_set_quota(daemon->map, SPAN_NONE, config->map_quota);
    for (uint32_t i = 0; err == ERR_OK && i < config->tenant_count; i++) {
        err = map_set_quota(daemon->map, config->tenants[i].name, config->tenants[i].quota);
    }
    return err;
}

static int start_map(struct daemon *daemon)
{
    const struct map_options options = {.shards = daemon->config->map_shards,
                                        .partitions = daemon->config->stream_partitions,
                                        .changefeed = daemon->config->map_changefeed,
                                        .instance = random_u64() >> 40};
    enum err err = map_new(&options, &daemon->map);
    if (err == ERR_OK) {
        map_on_change(daemon->map, on_change, daemon);
        err = set_quotas(daemon);
    }
    return failed("map", err);
}

static void tell_user(void *arg, const struct map_user *user)
{
    (void)arg;
    log_event(LOG_ERROR, "map", log_text("left", user->name), log_text("made_at", user->where),
              log_text("why", "it was not ended before the map"));
}

// A map that somebody still uses is left to the end of the process: its writes are refused, its memory stays.
static void stop_map(struct daemon *daemon)
{
    if (map_close(daemon->map, tell_user, NULL) == 0) {
        map_free(daemon->map);
    }
}

static int start_board(struct daemon *daemon)
{
    enum err err =
        board_new(daemon->config->node_id, daemon->config->stream_partitions, &daemon->board);
    if (err == ERR_OK) {
        board_ticked(daemon->board, clock_mono());
    }
    return failed("board", err);
}

static void stop_board(struct daemon *daemon)
{
    board_free(daemon->board);
}

static int start_seed(struct daemon *daemon)
{
    return failed("services", seed_new(daemon->config, &daemon->seed));
}

static void stop_seed(struct daemon *daemon)
{
    seed_free(daemon->seed);
}

// --- driver

// The addresses of this host, for `observers: local`.  Without them only loopback counts as local.
static void find_local_addresses(struct daemon *daemon)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0) {
        log_event(LOG_WARN, "addresses",
                  log_text("why", "the addresses of this host cannot be read"));
        all = NULL;
    }
    uint32_t count = 0;
    for (const struct ifaddrs *i = all; i != NULL && count < DAEMON_LOCAL_ADDRESSES_MAX;
         i = i->ifa_next) {
        if (i->ifa_addr == NULL ||
            (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6)) {
            continue;
        }
        struct address address = {.len = i->ifa_addr->sa_family == AF_INET
                                             ? (socklen_t)sizeof(struct sockaddr_in)
                                             : (socklen_t)sizeof(struct sockaddr_in6)};
        memcpy(&address.storage, i->ifa_addr, address.len);
        address_format_ip(&address, daemon->local_texts[count]);
        daemon->local_addresses[count] = span_str(daemon->local_texts[count]);
        count++;
    }
    daemon->local_address_count = count;
    if (all != NULL) {
        freeifaddrs(all);
    }
}

static void on_warm(void *arg)
{
    struct daemon *daemon = arg;
    daemon->warm = true;
    seed_clean(daemon->seed, daemon->driver, daemon->map);
}

static void on_ready(void *arg)
{
    notify_send("STATUS=ready");
    files_stage_ready(arg);
}

// Who was ready goes on serving what it knows; who starts must not serve something else's half.
static void on_misconfigured(void *arg)
{
    struct daemon *daemon = arg;
    if (!driver_is_ready(daemon->driver)) {
        daemon->exit =
            daemon_complain(DAEMON_EXIT_CONFIG, "stream", driver_misconfigured(daemon->driver));
        loop_stop(daemon->loop);
    }
}

static void on_measure(void *arg)
{
    daemon_writes_measure(arg);
    check_stage_measure(arg);
    files_stage_measure(arg);
}

static int start_driver(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    find_local_addresses(daemon);
    const struct core_options core = {
        .node_id = span_str(config->node_id),
        .region = span_str(config->node_region),
        .zone = span_str(config->node_zone),
        .release = SPAN_LIT(MESHPULSE_VERSION),
        .partitions = config->stream_partitions,
        .lease_ms = config->stream_lease_ms,
        .resync_min_ms = config->stream_resync_min_ms,
        .start_without_ms = config->stream_start_without_ms,
        .private_stream = stream_stage_is_private(daemon),
        .seed = random_u64(),
        .local_addresses = daemon->local_addresses,
        .local_address_count = daemon->local_address_count,
    };
    const struct driver_options options = {.loop = daemon->loop,
                                           .map = daemon->map,
                                           .board = daemon->board,
                                           .core = &core,
                                           .on_target = check_stage_target,
                                           .on_ready = on_ready,
                                           .on_warm = on_warm,
                                           .on_misconfigured = on_misconfigured,
                                           .on_measure = on_measure,
                                           .arg = daemon};
    return failed("core", driver_new(&options, &daemon->driver));
}

static void stop_driver(struct daemon *daemon)
{
    driver_free(daemon->driver);
}

static int start_core(struct daemon *daemon)
{
    seed_write(daemon->seed, daemon->driver);
    driver_start(daemon->driver, daemon->stream);
    return 0;
}

static void stop_core(struct daemon *daemon)
{
    driver_detach(daemon->driver);
}

const struct daemon_stage daemon_stages[] = {
    {"log", log_start, NULL},
    {"loop", start_loop, stop_loop},
    {"map", start_map, stop_map},
    {"board", start_board, stop_board},
    {"services", start_seed, stop_seed},
    {"driver", start_driver, stop_driver},
    {"writes", daemon_writes_start, daemon_writes_stop},
    {"signals", daemon_signals_start,
     daemon_signals_stop}, // before the first socket: it must not stay
    {"admin", admin_stage_bind, admin_stage_free},
    {"checker", check_stage_start, check_stage_stop},
    {"files", files_stage_start, files_stage_stop},
    {"stream", stream_stage_start, stream_stage_stop},
    {"core", start_core, stop_core},
    {"memory", memory_stage_start, memory_stage_stop},
    {"serve", admin_stage_serve, admin_stage_stop},
    {"watchdog", watchdog_stage_start, watchdog_stage_stop},
};
const size_t daemon_stage_count = sizeof(daemon_stages) / sizeof(daemon_stages[0]);
