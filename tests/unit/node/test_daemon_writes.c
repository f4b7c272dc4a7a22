// SPDX-License-Identifier: Apache-2.0
// Writes from other threads on their way through the queue to a real core and back.
#include "replicator/daemon_writes.h"

#include "base/loop.h"
#include "base/metric.h"
#include "replicator/check/backend.h"
#include "replicator/config.h"
#include "replicator/daemon_state.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"
#include "tests/unit/node/fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define CAPACITY 16
#define THREADS 4
#define WRITES 200

struct bench {
    struct fixture fixture;
    struct config config;
    struct daemon daemon;
    atomic_uint answers;
    _Atomic enum backend_outcome last;
};

static bool bench_init(struct bench *bench, uint32_t capacity)
{
    memset(bench, 0, sizeof(*bench));
    if (!fixture_init(&bench->fixture)) {
        return false;
    }
    bench->config.write_queue_capacity = capacity;
    bench->config.write_queue_drop_low_at = 80;
    bench->config.write_queue_slow_after_ms = 1;
    bench->config.write_queue_slow_by_ms = 10;
    bench->daemon.config = &bench->config;
    bench->daemon.loop = bench->fixture.loop;
    bench->daemon.map = bench->fixture.map;
    bench->daemon.driver = bench->fixture.driver;
    if (daemon_writes_start(&bench->daemon) != 0) {
        fixture_fini(&bench->fixture);
        return false;
    }
    return true;
}

static void bench_fini(struct bench *bench)
{
    daemon_writes_stop(&bench->daemon);
    fixture_fini(&bench->fixture);
}

static void on_done(void *arg, enum backend_outcome outcome)
{
    struct bench *bench = arg;
    atomic_store(&bench->last, outcome);
    atomic_fetch_add(&bench->answers, 1);
}

static void submit(struct bench *bench, const char *id, enum backend_precondition precondition)
{
    struct key_bytes key = fixture_key(id);
    struct patch patch = fixture_patch(80);
    const struct backend_write write = {.key = key_span(&key),
                                        .patch = &patch,
                                        .precondition = precondition,
                                        .done = on_done,
                                        .arg = bench};
    daemon_writes_submit(&bench->daemon, &write);
}

TEST(a_write_is_answered_once_the_loop_has_turned)
{
    struct bench *bench = malloc(sizeof(*bench));
    struct map_facts facts;
    struct key_bytes key = fixture_key("p1");
    CHECK(bench_init(bench, CAPACITY));
    submit(bench, "p1", BACKEND_ANY);
    CHECK_EQ(bench->answers, 0);
    loop_run_once(bench->fixture.loop, 0);
    CHECK_EQ(bench->answers, 1);
    CHECK_EQ(bench->last, BACKEND_APPLIED);
    CHECK(map_peek(bench->fixture.map, key_span(&key), &facts));
    submit(bench, "p1", BACKEND_ANY);
    loop_run_once(bench->fixture.loop, 0);
    CHECK_EQ(bench->last, BACKEND_SAME);
    submit(bench, "p1", BACKEND_IF_EXISTS);
    loop_run_once(bench->fixture.loop, 0);
    CHECK_EQ(bench->last, BACKEND_NOT_READY);
    bench_fini(bench);
    free(bench);
}
END_TEST

static double value(enum metric metric, const char *priority)
{
    return metric_value(metric, priority == NULL ? SPAN_NONE : span_str(priority), SPAN_NONE);
}

static void drain_order(struct bench *bench)
{
    const struct patch patch = {.op = PATCH_PUT,
                                .record = {.kind = KEY_OVERRIDE,
                                           .override = {.status = STATUS_DRAINING,
                                                        .reason = SPAN_LIT("deploy"),
                                                        .actor = SPAN_LIT("ops")}}};
    struct key_bytes key;
    key_override(SPAN_LIT("default"), SPAN_LIT("pay"), SPAN_LIT("p1"), &key);
    const struct backend_write write = {
        .key = key_span(&key), .patch = &patch, .done = on_done, .arg = bench};
    daemon_writes_submit(&bench->daemon, &write);
}

