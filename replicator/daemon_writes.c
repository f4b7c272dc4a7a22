// SPDX-License-Identifier: Apache-2.0
#include "replicator/daemon_writes.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/metric.h"
#include "replicator/config.h"
#include "replicator/daemon_state.h"
#include "replicator/driver.h"
#include "replicator/write_queue.h"

#include <stdlib.h>

#define BATCH 64 // writes a turn; the loop does other things in between

// One write on its way.
struct job {
    struct job *next; // held back
    struct daemon_writes *writes;
    backend_done_fn done;
    void *arg;
    enum backend_outcome outcome;
    struct mono due; // of a held answer
};

struct daemon_writes {
    struct driver *driver;
    struct loop *loop;
    struct write_queue *queue;
    struct loop_task *drain;  // of the daemon, which outlives the loop: it may be queued at the end
    struct loop_timer *timer; // of the first answer that is held back
    struct job *held, **held_end;             // all wait equally long, so the first is due first
    uint64_t refused[WRITE_QUEUE_PRIORITIES]; // as counted so far
};

// --- answers

static const enum backend_outcome from_core[] = {
    [CORE_APPLIED] = BACKEND_APPLIED,    [CORE_ACCEPTED] = BACKEND_ACCEPTED,
    [CORE_SAME] = BACKEND_SAME,          [CORE_NOT_FOUND] = BACKEND_NOT_FOUND,
    [CORE_STALE] = BACKEND_STALE,        [CORE_CONFLICT] = BACKEND_CONFLICT,
    [CORE_REFUSED] = BACKEND_QUEUE_FULL, [CORE_NOT_READY] = BACKEND_NOT_READY,
    [CORE_FENCED] = BACKEND_FENCED,      [CORE_UNAVAILABLE] = BACKEND_UNAVAILABLE,
    [CORE_UNKNOWN] = BACKEND_UNKNOWN,
};

static void answer(struct job *job)
{
    job->done(job->arg, job->outcome);
    free(job);
}

static void on_timer(void *arg)
{
    struct daemon_writes *writes = arg;
    struct mono now = loop_now(writes->loop);
    while (writes->held != NULL && writes->held->due.us <= now.us) {
        struct job *job = writes->held;
        writes->held = job->next;
        answer(job);
    }
    if (writes->held == NULL) {
        writes->held_end = &writes->held;
    } else {
        loop_timer_set(writes->timer, writes->held->due);
    }
}

// While the queue is slow, whoever writes is slowed down by getting the answer later.
static void finish(struct job *job, enum backend_outcome outcome)
{
    struct daemon_writes *writes = job->writes;
    struct mono now = loop_now(writes->loop);
    uint32_t slow_ms = write_queue_slow_ms(writes->queue, now);
    job->outcome = outcome;
    if (slow_ms == 0 && writes->held == NULL) {
        answer(job);
        return;
    }
    job->due = mono_add_ms(now, slow_ms);
    job->next = NULL;
    *writes->held_end = job;
    writes->held_end = &job->next;
    if (!loop_timer_armed(writes->timer)) {
        loop_timer_set(writes->timer, writes->held->due);
    }
}

static void on_core_done(void *arg, enum core_outcome outcome)
{
    ASSERT((size_t)outcome < sizeof(from_core) / sizeof(from_core[0]));
    finish(arg, from_core[outcome]);
}

// The queue was closed before core saw it.
static void on_queue_done(void *arg, enum write_queue_outcome outcome)
{
    struct job *job = arg;
    (void)outcome;
    job->outcome = BACKEND_UNAVAILABLE;
    answer(job);
}

// --- from the queue to core

static const enum core_precondition core_preconditions[] = {
    [WRITE_QUEUE_ANY] = CORE_ANY,
    [WRITE_QUEUE_IF_MATCH] = CORE_IF_MATCH,
    [WRITE_QUEUE_IF_EXISTS] = CORE_IF_EXISTS,
    [WRITE_QUEUE_IF_ABSENT] = CORE_IF_ABSENT,
};

static void take(void *arg, const struct write_queue_event *event)
{
    struct daemon_writes *writes = arg;
    struct patch patch;
    enum err err = patch_read(event->patch, &patch);
    ASSERT(err == ERR_OK); // we wrote it ourselves
    const struct core_write write = {.key = event->key,
                                     .patch = &patch,
                                     .precondition = core_preconditions[event->precondition],
                                     .version = event->version,
                                     .ack_stream = event->ack_stream};
    driver_write(writes->driver, &write, event->done != NULL ? on_core_done : NULL, event->arg);
}

