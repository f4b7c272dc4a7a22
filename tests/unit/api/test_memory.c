// SPDX-License-Identifier: Apache-2.0
// Without memory: each allocation of each kind of request fails once, and what comes is a refusal or an
// answer that is known to be broken, never a crash, a leak or half an answer that looks whole.
#include "admin-api/handle.h"

#include "admin-api/server_options.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"
#include "tests/unit/api/rows.h"

struct walk {
    struct fake *fake;
    struct fake_request ask;
    unsigned status;
};

static bool ask(void *arg)
{
    struct walk *walk = arg;
    struct response response;
    response_init(&response);
    fake_handle(walk->fake, &walk->ask, &response);
    while (response.kind == RESPONSE_MORE && response_more(&walk->fake->api, &response)) {
    }
    bool good = !response_is_broken(&response) && response.status == walk->status;
    response_fini(&response);
    return good;
}

TEST(a_request_survives_each_failed_allocation)
{
    static const struct {
        struct fake_request ask;
        unsigned status;
    } rows[] = {
        {{"GET", "/v1/services", NULL, NULL}, 200},
        {{"GET", "/v1/services/pay/instances", NULL, NULL}, 200},
        {{"GET", ROWS_PAY_1, NULL, NULL}, 200},
        {{"GET", "/v1/nodes", NULL, NULL}, 200},
        {{"GET", "/debug/partitions", NULL, NULL}, 200},
        {{"GET", "/debug/map", NULL, NULL}, 200},
        {{"GET", "/debug/contention", NULL, NULL}, 200},
        {{"GET", "/debug/trace", NULL, NULL}, 200},
        {{"GET", "/v1/digest", NULL, NULL}, 200},
        {{"GET", "/readyz?verbose", NULL, NULL}, 200},
        {{"GET", "/nowhere", NULL, NULL}, 404},
        {{"PUT", ROWS_PAY_1, NULL, "{\"address\":\"::1\",\"port\":1,\"labels\":{\"a\":\"b\"}}"},
         200},
        {{"PUT", ROWS_PAY_1, NULL, "{\"port\":0,\"x\":1}"}, 422},
        {{"PUT", ROWS_PAY_1, NULL, "{"}, 400},
        {{"PATCH", ROWS_PAY_1, "If-Match: \"x\"\n", "{}"}, 412},
        {{"DELETE", ROWS_PAY_1, NULL, NULL}, 204},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct walk walk = {.fake = rows_fake(), .ask = rows[i].ask, .status = rows[i].status};
        walk.fake->forced = true;
        walk.fake->outcome = BACKEND_APPLIED;
        size_t runs = failalloc_each(ask, &walk);
        ck_assert_msg(runs > 0, "%s %s", rows[i].ask.method, rows[i].ask.target);
        CHECK_UEQ(walk.fake->api.job_count, 0);
        fake_free(walk.fake);
    }
}
END_TEST

static bool parse_tokens(void *arg)
{
    struct tokens *tokens = NULL;
    char text[TOKENS_TEXT_LEN];
    (void)arg;
    bool good =
        tokens_parse(
            SPAN_LIT("a read sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97b"
                     "f527a25b\n#\n"),
            text, &tokens) == ERR_OK;
    if (good) {
        tokens_free(tokens);
    }
    return good;
}

static bool copy_options(void *arg)
{
    static const char *const hosts[] = {"a", "b"};
    const struct admin_options options = {
        .listen = "127.0.0.1:1", .allowed_hosts = hosts, .allowed_host_count = 2};
    struct server_options copy;
    (void)arg;
    bool good = server_options_copy(&options, &copy) == ERR_OK;
    if (good) {
        server_options_fini(&copy);
    }
    return good;
}

TEST(options_and_tokens_survive_each_failed_allocation)
{
    CHECK(failalloc_each(parse_tokens, NULL) > 0);
    CHECK(failalloc_each(copy_options, NULL) > 0);
}
END_TEST

SUITE("api/memory", T(a_request_survives_each_failed_allocation),
      T(options_and_tokens_survive_each_failed_allocation));
