// SPDX-License-Identifier: Apache-2.0
// Who is it, and may they: each row is a door, an Authorization header, a kind of route and a set of rules.
#include "admin-api/auth.h"

#include "tests/lib/suite.h"

#define LINES                                                                                      \
    "ci write:acme sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n"

static const uid_t listed[] = {4711};

// The doors.
static const struct http1_listener_info tcp = {.is_loopback = true, .port = 9810};
static const struct http1_listener_info tls = {.is_tls = true, .port = 9810};
static const struct http1_listener_info local = {.is_unix = true, .is_loopback = true};
static const struct http1_peer near = {.is_loopback = true};
static const struct http1_peer afar = {.address = "192.0.2.1"};
static const struct http1_peer root = {.is_loopback = true, .has_uid = true, .uid = 0};
static const struct http1_peer own = {.is_loopback = true, .has_uid = true, .uid = 1000};
static const struct http1_peer known = {.is_loopback = true, .has_uid = true, .uid = 4711};
static const struct http1_peer stranger = {.is_loopback = true, .has_uid = true, .uid = 5000};
static const struct http1_peer certified = {.address = "192.0.2.1", .name = "deployer"};

struct auth_row {
    const struct http1_listener_info *listener;
    const struct http1_peer *peer;
    const char *authorization; // NULL: none
    enum route_scope scope;
    enum auth_answer answer;
    enum auth_kind kind; // of AUTH_OK
};

static void run(const struct auth_rules *rules, const struct auth_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct http1_header header = {
            SPAN_LIT("authorization"),
            span_str(rows[i].authorization == NULL ? "" : rows[i].authorization)};
        const struct http1_request http = {.headers = &header,
                                           .header_count = rows[i].authorization == NULL ? 0 : 1};
        const struct auth_question question = {.http = &http,
                                               .listener = rows[i].listener,
                                               .peer = rows[i].peer,
                                               .scope = rows[i].scope};
        struct identity identity;
        enum auth_answer answer = auth_identify(rules, &question, &identity);
        ck_assert_msg(answer == rows[i].answer, "row %zu: %d", i, (int)answer);
        ck_assert_msg(answer != AUTH_OK || identity.kind == rows[i].kind, "row %zu: kind %d", i,
                      (int)identity.kind);
    }
}

#define RUN(rules, rows) run(rules, rows, sizeof(rows) / sizeof((rows)[0]))

TEST(in_loopback_mode_writes_come_from_loopback_and_reads_from_everywhere)
{
    const struct auth_rules rules = {.mode = AUTH_MODE_LOOPBACK, .own_uid = 1000};
    static const struct auth_row rows[] = {
        {&tcp, &near, NULL, ROUTE_WRITE, AUTH_OK, AUTH_LOCAL},
        {&tcp, &near, "Bearer whatever", ROUTE_WRITE, AUTH_OK, AUTH_LOCAL},
        {&tcp, &afar, NULL, ROUTE_WRITE, AUTH_FORBIDDEN, AUTH_NOBODY},
        {&tcp, &afar, NULL, ROUTE_READ, AUTH_OK, AUTH_NOBODY},
        {&tcp, &afar, NULL, ROUTE_OPEN, AUTH_OK, AUTH_NOBODY},
        {&local, &stranger, NULL, ROUTE_WRITE, AUTH_OK, AUTH_LOCAL},
    };
    RUN(&rules, rows);
}
END_TEST

TEST(in_authenticated_mode_loopback_is_not_enough)
{
    const struct auth_rules rules = {
        .mode = AUTH_MODE_AUTHENTICATED, .own_uid = 1000, .uids = listed, .uid_count = 1};
    static const struct auth_row rows[] = {
        {&tcp, &near, NULL, ROUTE_WRITE, AUTH_UNAUTHORIZED, AUTH_NOBODY},
        {&tcp, &near, NULL, ROUTE_READ, AUTH_OK, AUTH_NOBODY},
        {&local, &root, NULL, ROUTE_WRITE, AUTH_OK, AUTH_LOCAL},
        {&local, &own, NULL, ROUTE_WRITE, AUTH_OK, AUTH_LOCAL},
        {&local, &known, NULL, ROUTE_WRITE, AUTH_OK, AUTH_LOCAL},
        {&local, &stranger, NULL, ROUTE_WRITE, AUTH_UNAUTHORIZED, AUTH_NOBODY},
        {&local, &stranger, NULL, ROUTE_READ, AUTH_OK, AUTH_NOBODY},
        {&local, &near, NULL, ROUTE_WRITE, AUTH_UNAUTHORIZED, AUTH_NOBODY},
        {&tls, &certified, NULL, ROUTE_WRITE, AUTH_UNAUTHORIZED, AUTH_NOBODY},
    };
    RUN(&rules, rows);
}
END_TEST

