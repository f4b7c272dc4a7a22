// SPDX-License-Identifier: Apache-2.0
// Recordings of a map in which a convoy was planted: it must be found by waiter, holder and stack in both.
// And what has no place in them, or may not be made, is told.
#include "admin-api/recording.h"

#include "base/json_lex.h"
#include "localmap/table/table_debug.h"
#include "localmap/table/trace.h"
#include "tests/lib/convoy.h"
#include "tests/lib/suite.h"
#include "tests/unit/api/rows.h"

#include <stdio.h>

static struct recording *begun(struct fake *fake, enum recording_kind kind)
{
    struct recording *recording = NULL;
    CHECK_OK(recording_new(&fake->api, kind, 5, &recording));
    recording_begin(recording, clock_mono());
    return recording;
}

// Its remaining steps, and its end.  To be freed.
static char *ended(struct recording *recording)
{
    struct response response;
    struct json_error error;
    while (!recording_step(recording, clock_mono())) {
    }
    response_init(&response);
    recording_end(recording, &response);
    CHECK(!response_is_broken(&response));
    CHECK_UEQ(response.status, 200);
    const struct span body = response_body(&response);
    CHECK_OK(json_lex(body, &error));
    char *text = strndup(body.ptr, body.len);
    CHECK(text != NULL);
    response_fini(&response);
    return text;
}

static void expect(const char *text, const char *word)
{
    ck_assert_msg(strstr(text, word) != NULL, "no %s in %s", word, text);
}

TEST(contention_shows_who_waited_for_whom_and_where)
{
    struct fake *fake = rows_fake();
    convoy_plant(fake->map, SPAN_LIT("before it begins"));
    struct recording *recording = begun(fake, RECORDING_CONTENTION);
    CHECK_EQ(recording_step_ms(recording), 100);
    const uint64_t before = map_waits_next(fake->map);
    convoy_plant(fake->map, SPAN_LIT("any key"));
    char listed[32];
    (void)snprintf(listed, sizeof(listed), "\"listed\":\"%u\"",
                   (unsigned)(map_waits_next(fake->map) - before));
    char *text = ended(recording);
    expect(text, "{\"seconds\":5,\"began\":\"20");
    expect(text, listed);
    expect(text, "\"dropped\":\"0\"");
    expect(text, "\"waiter\":\"" CONVOY_WAITER "\",\"holder\":\"" CONVOY_HOLDER "\",\"thread\":");
    expect(text, "\"convoy_waiter_main+0x");
    expect(text, "\"table_update+0x");
    free(text);
    CHECK_UEQ(fake->api.recording_count, 0);
    fake_free(fake);
}
END_TEST

TEST(a_trace_shows_the_same_as_a_span_and_counts_writes)
{
    struct fake *fake = rows_fake();
    struct recording *recording = begun(fake, RECORDING_TRACE);
    convoy_plant(fake->map, SPAN_LIT("any key"));
    char *text = ended(recording);
    expect(text, "\"traceEvents\":[{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":1,\"ts\":0,"
                 "\"args\":{\"name\":\"meshpulse a\"}},{\"ph\":\"X\",\"name\":\"wait\",\"pid\":1,");
    expect(text, "\"waiter\":\"" CONVOY_WAITER "\",\"holder\":\"" CONVOY_HOLDER "\",\"stack\":[");
    expect(text, "\"convoy_waiter_main+0x");
    expect(text, "{\"ph\":\"C\",\"name\":\"shard ");
    expect(text, "\"dropped\":\"0\"");
    CHECK(strstr(text, "\"writes\":4,") != NULL || strstr(text, "\"writes\":8,") != NULL);
    free(text);
    fake_free(fake);
}
END_TEST

TEST(short_waits_and_growth_are_in_a_trace_too)
{
    struct fake *fake = rows_fake();
    struct recording *recording = begun(fake, RECORDING_TRACE);
    struct trace *trace = wait_ring_trace(table_waits(fake->map->table));
    const uint64_t now_ns = clock_ns();
    trace_add(trace, &(struct trace_event){.kind = TRACE_WAIT,
                                           .shard = 3,
                                           .site = "test: waiter",
                                           .began_ns = now_ns,
                                           .took_ns = 1500});
    trace_add(trace, &(struct trace_event){.kind = TRACE_GROWTH,
                                           .shard = 2,
                                           .site = "test: growth",
                                           .began_ns = now_ns,
                                           .took_ns = 2500});
    for (unsigned i = 0; i < TRACE_EVENTS_MAX; i++) {
        trace_add(trace, &(struct trace_event){
                             .kind = TRACE_GROWTH, .site = "test: more", .began_ns = now_ns});
    }
    char *text = ended(recording);
    expect(text, "\"cat\":\"lock\",\"dur\":1.5,\"tid\":");
    expect(text, "\"args\":{\"shard\":3,\"waiter\":\"test: waiter\",\"holder\":null}}");
    expect(text, "\"name\":\"test: growth\",\"pid\":1,");
    expect(text, "\"cat\":\"growth\",\"dur\":2.5,\"tid\":");
    expect(text, "\"dropped\":\"2\"");
    free(text);
    fake_free(fake);
}
END_TEST