TEST(a_full_queue_refuses_at_once_and_takes_nothing)
{
    struct bench *bench = malloc(sizeof(*bench));
    CHECK(bench_init(bench, CAPACITY));
    CHECK_EQ(value(METRIC_WRITE_QUEUE_REFUSED, "api"), 0);
    for (unsigned i = 0; i < CAPACITY; i++) {
        submit(bench, "p1", BACKEND_ANY);
    }
    CHECK_EQ(bench->answers, 0);
    submit(bench, "p1", BACKEND_ANY);
    CHECK_EQ(bench->answers, 1);
    CHECK_EQ(bench->last, BACKEND_QUEUE_FULL);
    // An operator's write takes the place of the newest of the others, who is told.
    bench->last = BACKEND_SAME;
    drain_order(bench);
    CHECK_EQ(bench->answers, 2);
    CHECK_EQ(bench->last, BACKEND_QUEUE_FULL);
    daemon_writes_measure(&bench->daemon);
    CHECK_EQ(value(METRIC_WRITE_QUEUE_LENGTH, NULL), CAPACITY);
    CHECK_EQ(value(METRIC_WRITE_QUEUE_CAPACITY, NULL), CAPACITY);
    CHECK_EQ(value(METRIC_WRITE_QUEUE_REFUSED, "api"), 1);
    CHECK_EQ(value(METRIC_WRITE_QUEUE_DROPPED, "api"), 1);
    loop_run_once(bench->fixture.loop, 0);
    CHECK_EQ(bench->answers, CAPACITY + 2);
    CHECK_EQ(bench->last, BACKEND_APPLIED); // it was the last one
    daemon_writes_measure(&bench->daemon);
    CHECK_EQ(value(METRIC_WRITE_QUEUE_LENGTH, NULL), 0);
    CHECK_EQ(value(METRIC_WRITE_QUEUE_REFUSED, "api"), 1);
    bench_fini(bench);
    free(bench);
}

TEST(the_metrics_stand_there_before_anything_happens)
{
    static const char *const names[] = {"operator", "api", "check", "latency"};
    struct bench *bench = malloc(sizeof(*bench));
    struct buf text;
    metric_reset();
    CHECK(bench_init(bench, CAPACITY));
    buf_init(&text, 1 << 20);
    metric_write(&text);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char line[128];
        (void)snprintf(line, sizeof(line),
                       "\nmeshpulse_write_queue_dropped_total{priority=\"%s\"} 0\n", names[i]);
        ck_assert_msg(strstr(buf_cstr(&text), line) != NULL, "%s", line);
        (void)snprintf(line, sizeof(line),
                       "\nmeshpulse_write_queue_refused_total{priority=\"%s\"} 0\n", names[i]);
        ck_assert_msg(strstr(buf_cstr(&text), line) != NULL, "%s", line);
    }
    CHECK(strstr(buf_cstr(&text), "\nmeshpulse_write_queue_slow_seconds_total 0\n") != NULL);
    buf_fini(&text);
    bench_fini(bench);
    free(bench);
}

TEST(who_refuses_for_long_slows_down_until_it_is_calm)
{
    struct bench *bench = malloc(sizeof(*bench));
    CHECK(bench_init(bench, CAPACITY));
    CHECK_EQ(daemon_writes_slow_ms(&bench->daemon), 0);
    // As long as it takes for a millisecond to pass.
    for (int i = 0; i < 10000000 && daemon_writes_slow_ms(&bench->daemon) == 0; i++) {
        submit(bench, "p1", BACKEND_ANY);
    }
    CHECK_EQ(daemon_writes_slow_ms(&bench->daemon), 10);
    daemon_writes_measure(&bench->daemon);
    CHECK_EQ(value(METRIC_WRITE_QUEUE_SLOW, NULL), 1);
    loop_run_once(bench->fixture.loop, 0);
    CHECK_EQ(daemon_writes_slow_ms(&bench->daemon), 0);
    daemon_writes_measure(&bench->daemon);
    CHECK_EQ(value(METRIC_WRITE_QUEUE_SLOW, NULL), 0);
    CHECK(value(METRIC_WRITE_QUEUE_SLOW_TIME, NULL) > 0);
    bench_fini(bench);
    free(bench);
}