TEST(with_a_tokens_file_reads_need_an_identity_too)
{
    struct tokens *tokens = NULL;
    char text[TOKENS_TEXT_LEN];
    CHECK_OK(tokens_parse(SPAN_LIT(LINES), text, &tokens));
    const struct auth_rules rules = {.tokens = tokens, .own_uid = 1000};
    static const struct auth_row rows[] = {
        {&tcp, &near, NULL, ROUTE_READ, AUTH_UNAUTHORIZED, AUTH_NOBODY},
        {&tcp, &near, NULL, ROUTE_WRITE, AUTH_UNAUTHORIZED, AUTH_NOBODY},
        {&tcp, &near, NULL, ROUTE_OPEN, AUTH_OK, AUTH_NOBODY},
        {&tcp, &near, "Bearer secret", ROUTE_READ, AUTH_OK, AUTH_TOKEN},
        {&tcp, &near, "bearer  secret", ROUTE_WRITE, AUTH_OK, AUTH_TOKEN},
        {&tcp, &near, "Bearer Secret", ROUTE_READ, AUTH_UNAUTHORIZED, AUTH_NOBODY},
        {&tcp, &near, "Bearer ", ROUTE_READ, AUTH_UNAUTHORIZED, AUTH_NOBODY},
        {&tcp, &near, "Bearer", ROUTE_READ, AUTH_UNAUTHORIZED, AUTH_NOBODY},
        {&tcp, &near, "Basic c2VjcmV0", ROUTE_READ, AUTH_UNAUTHORIZED, AUTH_NOBODY},
        {&tcp, &near, "secret", ROUTE_READ, AUTH_UNAUTHORIZED, AUTH_NOBODY},
        {&local, &own, NULL, ROUTE_WRITE, AUTH_OK, AUTH_LOCAL},
        {&local, &own, "Bearer wrong", ROUTE_WRITE, AUTH_UNAUTHORIZED, AUTH_NOBODY},
        {&local, &stranger, NULL, ROUTE_READ, AUTH_UNAUTHORIZED, AUTH_NOBODY},
        {&local, &stranger, "Bearer secret", ROUTE_READ, AUTH_OK, AUTH_TOKEN},
    };
    RUN(&rules, rows);
    tokens_free(tokens);
}
END_TEST

TEST(a_client_certificate_is_an_identity)
{
    const struct auth_rules rules = {.client_ca = true, .own_uid = 1000};
    static const struct auth_row rows[] = {
        {&tls, &certified, NULL, ROUTE_WRITE, AUTH_OK, AUTH_CERTIFICATE},
        {&tls, &certified, NULL, ROUTE_READ, AUTH_OK, AUTH_CERTIFICATE},
        {&tls, &afar, NULL, ROUTE_READ, AUTH_UNAUTHORIZED, AUTH_NOBODY},
        {&tls, &afar, NULL, ROUTE_OPEN, AUTH_OK, AUTH_NOBODY},
    };
    RUN(&rules, rows);
}
END_TEST

TEST(a_token_is_bound_to_its_tenant)
{
    struct tokens *tokens = NULL;
    char text[TOKENS_TEXT_LEN];
    CHECK_OK(tokens_parse(SPAN_LIT(LINES), text, &tokens));
    const struct identity ci = {.kind = AUTH_TOKEN,
                                .name = SPAN_LIT("ci"),
                                .token = tokens_find(tokens, SPAN_LIT("secret"))};
    CHECK(auth_may(&ci, SPAN_LIT("acme"), true));
    CHECK(!auth_may(&ci, SPAN_LIT("default"), true));
    CHECK(!auth_may(&ci, SPAN_LIT("default"), false));
    CHECK(!auth_may(&ci, SPAN_LIT(""), false));
    const struct identity nobody = {.kind = AUTH_NOBODY};
    CHECK(auth_may(&nobody, SPAN_LIT("default"), false));
    CHECK(!auth_may(&nobody, SPAN_LIT("default"), true));
    tokens_free(tokens);
}
END_TEST

TEST(a_named_writer_observes_under_its_own_name)
{
    static const struct {
        const char *name, *observer;
        bool may;
    } rows[] = {
        {"ci", "ci", true}, {"ci", "ci.eu", true}, {"ci", "ci.", true}, {"ci", "cix", false},
        {"ci", "c", false}, {"ci", "x.ci", false}, {"ci", "CI", false}, {"", "anyone", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct identity identity = {.kind = AUTH_TOKEN, .name = span_str(rows[i].name)};
        ck_assert_msg(auth_may_observe(&identity, span_str(rows[i].observer)) == rows[i].may,
                      "%s %s", rows[i].name, rows[i].observer);
    }
}
END_TEST

SUITE("api/auth", T(in_loopback_mode_writes_come_from_loopback_and_reads_from_everywhere),
      T(in_authenticated_mode_loopback_is_not_enough),
      T(with_a_tokens_file_reads_need_an_identity_too), T(a_client_certificate_is_an_identity),
      T(a_token_is_bound_to_its_tenant), T(a_named_writer_observes_under_its_own_name));
