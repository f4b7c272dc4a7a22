// SPDX-License-Identifier: Apache-2.0
#include "replicator/memory_stage.h"

#include "base/log.h"
#include "base/metric.h"
#include "base/random.h"
#include "localmap/map.h"
#include "replicator/config.h"
#include "replicator/daemon_state.h"
#include "replicator/driver.h"
#include "replicator/evictor.h"
#include "replicator/memory_watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_EVERY_MS 500
#define TICK_S 2 // of the map's coarse clock, which goes round in a day and a half
#define WANTS_MAX 64
#define COMPACT_STEPS 64 // between two looks
#define STUCK_AFTER_MS                                                                             \
    10000 // nobody went for so long: by then, who is used by nobody is idle enough

struct memory_stage {
    struct daemon *daemon;
    struct memory_watch *watch;
    struct evictor *evictor;
    struct loop_task evict, take_wants;
    bool known;                // one reading has come
    bool stuck;                // nobody is left who may go
    struct mono refused_since; // nobody went since then; 0: somebody did
    // Records of each shard for which room is to be taken.  Set by the loop, read by the helper; relaxed: only a
    // wish.
    _Atomic uint32_t reserve;
    atomic_bool evicting; // what stands free in parts is to be given back, too
    pthread_mutex_t lock; // a leaf; guards the two below
    struct key_bytes wants[WANTS_MAX];
    size_t want_count;
};

// --- readings

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
    metric_gauge(METRIC_MEMORY_FREE, (double)reading->free);
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

// --- when nobody may go

// Half of what the largest tenant has: those that have so many get no new records.
static uint64_t squeeze_bound(const struct map *map)
{
    struct map_tenant largest;
    struct map_tenants all;
    size_t count = map_tenants(map, &largest, 1, &all);
    return count == 0 || largest.used < 2 ? 1 : largest.used / 2;
}

static void set_stuck(struct memory_stage *stage, bool stuck)
{
    struct map *map = stage->daemon->map;
    if (stuck == stage->stuck) {
        return;
    }
    stage->stuck = stuck;
    map_squeeze(map, stuck ? squeeze_bound(map) : UINT64_MAX);
    if (stuck) {
        log_event(LOG_ERROR, "memory-stuck",
                  log_text("why", "memory is short, and nothing is left that may be evicted: new "
                                  "records of the largest tenants are refused"));
    } else {
        log_event(LOG_INFO, "memory-stuck", log_text("to", "over"));
    }
    metric_gauge(METRIC_MEMORY_STUCK, stuck ? 1 : 0);
}

static void went_on(struct memory_stage *stage)
{
    stage->refused_since = (struct mono){0};
    set_stuck(stage, false);
}

static struct bands_terms terms_of(const struct config *config)
{
    return (struct bands_terms){.reserve_at = config->map_reserve_at,
                                .evict_at = config->map_evict_at};
}

// --- evicting

static uint16_t tick_of(struct mono now)
{
    return (uint16_t)(now.us / (TICK_S * 1000000));
}

static void on_evict(void *arg)
{
    struct memory_stage *stage = arg;
    struct mono now = loop_now(stage->daemon->loop);
    switch (evictor_step(stage->evictor, tick_of(now), now)) {
    case EVICTOR_MORE:
        (void)loop_post_task(stage->daemon->loop, &stage->evict);
        break;
    case EVICTOR_STUCK:
        if (stage->refused_since.us == 0) {
            stage->refused_since = now;
        } else if (mono_ms_between(stage->refused_since, now) >= STUCK_AFTER_MS) {
            set_stuck(stage, true);
        }
        break;
    case EVICTOR_DONE:
    default:
        break;
    }
}

static uint64_t evict_one(void *arg, struct span service_key)
{
    struct daemon *daemon = arg;
    // All services are written to files: there, each is subscribed to.
    uint64_t bytes = daemon->files != NULL ? 0 : driver_evict(daemon->driver, service_key);
    struct memory_stage *stage = daemon->memory_stage;
    if (bytes > 0) {
        went_on(stage);
    }
    return bytes;
}

// As many records of each shard as are wished for and have room.
static uint32_t to_reserve(const struct daemon *daemon, const struct memory_reading *reading)
{
    const struct config *config = daemon->config;
    const struct bands_terms terms = terms_of(config);
    const struct bands_memory memory = {.usage = reading->group.usage,
                                        .limit = reading->group.limit};
    if (reading->verdict.action != BANDS_TAKE_AHEAD) {
        return 0;
    }
    struct map_counts counts;
    map_counts(daemon->map, &counts);
    uint64_t mean = counts.records == 0 ? 0 : counts.bytes / counts.records;
    uint64_t records = bands_room(&terms, &memory) / ((mean + 1) * config->map_shards);
    return records < config->map_reserve ? (uint32_t)records : config->map_reserve;
}

