// SPDX-License-Identifier: Apache-2.0
// What a watcher is told: positions, filters, deletions and laps, over a real changefeed.
#include "admin-api/watch_event.h"

#include "tests/lib/suite.h"
#include "tests/unit/api/rows.h"

#include <inttypes.h>
#include <stdio.h>

// GET `target`; the events that are there at once are the answer's body.
static struct fake_answer watch(struct fake *fake, const char *target, const char *headers)
{
    const struct fake_request ask = {.method = "GET", .target = target, .headers = headers};
    struct fake_answer answer;
    fake_ask(fake, &ask, &answer);
    return answer;
}

static unsigned count_of(const char *text, const char *word)
{
    unsigned count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        count++;
    }
    return count;
}

TEST(a_watch_begins_now_or_after_a_number)
{
    struct fake *fake = rows_fake();
    char target[64], header[64];
    uint64_t index = map_index(fake->map);
    struct fake_answer now = watch(fake, "/v1/watch", NULL);
    CHECK_UEQ(now.status, 200);
    CHECK_STR(now.content_type, "text/event-stream");
    CHECK_STR(now.body, "");
    fake_answer_free(&now);
    (void)snprintf(target, sizeof(target), "/v1/watch?since=%" PRIu64, index - 1);
    struct fake_answer since = watch(fake, target, NULL);
    CHECK_UEQ(count_of(since.body, "event: change\n"), 1);
    fake_answer_free(&since);
    (void)snprintf(header, sizeof(header), "Last-Event-ID: %" PRIu64 "\n", index);
    struct fake_answer resumed = watch(fake, target, header);
    CHECK_STR(resumed.body, "");
    fake_answer_free(&resumed);
    fake_free(fake);
}
END_TEST

TEST(an_event_is_the_instance_without_its_observations)
{
    struct fake *fake = rows_fake();
    char target[64], wanted[512];
    uint64_t index = map_index(fake->map);
    fake_observe(fake, "pay-1", "a", STATUS_TIMEOUT);
    (void)snprintf(target, sizeof(target), "/v1/watch?since=%" PRIu64, index);
    struct fake_answer answer = watch(fake, target, NULL);
    (void)snprintf(wanted, sizeof(wanted),
                   "event: change\nid: %" PRIu64
                   "\ndata: {\"tenant\":\"default\",\"service\":\"pay\","
                   "\"id\":\"pay-1\",",
                   index + 1);
    ck_assert_msg(strncmp(answer.body, wanted, strlen(wanted)) == 0, "%s", answer.body);
    CHECK(strstr(answer.body, "\"status\":\"TIMEOUT\"") != NULL);
    CHECK(strstr(answer.body, "observations") == NULL);
    CHECK(strstr(answer.body, "\"acked\":true}\n\n") != NULL);
    fake_answer_free(&answer);
    fake_free(fake);
}
END_TEST

TEST(a_deleted_instance_is_told_as_deleted)
{
    struct fake *fake = rows_fake();
    char target[64];
    (void)snprintf(target, sizeof(target), "/v1/watch?since=%" PRIu64, map_index(fake->map));
    const struct fake_request ask = {.method = "DELETE", .target = ROWS_PAY_1};
    struct fake_answer deleted;
    fake_ask(fake, &ask, &deleted);
    fake_answer_free(&deleted);
    struct key_bytes key;
    key_registration(SPAN_LIT("default"), SPAN_LIT("pay"), SPAN_LIT("pay-1"), &key);
    (void)map_announce(fake->map, key_span(&key));
    struct fake_answer answer = watch(fake, target, NULL);
    CHECK(strstr(answer.body, "data: {\"tenant\":\"default\",\"service\":\"pay\",\"id\":\"pay-1\","
                              "\"deleted\":true}\n\n") != NULL);
    fake_answer_free(&answer);
    fake_free(fake);
}
END_TEST

