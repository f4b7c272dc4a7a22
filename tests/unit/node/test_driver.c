// SPDX-License-Identifier: Apache-2.0
// The driver around a real core, with a stream that answers nothing unless the test says so.
#include "replicator/driver.h"

#include "base/loop.h"
#include "base/metric.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"
#include "tests/unit/node/fixture.h"

struct waiting {
    struct fixture *fixture;
    unsigned answers;
    enum core_outcome last;
    bool seen_in_map;
    unsigned again; // writes to make out of the answer
    uint32_t port;  // of the next write: each is another
};

static void write_one(struct waiting *waiting, const char *id, bool ack_stream);

static void on_done(void *arg, enum core_outcome outcome)
{
    struct waiting *waiting = arg;
    struct map_facts facts;
    struct key_bytes key = fixture_key("p1");
    waiting->answers++;
    waiting->last = outcome;
    waiting->seen_in_map = map_peek(waiting->fixture->map, key_span(&key), &facts);
    if (waiting->again > 0) {
        waiting->again--;
        write_one(waiting, "p2", false);
    }
}

static void write_one(struct waiting *waiting, const char *id, bool ack_stream)
{
    struct key_bytes key = fixture_key(id);
    struct patch patch = fixture_patch(++waiting->port);
    const struct core_write write = {
        .key = key_span(&key), .patch = &patch, .ack_stream = ack_stream};
    driver_write(waiting->fixture->driver, &write, on_done, waiting);
}

TEST(an_answer_comes_after_the_step_that_shows_the_write)
{
    struct fixture fixture;
    CHECK(fixture_init(&fixture));
    struct waiting waiting = {.fixture = &fixture};
    write_one(&waiting, "p1", false);
    CHECK_EQ(waiting.answers, 1);
    CHECK_EQ(waiting.last, CORE_APPLIED);
    CHECK(waiting.seen_in_map);
    CHECK_UEQ(board_pending(fixture.board), 1);
    fixture_fini(&fixture);
}
END_TEST

TEST(who_is_answered_may_write_at_once)
{
    struct fixture fixture;
    CHECK(fixture_init(&fixture));
    struct waiting waiting = {.fixture = &fixture, .again = 3};
    write_one(&waiting, "p1", false);
    CHECK_EQ(waiting.answers, 4);
    fixture_fini(&fixture);
}
END_TEST

TEST(a_conditional_write_before_the_node_is_ready_is_not_ready)
{
    struct fixture fixture;
    CHECK(fixture_init(&fixture));
    struct waiting waiting = {.fixture = &fixture};
    struct key_bytes key = fixture_key("p1");
    struct patch patch = fixture_patch(80);
    const struct core_write write = {
        .key = key_span(&key), .patch = &patch, .precondition = CORE_IF_ABSENT};
    driver_write(fixture.driver, &write, on_done, &waiting);
    CHECK_EQ(waiting.last, CORE_NOT_READY);
    CHECK(!waiting.seen_in_map);
    fixture_fini(&fixture);
}
END_TEST

TEST(who_waits_for_the_stream_is_answered_when_the_driver_gives_up)
{
    struct fixture fixture;
    CHECK(fixture_init(&fixture));
    struct waiting waiting = {.fixture = &fixture};
    write_one(&waiting, "p1", true);
    CHECK_EQ(waiting.answers, 0);
    driver_abandon(fixture.driver);
    CHECK_EQ(waiting.answers, 1);
    CHECK_EQ(waiting.last, CORE_UNAVAILABLE);
    driver_abandon(fixture.driver);
    CHECK_EQ(waiting.answers, 1);
    fixture_fini(&fixture);
}
END_TEST

TEST(a_full_table_of_waiters_refuses_at_once)
{
    struct fixture fixture;
    CHECK(fixture_init(&fixture));
    struct waiting waiting = {.fixture = &fixture};
    for (int i = 0; i < DRIVER_OPS_MAX; i++) {
        write_one(&waiting, "p1", true);
    }
    unsigned before = waiting.answers;
    write_one(&waiting, "p1", true);
    CHECK_EQ(waiting.answers, before + 1);
    CHECK_EQ(waiting.last, CORE_REFUSED);
    driver_abandon(fixture.driver);
    CHECK_EQ(waiting.answers, DRIVER_OPS_MAX + 1);
    fixture_fini(&fixture);
}
END_TEST

TEST(a_connection_makes_core_ask_for_every_partition)
{
    struct fixture fixture;
    CHECK(fixture_init(&fixture));
    fixture_start(&fixture);
    CHECK_EQ(fixture.metas, 0);
    fixture_up(&fixture);
    CHECK_EQ(fixture.metas, FIXTURE_PARTITIONS);
    fixture_fini(&fixture);
}
END_TEST

TEST(leaving_withdraws_from_presence)
{
    struct fixture fixture;
    CHECK(fixture_init(&fixture));
    fixture_start(&fixture);
    fixture_up(&fixture);
    driver_leave(fixture.driver);
    CHECK_EQ(fixture.forgets, 1);
    CHECK(driver_is_drained(fixture.driver));
    fixture_fini(&fixture);
}
END_TEST

TEST(a_detached_driver_calls_no_stream)
{
    struct fixture fixture;
    CHECK(fixture_init(&fixture));
    fixture_start(&fixture);
    driver_detach(fixture.driver);
    fixture_up(&fixture);
    CHECK_EQ(fixture.metas, 0);
    CHECK(driver_is_drained(fixture.driver));
    fixture_fini(&fixture);
}
END_TEST

TEST(news_in_quick_succession_do_not_keep_the_gauges_from_moving)
{
    struct fixture fixture;
    metric_reset();
    CHECK(fixture_init(&fixture));
    fixture_start(&fixture);
    fixture_up(&fixture);
    fixture.connected = false;
    unsigned before = fixture.measures;
    // Down again and again, as while a server is away: each is published at once.
    for (int i = 0; i < 60; i++) {
        const struct stream_event down = {.type = STREAM_EV_DOWN, .text = SPAN_LIT("refused")};
        driver_on_stream(fixture.driver, &down);
        loop_run_once(fixture.loop, 10);
    }
    CHECK(fixture.measures > before);
    CHECK_EQ((int)metric_value(METRIC_REDIS_CONNECTED, SPAN_NONE, SPAN_NONE), 0);
    fixture_fini(&fixture);
}
END_TEST

static bool make_one(void *arg)
{
    (void)arg;
    struct fixture fixture;
    if (!fixture_init(&fixture)) {
        return false;
    }
    fixture_fini(&fixture);
    return true;
}

TEST(every_allocation_may_fail)
{
    CHECK(failalloc_each(make_one, NULL) > 0);
}
END_TEST

SUITE("node/driver", T(an_answer_comes_after_the_step_that_shows_the_write),
      T(who_is_answered_may_write_at_once),
      T(a_conditional_write_before_the_node_is_ready_is_not_ready),
      T(who_waits_for_the_stream_is_answered_when_the_driver_gives_up),
      T(a_full_table_of_waiters_refuses_at_once),
      T(a_connection_makes_core_ask_for_every_partition), T(leaving_withdraws_from_presence),
      T(a_detached_driver_calls_no_stream),
      T(news_in_quick_succession_do_not_keep_the_gauges_from_moving), T(every_allocation_may_fail));