static void on_reading(void *arg, const struct memory_reading *reading)
{
    struct memory_stage *stage = arg;
    struct mono now = loop_now(stage->daemon->loop);
    map_set_tick(stage->daemon->map, tick_of(now));
    if (!stage->known) {
        stage->known = true;
        log_event(LOG_INFO, "memory", log_text("cgroup", version_word(reading->group.version)),
                  log_uint("usage", reading->group.usage), log_uint("limit", reading->group.limit));
    }
    measure(reading);
    if (reading->verdict.band != reading->before) {
        tell_band(reading);
    }
    atomic_store_explicit(&stage->reserve, to_reserve(stage->daemon, reading),
                          memory_order_relaxed);
    atomic_store_explicit(&stage->evicting, reading->verdict.action == BANDS_GIVE_UP,
                          memory_order_relaxed);
    // When it is over, too: what is still to go by an older reading stays.
    evictor_aim(stage->evictor, &reading->verdict, now);
    if (reading->verdict.action == BANDS_GIVE_UP) {
        (void)loop_post_task(stage->daemon->loop, &stage->evict);
    } else {
        went_on(stage);
    }
}

static bool evicting(const struct memory_stage *stage)
{
    return atomic_load_explicit(&stage->evicting, memory_order_relaxed);
}

// On the helper's thread.
static uint64_t tend(void *arg)
{
    struct memory_stage *stage = arg;
    struct map *map = stage->daemon->map;
    uint32_t reserve = atomic_load_explicit(&stage->reserve, memory_order_relaxed);
    if (reserve > 0 && map_reserve(map, reserve) != ERR_OK) {
        // There is as much as could be had, and the next look tries again.
        log_event(LOG_DEBUG, "memory", log_text("reserve", "there is no memory for all of it"));
    }
    for (int step = 0; evicting(stage) && step < COMPACT_STEPS && map_compact(map); step++) {
    }
    return map_tend(map);
}

// --- wanted again

static void on_wants(void *arg)
{
    struct memory_stage *stage = arg;
    struct key_bytes key;
    bool more = true;
    while (more) {
        pthread_mutex_lock(&stage->lock);
        more = stage->want_count > 0;
        if (more) {
            key = stage->wants[--stage->want_count];
        }
        pthread_mutex_unlock(&stage->lock);
        if (more) {
            driver_want(stage->daemon->driver, key_span(&key));
        }
    }
}

void memory_stage_want(struct daemon *daemon, struct span service_key)
{
    struct memory_stage *stage = daemon->memory_stage;
    pthread_mutex_lock(&stage->lock);
    if (stage->want_count < WANTS_MAX && service_key.len <= KEY_LEN_MAX) {
        struct key_bytes *key = &stage->wants[stage->want_count++];
        key->len = (uint16_t)service_key.len;
        memcpy(key->ptr, service_key.ptr, service_key.len);
    }
    pthread_mutex_unlock(&stage->lock);
    (void)loop_post_task(daemon->loop, &stage->take_wants);
}

// --- life

static enum err make(struct memory_stage *stage)
{
    struct daemon *daemon = stage->daemon;
    const struct config *config = daemon->config;
    const struct evictor_options evictor = {
        .map = daemon->map, .evict = evict_one, .arg = daemon, .seed = random_u64()};
    const struct memory_watch_options watch = {
        .loop = daemon->loop,
        .root = config->map_cgroup,
        .self = CGROUP_SELF,
        .terms = terms_of(config),
        .every_ms = LOOK_EVERY_MS,
        .on_reading = on_reading,
        .tend = tend,
        .arg = stage,
    };
    enum err err = evictor_new(&evictor, &stage->evictor);
    return err != ERR_OK ? err : memory_watch_new(&watch, &stage->watch);
}

int memory_stage_start(struct daemon *daemon)
{
    const struct memory_reading none = {.free = 0};
    struct memory_stage *stage = calloc(1, sizeof(*stage));
    if (stage == NULL) {
        return daemon_complain(DAEMON_EXIT_FAILED, "memory", err_text(ERR_NOMEM));
    }
    measure(&none); // the series stand from the start
    stage->daemon = daemon;
    daemon->memory_stage = stage;
    loop_task_init(&stage->evict, on_evict, stage);
    loop_task_init(&stage->take_wants, on_wants, stage);
    enum err err = pthread_mutex_init(&stage->lock, NULL) == 0 ? ERR_OK : ERR_NOMEM;
    if (err != ERR_OK) {
        daemon->memory_stage = NULL;
        free(stage);
    } else {
        err = make(stage);
        if (err != ERR_OK) {
            memory_stage_stop(daemon);
        }
    }
    return err == ERR_OK ? 0 : daemon_complain(DAEMON_EXIT_FAILED, "memory", err_text(err));
}

void memory_stage_stop(struct daemon *daemon)
{
    struct memory_stage *stage = daemon->memory_stage;
    daemon->memory_stage = NULL;
    memory_watch_free(stage->watch);
    evictor_free(stage->evictor);
    loop_unpost_task(daemon->loop, &stage->evict);
    loop_unpost_task(daemon->loop, &stage->take_wants);
    pthread_mutex_destroy(&stage->lock);
    free(stage);
}
