// SPDX-License-Identifier: Apache-2.0
// Writes from other threads on their way through the queue to a real core and back.
#include "replicator/daemon_writes.h"

#include "base/loop.h"
#include "replicator/config.h"
#include "replicator/daemon_state.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"
#include "tests/unit/node/fixture.h"

#include <pthread.h>
#include <stdatomic.h>

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
    bench->daemon.config = &bench->config;
    bench->daemon.loop = bench->fixture.loop;
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

TEST(a_full_queue_refuses_at_once_and_takes_nothing)
{
    struct bench *bench = malloc(sizeof(*bench));
    CHECK(bench_init(bench, CAPACITY));
    unsigned taken = 0;
    while (bench->answers == 0 && taken <= CAPACITY) {
        submit(bench, "p1", BACKEND_ANY);
        taken++;
    }
    CHECK_EQ(bench->last, BACKEND_QUEUE_FULL);
    CHECK(taken <= CAPACITY);
    loop_run_once(bench->fixture.loop, 0);
    CHECK_EQ(bench->answers, taken);
    bench_fini(bench);
    free(bench);
}
END_TEST

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
      T(what_waits_when_the_daemon_ends_is_answered),
      T(every_write_of_every_thread_is_answered_once), T(every_allocation_may_fail));
