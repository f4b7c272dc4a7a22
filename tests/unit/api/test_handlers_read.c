// SPDX-License-Identifier: Apache-2.0
// Reads of services and instances: rows of requests, and the answers that must be exact, word by word.
#include "admin-api/handle.h"

#include "tests/lib/suite.h"
#include "tests/unit/api/rows.h"

#include <stdio.h>

#define PAY ROWS_PAY_1

TEST(services_are_listed_with_their_counts)
{
    static const struct row rows[] = {
        {"GET", "/v1/services", NULL, NULL, 200,
         "{\"tenant\":\"default\",\"name\":\"pay\",\"instances\":2,\"healthy\":0,\"unhealthy\":1,"
         "\"timeout\":0,\"draining\":0,\"degraded\":0,\"unknown\":1,\"guarded\":0,\"revision\":\"",
         "acme"},
        {"GET", "/v1/services", NULL, NULL, 200, "\"index\":\"", NULL},
        {"GET", "/v1/services", NULL, NULL, 200, "\"outbound|80||pay.svc\"", "\"items\":[]"},
        {"GET", "/v1/tenants/default/services", NULL, NULL, 200, "\"tenant\":\"default\"", "acme"},
        {"GET", "/v1/tenants/acme/services", NULL, NULL, 200,
         "\"tenant\":\"acme\",\"name\":\"pay\"", "\"default\""},
        {"GET", "/v1/tenants/nobody/services", NULL, NULL, 200, "{\"items\":[],\"index\":\"", NULL},
        {"HEAD", "/v1/services", NULL, NULL, 200, NULL, NULL},
        {"GET", "/v1/services?status=HEALTHY", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/v1/services/pay", NULL, NULL, 200, "\"name\":\"pay\",\"instances\":2", NULL},
        {"GET", "/v1/services/empty", NULL, NULL, 200, "\"name\":\"empty\",\"instances\":0", NULL},
        {"GET", "/v1/services/none", NULL, NULL, 404, "not_found", NULL},
        {"GET", "/v1/tenants/acme/services/pay", NULL, NULL, 200, "\"instances\":1", NULL},
        {"GET", "/v1/tenants/acme/services/empty", NULL, NULL, 404, "not_found", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(instances_are_listed_sorted_by_id)
{
    static const struct row rows[] = {
        {"GET", "/v1/services/pay/instances", NULL, NULL, 200, "\"id\":\"pay-1\"", "acme-1"},
        {"GET", "/v1/services/pay/instances", NULL, NULL, 200,
         "},{\"tenant\":\"default\",\"service\":"
         "\"pay\",\"id\":\"pay-2\"",
         NULL},
        {"GET", "/v1/services/pay/instances", NULL, NULL, 200, "],\"index\":\"", NULL},
        {"GET", "/v1/services/empty/instances", NULL, NULL, 200, "{\"items\":[],\"index\":\"",
         NULL},
        {"GET", "/v1/services/none/instances", NULL, NULL, 404, "not_found", NULL},
        {"GET", "/v1/services/pay/instances?limit=1", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/v1/tenants/acme/services/pay/instances", NULL, NULL, 200, "acme-1", "pay-1"},
        {"GET", PAY, NULL, NULL, 200, "ETag: " ROWS_ETAG "\n", NULL},
        {"GET", "/v1/services/pay/instances/none", NULL, NULL, 404, "not_found", NULL},
        {"GET", "/v1/services/none/instances/pay-1", NULL, NULL, 404, "not_found", NULL},
        {"GET", PAY "?x", NULL, NULL, 400, "bad_request", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(if_none_match_answers_304_with_the_etag_and_no_body)
{
    static const struct row rows[] = {
        {"GET", PAY, "If-None-Match: " ROWS_ETAG "\n", NULL, 304, "ETag: " ROWS_ETAG, "{"},
        {"HEAD", PAY, "If-None-Match: " ROWS_ETAG "\n", NULL, 304, "ETag: " ROWS_ETAG, "{"},
        {"GET", PAY, "If-None-Match: W/" ROWS_ETAG "\n", NULL, 304, "ETag", "{"},
        {"GET", PAY, "If-None-Match: \"x\", " ROWS_ETAG "\n", NULL, 304, "ETag", "{"},
        {"GET", PAY, "If-None-Match: \"x\"\nIf-None-Match: " ROWS_ETAG "\n", NULL, 304, "ETag",
         "{"},
        {"GET", PAY, "If-None-Match: *\n", NULL, 304, "ETag", "{"},
        {"GET", PAY, "If-None-Match: \"2-00a1b2c3d4e5f601\"\n", NULL, 200, "pay-1", NULL},
        {"GET", PAY, "If-None-Match: junk\n", NULL, 200, "pay-1", NULL},
        {"GET", "/v1/services/pay/instances/none", "If-None-Match: *\n", NULL, 404, NULL, NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

// The answer to GET `target`, to be freed.
static struct fake_answer get(struct fake *fake, const char *target)
{
    const struct fake_request ask = {.method = "GET", .target = target};
    struct fake_answer answer;
    fake_ask(fake, &ask, &answer);
    CHECK_UEQ(answer.status, 200);
    return answer;
}

TEST(an_instance_is_shown_with_all_that_is_known_of_it)
{
    struct fake *fake = rows_fake();
    struct fake_answer answer = get(fake, PAY);
    CHECK_STR(answer.content_type, "application/json");
    CHECK_STR(
        answer.body,
        "{\"tenant\":\"default\",\"service\":\"pay\",\"id\":\"pay-1\",\"address\":\"127.0.0.1\","
        "\"port\":8081,\"locality\":{\"region\":\"eu\",\"zone\":\"eu-1a\",\"sub_zone\":\"\"},"
        "\"weight\":1,\"priority\":0,\"labels\":{\"v\":\"2\"},\"lease\":\"0s\",\"owner\":\"a\","
        "\"source\":\"api\",\"status\":\"UNHEALTHY\",\"raw_status\":\"UNHEALTHY\","
        "\"guarded\":false,\"reason\":\"ConnectRefused\",\"text\":\"port closed\","
        "\"since\":\"2026-11-24T09:59:59.000Z\",\"override\":null,"
        "\"observations\":[{\"observer\":\"a\",\"vantage\":\"local\",\"status\":\"UNHEALTHY\","
        "\"reason\":\"ConnectRefused\",\"text\":\"port closed\",\"latency_us\":\"412\","
        "\"since\":\"2026-11-24T09:59:58.000Z\",\"fresh\":true,"
        "\"version\":\"5-00a1b2c3d4e5f601\"}],\"version\":\"1-00a1b2c3d4e5f601\","
        "\"acked\":true}");
    fake_answer_free(&answer);
    fake_free(fake);
}
END_TEST

TEST(an_observation_by_a_node_that_is_down_is_not_fresh)
{
    struct fake *fake = rows_fake();
    fake_observe(fake, "pay-2", "b", STATUS_HEALTHY);
    struct fake_answer answer = get(fake, "/v1/services/pay/instances/pay-2");
    CHECK(strstr(answer.body, "\"fresh\":false") != NULL);
    fake_answer_free(&answer);
    fake_free(fake);
}
END_TEST

TEST(what_the_stream_has_not_accepted_is_not_acked)
{
    struct fake *fake = rows_fake();
    char etag[64];
    fake->keep_pending = true;
    fake_register(fake, "default", "pay", "pay-3");
    fake_observe(fake, "pay-1", "b", STATUS_TIMEOUT);
    struct fake_answer fresh = get(fake, "/v1/services/pay/instances/pay-3");
    CHECK(strstr(fresh.body, "\"version\":\"0-0\",\"acked\":false") != NULL);
    CHECK_STR(fake_header(&fresh, "ETag", etag, sizeof(etag)), "\"0-0+1\"");
    struct fake_answer held = get(fake, PAY);
    CHECK(strstr(held.body, "\"version\":\"1-00a1b2c3d4e5f601\",\"acked\":false") != NULL);
    CHECK_STR(fake_header(&held, "ETag", etag, sizeof(etag)), "\"1-00a1b2c3d4e5f601+1\"");
    fake_answer_free(&fresh);
    fake_answer_free(&held);
    fake_free(fake);
}
END_TEST

// How often `word` stands in `text`.
static unsigned count_of(const char *text, const char *word)
{
    unsigned count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        count++;
    }
    return count;
}

TEST(a_long_list_comes_in_pieces_that_join_to_one_answer)
{
    struct fake *fake = fake_new();
    for (int i = 0; i < 500; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "i%04d", 499 - i);
        fake_register(fake, "default", "big", id);
    }
    struct fake_answer answer = get(fake, "/v1/services/big/instances");
    CHECK_UEQ(count_of(answer.body, "\"observations\":[]"), 500);
    CHECK_UEQ(count_of(answer.body, "{\"tenant\":"), 500);
    CHECK_UEQ(count_of(answer.body, "},{\"tenant\":"), 499);
    const char *first = strstr(answer.body, "i0000");
    const char *last = strstr(answer.body, "i0499");
    CHECK(first != NULL && last != NULL && first < last);
    size_t len = strlen(answer.body);
    CHECK(len > LIST_PIECE_LEN * 2);
    CHECK_STR(answer.body + len - 2, "\"}");
    fake_answer_free(&answer);
    fake_free(fake);
}
END_TEST

TEST(many_services_are_listed_whole)
{
    struct fake *fake = fake_new();
    for (int i = 0; i < 400; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "s%04d", i);
        fake_register(fake, "default", name, "x");
    }
    fake_register(fake, "defaultx", "other", "x");
    struct fake_answer answer = get(fake, "/v1/services");
    CHECK_UEQ(count_of(answer.body, "\"name\":"), 400);
    CHECK(strstr(answer.body, "other") == NULL);
    fake_answer_free(&answer);
    fake_free(fake);
}
END_TEST

TEST(a_deleted_instance_is_not_shown)
{
    struct fake *fake = rows_fake();
    const struct fake_request ask = {.method = "DELETE", .target = PAY};
    struct fake_answer answer;
    fake_ask(fake, &ask, &answer);
    CHECK_UEQ(answer.status, 204);
    CHECK_STR(answer.body, "");
    fake_answer_free(&answer);
    struct fake_answer list = get(fake, "/v1/services/pay/instances");
    CHECK(strstr(list.body, "pay-1") == NULL);
    CHECK(strstr(list.body, "pay-2") != NULL);
    fake_answer_free(&list);
    fake_free(fake);
}
END_TEST

SUITE("api/handlers_read", T(services_are_listed_with_their_counts),
      T(instances_are_listed_sorted_by_id), T(if_none_match_answers_304_with_the_etag_and_no_body),
      T(an_instance_is_shown_with_all_that_is_known_of_it),
      T(an_observation_by_a_node_that_is_down_is_not_fresh),
      T(what_the_stream_has_not_accepted_is_not_acked),
      T(a_long_list_comes_in_pieces_that_join_to_one_answer), T(many_services_are_listed_whole),
      T(a_deleted_instance_is_not_shown));