TEST(filters_choose_the_tenant_and_the_service)
{
    static const struct {
        const char *query;
        unsigned events;
    } rows[] = {
        {"", 4},
        {"&tenant=default", 3},
        {"&tenant=acme", 1},
        {"&service=pay", 3},
        {"&service=outbound%7C80%7C%7Cpay.svc", 1},
        {"&tenant=default&service=pay", 2},
        {"&tenant=&service=", 4},
        {"&tenant=nobody", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fake *fake = fake_new();
        char target[128];
        uint64_t index = map_index(fake->map);
        fake_register(fake, "default", "pay", "pay-1");
        fake_register(fake, "default", "pay", "pay-2");
        fake_register(fake, "acme", "pay", "acme-1");
        fake_register(fake, "default", "outbound|80||pay.svc", "x");
        fake_node(fake, "a", true);
        struct key_bytes node;
        key_node(SPAN_LIT("a"), &node);
        (void)map_announce(fake->map, key_span(&node));
        (void)snprintf(target, sizeof(target), "/v1/watch?since=%" PRIu64 "%s", index,
                       rows[i].query);
        struct fake_answer answer = watch(fake, target, NULL);
        ck_assert_msg(count_of(answer.body, "event: change\n") == rows[i].events, "%s: %s", target,
                      answer.body);
        fake_answer_free(&answer);
        fake_free(fake);
    }
}
END_TEST

TEST(a_position_that_is_gone_or_foreign_is_a_resync)
{
    static const char *const positions[] = {"0", "1", "18446744073709551615"};
    for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
        struct fake *fake = rows_fake();
        char target[64], wanted[128];
        (void)snprintf(target, sizeof(target), "/v1/watch?since=%s", positions[i]);
        struct fake_answer answer = watch(fake, target, NULL);
        (void)snprintf(wanted, sizeof(wanted),
                       "event: resync\nid: %" PRIu64 "\ndata: {\"index\":\"%" PRIu64 "\"}\n\n",
                       map_index(fake->map), map_index(fake->map));
        CHECK_STR(answer.body, wanted);
        fake_answer_free(&answer);
        fake_free(fake);
    }
}
END_TEST

TEST(a_reader_that_was_lapped_is_told_once_and_goes_on)
{
    struct fake *fake = rows_fake();
    char target[64];
    (void)snprintf(target, sizeof(target), "/v1/watch?since=%" PRIu64, map_index(fake->map));
    for (unsigned i = 0; i < 200; i++) { // the ring has 64 entries
        fake_observe(fake, "pay-1", "a", i % 2 == 0 ? STATUS_HEALTHY : STATUS_TIMEOUT);
    }
    struct fake_answer answer = watch(fake, target, NULL);
    CHECK_UEQ(count_of(answer.body, "event: resync\n"), 1);
    CHECK_UEQ(count_of(answer.body, "event: change\n"), 0);
    fake_answer_free(&answer);
    fake_free(fake);
}
END_TEST

TEST(what_is_no_number_is_a_bad_request)
{
    static const struct row rows[] = {
        {"GET", "/v1/watch?since=x", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/v1/watch?since=", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/v1/watch?since=-1", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/v1/watch?since=18446744073709551616", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/v1/watch", "Last-Event-ID: abc\n", NULL, 400, "bad_request", NULL},
        {"GET", "/v1/watch?since=1&since=2", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/v1/watch?after=1", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/v1/watch?tenant=%01", NULL, NULL, 400, "bad_request", NULL},
        {"HEAD", "/v1/watch", NULL, NULL, 200, "Cache-Control: no-store", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

SUITE("api/watch_event", T(a_watch_begins_now_or_after_a_number),
      T(an_event_is_the_instance_without_its_observations),
      T(a_deleted_instance_is_told_as_deleted), T(filters_choose_the_tenant_and_the_service),
      T(a_position_that_is_gone_or_foreign_is_a_resync),
      T(a_reader_that_was_lapped_is_told_once_and_goes_on), T(what_is_no_number_is_a_bad_request));