TEST(reads_and_growth_of_a_real_map_are_in_a_trace)
{
    struct fake *fake = rows_fake();
    struct map_copy copy;
    struct recording *recording = begun(fake, RECORDING_TRACE);
    for (unsigned i = 0; i < 400; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "i-%u", i);
        fake_register(fake, "default", "many", name);
    }
    struct key_bytes key;
    key_registration(SPAN_LIT("default"), SPAN_LIT("many"), SPAN_LIT("i-7"), &key);
    CHECK(!recording_step(recording, clock_mono()));
    for (unsigned i = 0; i < 1000; i++) {
        CHECK(map_get(fake->map, key_span(&key), &copy));
    }
    char *text = ended(recording);
    expect(text, "\"name\":\"growth: begins\"");
    expect(text, "\"name\":\"growth: step\"");
    expect(text, "\"writes\":0,\"reads\":1000}");
    free(text);
    fake_free(fake);
}
END_TEST

static void add_waits(const struct fake *fake, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        wait_ring_add(table_waits(fake->map->table),
                      &(struct wait_entry){.waiter = "test: many", .shard = 3 - i % 2});
    }
}

TEST(waits_without_a_place_are_counted)
{
    struct fake *fake = rows_fake();
    struct recording *recording = begun(fake, RECORDING_CONTENTION);
    add_waits(fake, WAIT_RING_PLACES + 7); // more than the map keeps from one step to the next
    CHECK(!recording_step(recording, clock_mono()));
    CHECK_UEQ(recording->wait_count, WAIT_RING_PLACES);
    CHECK_UEQ(recording->waits_dropped, 7);
    while (recording->wait_count < RECORDING_WAITS_MAX) {
        add_waits(fake, 100);
        CHECK(!recording_step(recording, clock_mono()));
    }
    char *text = ended(recording);
    expect(text, "\"listed\":\"1024\",\"dropped\":\"39\"");
    expect(text, "\"shards\":[{\"shard\":2,\"waits\":[{");
    expect(text, "]},{\"shard\":3,\"waits\":[{");
    free(text);
    fake_free(fake);
}
END_TEST

TEST(few_record_at_a_time)
{
    struct fake *fake = rows_fake();
    struct recording *none = NULL;
    struct recording *trace = begun(fake, RECORDING_TRACE);
    CHECK_EQ(recording_new(&fake->api, RECORDING_TRACE, 5, &none), ERR_BUSY);
    struct recording *contention = begun(fake, RECORDING_CONTENTION);
    CHECK_EQ(recording_new(&fake->api, RECORDING_CONTENTION, 5, &none), ERR_FULL);
    const struct fake_request ask = {.method = "GET", .target = "/debug/contention"};
    struct fake_answer answer;
    fake_ask(fake, &ask, &answer);
    CHECK_UEQ(answer.status, 429);
    expect(answer.body, "\"code\":\"rate_limited\"");
    fake_answer_free(&answer);
    recording_free(trace);
    recording_free(contention);
    CHECK_UEQ(fake->api.recording_count, 0);
    recording_free(begun(fake, RECORDING_TRACE)); // the first one has given the map back
    fake_free(fake);
}
END_TEST

TEST(the_time_is_a_number_of_seconds)
{
    static const struct row rows[] = {
        {"GET", "/debug/contention", NULL, NULL, 200, "{\"seconds\":5,", NULL},
        {"GET", "/debug/contention?seconds=1", NULL, NULL, 200, "{\"seconds\":1,", NULL},
        {"GET", "/debug/trace?seconds=60", NULL, NULL, 200, "\"seconds\":60,", NULL},
        {"GET", "/debug/trace?seconds=61", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/debug/trace?seconds=0", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/debug/trace?seconds=", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/debug/trace?seconds=5s", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/debug/trace?seconds=99999999999", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/debug/contention?second=5", NULL, NULL, 400, "bad_request", NULL},
        {"HEAD", "/debug/contention", NULL, NULL, 200, NULL, NULL},
        {"POST", "/debug/trace", NULL, NULL, 405, "method_not_allowed", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

SUITE("api/recording", T(contention_shows_who_waited_for_whom_and_where),
      T(a_trace_shows_the_same_as_a_span_and_counts_writes),
      T(short_waits_and_growth_are_in_a_trace_too),
      T(reads_and_growth_of_a_real_map_are_in_a_trace), T(waits_without_a_place_are_counted),
      T(few_record_at_a_time), T(the_time_is_a_number_of_seconds));
