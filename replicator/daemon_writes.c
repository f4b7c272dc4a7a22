// SPDX-License-Identifier: Apache-2.0
#include "replicator/daemon_writes.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metric.h"
#include "replicator/check/checker.h"
#include "replicator/config.h"
#include "replicator/daemon_state.h"
#include "replicator/driver.h"
#include "replicator/queued.h"
#include "replicator/write_queue.h"

#include <stdlib.h>

#define BATCH 64 // events a turn; the loop does other things in between
#define US_PER_S 1e6

// One write on its way.
struct job {
    backend_done_fn done;
    void *arg;
};

struct daemon_writes {
    struct driver *driver;
    struct loop *loop;
    struct write_queue *queue;
    // Others wake the loop by the task, which is the daemon's, for that outlives the loop and it may be queued
    // at the end.  What the loop's own thread puts is taken at the end of the turn: it needs no waking.
    struct loop_task *drain;
    struct loop_late late;
    // As told so far.
    uint64_t dropped[WRITE_QUEUE_PRIORITIES], refused[WRITE_QUEUE_PRIORITIES];
    bool slow;
};

// --- answers

static const enum backend_outcome from_core[] = {
    [CORE_APPLIED] = BACKEND_APPLIED,
    [CORE_ACCEPTED] = BACKEND_ACCEPTED,
    [CORE_SAME] = BACKEND_SAME,
    [CORE_NOT_FOUND] = BACKEND_NOT_FOUND,
    [CORE_STALE] = BACKEND_STALE,
    [CORE_CONFLICT] = BACKEND_CONFLICT,
    [CORE_REFUSED] = BACKEND_QUEUE_FULL,
    [CORE_NOT_READY] = BACKEND_NOT_READY,
    [CORE_OVER_QUOTA] = BACKEND_OVER_QUOTA,
    [CORE_FENCED] = BACKEND_FENCED,
    [CORE_UNAVAILABLE] = BACKEND_UNAVAILABLE,
    [CORE_UNKNOWN] = BACKEND_UNKNOWN,
};

static void answer(struct job *job, enum backend_outcome outcome)
{
    job->done(job->arg, outcome);
    free(job);
}

static void on_core_done(void *arg, enum core_outcome outcome)
{
    ASSERT((size_t)outcome < sizeof(from_core) / sizeof(from_core[0]));
    answer(arg, from_core[outcome]);
}

// Core will not see it.  On the thread of whoever is more urgent, or of the loop.
static void on_queue_done(void *arg, enum write_queue_end end)
{
    answer(arg, end == WRITE_QUEUE_DROPPED ? BACKEND_QUEUE_FULL : BACKEND_UNAVAILABLE);
}

// --- from the queue to core

static void take_judgement(struct daemon *daemon, const struct check_judgement *judgement)
{
    // Between the probe and now the target may have gone, or be another one.
    if (daemon->checker == NULL || !checker_confirm(daemon->checker, judgement)) {
        return;
    }
    const struct core_judged judged = {.key = judgement->registration_key,
                                       .status = judgement->status,
                                       .reason = judgement->reason,
                                       .text = judgement->text,
                                       .latency_us = judgement->latency_us};
    driver_judged(daemon->driver, &judged);
}

static void take(void *arg, const struct write_queue_event *event)
{
    struct daemon *daemon = arg;
    struct queued queued;
    queued_read(event->data, &queued);
    switch (queued.kind) {
    case QUEUED_WRITE:
        driver_write(daemon->driver, &queued.write, event->done != NULL ? on_core_done : NULL,
                     event->arg);
        break;
    case QUEUED_JUDGEMENT:
        take_judgement(daemon, &queued.judgement);
        break;
    }
}

static void on_drain(void *arg)
{
    struct daemon *daemon = arg;
    struct daemon_writes *writes = daemon->writes;
    const struct write_queue_consumer consumer = {take, daemon, loop_now(writes->loop)};
    if (write_queue_drain(writes->queue, BATCH, &consumer) == BATCH) {
        loop_late_add(writes->loop, &writes->late);
    }
}

