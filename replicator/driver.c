// SPDX-License-Identifier: Apache-2.0
#include "replicator/driver.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/metric.h"
#include "replicator/board.h"
#include "replicator/describe.h"
#include "replicator/meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_LEN (64u << 20) // reserved; pages are taken as core touches them
#define TICK_MS 100
#define PUBLISH_EVERY_MS 250

// Somebody waits for the outcome of a write.  An op is the place in the table and a count of its uses, so
// that an outcome that comes twice, or late, meets nobody.
struct op {
    driver_done_fn done; // NULL: free
    void *arg;
    uint32_t uses;
    uint32_t next; // free, or finished: the place after it + 1; 0 = the last
    enum core_outcome outcome;
    bool finished;
};

struct driver {
    struct loop *loop;
    struct map *map;
    struct board *board;
    struct stream *stream;
    struct core *core;
    void *arena;
    struct loop_timer *tick;
    driver_target_fn on_target;
    driver_moment_fn on_ready, on_warm, on_misconfigured, on_measure;
    void *arg;
    char node_id[KEY_SERVICE_MAX + 1];
    char zone[KEY_SERVICE_MAX + 1];
    int64_t lease_ms;
    uint32_t partitions;
    struct core_time now; // of the step that runs
    bool stepping;
    bool news; // the board is to be published after this step
    bool was_ready, was_warm, was_misconfigured;
    struct mono published, measured;
    struct mono tick_due;
    uint64_t fenced_by;
    char misconfigured[160];
    struct mono put_at[STREAM_PARTITIONS_MAX]; // when the put in flight was sent
    struct op *ops;
    uint32_t free_op;               // place + 1
    uint32_t first_done, last_done; // finished in this step, place + 1
    struct describe describe;
    struct meter meter;
    uint32_t map_user; // core, which writes
};

// --- who waits

static uint64_t op_open(struct driver *driver, driver_done_fn done, void *arg)
{
    if (driver->free_op == 0) {
        return 0;
    }
    uint32_t place = driver->free_op - 1;
    struct op *op = &driver->ops[place];
    driver->free_op = op->next;
    op->done = done;
    op->arg = arg;
    op->uses++;
    op->next = 0;
    op->finished = false;
    return (uint64_t)op->uses << 32 | (place + 1);
}

static void op_finish(struct driver *driver, uint64_t id, enum core_outcome outcome)
{
    uint32_t place = (uint32_t)id;
    ASSERT(place > 0 && place <= DRIVER_OPS_MAX);
    struct op *op = &driver->ops[place - 1];
    if (op->done == NULL || op->finished || op->uses != (uint32_t)(id >> 32)) {
        return;
    }
    op->finished = true;
    op->outcome = outcome;
    if (driver->last_done != 0) {
        driver->ops[driver->last_done - 1].next = place;
    } else {
        driver->first_done = place;
    }
    driver->last_done = place;
}

// Those who are answered may write again, which steps again: each is taken off before it is called.
static void answer(struct driver *driver)
{
    while (driver->first_done != 0) {
        uint32_t place = driver->first_done;
        struct op *op = &driver->ops[place - 1];
        driver_done_fn done = op->done;
        void *arg = op->arg;
        driver->first_done = op->next;
        if (driver->first_done == 0) {
            driver->last_done = 0;
        }
        op->done = NULL;
        op->next = driver->free_op;
        driver->free_op = place;
        done(arg, op->outcome);
    }
}

// --- what core decides

static void on_log(struct driver *driver, const struct core_log *log)
{
    if (log->what == CORE_LOG_FENCED) {
        driver->fenced_by = log->number;
    } else if (log->what == CORE_LOG_MISCONFIGURED) {
        (void)snprintf(driver->misconfigured, sizeof(driver->misconfigured), "%.*s",
                       (int)log->text.len, log->text.ptr);
    }
    driver->news = driver->news || (log->what != CORE_LOG_HEALTH && log->what != CORE_LOG_REPAIR &&
                                    log->what != CORE_LOG_CONFLICT);
    describe_decision(&driver->describe, log, driver->now);
}

static void on_put(struct driver *driver, const struct core_action *action)
{
    if (action->partition < STREAM_PARTITIONS_MAX) {
        driver->put_at[action->partition] = driver->now.mono;
    }
    stream_put(driver->stream, action->partition, action->put.epoch, action->put.records,
               action->put.count);
}

