// SPDX-License-Identifier: Apache-2.0
// The faults of the memory backend, in virtual time: a script of calls, then what the client saw, as text
// ("U" up, "D" down, "p" put, "m" meta, "e<sequence>" entry, "." drained).
#include "base/buf.h"
#include "stream/memory.h"
#include "stream/memory_state.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>

static const struct stream_epoch epoch = {"0123456789abcdef0123456789abcdef"};

struct bench {
    struct memory_server *server;
    struct stream *stream;
    struct buf seen;
    int64_t now_ms;
    uint64_t counter;
};

static void on_event(void *arg, const struct stream_event *event)
{
    static const char marks[] = {
        [STREAM_EV_UP] = 'U',      [STREAM_EV_DOWN] = 'D',  [STREAM_EV_META] = 'm',
        [STREAM_EV_SCAN] = 's',    [STREAM_EV_PROBE] = 'q', [STREAM_EV_ENTRY] = 'e',
        [STREAM_EV_DRAINED] = '.', [STREAM_EV_PUT] = 'p',   [STREAM_EV_BEAT] = 'b'};
    struct bench *bench = arg;
    buf_byte(&bench->seen, marks[event->type]);
    if (event->type == STREAM_EV_ENTRY) {
        buf_u64(&bench->seen, event->entry.sequence);
    } else if (event->status != STREAM_OK) {
        buf_byte(&bench->seen, event->status == STREAM_RETRY ? '!' : '?');
    }
}

static enum err bench_init(struct bench *bench)
{
    const struct memory_options options = {.partitions = 2, .retention = 1000, .seed = 7};
    *bench = (struct bench){.now_ms = 1000};
    buf_init(&bench->seen, 1000);
    enum err err = memory_server_new(&options, &bench->server);
    return err != ERR_OK ? err : memory_client_new(bench->server, on_event, bench, &bench->stream);
}

static void bench_fini(struct bench *bench)
{
    stream_free(bench->stream);
    memory_server_free(bench->server);
    buf_fini(&bench->seen);
}

static void step(struct bench *bench, int64_t ms)
{
    bench->now_ms += ms;
    memory_server_step(bench->server, (struct mono){bench->now_ms * 1000});
}

// What was seen since the last look.
static const char *look(struct bench *bench)
{
    static char text[200];
    snprintf(text, sizeof(text), "%s", buf_cstr(&bench->seen));
    buf_reset(&bench->seen);
    return text;
}

static void put(struct bench *bench)
{
    char value[30] = "";
    struct stream_record record = {.key = SPAN_LIT("s\0i"), .value = {value, sizeof(value)}};
    record.expected[7] = (char)bench->counter;
    value[7] = (char)++bench->counter;
    stream_put(bench->stream, 0, &epoch, &record, 1);
}

static void bench_up(struct bench *bench)
{
    CHECK_OK(bench_init(bench));
    stream_start(bench->stream);
    step(bench, 0);
    stream_create(bench->stream, 0, &epoch);
    step(bench, 0);
    CHECK_STR(look(bench), "Um");
}

TEST(no_answer_comes_from_inside_a_call)
{
    struct bench bench;
    bench_up(&bench);
    put(&bench);
    stream_read(bench.stream, 0, (struct stream_id){0}, false);
    CHECK_STR(look(&bench), "");
    step(&bench, 0);
    CHECK_STR(look(&bench), "pe1.");
    bench_fini(&bench);
}
END_TEST

TEST(a_delayed_answer_comes_when_it_is_due_and_in_order)
{
    struct bench bench;
    bench_up(&bench);
    memory_server_delay(bench.server, 20, 20);
    put(&bench);
    memory_server_delay(bench.server, 0, 0);
    stream_meta(bench.stream, 0);
    CHECK_EQ(memory_server_next(bench.server).us, (bench.now_ms + 20) * 1000);
    step(&bench, 19);
    CHECK_STR(look(&bench), "");
    step(&bench, 1);
    CHECK_STR(look(&bench), "pm");
    CHECK_EQ(memory_server_next(bench.server).us, INT64_MAX);
    bench_fini(&bench);
}
END_TEST

