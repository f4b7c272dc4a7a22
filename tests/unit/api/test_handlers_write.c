// SPDX-License-Identifier: Apache-2.0
// Writes: what bodies are taken, what becomes of them, and each outcome of the backend as an answer.
#include "admin-api/handle.h"

#include "tests/lib/suite.h"
#include "tests/unit/api/rows.h"

#include <stdio.h>

#define PAY ROWS_PAY_1
#define NEW "/v1/services/pay/instances/new"
#define OVERRIDE PAY "/override"
#define REPORT PAY "/observations/lb-1"
#define BASE "\"address\":\"127.0.0.1\",\"port\":8081"
#define GOOD "{" BASE "}"

TEST(a_put_registers_and_replaces)
{
    static const struct row rows[] = {
        {"PUT", NEW, NULL, GOOD, 201, "\"id\":\"new\",\"address\":\"127.0.0.1\",\"port\":8081",
         NULL},
        {"PUT", NEW, NULL, GOOD, 201, "\"weight\":1,\"priority\":0,\"labels\":{},\"lease\":\"0s\"",
         NULL},
        {"PUT", NEW, NULL, GOOD, 201, "ETag: \"", NULL},
        {"PUT", NEW, NULL, GOOD, 201, "\"owner\":\"a\",\"source\":\"api\",\"status\":\"UNKNOWN\"",
         NULL},
        {"PUT", PAY, NULL, "{" BASE ",\"weight\":7}", 200, "\"weight\":7", NULL},
        {"PUT", PAY, NULL, GOOD, 200, "\"labels\":{}", NULL},
        {"PUT", "/v1/tenants/acme/services/pay/instances/n", NULL, GOOD, 201, "\"tenant\":\"acme\"",
         NULL},
        {"PUT", "/v1/services/a%2Fb/instances/c%7Cd", NULL, GOOD, 201,
         "\"service\":\"a/b\",\"id\":\"c|d\"", NULL},
        {"PUT", NEW, NULL, "{\"address\":\"::1\",\"port\":1}", 201, "\"address\":\"::1\"", NULL},
        {"PUT", NEW, NULL, "{\"address\":\"::1\",\"port\":65535}", 201, NULL, NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"weight\":1000000,\"priority\":127}", 201,
         "\"priority\":127", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"locality\":{\"zone\":\"z\"}}", 201,
         "\"locality\":{\"region\":\"\",\"zone\":\"z\",\"sub_zone\":\"\"}", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"labels\":{\"b\":\"2\",\"a\":\"1\"}}", 201,
         "\"labels\":{\"a\":\"1\",\"b\":\"2\"}", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"labels\":{\"a\":\"\"}}", 201, "\"labels\":{\"a\":\"\"}",
         NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"lease\":\"10s\"}", 201, "\"lease\":\"10s\"", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"lease\":\"90s\"}", 201, "\"lease\":\"", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"lease\":\"0s\"}", 201, "\"lease\":\"0s\"", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"lease\":\"24h\"}", 201, NULL, NULL},
        {"PUT", NEW, NULL,
         "{" BASE ",\"status\":\"HEALTHY\",\"raw_status\":1,\"version\":\"9-0\","
         "\"observations\":[1],\"override\":{},\"acked\":7,\"since\":null,\"guarded\":true,"
         "\"text\":\"\","
         "\"reason\":\"x\",\"owner\":\"zz\",\"source\":\"config\",\"tenant\":\"t\",\"service\":"
         "\"s\","
         "\"id\":\"i\"}",
         201, "\"id\":\"new\"", "zz"},
        {"PUT", "/v1/services/pay/instances/pay-2", NULL,
         "{" BASE ",\"locality\":{\"region\":\"eu\",\"zone\":\"eu-1a\",\"sub_zone\":\"\"},"
         "\"labels\":{\"v\":\"2\"}}",
         200, "\"version\":\"2-00a1b2c3d4e5f601\"", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(a_wrong_field_is_named_by_a_pointer)
{
    static const struct row rows[] = {
        {"PUT", NEW, NULL, "{}", 422, "\"pointer\":\"/address\"", NULL},
        {"PUT", NEW, NULL, "{}", 422, "\"pointer\":\"/port\"", NULL},
        {"PUT", NEW, NULL, "{\"port\":1}", 422, "\"code\":\"invalid_field\"",
         "\"pointer\":\"/port\""},
        {"PUT", NEW, NULL, "[]", 422, "\"pointer\":\"\"", NULL},
        {"PUT", NEW, NULL, "null", 422, "invalid_field", NULL},
        {"PUT", NEW, NULL, "\"x\"", 422, "invalid_field", NULL},
        {"PUT", NEW, NULL, "{\"address\":\"localhost\",\"port\":1}", 422,
         "\"pointer\":\"/address\"", NULL},
        {"PUT", NEW, NULL, "{\"address\":\"127.0.0.1:80\",\"port\":1}", 422, "/address", NULL},
        {"PUT", NEW, NULL, "{\"address\":\"[::1]\",\"port\":1}", 422, "/address", NULL},
        {"PUT", NEW, NULL, "{\"address\":\"fe80::1%25lo\",\"port\":1}", 422, "/address", NULL},
        {"PUT", NEW, NULL, "{\"address\":\"\",\"port\":1}", 422, "/address", NULL},
        {"PUT", NEW, NULL, "{\"address\":7,\"port\":1}", 422, "/address", NULL},
        {"PUT", NEW, NULL, "{\"address\":null,\"port\":1}", 422, "/address", NULL},
        {"PUT", NEW, NULL, "{\"address\":\"127.0.0.1\",\"port\":0}", 422, "\"pointer\":\"/port\"",
         NULL},
        {"PUT", NEW, NULL, "{\"address\":\"127.0.0.1\",\"port\":65536}", 422, "/port", NULL},
        {"PUT", NEW, NULL, "{\"address\":\"127.0.0.1\",\"port\":-1}", 422, "/port", NULL},
        {"PUT", NEW, NULL, "{\"address\":\"127.0.0.1\",\"port\":80.5}", 422, "/port", NULL},
        {"PUT", NEW, NULL, "{\"address\":\"127.0.0.1\",\"port\":\"80\"}", 422, "/port", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"weight\":0}", 422, "\"pointer\":\"/weight\"", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"weight\":1000001}", 422, "/weight", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"weight\":true}", 422, "/weight", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"priority\":-1}", 422, "\"pointer\":\"/priority\"", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"priority\":128}", 422, "/priority", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"lease\":\"999ms\"}", 422, "\"pointer\":\"/lease\"", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"lease\":\"25h\"}", 422, "/lease", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"lease\":10}", 422, "/lease", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"lease\":\"ten\"}", 422, "/lease", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"locality\":\"eu\"}", 422, "\"pointer\":\"/locality\"",
         NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"locality\":{\"zone\":1}}", 422, "/locality/zone", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"locality\":{\"room\":\"1\"}}", 422, "/locality/room", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"locality\":{\"zone\":\"a\\nb\"}}", 422, "/locality/zone",
         NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"labels\":[]}", 422, "\"pointer\":\"/labels\"", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"labels\":{\"a\":1}}", 422, "/labels/a", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"labels\":{\"a\":null}}", 422, "/labels/a", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"labels\":{\"\":\"x\"}}", 422, "\"pointer\":\"/labels/\"",
         NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"labels\":{\"a/b~c\":1}}", 422, "/labels/a~1b~0c", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"colour\":\"red\"}", 422, "\"pointer\":\"/colour\"", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"Weight\":1}", 422, "/Weight", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(a_body_that_is_not_strict_json_is_bad_json)
{
    static const struct row rows[] = {
        {"PUT", NEW, NULL, "", 400, "\"code\":\"bad_json\"", NULL},
        {"PUT", NEW, NULL, "{", 400, "bad_json", NULL},
        {"PUT", NEW, NULL, GOOD "x", 400, "bad_json", NULL},
        {"PUT", NEW, NULL, "{" BASE ",\"port\":1}", 400, "bad_json", NULL},
        {"PUT", NEW, NULL, "{\"port\":01}", 400, "bad_json", NULL},
        {"PUT", NEW, NULL, "{\"port\":1e999}", 400, "bad_json", NULL},
        {"PUT", NEW, NULL, "{'port':1}", 400, "bad_json", NULL},
        {"PUT", NEW, NULL, "\xef\xbb\xbf" GOOD, 400, "bad_json", NULL},
        {"PUT", NEW, NULL, "{\"labels\":{\"a\":\"\\ud800\"}}", 400, "bad_json", NULL},
        {"PUT", NEW, NULL, "{\"labels\":{\"a\":\"\\u0000\"}}", 400, "bad_json", NULL},
        {"PUT", NEW, NULL, "{\"labels\":{\"a\":\"\xff\"}}", 400, "bad_json", NULL},
        {"PUT", NEW, NULL, "{\"labels\":{\"a\":\"\t\"}}", 400, "bad_json", NULL},
        {"PATCH", PAY, NULL, "{\"weight\":}", 400, "bad_json", NULL},
        {"PUT", OVERRIDE, NULL, "", 400, "bad_json", NULL},
        {"PUT", REPORT, NULL, "nope", 400, "bad_json", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(a_patch_changes_what_it_names)
{
    static const struct row rows[] = {
        {"PATCH", PAY, NULL, "{\"weight\":5}", 200, "\"weight\":5", NULL},
        {"PATCH", PAY, NULL, "{\"weight\":5}", 200, "\"labels\":{\"v\":\"2\"}", NULL},
        {"PATCH", PAY, NULL, "{\"weight\":null}", 200, "\"weight\":1,", NULL},
        {"PATCH", PAY, NULL, "{}", 200, "\"version\":\"1-00a1b2c3d4e5f601\"", NULL},
        {"PATCH", PAY, NULL, "{\"weight\":1}", 200, "\"version\":\"1-00a1b2c3d4e5f601\"", NULL},
        {"PATCH", PAY, NULL, "{\"labels\":{\"w\":\"3\"}}", 200,
         "\"labels\":{\"v\":\"2\",\"w\":\"3\"}", NULL},
        {"PATCH", PAY, NULL, "{\"labels\":{\"v\":null}}", 200, "\"labels\":{}", NULL},
        {"PATCH", PAY, NULL, "{\"labels\":{\"v\":null,\"w\":\"3\"}}", 200,
         "\"labels\":{\"w\":\"3\"}", NULL},
        {"PATCH", PAY, NULL, "{\"labels\":null}", 200, "\"labels\":{}", NULL},
        {"PATCH", PAY, NULL, "{\"locality\":{\"zone\":null}}", 200,
         "\"region\":\"eu\",\"zone\":\"\"", NULL},
        {"PATCH", PAY, NULL, "{\"locality\":{\"sub_zone\":\"r1\"}}", 200,
         "\"zone\":\"eu-1a\",\"sub_zone\":\"r1\"", NULL},
        {"PATCH", PAY, NULL, "{\"locality\":null}", 200,
         "{\"region\":\"\",\"zone\":\"\",\"sub_zone\":\"\"}", NULL},
        {"PATCH", PAY, NULL, "{\"lease\":\"5s\"}", 200, "\"lease\":\"5s\"", NULL},
        {"PATCH", PAY, NULL, "{\"lease\":null}", 200, "\"lease\":\"0s\"", NULL},
        {"PATCH", PAY, NULL, "{\"address\":\"::1\"}", 200, "\"address\":\"::1\"", NULL},
        {"PATCH", PAY, NULL, "{\"status\":\"HEALTHY\",\"version\":null}", 200, "\"status\":\"UN",
         NULL},
        {"PATCH", PAY, NULL, "{\"port\":null}", 422, "\"pointer\":\"/port\"", NULL},
        {"PATCH", PAY, NULL, "{\"address\":null}", 422, "/address", NULL},
        {"PATCH", PAY, NULL, "{\"weight\":0}", 422, "/weight", NULL},
        {"PATCH", PAY, NULL, "{\"colour\":null}", 422, "/colour", NULL},
        {"PATCH", PAY, NULL, "[]", 422, "invalid_field", NULL},
        {"PATCH", NEW, NULL, "{\"weight\":5}", 404, "not_found", NULL},
        {"PATCH", NEW, NULL, "{\"weight\":0}", 422, NULL, NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(deletes_answer_204_or_404)
{
    static const struct row rows[] = {
        {"DELETE", PAY, NULL, NULL, 204, NULL, "{"},
        {"DELETE", NEW, NULL, NULL, 404, "not_found", NULL},
        {"DELETE", "/v1/services/none/instances/x", NULL, NULL, 404, "not_found", NULL},
        {"DELETE", "/v1/services/pay", NULL, NULL, 204, NULL, NULL},
        {"DELETE", "/v1/services/none", NULL, NULL, 404, "not_found", NULL},
        {"DELETE", "/v1/services/pay", "If-Match: *\n", NULL, 400, "bad_request", NULL},
        {"DELETE", PAY "/override", NULL, NULL, 404, "not_found", NULL},
        {"DELETE", PAY "/observations/nobody", NULL, NULL, 404, "not_found", NULL},
        {"DELETE", PAY "/observations/a", NULL, NULL, 409, "\"code\":\"conflict\"", NULL},
        {"DELETE", NEW "/override", NULL, NULL, 404, "not_found", NULL},
        {"DELETE", PAY, "If-Match: " ROWS_ETAG "\n", NULL, 204, NULL, NULL},
        {"DELETE", PAY, "If-Match: \"2-00a1b2c3d4e5f601\"\n", NULL, 412, "\"id\":\"pay-1\"", NULL},
        {"DELETE", NEW, "If-Match: *\n", NULL, 412, "\"current\":null", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(a_condition_decides_whether_a_write_is_done)
{
    static const struct row rows[] = {
        {"PUT", PAY, "If-Match: " ROWS_ETAG "\n", "{" BASE ",\"weight\":3}", 200, "\"weight\":3",
         NULL},
        {"PUT", PAY, "If-Match: *\n", "{" BASE ",\"weight\":3}", 200, "\"weight\":3", NULL},
        {"PUT", NEW, "If-None-Match: *\n", GOOD, 201, "\"id\":\"new\"", NULL},
        {"PUT", PAY, "If-None-Match: *\n", GOOD, 412, "\"current\":{\"tenant\":\"default\"", NULL},
        {"PUT", PAY, "If-Match: \"1-00a1b2c3d4e5f602\"\n", GOOD, 412, "stale_version", NULL},
        {"PUT", NEW, "If-Match: *\n", GOOD, 412, "\"current\":null", NULL},
        {"PUT", NEW, "If-Match: " ROWS_ETAG "\n", GOOD, 412, "\"current\":null", NULL},
        {"PATCH", PAY, "If-Match: " ROWS_ETAG "\n", "{\"weight\":9}", 200, "\"weight\":9", NULL},
        {"PATCH", PAY, "If-Match: \"7-00a1b2c3d4e5f601\"\n", "{\"weight\":9}", 412,
         "\"version\":\"1-00a1b2c3d4e5f601\"", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(an_override_has_one_end)
{
    static const struct row rows[] = {
        {"PUT", OVERRIDE, NULL,
         "{\"status\":\"DRAINING\",\"reason\":\"deploy 42\",\"actor\":\"ops\",\"ttl\":\"1h\"}", 201,
         "\"override\":{\"status\":\"DRAINING\",\"reason\":\"deploy 42\",\"actor\":\"ops\","
         "\"until\":\"2026-11-24T11:00:00.000Z\"}",
         NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"HEALTHY\",\"indefinite\":true}", 201,
         "\"until\":null", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"UNHEALTHY\",\"until\":\"2026-11-24T10:00:01.000Z\"}",
         201, "\"until\":\"2026-11-24T10:00:01.000Z\"", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"DRAINING\",\"until\":\"2026-11-24T12:30:00Z\"}", 201,
         "12:30:00.000Z", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"DRAINING\",\"until\":\"2026-11-24T10:00:00.000Z\"}",
         422, "\"pointer\":\"/until\"", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"DRAINING\",\"until\":\"2020-01-01T00:00:00Z\"}", 422,
         "/until", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"DRAINING\",\"until\":\"tomorrow\"}", 422, "/until",
         NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"DRAINING\",\"until\":7}", 422, "/until", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"DRAINING\"}", 422, "exactly one", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"DRAINING\",\"ttl\":\"1h\",\"indefinite\":true}", 422,
         "exactly one", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"DRAINING\",\"indefinite\":false}", 422,
         "/indefinite", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"DRAINING\",\"ttl\":\"25h\"}", 422,
         "\"pointer\":\"/ttl\"", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"DRAINING\",\"ttl\":\"0s\"}", 422, "/ttl", NULL},
        {"PUT", OVERRIDE, NULL, "{\"ttl\":\"1h\"}", 422, "\"pointer\":\"/status\"", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"DEGRADED\",\"ttl\":\"1h\"}", 422, "/status", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"TIMEOUT\",\"ttl\":\"1h\"}", 422, "/status", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"UNKNOWN\",\"ttl\":\"1h\"}", 422, "/status", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"draining\",\"ttl\":\"1h\"}", 422, "/status", NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"DRAINING\",\"ttl\":\"1h\",\"why\":1}", 422, "/why",
         NULL},
        {"PUT", OVERRIDE, NULL, "{\"status\":\"DRAINING\",\"ttl\":\"1h\",\"actor\":7}", 422,
         "/actor", NULL},
        {"PUT", NEW "/override", NULL, "{\"status\":\"DRAINING\",\"ttl\":\"1h\"}", 404, "not_found",
         NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

#define TEXT_127                                                                                   \
    "0123456789012345678901234567890123456789012345678901234567890123"                             \
    "012345678901234567890123456789012345678901234567890123456789012"

TEST(a_report_is_an_external_observation)
{
    static const struct row rows[] = {
        {"PUT", REPORT, NULL, "{\"status\":\"HEALTHY\"}", 201,
         "{\"observer\":\"lb-1\",\"vantage\":\"external\",\"status\":\"HEALTHY\",\"reason\":"
         "\"Reported\","
         "\"text\":\"\",\"latency_us\":\"0\",\"since\":\"2026-11-24T10:00:00.000Z\",\"fresh\":"
         "true,",
         NULL},
        {"PUT", REPORT, NULL,
         "{\"status\":\"TIMEOUT\",\"reason\":\"ConnectTimeout\",\"text\":\"slow\","
         "\"latency_us\":\"77\",\"ttl\":\"30s\"}",
         201, "\"reason\":\"ConnectTimeout\",\"text\":\"slow\",\"latency_us\":\"77\"", NULL},
        {"PUT", REPORT, NULL, "{\"status\":\"HEALTHY\",\"latency_us\":77}", 201,
         "\"latency_us\":\"77\"", NULL},
        {"PUT", REPORT, NULL, "{\"status\":\"HEALTHY\",\"text\":\"" TEXT_127 "xy\"}", 201,
         TEXT_127 "x\"", NULL},
        {"PUT", REPORT, NULL, "{\"status\":\"HEALTHY\",\"text\":\"" TEXT_127 "\xc3\xa4\"}", 201,
         TEXT_127 "\"", NULL},
        {"PUT", REPORT, NULL,
         "{\"status\":\"HEALTHY\",\"observer\":\"x\",\"vantage\":\"local\",\"since\":1,"
         "\"fresh\":true,\"version\":\"1-0\"}",
         201, "\"observer\":\"lb-1\",\"vantage\":\"external\"", NULL},
        {"PUT", REPORT, NULL, "{}", 422, "\"pointer\":\"/status\"", NULL},
        {"PUT", REPORT, NULL, "{\"status\":\"SICK\"}", 422, "/status", NULL},
        {"PUT", REPORT, NULL, "{\"status\":1}", 422, "/status", NULL},
        {"PUT", REPORT, NULL, "{\"status\":\"HEALTHY\",\"reason\":\"Moon\"}", 422,
         "\"pointer\":\"/reason\",\"detail\":\"one of CheckPassed ConnectRefused ", NULL},
        {"PUT", REPORT, NULL, "{\"status\":\"HEALTHY\",\"text\":1}", 422, "/text", NULL},
        {"PUT", REPORT, NULL, "{\"status\":\"HEALTHY\",\"latency_us\":-1}", 422, "/latency_us",
         NULL},
        {"PUT", REPORT, NULL, "{\"status\":\"HEALTHY\",\"latency_us\":\"x\"}", 422, "/latency_us",
         NULL},
        {"PUT", REPORT, NULL, "{\"status\":\"HEALTHY\",\"ttl\":\"500ms\"}", 422, "/ttl", NULL},
        {"PUT", REPORT, NULL, "{\"status\":\"HEALTHY\",\"extra\":1}", 422, "/extra", NULL},
        {"PUT", PAY "/observations/a", NULL, "{\"status\":\"HEALTHY\"}", 409, "conflict", NULL},
        {"PUT", PAY "/observations/b", NULL, "{\"status\":\"HEALTHY\"}", 409, "conflict", NULL},
        {"PUT", PAY "/observations/!x", NULL, "{\"status\":\"HEALTHY\"}", 422, "invalid_field",
         NULL},
        {"PUT", PAY "/observations/a%2Fb", NULL, "{\"status\":\"HEALTHY\"}", 201, "\"a/b\"", NULL},
        {"PUT", NEW "/observations/x", NULL, "{\"status\":\"HEALTHY\"}", 404, "not_found", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(a_query_of_a_write_is_strict)
{
    static const struct row rows[] = {
        {"PUT", NEW "?ack=stream", NULL, GOOD, 201, NULL, NULL},
        {"PUT", NEW "?ack=local", NULL, GOOD, 201, NULL, NULL},
        {"PUT", NEW "?ack=stream&timeout=100ms", NULL, GOOD, 201, NULL, NULL},
        {"PUT", NEW "?ack=stream&timeout=1%73", NULL, GOOD, 201, NULL, NULL},
        {"PUT", NEW "?ack=all", NULL, GOOD, 400, "bad_request", NULL},
        {"PUT", NEW "?ack=stream&timeout=1", NULL, GOOD, 400, "bad_request", NULL},
        {"PUT", NEW "?ack=stream&timeout=11m", NULL, GOOD, 400, "bad_request", NULL},
        {"PUT", NEW "?ack=stream&timeout=%zz", NULL, GOOD, 400, "bad_request", NULL},
        {"PUT", NEW "?ack=stream&ack=local", NULL, GOOD, 400, "bad_request", NULL},
        {"PUT", NEW "?force", NULL, GOOD, 400, "bad_request", NULL},
        {"DELETE", PAY "?ack=all", NULL, NULL, 400, "bad_request", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(each_outcome_of_the_backend_has_its_answer)
{
    static const struct {
        enum backend_outcome outcome;
        unsigned status;
        const char *has;
    } rows[] = {
        {BACKEND_APPLIED, 200, "\"id\":\"pay-1\""},
        {BACKEND_ACCEPTED, 200, "\"id\":\"pay-1\""},
        {BACKEND_SAME, 200, "\"version\":\"1-00a1b2c3d4e5f601\""},
        {BACKEND_NOT_FOUND, 404, "\"type\":\"urn:meshpulse:problem:not_found\""},
        {BACKEND_STALE, 412, "\"code\":\"stale_version\",\"current\":{"},
        {BACKEND_CONFLICT, 409, "\"code\":\"conflict\""},
        {BACKEND_OVER_QUOTA, 429, "\"code\":\"over_quota\",\"retry_after\":1"},
        {BACKEND_QUEUE_FULL, 503, "\"code\":\"queue_full\",\"retry_after\":1"},
        {BACKEND_NOT_READY, 503, "\"code\":\"not_ready\""},
        {BACKEND_FENCED, 503, "\"code\":\"fenced\""},
        {BACKEND_UNAVAILABLE, 503, "\"code\":\"stream_unavailable\""},
        {BACKEND_UNKNOWN, 504, "\"code\":\"unknown_outcome\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fake *fake = rows_fake();
        fake->forced = true;
        fake->outcome = rows[i].outcome;
        const struct fake_request ask = {.method = "PUT", .target = PAY, .body = GOOD};
        struct fake_answer answer;
        char buf[32];
        fake_ask(fake, &ask, &answer);
        CHECK_UEQ(answer.status, rows[i].status);
        ck_assert_msg(strstr(answer.body, rows[i].has) != NULL, "%s", answer.body);
        bool retry = answer.status == 429 || answer.status == 503;
        CHECK_EQ(fake_header(&answer, "Retry-After", buf, sizeof(buf)) != NULL, retry);
        CHECK_UEQ(fake->api.job_count, 0);
        fake_answer_free(&answer);
        fake_free(fake);
    }
}
END_TEST

TEST(who_is_over_quota_is_told_how_much_there_is)
{
    struct fake *fake = rows_fake();
    struct map_tenant tenant;
    CHECK(map_tenant(fake->map, SPAN_LIT("default"), &tenant));
    CHECK_OK(map_set_quota(fake->map, SPAN_LIT("default"), (uint32_t)tenant.used));
    fake->forced = true;
    fake->outcome = BACKEND_OVER_QUOTA;
    const struct fake_request ask = {.method = "PUT", .target = NEW, .body = GOOD};
    struct fake_answer answer;
    char detail[96];
    fake_ask(fake, &ask, &answer);
    (void)snprintf(detail, sizeof(detail), "tenant default has %u records and may have %u",
                   (unsigned)tenant.used, (unsigned)tenant.used);
    ck_assert_msg(strstr(answer.body, detail) != NULL, "%s", answer.body);
    fake_answer_free(&answer);
    // The place is free again when it is answered: nothing is said that is no longer so.
    CHECK_OK(map_set_quota(fake->map, SPAN_LIT("default"), 0));
    fake_ask(fake, &ask, &answer);
    ck_assert_msg(strstr(answer.body, "or memory is short") != NULL, "%s", answer.body);
    fake_answer_free(&answer);
    fake_free(fake);
}
END_TEST

TEST(a_refused_request_reaches_no_backend)
{
    static const struct fake_request asks[] = {
        {"PUT", NEW, NULL, "{}"},
        {"PUT", NEW, NULL, "{"},
        {"PUT", PAY, "If-Match: \"x\"\n", GOOD},
        {"PUT", NEW "?ack=x", NULL, GOOD},
        {"PUT", PAY "/observations/a", NULL, "{\"status\":\"HEALTHY\"}"},
        {"PUT", NEW "/override", NULL, "{\"status\":\"DRAINING\",\"ttl\":\"1h\"}"},
        {"DELETE", PAY, "Host: evil.example\n", NULL},
    };
    struct fake *fake = rows_fake();
    for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        struct fake_answer answer;
        fake_ask(fake, &asks[i], &answer);
        CHECK(answer.status >= 400);
        CHECK_UEQ(fake->submits, 0);
        fake_answer_free(&answer);
    }
    fake_free(fake);
}
END_TEST

TEST(a_service_that_was_deleted_is_not_found)
{
    static const unsigned wanted[] = {204, 404};
    struct fake *fake = rows_fake();
    for (size_t i = 0; i < 2; i++) {
        const struct fake_request ask = {.method = "DELETE", .target = "/v1/services/pay"};
        struct fake_answer answer;
        fake_ask(fake, &ask, &answer);
        CHECK_UEQ(answer.status, wanted[i]);
        CHECK_UEQ(fake->submits, 1);
        fake_answer_free(&answer);
    }
    fake_free(fake);
}
END_TEST

TEST(conditions_and_acknowledgement_reach_the_backend)
{
    static const struct {
        const char *target, *headers;
        enum backend_precondition precondition;
        bool ack_stream;
        int64_t timeout_ms;
    } rows[] = {
        {PAY, NULL, BACKEND_ANY, false, -1},
        {PAY "?ack=stream", NULL, BACKEND_ANY, true, 5000},
        {PAY "?ack=stream&timeout=2s", NULL, BACKEND_ANY, true, 2000},
        {PAY "?ack=local&timeout=2s", NULL, BACKEND_ANY, false, -1},
        {PAY, "If-Match: *\n", BACKEND_IF_EXISTS, true, -1},
        {PAY, "If-Match: " ROWS_ETAG "\n", BACKEND_IF_MATCH, true, -1},
        {PAY, "If-None-Match: *\n", BACKEND_IF_ABSENT, true, -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fake *fake = rows_fake();
        fake->hold = true;
        const struct fake_request ask = {
            .method = "PUT", .target = rows[i].target, .headers = rows[i].headers, .body = GOOD};
        struct fake_answer answer;
        fake_ask(fake, &ask, &answer);
        CHECK_EQ(answer.kind, RESPONSE_PENDING);
        CHECK_EQ(fake->precondition, rows[i].precondition);
        CHECK_EQ(fake->ack_stream, rows[i].ack_stream);
        CHECK_EQ(fake->job->timeout_ms, rows[i].timeout_ms);
        if (rows[i].precondition == BACKEND_IF_MATCH) {
            CHECK_UEQ(fake->version.counter, 1);
        }
        fake_release(fake);
        write_job_end(fake->job, NULL);
        CHECK_UEQ(fake->api.job_count, 0);
        fake_answer_free(&answer);
        fake_free(fake);
    }
}
END_TEST

TEST(a_write_that_is_still_on_its_way_is_answered_202)
{
    struct fake *fake = rows_fake();
    fake->hold = true;
    const struct fake_request ask = {
        .method = "PUT", .target = PAY "?ack=stream&timeout=1s", .body = "{" BASE ",\"weight\":4}"};
    struct fake_answer answer;
    fake_ask(fake, &ask, &answer);
    struct response late;
    response_init(&late);
    write_job_late(fake->job, &late);
    CHECK_UEQ(late.status, 202);
    CHECK(response_body(&late).len > 0);
    response_fini(&late);
    fake_release(fake);
    write_job_end(fake->job, NULL);
    fake_answer_free(&answer);
    fake_free(fake);
}
END_TEST

SUITE("api/handlers_write", T(a_put_registers_and_replaces), T(a_wrong_field_is_named_by_a_pointer),
      T(a_body_that_is_not_strict_json_is_bad_json), T(a_patch_changes_what_it_names),
      T(deletes_answer_204_or_404), T(a_condition_decides_whether_a_write_is_done),
      T(an_override_has_one_end), T(a_report_is_an_external_observation),
      T(a_query_of_a_write_is_strict), T(each_outcome_of_the_backend_has_its_answer),
      T(who_is_over_quota_is_told_how_much_there_is), T(a_refused_request_reaches_no_backend),
      T(a_service_that_was_deleted_is_not_found),
      T(conditions_and_acknowledgement_reach_the_backend),
      T(a_write_that_is_still_on_its_way_is_answered_202));