TEST(what_checks_say_is_the_first_to_go)
{
    struct bench *bench = malloc(sizeof(*bench));
    struct key_bytes key = fixture_key("p1");
    struct check_judgement judgement = {.registration_key = key_span(&key),
                                        .status = STATUS_UNHEALTHY,
                                        .reason = REASON_CONNECT_REFUSED,
                                        .news = true};
    metric_reset();
    CHECK(bench_init(bench, CAPACITY));
    daemon_writes_judged(&bench->daemon, &judgement);
    judgement.news = false;
    for (unsigned i = 0; i < CAPACITY; i++) {
        daemon_writes_judged(&bench->daemon, &judgement);
    }
    for (unsigned i = 0; i < CAPACITY; i++) {
        submit(bench, "p1", BACKEND_ANY);
    }
    daemon_writes_measure(&bench->daemon);
    // 80 % of 16 are 12: one that was news and eleven others; then writes came instead of all of them.
    CHECK_EQ(value(METRIC_WRITE_QUEUE_DROPPED, "latency"), CAPACITY);
    CHECK_EQ(value(METRIC_WRITE_QUEUE_DROPPED, "check"), 1);
    CHECK_EQ(bench->answers, 0);
    judgement.news = true;
    daemon_writes_judged(&bench->daemon, &judgement);
    daemon_writes_measure(&bench->daemon);
    CHECK_EQ(value(METRIC_WRITE_QUEUE_REFUSED, "check"), 1);
    loop_run_once(bench->fixture.loop, 0);
    CHECK_EQ(bench->answers, CAPACITY);
    daemon_writes_judged(&bench->daemon, &judgement); // the checker has gone meanwhile
    loop_run_late(bench->fixture.loop);               // and nobody else has to wake the loop
    daemon_writes_measure(&bench->daemon);
    CHECK_EQ(value(METRIC_WRITE_QUEUE_LENGTH, NULL), 0);
    daemon_writes_judged(&bench->daemon, &judgement); // waits when it ends
    bench_fini(bench);
    free(bench);
}

TEST(what_waits_when_the_daemon_ends_is_answered)
{
    struct bench *bench = malloc(sizeof(*bench));
    CHECK(bench_init(bench, CAPACITY));
    submit(bench, "p1", BACKEND_ANY);
    submit(bench, "p2", BACKEND_ANY);
    daemon_writes_abandon(&bench->daemon);
    CHECK_EQ(bench->answers, 2);
    CHECK_EQ(bench->last, BACKEND_UNAVAILABLE);
    submit(bench, "p3", BACKEND_ANY);
    CHECK_EQ(bench->answers, 3);
    CHECK_EQ(bench->last, BACKEND_UNAVAILABLE);
    bench_fini(bench);
    free(bench);
}
END_TEST

static void *run_writer(void *arg)
{
    for (int i = 0; i < WRITES; i++) {
        submit(arg, "p1", BACKEND_ANY);
    }
    return NULL;
}

TEST(every_write_of_every_thread_is_answered_once)
{
    struct bench *bench = malloc(sizeof(*bench));
    pthread_t threads[THREADS];
    CHECK(bench_init(bench, THREADS * WRITES * 2));
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, run_writer, bench), 0);
    }
    while (bench->answers < THREADS * WRITES) {
        loop_run_once(bench->fixture.loop, 10);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    loop_run_once(bench->fixture.loop, 0);
    CHECK_EQ(bench->answers, THREADS * WRITES);
    bench_fini(bench);
    free(bench);
}
END_TEST

