// SPDX-License-Identifier: Apache-2.0
// What /debug says of the map: exact where the fake daemon decides it, by name where a convoy was planted.
#include "admin-api/handle.h"

#include "base/json_lex.h"
#include "base/metric.h"
#include "tests/lib/convoy.h"
#include "tests/lib/suite.h"
#include "tests/unit/api/rows.h"

#include <stdio.h>

#define TOKEN "Authorization: Bearer secret\n"

static void acme_only(struct fake *fake)
{
    static const char line[] =
        "ci read:acme "
        "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    char text[TOKENS_TEXT_LEN];
    struct tokens *tokens = NULL;
    CHECK_OK(tokens_parse(span_str(line), text, &tokens));
    fake->api.auth.tokens = tokens;
    fake->tokens = tokens;
}

static void in_reserve(struct fake *fake)
{
    (void)fake;
    metric_reset();
    metric_gauge1(METRIC_MEMORY_BAND, SPAN_LIT("normal"), 0);
    metric_gauge1(METRIC_MEMORY_BAND, SPAN_LIT("reserve"), 1);
    metric_gauge(METRIC_MEMORY_USAGE, 700);
    metric_gauge(METRIC_MEMORY_LIMIT, 1000);
    metric_gauge(METRIC_WRITE_QUEUE_LENGTH, 3);
    metric_gauge(METRIC_WRITE_QUEUE_CAPACITY, 8);
    metric_gauge(METRIC_WRITE_QUEUE_SLOW, 1);
    metric_count1(METRIC_WRITE_QUEUE_DROPPED, SPAN_LIT("latency"), 9);
    metric_count1(METRIC_WRITE_QUEUE_REFUSED, SPAN_LIT("api"), 2);
}

TEST(the_map_shows_its_inside)
{
    static const struct row rows[] = {
        {"GET", "/debug/map", NULL, NULL, 200,
         "{\"state\":\"STABLE\",\"shard_count\":4,\"shards_growing\":0,\"records\":\"7\",", NULL},
        {"GET", "/debug/map", NULL, NULL, 200, "\"waits\":\"0\",\"wait_total_us\":\"0\"", NULL},
        {"GET", "/debug/map", NULL, NULL, 200,
         "\"wait_classes_below_us\":[\"1\",\"10\",\"100\",\"1000\",\"10000\",\"100000\","
         "\"1000000\"]",
         NULL},
        {"GET", "/debug/map", NULL, NULL, 200,
         "\"memory\":{\"band\":\"reserve\",\"usage_bytes\":\"700\",\"limit_bytes\":\"1000\","
         "\"pressure\":0}",
         NULL},
        {"GET", "/debug/map", NULL, NULL, 200,
         "\"queue\":{\"length\":\"3\",\"capacity\":\"8\",\"slow\":true,\"dropped\":{\"operator\":"
         "\"0\",\"api\":"
         "\"0\",\"check\":\"0\",\"latency\":\"9\"},\"refused\":{\"operator\":\"0\",\"api\":\"2\",",
         NULL},
        {"GET", "/debug/map", NULL, NULL, 200,
         "\"tenants\":{\"count\":\"2\",\"used\":\"4\",\"refused\":\"0\",\"over\":\"0\",\"largest\":"
         "[{\"name\":"
         "\"default\",\"level\":\"room\",\"used\":\"3\",\"limit\":\"0\",",
         NULL},
        {"GET", "/debug/map", NULL, NULL, 200, "\"evicted\":{\"records\":\"0\",\"services\":\"0\"}",
         NULL},
        {"GET", "/debug/map", NULL, NULL, 200, "\"shards\":[{\"shard\":0,\"state\":\"STABLE\",",
         NULL},
        {"GET", "/debug/map", NULL, NULL, 200, "{\"shard\":3,", "{\"shard\":4,"},
        {"GET", "/debug/map", NULL, NULL, 200, "\"inside\":null}]}", NULL},
        {"GET", "/debug/map?x=1", NULL, NULL, 400, "bad_request", NULL},
        {"HEAD", "/debug/map", NULL, NULL, 200, NULL, NULL},
    };
    ROWS_RUN(rows, in_reserve);
}
END_TEST

TEST(a_token_of_one_tenant_sees_nothing_of_it)
{
    static const struct row rows[] = {
        {"GET", "/debug/map", NULL, NULL, 401, "unauthorized", NULL},
        {"GET", "/debug/map", TOKEN, NULL, 403, "forbidden", NULL},
        {"GET", "/debug/contention", TOKEN, NULL, 403, "forbidden", NULL},
        {"GET", "/debug/trace", TOKEN, NULL, 403, "forbidden", NULL},
    };
    ROWS_RUN(rows, acme_only);
}
END_TEST

TEST(before_the_memory_was_measured_its_band_is_null)
{
    static const struct row rows[] = {
        {"GET", "/debug/map", NULL, NULL, 200, "\"memory\":{\"band\":null,", NULL},
    };
    metric_reset();
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(a_convoy_is_counted_in_its_shard_and_in_the_sum)
{
    struct fake *fake = rows_fake();
    convoy_plant(fake->map, SPAN_LIT("any key"));
    const struct fake_request ask = {.method = "GET", .target = "/debug/map"};
    struct fake_answer answer;
    fake_ask(fake, &ask, &answer);
    CHECK_UEQ(answer.status, 200);
    CHECK(strstr(answer.body, "\"long_waits\":\"0\"") == NULL);
    CHECK(strstr(answer.body, "\"long_waits\":\"") != NULL);
    struct json_error error;
    CHECK_OK(json_lex(span_str(answer.body), &error));
    fake_answer_free(&answer);
    fake_free(fake);
}
END_TEST

SUITE("api/handlers_debug", T(the_map_shows_its_inside),
      T(a_token_of_one_tenant_sees_nothing_of_it),
      T(before_the_memory_was_measured_its_band_is_null),
      T(a_convoy_is_counted_in_its_shard_and_in_the_sum));