TEST(a_delayed_call_is_executed_when_it_arrives_and_in_order)
{
    struct bench bench;
    bench_up(&bench);
    memory_server_delay_requests(bench.server, 20, 20);
    put(&bench);
    memory_server_delay_requests(bench.server, 0, 0);
    stream_meta(bench.stream, 0);
    CHECK_UEQ(memory_server_entries(bench.server), 0);
    CHECK_EQ(memory_server_next(bench.server).us, (bench.now_ms + 20) * 1000);
    step(&bench, 19);
    CHECK_STR(look(&bench), "");
    step(&bench, 1);
    CHECK_UEQ(memory_server_entries(bench.server), 1);
    CHECK_STR(look(&bench), "pm");
    CHECK_EQ(memory_server_next(bench.server).us, INT64_MAX);
    stream_meta(bench.stream, 0); // and a put left on its way is no leak
    memory_server_delay_requests(bench.server, 20, 40);
    put(&bench);
    bench_fini(&bench);
}
END_TEST

TEST(a_call_of_a_lost_connection_may_still_arrive_and_its_answer_does_not)
{
    uint32_t arrived = 0;
    struct bench bench;
    bench_up(&bench);
    for (int i = 0; i < 16; i++) {
        uint64_t before = memory_server_entries(bench.server);
        memory_server_delay_requests(bench.server, 200, 200);
        put(&bench);
        memory_client_cut(bench.stream);
        memory_client_mend(bench.stream);
        step(&bench, 150);
        CHECK_STR(look(&bench), "DU");
        CHECK_UEQ(memory_server_entries(bench.server), before);
        step(&bench, 50);
        CHECK_STR(look(&bench), "");
        bool done = memory_server_entries(bench.server) > before;
        arrived += done ? 1 : 0;
        bench.counter -= done ? 0 : 1;
    }
    ck_assert_msg(arrived > 0 && arrived < 16, "%u arrived", arrived);
    bench_fini(&bench);
}
END_TEST

static struct mono half_a_second_later(void *arg)
{
    const struct bench *bench = arg;
    return (struct mono){(bench->now_ms + 500) * 1000};
}

TEST(the_servers_clock_does_not_stand_still_between_two_steps)
{
    struct bench bench;
    bench_up(&bench);
    memory_server_on_clock(bench.server, half_a_second_later, &bench);
    put(&bench);
    const struct memory_partition *partition = memory_server_partition(bench.server, 0);
    CHECK_UEQ(memory_partition_meta(partition).last_id.ms, (uint64_t)bench.now_ms + 500);
    bench_fini(&bench);
}
END_TEST

TEST(a_lost_answer_is_a_lost_connection_and_the_put_was_done)
{
    struct bench bench;
    bench_up(&bench);
    memory_server_drop_replies(bench.server, 100);
    put(&bench);
    step(&bench, 1000);
    CHECK_STR(look(&bench), "DU");
    memory_server_drop_replies(bench.server, 0);
    stream_read(bench.stream, 0, (struct stream_id){0}, false);
    step(&bench, 0);
    CHECK_STR(look(&bench), "e1.");
    bench_fini(&bench);
}
END_TEST

TEST(a_server_that_refuses_does_nothing)
{
    struct bench bench;
    bench_up(&bench);
    memory_server_refuse(bench.server, true);
    put(&bench);
    step(&bench, 0);
    CHECK_STR(look(&bench), "p!");
    CHECK_UEQ(memory_server_entries(bench.server), 0);
    bench_fini(&bench);
}
END_TEST

TEST(a_cut_client_hears_nothing_until_it_is_mended)
{
    struct bench bench;
    bench_up(&bench);
    stream_read(bench.stream, 0, (struct stream_id){0}, false);
    memory_client_cut(bench.stream);
    put(&bench);
    step(&bench, 1000);
    CHECK_STR(look(&bench), "D");
    CHECK_UEQ(memory_server_entries(bench.server), 0);
    memory_client_mend(bench.stream);
    step(&bench, 1000);
    CHECK_STR(look(&bench), "U"); // without its subscriptions
    bench_fini(&bench);
}
END_TEST

TEST(a_held_client_hears_everything_later)
{
    struct bench bench;
    bench_up(&bench);
    memory_client_hold(bench.stream, true);
    put(&bench);
    step(&bench, 5000);
    CHECK_STR(look(&bench), "");
    memory_client_hold(bench.stream, false);
    step(&bench, 0);
    CHECK_STR(look(&bench), "p");
    bench_fini(&bench);
}
END_TEST