static void on_drain(void *arg)
{
    const struct daemon *daemon = arg;
    struct daemon_writes *writes = daemon->writes;
    if (write_queue_drain(writes->queue, BATCH, take, writes) == BATCH) {
        (void)loop_post_task(writes->loop, writes->drain);
    }
}

static void on_wake(void *arg)
{
    struct daemon_writes *writes = arg;
    (void)loop_post_task(writes->loop, writes->drain);
}

// --- from a worker into the queue

static const enum write_queue_precondition queue_preconditions[] = {
    [BACKEND_ANY] = WRITE_QUEUE_ANY,
    [BACKEND_IF_MATCH] = WRITE_QUEUE_IF_MATCH,
    [BACKEND_IF_EXISTS] = WRITE_QUEUE_IF_EXISTS,
    [BACKEND_IF_ABSENT] = WRITE_QUEUE_IF_ABSENT,
};

static enum err submit(struct daemon_writes *writes, const struct backend_write *write,
                       struct job *job)
{
    char bytes[PATCH_LEN_MAX];
    size_t len = patch_write(write->patch, bytes, sizeof(bytes));
    if (len == 0) {
        return ERR_TOO_LARGE;
    }
    const struct write_queue_event event = {
        .key = write->key,
        .patch = span_of(bytes, len),
        .precondition = queue_preconditions[write->precondition],
        .version = write->version,
        // An operator's drain must get through when everything else is too much.
        .priority =
            write->patch->record.kind == KEY_OVERRIDE ? WRITE_QUEUE_OPERATOR : WRITE_QUEUE_API,
        .ack_stream = write->ack_stream,
        .done = on_queue_done,
        .arg = job,
    };
    return write_queue_put(writes->queue, &event, clock_mono());
}

void daemon_writes_submit(void *arg, const struct backend_write *write)
{
    struct daemon *daemon = arg;
    struct job *job = malloc(sizeof(*job));
    enum err err = ERR_NOMEM;
    if (job != NULL) {
        *job = (struct job){.writes = daemon->writes, .done = write->done, .arg = write->arg};
        err = submit(daemon->writes, write, job);
    }
    if (err != ERR_OK) {
        free(job);
        write->done(write->arg, err == ERR_CLOSED ? BACKEND_UNAVAILABLE : BACKEND_QUEUE_FULL);
    }
}

// --- life

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
    writes->held_end = &writes->held;
    writes->drain = &daemon->drain;
    loop_task_init(writes->drain, on_drain, daemon);
    enum err err = loop_timer_new(daemon->loop, on_timer, writes, &writes->timer);
    if (err == ERR_OK) {
        err = write_queue_new(&options, &writes->queue);
    }
    if (err != ERR_OK) {
        loop_timer_free(writes->timer);
        free(writes);
        return daemon_complain(DAEMON_EXIT_FAILED, "write_queue", err_text(err));
    }
    daemon->writes = writes;
    return 0;
}

void daemon_writes_stop(struct daemon *daemon)
{
    struct daemon_writes *writes = daemon->writes;
    daemon_writes_abandon(daemon);
    write_queue_free(writes->queue);
    loop_timer_free(writes->timer);
    free(writes);
    daemon->writes = NULL;
}

void daemon_writes_abandon(struct daemon *daemon)
{
    struct daemon_writes *writes = daemon->writes;
    write_queue_close(writes->queue, WRITE_QUEUE_UNAVAILABLE);
    driver_abandon(writes->driver);
    while (writes->held != NULL) {
        struct job *job = writes->held;
        writes->held = job->next;
        answer(job);
    }
    writes->held_end = &writes->held;
    loop_timer_cancel(writes->timer);
}

void daemon_writes_measure(struct daemon *daemon)
{
    static const char *const names[WRITE_QUEUE_PRIORITIES] = {
        [WRITE_QUEUE_OPERATOR] = "operator",
        [WRITE_QUEUE_API] = "api",
        [WRITE_QUEUE_CHECK] = "check",
        [WRITE_QUEUE_LATENCY] = "latency",
    };
    struct daemon_writes *writes = daemon->writes;
    metric_gauge(METRIC_WRITE_QUEUE_LENGTH, write_queue_len(writes->queue));
    for (int i = 0; i < WRITE_QUEUE_PRIORITIES; i++) {
        uint64_t total = write_queue_refused(writes->queue, (enum write_queue_priority)i);
        metric_count1(METRIC_WRITE_QUEUE_DROPPED, span_str(names[i]), total - writes->refused[i]);
        writes->refused[i] = total;
    }
}
