// SPDX-License-Identifier: Apache-2.0
// A service of which records were evicted: rows of requests, what the daemon is asked for, and what a reader
// gets who was on his way when it went.
#include "admin-api/evicted.h"

#include "admin-api/list.h"
#include "admin-api/response.h"
#include "tests/lib/suite.h"
#include "tests/unit/api/rows.h"

#include <inttypes.h>
#include <stdio.h>

static void evict(struct fake *fake, struct span key)
{
    CHECK(map_evict(fake->map, key) > 0);
}

static void evict_pay_2(struct fake *fake)
{
    evict(fake, SPAN_LIT("default\0pay\0pay-2"));
}

static void evict_observation(struct fake *fake)
{
    evict(fake, SPAN_LIT("default\0pay\0pay-1\0a"));
}

TEST(an_evicted_service_is_not_answered_for_before_it_is_whole)
{
    static const struct row rows[] = {
        {"GET", "/v1/services/pay", NULL, NULL, 503, "\"code\":\"not_ready\"", NULL},
        {"GET", "/v1/services/pay", NULL, NULL, 503, "Retry-After: 1\n", NULL},
        {"GET", "/v1/services/pay/instances", NULL, NULL, 503, "\"code\":\"not_ready\"", "items"},
        {"GET", ROWS_PAY_1, NULL, NULL, 503, "\"code\":\"not_ready\"", NULL},
        {"GET", "/v1/services/pay/instances/none", NULL, NULL, 503, "not_ready", NULL},
        {"HEAD", ROWS_PAY_1, NULL, NULL, 503, NULL, NULL},
        {"GET", "/v1/watch?service=pay&tenant=default", NULL, NULL, 503, "not_ready", NULL},
        {"GET", "/v1/watch?service=pay", NULL, NULL, 503, "not_ready", NULL},
        {"PUT", ROWS_PAY_1, NULL, "{\"address\":\"127.0.0.1\",\"port\":1}", 503, "not_ready", NULL},
        {"DELETE", ROWS_PAY_1, NULL, NULL, 503, "not_ready", NULL},
        {"DELETE", "/v1/services/pay", NULL, NULL, 503, "not_ready", NULL},
    };
    ROWS_RUN(rows, evict_pay_2);
    ROWS_RUN(rows, evict_observation);
}

TEST(all_else_is_answered_as_ever)
{
    static const struct row rows[] = {
        // The counts are right without the bodies.
        {"GET", "/v1/services", NULL, NULL, 200,
         "\"name\":\"pay\",\"instances\":2,\"healthy\":0,\"unhealthy\":1", NULL},
        {"GET", "/v1/tenants/acme/services/pay/instances", NULL, NULL, 200, "acme-1", NULL},
        {"GET", "/v1/services/empty", NULL, NULL, 200, "\"instances\":0", NULL},
        {"GET", "/v1/services/none", NULL, NULL, 404, "not_found", NULL},
        {"GET", "/v1/watch", NULL, NULL, 200, NULL, NULL},
        {"GET", "/v1/watch?tenant=default", NULL, NULL, 200, NULL, NULL},
        {"GET", "/v1/watch?tenant=acme&service=pay", NULL, NULL, 200, NULL, NULL},
        {"GET", "/v1/nodes", NULL, NULL, 200, NULL, NULL},
    };
    ROWS_RUN(rows, evict_pay_2);
}

TEST(the_daemon_is_asked_for_the_service)
{
    struct fake *fake = rows_fake();
    const struct fake_request ask = {.method = "GET", .target = ROWS_PAY_1};
    struct fake_answer answer;
    fake_ask(fake, &ask, &answer);
    fake_answer_free(&answer);
    CHECK_UEQ(fake->wants, 0);
    evict_pay_2(fake);
    fake_ask(fake, &ask, &answer);
    fake_answer_free(&answer);
    CHECK_UEQ(fake->wants, 1);
    CHECK(span_eq(key_span(&fake->wanted), SPAN_LIT("default\0pay")));
    fake_free(fake);
}

TEST(a_list_that_is_under_way_is_broken_rather_than_short)
{
    struct fake *fake = rows_fake();
    struct key_bytes pay;
    struct list_cursor cursor;
    struct buf buf;
    key_policy(SPAN_LIT("default"), SPAN_LIT("pay"), &pay);
    list_begin(&fake->api, LIST_INSTANCES, &pay, &cursor);
    evict_pay_2(fake);
    buf_init(&buf, 65536);
    CHECK(!list_more(&fake->api, &cursor, &buf));
    CHECK_EQ(buf.err, ERR_BUSY);
    CHECK_UEQ(fake->wants, 1);
    buf_fini(&buf);
    fake_free(fake);
}

// A watch of all services began when one of them was evicted already; the instance's health changes.
TEST(a_change_that_cannot_be_shown_is_a_resync)
{
    struct fake *fake = rows_fake();
    char target[64];
    struct fake_answer answer;
    uint64_t index = map_index(fake->map);
    const struct map_health health = {.health = {.status = STATUS_HEALTHY}, .since_ms = 7};
    evict_pay_2(fake);
    CHECK(map_set_health(fake->map, SPAN_LIT("default\0pay\0pay-2"), &health, true));
    (void)snprintf(target, sizeof(target), "/v1/watch?since=%" PRIu64, index);
    const struct fake_request ask = {.method = "GET", .target = target};
    fake_ask(fake, &ask, &answer);
    CHECK(strstr(answer.body, "event: resync\n") != NULL);
    CHECK(strstr(answer.body, "event: change\n") == NULL);
    CHECK(strstr(answer.body, "deleted") == NULL);
    CHECK_UEQ(fake->wants, 1);
    fake_answer_free(&answer);
    fake_free(fake);
}

SUITE("api/evicted", T(an_evicted_service_is_not_answered_for_before_it_is_whole),
      T(all_else_is_answered_as_ever), T(the_daemon_is_asked_for_the_service),
      T(a_list_that_is_under_way_is_broken_rather_than_short),
      T(a_change_that_cannot_be_shown_is_a_resync));
