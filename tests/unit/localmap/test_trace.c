// SPDX-License-Identifier: Apache-2.0
// The recorder: off it takes nothing, on it takes what fits, and who stops it gets all of it.
#include "localmap/table/shard_lock.h"
#include "localmap/table/trace.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

static struct trace *trace_made(void)
{
    struct trace *trace = NULL;
    CHECK_OK(trace_new(&trace));
    return trace;
}

static void add(struct trace *trace, uint32_t shard)
{
    trace_add(trace, &(struct trace_event){.kind = TRACE_GROWTH, .shard = shard, .site = "test"});
}

TEST(only_what_comes_while_it_is_on_is_recorded)
{
    struct trace *trace = trace_made();
    struct trace_recorded recorded;
    CHECK(!trace_is_on(trace));
    add(trace, 1);
    CHECK_OK(trace_start(trace));
    CHECK(trace_is_on(trace));
    add(trace, 2);
    add(trace, 3);
    trace_stop(trace, &recorded);
    add(trace, 4);
    CHECK(!trace_is_on(trace));
    CHECK_UEQ(recorded.count, 2);
    CHECK_UEQ(recorded.dropped, 0);
    CHECK_UEQ(recorded.events[0].shard, 2);
    CHECK_UEQ(recorded.events[1].shard, 3);
    CHECK(recorded.events[1].thread != 0);
    free(recorded.events);
    trace_free(trace);
}
END_TEST

TEST(one_records_at_a_time)
{
    struct trace *trace = trace_made();
    struct trace_recorded recorded;
    CHECK_OK(trace_start(trace));
    add(trace, 1);
    CHECK_EQ(trace_start(trace), ERR_BUSY);
    trace_stop(trace, &recorded);
    CHECK_UEQ(recorded.count, 1);
    free(recorded.events);
    CHECK_OK(trace_start(trace));
    trace_free(trace); // while it is on
}
END_TEST

TEST(what_does_not_fit_is_counted)
{
    struct trace *trace = trace_made();
    struct trace_recorded recorded;
    CHECK_OK(trace_start(trace));
    for (uint32_t i = 0; i < TRACE_EVENTS_MAX + 5; i++) {
        add(trace, i);
    }
    trace_stop(trace, &recorded);
    CHECK_UEQ(recorded.count, TRACE_EVENTS_MAX);
    CHECK_UEQ(recorded.dropped, 5);
    CHECK_UEQ(recorded.events[TRACE_EVENTS_MAX - 1].shard, TRACE_EVENTS_MAX - 1);
    free(recorded.events);
    trace_free(trace);
}
END_TEST

TEST(a_short_wait_is_an_event)
{
    struct wait_ring *ring = NULL;
    struct shard_lock lock;
    struct trace_recorded recorded;
    CHECK_OK(wait_ring_new(&ring));
    shard_lock_init(&lock, 9, ring);
    CHECK_OK(trace_start(wait_ring_trace(ring)));
    shard_lock_wait(&lock, "test: found it free again");
    shard_lock_leave(&lock);
    trace_stop(wait_ring_trace(ring), &recorded);
    // A machine that stops this thread for a millisecond just here makes it a long wait.
    CHECK_UEQ(recorded.count + wait_ring_next(ring), 1);
    if (recorded.count == 1) {
        CHECK_EQ(recorded.events[0].kind, TRACE_WAIT);
        CHECK_UEQ(recorded.events[0].shard, 9);
        CHECK_STR(recorded.events[0].site, "test: found it free again");
        CHECK(recorded.events[0].other == NULL && recorded.events[0].took_ns > 0);
    }
    free(recorded.events);
    wait_ring_free(ring);
}
END_TEST

static bool walk(void *arg)
{
    (void)arg;
    struct trace *trace = NULL;
    enum err err = trace_new(&trace);
    if (err == ERR_OK) {
        err = trace_start(trace);
    }
    trace_free(trace);
    return err == ERR_OK;
}

TEST(no_memory_is_an_error)
{
    CHECK_UEQ(failalloc_each(walk, NULL), 2);
}
END_TEST

SUITE("localmap/trace", T(only_what_comes_while_it_is_on_is_recorded), T(one_records_at_a_time),
      T(what_does_not_fit_is_counted), T(a_short_wait_is_an_event), T(no_memory_is_an_error));