static void call_stream(struct driver *driver, const struct core_action *action)
{
    struct stream *stream = driver->stream;
    if (stream == NULL) {
        return; // shutting down: nothing is sent any more
    }
    switch (action->type) {
    case CORE_ACT_META:
        stream_meta(stream, action->partition);
        break;
    case CORE_ACT_CREATE:
        stream_create(stream, action->partition, action->epoch);
        break;
    case CORE_ACT_SCAN:
        stream_scan(stream, action->partition, action->cursor);
        break;
    case CORE_ACT_PROBE:
        stream_probe(stream, action->partition, action->read.id);
        break;
    case CORE_ACT_READ:
        stream_read(stream, action->partition, action->read.id, action->read.catching_up);
        break;
    case CORE_ACT_UNREAD:
        stream_unread(stream, action->partition);
        break;
    case CORE_ACT_PUT:
        on_put(driver, action);
        break;
    case CORE_ACT_BEAT:
        stream_beat(stream, span_str(driver->node_id), action->text, driver->lease_ms);
        break;
    case CORE_ACT_FORGET:
        stream_forget(stream, action->text);
        break;
    case CORE_ACT_DONE:
    case CORE_ACT_TARGET:
    case CORE_ACT_LOG:
    default:
        ASSERT(false);
    }
}

static void on_action(void *arg, const struct core_action *action)
{
    struct driver *driver = arg;
    if (action->type == CORE_ACT_DONE) {
        op_finish(driver, action->done.op, action->done.outcome);
    } else if (action->type == CORE_ACT_TARGET) {
        driver->on_target(driver->arg, action->target.key, &action->target.target);
    } else if (action->type == CORE_ACT_LOG) {
        on_log(driver, action->log);
    } else {
        call_stream(driver, action);
    }
}

// --- the one way in

static void publish(struct driver *driver)
{
    const struct board_source source = {.core = driver->core,
                                        .stream = driver->stream,
                                        .map = driver->map,
                                        .zone = driver->zone,
                                        .fenced_by = driver->fenced_by,
                                        .misconfigured = driver->misconfigured};
    board_publish(driver->board, &source);
    driver->news = false;
    driver->published = driver->now.mono;
}

// Each once, and after the step, for they may write.
static void tell_moments(struct driver *driver)
{
    bool ready = core_is_ready(driver->core);
    if (ready && !driver->was_ready) {
        driver->was_ready = true;
        driver->on_ready(driver->arg);
    }
    if (ready && !driver->was_warm && !core_was_stale_start(driver->core)) {
        driver->was_warm = true;
        driver->on_warm(driver->arg);
    }
    if (driver->misconfigured[0] != '\0' && !driver->was_misconfigured) {
        driver->was_misconfigured = true;
        driver->on_misconfigured(driver->arg);
    }
}

static void step(struct driver *driver, const struct core_event *event)
{
    ASSERT(!driver->stepping);
    driver->stepping = true;
    driver->now = (struct core_time){.mono = loop_now(driver->loop), .wall = clock_wall()};
    core_step(driver->core, event, driver->now);
    driver->stepping = false;
    if (driver->news) {
        publish(driver);
    } else {
        board_note(driver->board, driver->core);
    }
    answer(driver);
    tell_moments(driver);
}

static void on_tick(void *arg)
{
    struct driver *driver = arg;
    struct mono now = loop_now(driver->loop);
    if (driver->tick_due.us != 0) {
        metric_time(METRIC_LOOP_LAG, (uint64_t)(now.us - driver->tick_due.us));
    }
    driver->tick_due = mono_add_ms(now, TICK_MS);
    loop_timer_set(driver->tick, driver->tick_due);
    const struct core_event event = {.type = CORE_EV_TICK};
    step(driver, &event);
    board_ticked(driver->board, driver->now.mono);
    if (mono_ms_between(driver->published, driver->now.mono) >= PUBLISH_EVERY_MS) {
        publish(driver);
    }
    // A time of its own: news publish the board more often, and must not keep the gauges from moving.
    if (mono_ms_between(driver->measured, driver->now.mono) >= PUBLISH_EVERY_MS) {
        driver->measured = driver->now.mono;
        meter_refresh(&driver->meter, driver->stream, driver->partitions);
        driver->on_measure(driver->arg);
    }
}

void driver_on_stream(void *arg, const struct stream_event *stream_event)
{
    struct driver *driver = arg;
    struct mono now = loop_now(driver->loop);
    meter_event(&driver->meter, stream_event, now);
    if (stream_event->type == STREAM_EV_PUT && stream_event->partition < STREAM_PARTITIONS_MAX) {
        int64_t us = now.us - driver->put_at[stream_event->partition].us;
        metric_time(METRIC_REDIS_CALL, us < 0 ? 0 : (uint64_t)us);
    }
    driver->news = driver->news || stream_event->type == STREAM_EV_UP ||
                   stream_event->type == STREAM_EV_DOWN || stream_event->type == STREAM_EV_BEAT;
    const struct core_event event = {.type = CORE_EV_STREAM, .stream = stream_event};
    step(driver, &event);
}