static void on_wake(void *arg, const struct write_queue_event *event)
{
    struct daemon_writes *writes = arg;
    // Nobody waits for an answer to what a check says, and checks run on the loop itself.
    if (event->done == NULL) {
        loop_late_add(writes->loop, &writes->late);
    } else {
        (void)loop_post_task(writes->loop, writes->drain);
    }
}

// --- into the queue

static const enum core_precondition core_preconditions[] = {
    [BACKEND_ANY] = CORE_ANY,
    [BACKEND_IF_MATCH] = CORE_IF_MATCH,
    [BACKEND_IF_EXISTS] = CORE_IF_EXISTS,
    [BACKEND_IF_ABSENT] = CORE_IF_ABSENT,
};

// A report that says again what is held.  Not one that lives by being renewed: to drop it would change a
// status in the end.
static bool is_repetition(const struct daemon *daemon, const struct backend_write *write)
{
    struct map_copy copy;
    struct record held;
    struct record out;
    const struct patch *patch = write->patch;
    return patch->record.kind == KEY_OBSERVATION && patch->op == PATCH_PUT &&
           patch->record.observation.ttl_ms == 0 && map_get(daemon->map, write->key, &copy) &&
           (copy.facts.flags & MAP_TOMBSTONE) == 0 &&
           codec_body_read(KEY_OBSERVATION, map_copy_body(&copy), &held) == ERR_OK &&
           patch_apply(patch, &held, &out) == PATCH_SAME;
}

static enum write_queue_priority priority_of(const struct daemon *daemon,
                                             const struct backend_write *write)
{
    // An operator's drain must get through when everything else is too much.
    if (write->patch->record.kind == KEY_OVERRIDE) {
        return WRITE_QUEUE_OPERATOR;
    }
    return is_repetition(daemon, write) ? WRITE_QUEUE_LATENCY : WRITE_QUEUE_API;
}

static enum err submit(const struct daemon *daemon, const struct backend_write *write,
                       struct job *job)
{
    struct queued_bytes bytes;
    const struct core_write core_write = {.key = write->key,
                                          .patch = write->patch,
                                          .precondition = core_preconditions[write->precondition],
                                          .version = write->version,
                                          .ack_stream = write->ack_stream};
    enum err err = queued_from_write(&core_write, &bytes);
    if (err != ERR_OK) {
        return err;
    }
    const struct write_queue_event event = {
        .data = span_of(bytes.ptr, bytes.len),
        .priority = priority_of(daemon, write),
        .done = on_queue_done,
        .arg = job,
    };
    return write_queue_put(daemon->writes->queue, &event, clock_mono());
}

void daemon_writes_submit(void *arg, const struct backend_write *write)
{
    struct daemon *daemon = arg;
    struct job *job = malloc(sizeof(*job));
    enum err err = ERR_NOMEM;
    if (job != NULL) {
        *job = (struct job){.done = write->done, .arg = write->arg};
        err = submit(daemon, write, job);
    }
    if (err != ERR_OK) {
        free(job);
        write->done(write->arg, err == ERR_CLOSED ? BACKEND_UNAVAILABLE : BACKEND_QUEUE_FULL);
    }
}

void daemon_writes_judged(void *arg, const struct check_judgement *judgement)
{
    struct daemon *daemon = arg;
    struct queued_bytes bytes;
    queued_from_judgement(judgement, &bytes);
    const struct write_queue_event event = {
        .data = span_of(bytes.ptr, bytes.len),
        .priority = judgement->news ? WRITE_QUEUE_CHECK : WRITE_QUEUE_LATENCY,
    };
    // What is refused, or for what there is no memory, is said again after the next probe.
    enum err err = write_queue_put(daemon->writes->queue, &event, loop_now(daemon->loop));
    ASSERT(err != ERR_TOO_LARGE);
}

uint32_t daemon_writes_slow_ms(void *arg)
{
    const struct daemon *daemon = arg;
    return write_queue_slow_ms(daemon->writes->queue);
}

// --- life