TEST(a_restored_server_has_forgotten_what_came_after_the_copy)
{
    struct bench bench;
    bench_up(&bench);
    CHECK_EQ(memory_server_restore(bench.server), ERR_NOT_FOUND);
    put(&bench);
    CHECK_OK(memory_server_save(bench.server));
    put(&bench);
    CHECK_OK(memory_server_restore(bench.server));
    stream_read(bench.stream, 0, (struct stream_id){0}, false);
    step(&bench, 0);
    CHECK_STR(look(&bench), "ppe1.");
    bench.counter = 1;
    put(&bench);
    step(&bench, 0);
    CHECK_STR(look(&bench), "pe2.");
    bench_fini(&bench);
}
END_TEST

TEST(a_fork_shares_the_past_and_nothing_else)
{
    struct bench bench;
    struct memory_server *fork = NULL;
    bench_up(&bench);
    put(&bench);
    CHECK_OK(memory_server_fork(bench.server, &fork));
    put(&bench);
    memory_client_move(bench.stream, fork);
    step(&bench, 1000);
    CHECK_STR(look(&bench), ""); // it is the fork's client now
    memory_server_step(fork, (struct mono){(bench.now_ms + 1000) * 1000});
    CHECK_STR(look(&bench), "DU");
    stream_read(bench.stream, 0, (struct stream_id){0}, false);
    memory_server_step(fork, (struct mono){(bench.now_ms + 1000) * 1000});
    CHECK_STR(look(&bench), "e1.");
    memory_client_move(bench.stream, bench.server);
    step(&bench, 0);
    step(&bench, 1000);
    CHECK_STR(look(&bench), "DU");
    stream_read(bench.stream, 0, (struct stream_id){0}, false);
    step(&bench, 0);
    CHECK_STR(look(&bench), "e1e2.");
    memory_server_free(fork);
    bench_fini(&bench);
}
END_TEST

// Whatever cannot be remembered becomes a DOWN and a new UP: each call is answered or its loss is told.
static bool walk(void *arg)
{
    struct bench bench;
    bool *silent = arg;
    bool done = bench_init(&bench) == ERR_OK;
    if (!done) {
        if (bench.server != NULL) {
            memory_server_free(bench.server);
        }
        buf_fini(&bench.seen);
        return false;
    }
    stream_start(bench.stream);
    step(&bench, 0);
    stream_create(bench.stream, 0, &epoch);
    stream_scan(bench.stream, 0, 0);
    put(&bench);
    memory_server_delay_requests(bench.server, 10, 10);
    stream_beat(bench.stream, SPAN_LIT("a"), SPAN_LIT("payload"), 1000);
    put(&bench);
    step(&bench, 1000);
    const char *seen = buf_cstr(&bench.seen);
    done = strcmp(seen, "Umspbp") == 0;
    *silent = *silent || (!done && bench.seen.err == ERR_OK && strchr(seen, '!') == NULL &&
                          strchr(seen, 'D') == NULL);
    bench_fini(&bench);
    return done;
}

TEST(without_memory_the_connection_is_lost_and_the_loss_is_told)
{
    bool silent = false;
    CHECK(failalloc_each(walk, &silent) > 10);
    CHECK(!silent);
}
END_TEST

SUITE("stream/memory", T(no_answer_comes_from_inside_a_call),
      T(a_delayed_answer_comes_when_it_is_due_and_in_order),
      T(a_delayed_call_is_executed_when_it_arrives_and_in_order),
      T(a_call_of_a_lost_connection_may_still_arrive_and_its_answer_does_not),
      T(the_servers_clock_does_not_stand_still_between_two_steps),
      T(a_lost_answer_is_a_lost_connection_and_the_put_was_done),
      T(a_server_that_refuses_does_nothing), T(a_cut_client_hears_nothing_until_it_is_mended),
      T(a_held_client_hears_everything_later),
      T(a_restored_server_has_forgotten_what_came_after_the_copy),
      T(a_fork_shares_the_past_and_nothing_else),
      T(without_memory_the_connection_is_lost_and_the_loss_is_told));
