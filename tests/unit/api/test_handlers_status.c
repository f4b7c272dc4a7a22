// SPDX-License-Identifier: Apache-2.0
// Nodes, partitions, digest, version: exact answers of a fake daemon.
#include "admin-api/handle.h"

#include "base/json_lex.h"
#include "tests/lib/suite.h"
#include "tests/unit/api/rows.h"

#include <stdio.h>

TEST(the_daemon_says_how_it_is)
{
    static const struct row rows[] = {
        {"GET", "/v1/nodes", NULL, NULL, 200,
         "{\"self\":\"a\",\"items\":[{\"id\":\"a\",\"incarnation\":\"7\",\"live\":true,\"zone\":"
         "\"eu-1a\","
         "\"stream\":\"live\",\"heartbeat_age_ms\":12,\"lag_ms\":3,\"digest\":\"4-00000000abcd\","
         "\"agrees\":true,\"version\":\"0.1.0\"},{\"id\":\"b\"",
         NULL},
        {"GET", "/v1/nodes", NULL, NULL, 200, "\"stream\":\"stale\",\"heartbeat_age_ms\":null",
         NULL},
        {"GET", "/v1/partitions", NULL, NULL, 200,
         "{\"items\":[{\"partition\":0,\"state\":\"live\",\"epoch\":\"e0e1\",\"sequence\":\"41\","
         "\"position\":\"1700000000000-0\",\"pending\":\"0\",\"records\":\"2\",\"digest\":\"",
         "rejects"},
        {"GET", "/v1/partitions", NULL, NULL, 200, "\"resyncs\":\"1\",\"repairs\":\"0\"}", NULL},
        {"GET", "/debug/partitions", NULL, NULL, 200,
         "\"rejects\":[{\"at\":\"2026-11-24T10:00:00.000Z\",\"partition\":2,\"position\":"
         "\"1700000000000-1\",\"reason\":\"garbage\",\"key\":\"default\\\\0pay\",\"head\":\"00ff\"}"
         "]}",
         NULL},
        {"GET", "/v1/digest", NULL, NULL, 200, "{\"digest\":\"7-", NULL},
        {"GET", "/v1/digest", NULL, NULL, 200, "\"records\":\"7\",\"partitions\":[\"", NULL},
        {"GET", "/v1/digest", NULL, NULL, 200, "\"pending\":\"5\"}", NULL},
        {"GET", "/version", NULL, NULL, 200, "{\"version\":\"0.1.0\",\"node\":\"a\"}", NULL},
        {"GET", "/v1/nodes?x=1", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/v1/digest?x", NULL, NULL, 400, "bad_request", NULL},
        {"HEAD", "/v1/digest", NULL, NULL, 200, NULL, NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

#define TOKEN "Authorization: Bearer secret\n"

static void with_tokens(struct fake *fake, const char *grants)
{
    char line[256], text[TOKENS_TEXT_LEN];
    struct tokens *tokens = NULL;
    (void)snprintf(line, sizeof(line),
                   "ci %s sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
                   grants);
    CHECK_OK(tokens_parse(span_str(line), text, &tokens));
    fake->api.auth.tokens = tokens;
    fake->tokens = tokens;
}

static void acme_only(struct fake *fake)
{
    with_tokens(fake, "write:acme");
}

static void read_all(struct fake *fake)
{
    with_tokens(fake, "read");
}

TEST(a_token_of_one_tenant_sees_and_changes_that_tenant)
{
    static const struct row rows[] = {
        {"GET", "/v1/services", NULL, NULL, 401, "unauthorized", NULL},
        {"GET", "/nowhere", NULL, NULL, 401, "unauthorized", NULL},
        {"GET", "/livez", NULL, NULL, 200, NULL, NULL},
        {"GET", "/metrics", NULL, NULL, 200, NULL, NULL},
        {"GET", "/nowhere", TOKEN, NULL, 404, NULL, NULL},
        {"GET", "/v1/services", TOKEN, NULL, 403, "forbidden", NULL},
        {"GET", "/v1/tenants/acme/services", TOKEN, NULL, 200, "acme", NULL},
        {"GET", "/v1/nodes", TOKEN, NULL, 200, NULL, NULL},
        {"GET", "/debug/partitions", TOKEN, NULL, 403, "forbidden", NULL},
        {"GET", "/v1/watch", TOKEN, NULL, 403, "?tenant=", NULL},
        {"GET", "/v1/watch?tenant=default", TOKEN, NULL, 403, "forbidden", NULL},
        {"GET", "/v1/watch?tenant=acme", TOKEN, NULL, 200, NULL, NULL},
        {"DELETE", ROWS_PAY_1, TOKEN, NULL, 403, "forbidden", NULL},
        {"POST", ROWS_PAY_1, TOKEN, NULL, 405, NULL, NULL},
        {"PUT", ROWS_PAY_1, TOKEN "Content-Type: text/plain\n", "x", 403, NULL, NULL},
        {"DELETE", "/v1/tenants/acme/services/pay/instances/acme-1", TOKEN, NULL, 204, NULL, NULL},
        {"PUT", "/v1/tenants/acme/services/pay/instances/acme-1/observations/ci", TOKEN,
         "{\"status\":\"HEALTHY\"}", 201, "\"observer\":\"ci\"", NULL},
        {"PUT", "/v1/tenants/acme/services/pay/instances/acme-1/observations/ci.eu", TOKEN,
         "{\"status\":\"HEALTHY\"}", 201, "\"observer\":\"ci.eu\"", NULL},
        {"PUT", "/v1/tenants/acme/services/pay/instances/acme-1/observations/other", TOKEN,
         "{\"status\":\"HEALTHY\"}", 403, "forbidden", NULL},
        {"DELETE", "/v1/tenants/acme/services/pay/instances/acme-1/observations/other", TOKEN, NULL,
         403, "forbidden", NULL},
        {"PUT", "/v1/tenants/acme/services/pay/instances/acme-1/override", TOKEN,
         "{\"status\":\"DRAINING\",\"indefinite\":true}", 201, "\"actor\":\"ci\"", NULL},
    };
    ROWS_RUN(rows, acme_only);
}
END_TEST

TEST(a_token_that_reads_does_not_write)
{
    static const struct row rows[] = {
        {"GET", "/v1/services", TOKEN, NULL, 200, NULL, NULL},
        {"GET", "/debug/partitions", TOKEN, NULL, 200, NULL, NULL},
        {"DELETE", ROWS_PAY_1, TOKEN, NULL, 403, "forbidden", NULL},
        {"DELETE", ROWS_PAY_1, "Authorization: Bearer wrong\n", NULL, 401, NULL, NULL},
    };
    ROWS_RUN(rows, read_all);
}
END_TEST

TEST(every_answer_is_json)
{
    static const char *const targets[] = {"/v1/nodes",         "/v1/partitions",
                                          "/v1/digest",        "/version",
                                          "/debug/partitions", "/debug/map",
                                          "/debug/contention", "/debug/trace",
                                          "/v1/services",      "/v1/services/pay/instances",
                                          ROWS_PAY_1,          "/nowhere"};
    struct fake *fake = rows_fake();
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        const struct fake_request ask = {.method = "GET", .target = targets[i]};
        struct fake_answer answer;
        struct json_error error;
        fake_ask(fake, &ask, &answer);
        ck_assert_msg(json_lex(span_str(answer.body), &error) == ERR_OK, "%s", answer.body);
        fake_answer_free(&answer);
    }
    fake_free(fake);
}
END_TEST

SUITE("api/handlers_status", T(the_daemon_says_how_it_is),
      T(a_token_of_one_tenant_sees_and_changes_that_tenant), T(a_token_that_reads_does_not_write),
      T(every_answer_is_json));