static void report(struct bench *bench, enum status status, uint64_t latency_us, uint64_t ttl_ms)
{
    struct key_bytes key;
    const struct patch patch = {.op = PATCH_PUT,
                                .record = {.kind = KEY_OBSERVATION,
                                           .observation = {.status = status,
                                                           .reason = REASON_CHECK_PASSED,
                                                           .latency_us = latency_us,
                                                           .vantage = VANTAGE_EXTERNAL,
                                                           .via = SPAN_LIT("a"),
                                                           .ttl_ms = ttl_ms}}};
    key_observation(SPAN_LIT("default"), SPAN_LIT("pay"), SPAN_LIT("p1"), SPAN_LIT("agent"), &key);
    const struct backend_write write = {
        .key = key_span(&key), .patch = &patch, .done = on_done, .arg = bench};
    daemon_writes_submit(&bench->daemon, &write);
}

TEST(a_report_that_says_nothing_new_gives_way_but_not_one_that_lives_by_it)
{
    const uint64_t ttls[] = {0, 60000};
    for (size_t i = 0; i < sizeof(ttls) / sizeof(ttls[0]); i++) {
        struct bench *bench = malloc(sizeof(*bench));
        const unsigned calm = CAPACITY * 80 / 100;
        CHECK(bench_init(bench, CAPACITY));
        report(bench, STATUS_HEALTHY, 1, ttls[i]);
        loop_run_once(bench->fixture.loop, 0);
        CHECK_EQ(bench->last, BACKEND_APPLIED);
        for (unsigned k = 0; k < calm; k++) {
            submit(bench, "p1", BACKEND_ANY);
        }
        report(bench, STATUS_HEALTHY, 2, ttls[i]); // another latency
        CHECK_EQ(bench->answers, ttls[i] == 0 ? 2 : 1);
        CHECK_EQ(bench->last, ttls[i] == 0 ? BACKEND_QUEUE_FULL : BACKEND_APPLIED);
        unsigned answers = bench->answers;
        report(bench, STATUS_UNHEALTHY, 2, ttls[i]);
        CHECK_EQ(bench->answers, answers);
        loop_run_once(bench->fixture.loop, 0);
        CHECK_EQ(bench->answers, calm + 3);
        report(bench, STATUS_UNHEALTHY, 3, ttls[i]); // with room it is taken like any other
        loop_run_once(bench->fixture.loop, 0);
        CHECK_EQ(bench->answers, calm + 4);
        CHECK_EQ(bench->last, BACKEND_SAME);
        bench_fini(bench);
        free(bench);
    }
}

static bool make_one(void *arg)
{
    struct bench *bench = arg;
    if (!bench_init(bench, CAPACITY)) {
        return false;
    }
    submit(bench, "p1", BACKEND_ANY);
    loop_run_once(bench->fixture.loop, 0);
    bool well = bench->answers == 1 && bench->last == BACKEND_APPLIED;
    bench_fini(bench);
    return well;
}

TEST(every_allocation_may_fail)
{
    struct bench *bench = malloc(sizeof(*bench));
    CHECK(failalloc_each(make_one, bench) > 0);
    free(bench);
}
END_TEST

SUITE("node/daemon_writes", T(a_write_is_answered_once_the_loop_has_turned),
      T(a_full_queue_refuses_at_once_and_takes_nothing),
      T(the_metrics_stand_there_before_anything_happens),
      T(who_refuses_for_long_slows_down_until_it_is_calm), T(what_checks_say_is_the_first_to_go),
      T(a_report_that_says_nothing_new_gives_way_but_not_one_that_lives_by_it),
      T(what_waits_when_the_daemon_ends_is_answered),
      T(every_write_of_every_thread_is_answered_once), T(every_allocation_may_fail));