void driver_write(struct driver *driver, const struct core_write *write, driver_done_fn done,
                  void *arg)
{
    struct core_event event = {.type = CORE_EV_WRITE, .write = *write};
    event.write.op = 0;
    if (done != NULL) {
        event.write.op = op_open(driver, done, arg);
        if (event.write.op == 0) {
            done(arg, CORE_REFUSED);
            return;
        }
    }
    step(driver, &event);
}

void driver_want(struct driver *driver, struct span service_key)
{
    const struct core_event event = {.type = CORE_EV_WANT, .service_key = service_key};
    step(driver, &event);
}

uint64_t driver_evict(struct driver *driver, struct span service_key)
{
    ASSERT(!driver->stepping);
    return core_evict(driver->core, service_key);
}

void driver_judged(void *arg, const struct core_judged *judged)
{
    const struct core_event event = {.type = CORE_EV_JUDGED, .judged = *judged};
    step(arg, &event);
}

void driver_leave(struct driver *driver)
{
    const struct core_event event = {.type = CORE_EV_LEAVE};
    step(driver, &event);
}

bool driver_is_drained(const struct driver *driver)
{
    struct stream_info info = {.connected = false};
    if (driver->stream != NULL) {
        stream_info(driver->stream, &info);
    }
    return !info.connected || core_get_pending(driver->core) == 0;
}

bool driver_is_ready(const struct driver *driver)
{
    return core_is_ready(driver->core);
}

const char *driver_misconfigured(const struct driver *driver)
{
    return driver->misconfigured;
}

void driver_abandon(struct driver *driver)
{
    ASSERT(!driver->stepping);
    for (uint32_t i = 0; i < DRIVER_OPS_MAX; i++) {
        struct op *op = &driver->ops[i];
        if (op->done != NULL && !op->finished) {
            op_finish(driver, (uint64_t)op->uses << 32 | (i + 1), CORE_UNAVAILABLE);
        }
    }
    answer(driver);
}

// --- life

static void copy_name(char place[KEY_SERVICE_MAX + 1], struct span name)
{
    ASSERT(name.len <= KEY_SERVICE_MAX);
    if (name.len > 0) {
        memcpy(place, name.ptr, name.len);
    }
    place[name.len] = '\0';
}

static void fill(struct driver *driver, const struct driver_options *options)
{
    driver->loop = options->loop;
    driver->map = options->map;
    driver->board = options->board;
    driver->on_target = options->on_target;
    driver->on_ready = options->on_ready;
    driver->on_warm = options->on_warm;
    driver->on_misconfigured = options->on_misconfigured;
    driver->on_measure = options->on_measure;
    driver->arg = options->arg;
    driver->lease_ms = options->core->lease_ms;
    driver->partitions = options->core->partitions;
    copy_name(driver->node_id, options->core->node_id);
    copy_name(driver->zone, options->core->zone);
    for (uint32_t i = 0; i < DRIVER_OPS_MAX; i++) {
        driver->ops[i].next = i + 1 < DRIVER_OPS_MAX ? i + 2 : 0;
    }
    driver->free_op = 1;
}

enum err driver_new(const struct driver_options *options, struct driver **ret_driver)
{
    struct driver *driver = calloc(1, sizeof(*driver));
    if (driver == NULL) {
        return ERR_NOMEM;
    }
    driver->ops = calloc(DRIVER_OPS_MAX, sizeof(*driver->ops));
    driver->arena = mmap(NULL, ARENA_LEN, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (driver->ops == NULL || driver->arena == MAP_FAILED) {
        goto free_memory;
    }
    fill(driver, options);
    if (loop_timer_new(options->loop, on_tick, driver, &driver->tick) != ERR_OK) {
        goto free_memory;
    }
    driver->core =
        core_init(driver->arena, ARENA_LEN, options->core, options->map, on_action, driver);
    if (driver->core == NULL) {
        goto free_timer;
    }
    describe_init(&driver->describe, options->map, options->board, span_str(driver->node_id));
    meter_init(&driver->meter, driver->core, options->map, options->core->node_id);
    driver->map_user = MAP_USER_OPEN(driver->map, "core");
    *ret_driver = driver;
    return ERR_OK;

free_timer:
    loop_timer_free(driver->tick);
free_memory:
    if (driver->arena != MAP_FAILED) {
        (void)munmap(driver->arena, ARENA_LEN);
    }
    free(driver->ops);
    free(driver);
    return ERR_NOMEM;
}

void driver_free(struct driver *driver)
{
    if (driver == NULL) {
        return;
    }
    driver_abandon(driver);
    loop_timer_free(driver->tick);
    (void)munmap(driver->arena, ARENA_LEN);
    map_user_close(driver->map, driver->map_user);
    free(driver->ops);
    free(driver);
}

void driver_start(struct driver *driver, struct stream *stream)
{
    driver->stream = stream;
    stream_start(stream);
    on_tick(driver);
}

void driver_detach(struct driver *driver)
{
    driver->stream = NULL;
    loop_timer_cancel(driver->tick);
}