// A series that nobody has used yet is not shown: a rule that waits for its first step would miss it.
static void announce(void)
{
    for (int i = 0; i < WRITE_QUEUE_PRIORITIES; i++) {
        struct span name = span_str(write_queue_priority_name((enum write_queue_priority)i));
        metric_count1(METRIC_WRITE_QUEUE_DROPPED, name, 0);
        metric_count1(METRIC_WRITE_QUEUE_REFUSED, name, 0);
    }
}

int daemon_writes_start(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    struct daemon_writes *writes = calloc(1, sizeof(*writes));
    if (writes == NULL) {
        return daemon_complain(DAEMON_EXIT_FAILED, "write_queue", err_text(ERR_NOMEM));
    }
    const struct write_queue_options options = {
        .capacity = config->write_queue_capacity,
        .drop_low_percent = config->write_queue_drop_low_at,
        .slow_after_ms = config->write_queue_slow_after_ms,
        .slow_by_ms = config->write_queue_slow_by_ms,
        .wake = on_wake,
        .wake_arg = writes,
    };
    writes->driver = daemon->driver;
    writes->loop = daemon->loop;
    writes->drain = &daemon->drain;
    loop_task_init(writes->drain, on_drain, daemon);
    loop_late_init(&writes->late, on_drain, daemon);
    enum err err = write_queue_new(&options, &writes->queue);
    if (err != ERR_OK) {
        free(writes);
        return daemon_complain(DAEMON_EXIT_FAILED, "write_queue", err_text(err));
    }
    announce();
    daemon->writes = writes;
    return 0;
}

void daemon_writes_stop(struct daemon *daemon)
{
    struct daemon_writes *writes = daemon->writes;
    daemon_writes_abandon(daemon);
    loop_late_cancel(writes->loop, &writes->late);
    write_queue_free(writes->queue);
    free(writes);
    daemon->writes = NULL;
}

void daemon_writes_abandon(struct daemon *daemon)
{
    struct daemon_writes *writes = daemon->writes;
    write_queue_close(writes->queue);
    driver_abandon(writes->driver);
}

// --- what is told of it

static void count(enum metric metric, const uint64_t totals[WRITE_QUEUE_PRIORITIES],
                  uint64_t told[WRITE_QUEUE_PRIORITIES])
{
    for (int i = 0; i < WRITE_QUEUE_PRIORITIES; i++) {
        const char *name = write_queue_priority_name((enum write_queue_priority)i);
        metric_count1(metric, span_str(name), totals[i] - told[i]);
        told[i] = totals[i];
    }
}

static void say_pace(struct daemon_writes *writes, const struct write_queue_stats *stats)
{
    if (stats->slow && !writes->slow) {
        log_event(LOG_WARN, "slow-down", log_uint("by_ms", write_queue_slow_ms(writes->queue)),
                  log_uint("waiting", stats->depth), log_uint("capacity", stats->capacity),
                  log_text("why", "the write queue refuses"));
    } else if (writes->slow && !stats->slow) {
        log_event(LOG_INFO, "slow-down-over", log_uint("waiting", stats->depth),
                  log_uint("capacity", stats->capacity));
    }
    writes->slow = stats->slow;
}

void daemon_writes_measure(struct daemon *daemon)
{
    struct daemon_writes *writes = daemon->writes;
    struct write_queue_stats stats;
    write_queue_stats(writes->queue, loop_now(writes->loop), &stats);
    metric_gauge(METRIC_WRITE_QUEUE_LENGTH, stats.depth);
    metric_gauge(METRIC_WRITE_QUEUE_CAPACITY, stats.capacity);
    count(METRIC_WRITE_QUEUE_DROPPED, stats.dropped, writes->dropped);
    count(METRIC_WRITE_QUEUE_REFUSED, stats.refused, writes->refused);
    metric_gauge(METRIC_WRITE_QUEUE_SLOW, stats.slow ? 1 : 0);
    metric_gauge(METRIC_WRITE_QUEUE_SLOW_TIME, (double)stats.slow_us / US_PER_S);
    say_pace(writes, &stats);
}
