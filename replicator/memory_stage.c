// SPDX-License-Identifier: Apache-2.0
#include "replicator/memory_stage.h"

#include "base/log.h"
#include "base/metric.h"
#include "localmap/map.h"
#include "replicator/config.h"
#include "replicator/daemon_state.h"
#include "replicator/memory_watch.h"

#define LOOK_EVERY_MS 500

static const char *version_word(enum cgroup_version version)
{
    return version == CGROUP_V2 ? "v2" : version == CGROUP_V1 ? "v1" : "none";
}

static void measure(const struct memory_reading *reading)
{
    for (int band = 0; band < BANDS_COUNT; band++) {
        metric_gauge1(METRIC_MEMORY_BAND, span_str(bands_name((enum bands_band)band)),
                      reading->verdict.band == (enum bands_band)band ? 1 : 0);
    }
    metric_gauge(METRIC_MEMORY_USAGE, (double)reading->group.usage);
    metric_gauge(METRIC_MEMORY_LIMIT, (double)reading->group.limit);
    metric_gauge(METRIC_MEMORY_PRESSURE, (double)reading->group.pressure / 10000);
}

// Evicting is for somebody to look at; the reserve is what the band is for.
static void tell_band(const struct memory_reading *reading)
{
    bool evicting = reading->verdict.band == BANDS_EVICT || reading->before == BANDS_EVICT;
    log_event(
        evicting ? LOG_WARN : LOG_INFO, "memory", log_text("from", bands_name(reading->before)),
        log_text("to", bands_name(reading->verdict.band)), log_uint("usage", reading->group.usage),
        log_uint("free", reading->free), log_uint("limit", reading->group.limit));
}

static void on_reading(void *arg, const struct memory_reading *reading)
{
    struct daemon *daemon = arg;
    if (!daemon->memory_known) {
        daemon->memory_known = true;
        log_event(LOG_INFO, "memory", log_text("cgroup", version_word(reading->group.version)),
                  log_uint("usage", reading->group.usage), log_uint("limit", reading->group.limit));
    }
    measure(reading);
    if (reading->verdict.band != reading->before) {
        tell_band(reading);
    }
}

// On the helper's thread.
static uint64_t tend(void *arg)
{
    (void)arg;
    return 0;
}

int memory_stage_start(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    const struct memory_watch_options options = {
        .loop = daemon->loop,
        .root = config->map_cgroup,
        .self = CGROUP_SELF,
        .terms = {.reserve_at = config->map_reserve_at, .evict_at = config->map_evict_at},
        .every_ms = LOOK_EVERY_MS,
        .on_reading = on_reading,
        .tend = tend,
        .arg = daemon,
    };
    const struct memory_reading none = {.free = 0};
    measure(&none); // the series stand from the start
    enum err err = memory_watch_new(&options, &daemon->memory_watch);
    return err == ERR_OK ? 0 : daemon_complain(DAEMON_EXIT_FAILED, "memory", err_text(err));
}

void memory_stage_stop(struct daemon *daemon)
{
    memory_watch_free(daemon->memory_watch);
    daemon->memory_watch = NULL;
}
