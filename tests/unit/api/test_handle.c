// SPDX-License-Identifier: Apache-2.0
// The checks before a handler, and their order: each row breaks a rule, or two so that the order shows.
#include "admin-api/handle.h"

#include "tests/lib/suite.h"
#include "tests/unit/api/rows.h"

#define PAY ROWS_PAY_1
#define GOOD "{\"address\":\"127.0.0.1\",\"port\":8081}"

TEST(an_unknown_route_is_not_found)
{
    static const struct row rows[] = {
        {"GET", "/", NULL, NULL, 404, "\"code\":\"not_found\"", NULL},
        {"GET", "/v1", NULL, NULL, 404, "not_found", NULL},
        {"GET", "/v1/services/", NULL, NULL, 404, "not_found", NULL},
        {"GET", "/v1/services//instances", NULL, NULL, 404, "not_found", NULL},
        {"GET", "/v1/Services", NULL, NULL, 404, "not_found", NULL},
        {"GET", "/v1/tenants", NULL, NULL, 404, "not_found", NULL},
        {"GET", "/v1/tenants/acme", NULL, NULL, 404, "not_found", NULL},
        {"GET", "/v1/tenants//services", NULL, NULL, 404, "not_found", NULL},
        {"GET", "/v1/tenants/acme/nodes", NULL, NULL, 404, "not_found", NULL},
        {"GET", "/v1/services/a/b/c/d/e/f/g/h/i/j/k/l", NULL, NULL, 404, "not_found", NULL},
        {"POST", "/nowhere", NULL, NULL, 404, "not_found", NULL},
        {"BREW", "/nowhere", NULL, NULL, 404, "not_found", NULL},
        {"GET", "/openapi.json", NULL, NULL, 404, "not_found", NULL},
        {"OPTIONS", "*", NULL, NULL, 404, "not_found", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(a_wrong_method_is_told_the_right_ones)
{
    static const struct row rows[] = {
        {"POST", "/v1/services", NULL, GOOD, 405, "Allow: GET, HEAD\n", NULL},
        {"PUT", "/v1/services/pay", NULL, GOOD, 405, "Allow: GET, HEAD, DELETE\n", NULL},
        {"DELETE", "/v1/services/pay/instances", NULL, NULL, 405, "Allow: GET, HEAD\n", NULL},
        {"POST", PAY, NULL, GOOD, 405, "Allow: GET, HEAD, PUT, PATCH, DELETE\n", NULL},
        {"OPTIONS", PAY, NULL, NULL, 405, "Allow: GET, HEAD, PUT, PATCH, DELETE\n", NULL},
        {"GET", PAY "/override", NULL, NULL, 405, "Allow: PUT, DELETE\n", NULL},
        {"PATCH", PAY "/observations/x", NULL, "{}", 405, "Allow: PUT, DELETE\n", NULL},
        {"POST", "/livez", NULL, NULL, 405, "method_not_allowed", NULL},
        {"TRACE", "/metrics", NULL, NULL, 405, "Allow: GET, HEAD\n", NULL},
        {"get", "/livez", NULL, NULL, 405, "Allow: GET, HEAD\n", NULL},
        {"PUT", "/v1/watch", NULL, GOOD, 405, "Allow: GET, HEAD\n", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(the_host_must_be_ours_but_for_probes)
{
    static const struct row rows[] = {
        {"GET", "/version", "Host: 127.0.0.1:9810\n", NULL, 200, NULL, NULL},
        {"GET", "/version", "Host: localhost:9810\n", NULL, 200, NULL, NULL},
        {"GET", "/version", "Host: LOCALHOST:9810\n", NULL, 200, NULL, NULL},
        {"GET", "/version", "Host: [::1]:9810\n", NULL, 200, NULL, NULL},
        {"GET", "/version", "Host: 127.0.0.1\n", NULL, 421, "wrong_host", NULL},
        {"GET", "/version", "Host: 127.0.0.1:80\n", NULL, 421, "wrong_host", NULL},
        {"GET", "/version", "Host: evil.example:9810\n", NULL, 421, "wrong_host", NULL},
        {"GET", "/version", "Host: localhost.evil.example:9810\n", NULL, 421, "wrong_host", NULL},
        {"GET", "/version", "Host: \n", NULL, 421, "wrong_host", NULL},
        {"GET", "/version", "Host: 127.0.0.1:9810:9810\n", NULL, 421, "wrong_host", NULL},
        {"GET", "/version", "Host: 127.0.0.1:09810\n", NULL, 421, "wrong_host", NULL},
        {"GET", "/nowhere", "Host: evil.example\n", NULL, 421, "wrong_host", NULL},
        {"POST", "/version", "Host: evil.example\n", NULL, 421, "wrong_host", NULL},
        {"GET", "/livez", "Host: evil.example\n", NULL, 200, NULL, NULL},
        {"GET", "/readyz", "Host: 10.1.2.3:9810\n", NULL, 200, NULL, NULL},
        {"GET", "/metrics", "Host: evil.example\n", NULL, 200, NULL, NULL},
        {"GET", "/livez/x", "Host: evil.example\n", NULL, 421, NULL, NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(a_foreign_origin_is_forbidden)
{
    static const struct row rows[] = {
        {"GET", "/version", "Origin: http://127.0.0.1:9810\n", NULL, 200, NULL, NULL},
        {"GET", "/version", "Origin: http://localhost:9810\n", NULL, 200, NULL, NULL},
        {"GET", "/version", "Origin: http://localhost\n", NULL, 403, "forbidden", NULL},
        {"GET", "/version", "Origin: https://evil.example\n", NULL, 403, "forbidden", NULL},
        {"GET", "/version", "Origin: null\n", NULL, 403, "forbidden", NULL},
        {"GET", "/version", "Origin: \n", NULL, 403, "forbidden", NULL},
        {"GET", "/version", "Origin: http://127.0.0.1:9810\nOrigin: http://x\n", NULL, 403, NULL,
         NULL},
        {"GET", "/nowhere", "Origin: https://evil.example\n", NULL, 403, "forbidden", NULL},
        {"GET", "/version", "Host: evil.example\nOrigin: https://evil.example\n", NULL, 421, NULL,
         NULL},
        {"DELETE", PAY, "Origin: https://evil.example\n", NULL, 403, "forbidden", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

static void only_authenticated(struct fake *fake)
{
    fake->api.auth.mode = AUTH_MODE_AUTHENTICATED;
    fake->api.auth.own_uid = 1000;
}

TEST(authenticated_writes_need_an_identity_before_anything_is_told_of_the_route)
{
    static const struct row rows[] = {
        {"DELETE", PAY, NULL, NULL, 401, "WWW-Authenticate: Bearer", NULL},
        {"DELETE", PAY, "Host: evil.example\n", NULL, 421, "wrong_host", NULL},
        {"DELETE", PAY, "Origin: https://evil.example\n", NULL, 403, "forbidden", NULL},
        {"POST", "/nowhere", NULL, NULL, 401, "unauthorized", NULL},
        {"POST", "/version", NULL, NULL, 401, "unauthorized", NULL},
        {"PUT", PAY, "Content-Type: text/plain\n", "x", 401, "unauthorized", NULL},
        {"GET", PAY, NULL, NULL, 200, NULL, NULL},
        {"GET", "/nowhere", NULL, NULL, 404, NULL, NULL},
    };
    ROWS_RUN(rows, only_authenticated);
}
END_TEST

static void by_unix_socket(struct fake *fake)
{
    static const uid_t uids[] = {4711};
    only_authenticated(fake);
    fake->listener = (struct http1_listener_info){.is_unix = true, .is_loopback = true};
    fake->api.auth.uids = uids;
    fake->api.auth.uid_count = 1;
    fake->peer = (struct http1_peer){.is_loopback = true, .has_uid = true, .uid = 4711};
}

static void by_a_stranger_on_the_unix_socket(struct fake *fake)
{
    by_unix_socket(fake);
    fake->peer.uid = 4712;
}

TEST(the_unix_socket_knows_its_users_and_needs_no_host)
{
    static const struct row good[] = {
        {"DELETE", PAY, NULL, NULL, 204, NULL, NULL},
        {"DELETE", PAY, "Host: evil.example\n", NULL, 204, NULL, NULL},
        {"DELETE", PAY, "Host: ui.example\nOrigin: https://ui.example\n", NULL, 204, NULL, NULL},
        {"DELETE", PAY, "Host: ui.example\nOrigin: https://evil.example\n", NULL, 403, NULL, NULL},
    };
    static const struct row bad[] = {
        {"DELETE", PAY, NULL, NULL, 401, "unauthorized", NULL},
        {"GET", PAY, NULL, NULL, 200, NULL, NULL},
    };
    ROWS_RUN(good, by_unix_socket);
    ROWS_RUN(bad, by_a_stranger_on_the_unix_socket);
}
END_TEST

static void from_afar(struct fake *fake)
{
    fake->peer = (struct http1_peer){.address = "192.0.2.1"};
}

TEST(loopback_mode_takes_writes_from_loopback_only)
{
    static const struct row rows[] = {
        {"DELETE", PAY, NULL, NULL, 403, "forbidden", NULL},
        {"GET", PAY, NULL, NULL, 200, NULL, NULL},
    };
    ROWS_RUN(rows, from_afar);
}
END_TEST

TEST(writes_need_the_json_media_type)
{
    static const struct row rows[] = {
        {"PUT", PAY, "Content-Type: text/plain\n", GOOD, 415, "unsupported_media_type", NULL},
        {"PUT", PAY, "Content-Type: application/x-www-form-urlencoded\n", GOOD, 415, NULL, NULL},
        {"PUT", PAY, "Content-Type: application/merge-patch+json\n", GOOD, 415, NULL, NULL},
        {"PUT", PAY, "Content-Type: application/jsonx\n", GOOD, 415, NULL, NULL},
        {"PUT", PAY, "Content-Type: \n", GOOD, 415, NULL, NULL},
        {"PUT", PAY, NULL, NULL, 415, "Accept: application/json", NULL},
        {"PUT", PAY, "Content-Type: application/json; charset=utf-8\n", GOOD, 200, NULL, NULL},
        {"PUT", PAY, "Content-Type: Application/JSON\n", GOOD, 200, NULL, NULL},
        {"PUT", PAY, "Content-Encoding: gzip\n", GOOD, 415, "content coding", NULL},
        {"PATCH", PAY, "Content-Type: text/plain\n", "{}", 415,
         "Accept-Patch: application/merge-patch", NULL},
        {"PATCH", PAY, "Content-Type: application/merge-patch+json\n", "{}", 200, NULL, NULL},
        {"DELETE", PAY, "Content-Type: text/plain\n", "x", 415, NULL, NULL},
        {"DELETE", PAY, NULL, NULL, 204, NULL, NULL},
        {"PUT", PAY, "Content-Type: text/plain\nIf-Match: broken\n", "{", 415, NULL, NULL},
        {"PUT", "/v1/services", "Content-Type: text/plain\n", "{", 405, NULL, NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

TEST(conditions_are_looked_at_before_the_body)
{
    static const struct row rows[] = {
        {"PUT", PAY, "If-Match: 1-00a1\n", "{", 400, "bad_request", "bad_json"},
        {"PUT", PAY, "If-Match: W/" ROWS_ETAG "\n", "{", 400, "bad_request", NULL},
        {"PUT", PAY, "If-Match: " ROWS_ETAG ", \"2-0\"\n", "{", 400, "bad_request", NULL},
        {"PUT", PAY, "If-Match: " ROWS_ETAG "\nIf-Match: *\n", "{", 400, "bad_request", NULL},
        {"PUT", PAY, "If-Match: \n", "{", 400, "bad_request", NULL},
        {"PUT", PAY, "If-None-Match: " ROWS_ETAG "\n", "{", 400, "bad_request", NULL},
        {"PUT", PAY, "If-None-Match: *\nIf-Match: *\n", "{", 400, "bad_request", NULL},
        {"PUT", PAY, "If-Match: \"no-version\"\n", "{", 412, "stale_version", NULL},
        {"PUT", PAY, "If-Match: \"1-00a1b2c3d4e5f601+1\"\n", "{", 412, "\"current\":{", NULL},
        {"PUT", PAY, "If-Match: \"0-0\"\n", "{", 412, "stale_version", NULL},
        {"PUT", PAY, "If-Match: \"9-00a1b2c3d4e5f601\"\n", "{", 412, NULL, NULL},
        {"PUT", PAY, "If-Match: " ROWS_ETAG "\n", "{", 400, "bad_json", NULL},
        {"PUT", PAY, "If-None-Match: *\n", "{", 412, "stale_version", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

static void conditional_only(struct fake *fake)
{
    fake->api.require_if_match = true;
}

TEST(require_if_match_asks_for_it_on_instances)
{
    static const struct row rows[] = {
        {"PUT", PAY, NULL, "{", 428, "if_match_required", NULL},
        {"PATCH", PAY, NULL, "{}", 428, "if_match_required", NULL},
        {"DELETE", PAY, NULL, NULL, 428, "if_match_required", NULL},
        {"PUT", PAY, "Content-Type: text/plain\n", "x", 415, NULL, NULL},
        {"PUT", PAY, "If-Match: " ROWS_ETAG "\n", GOOD, 200, NULL, NULL},
        {"DELETE", PAY, "If-Match: *\n", NULL, 204, NULL, NULL},
        {"PUT", "/v1/services/pay/instances/new", "If-None-Match: *\n", GOOD, 201, NULL, NULL},
        {"PUT", PAY "/override", NULL, "{\"status\":\"DRAINING\",\"ttl\":\"1m\"}", 201, NULL, NULL},
        {"GET", PAY, NULL, NULL, 200, NULL, NULL},
    };
    ROWS_RUN(rows, conditional_only);
}
END_TEST

TEST(names_are_checked_after_decoding)
{
    static const struct row rows[] = {
        {"GET", "/v1/services/outbound%7C80%7c%7Cpay.svc", NULL, NULL, 200,
         "\"outbound|80||pay.svc\"", NULL},
        {"GET", "/v1/services/outbound%7C80%7C%7Cpay.svc/instances/x%2F1", NULL, NULL, 200,
         "\"x/1\"", NULL},
        {"GET", "/v1/services/outbound%7C80%7C%7Cpay.svc/instances/x/1", NULL, NULL, 404, NULL,
         NULL},
        {"GET", "/v1/services/p%61y", NULL, NULL, 200, "\"name\":\"pay\"", NULL},
        {"GET", "/v1/services/%", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/v1/services/%4", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/v1/services/%zz", NULL, NULL, 400, "bad_request", NULL},
        {"GET", "/nowhere/%zz", "Host: evil.example\n", NULL, 400, "bad_request", NULL},
        {"GET", "/v1/services/%00", NULL, NULL, 422, "invalid_field", NULL},
        {"GET", "/v1/services/a%0Ab", NULL, NULL, 422, "\"pointer\":\"", NULL},
        {"GET", "/v1/services/%ff", NULL, NULL, 422, "invalid_field", NULL},
        {"GET", "/v1/services/%C2%80", NULL, NULL, 422, "invalid_field", NULL},
        {"GET", "/v1/services/!x", NULL, NULL, 422, "reserved", NULL},
        {"GET", "/v1/tenants/_mesh/services", NULL, NULL, 422, "reserved", NULL},
        {"PUT", PAY "/observations/!", NULL, "{", 422, "reserved", NULL},
        {"GET",
         "/v1/tenants/0123456789012345678901234567890123456789012345678901234567890123/services",
         NULL, NULL, 422, "too long", NULL},
    };
    ROWS_RUN(rows, NULL);
}
END_TEST

static void to_the_probe_listener(struct fake *fake)
{
    fake->is_probe = true;
    fake->listener.is_loopback = false;
    fake->listener.port = 9811;
    fake->peer = (struct http1_peer){.address = "192.0.2.1"};
}

TEST(the_probe_listener_serves_probes_and_nothing_else)
{
    static const struct row rows[] = {
        {"GET", "/livez", "Host: 10.1.2.3:9811\n", NULL, 200, NULL, NULL},
        {"HEAD", "/readyz", "Host: x\n", NULL, 200, NULL, NULL},
        {"GET", "/metrics", NULL, NULL, 200, NULL, NULL},
        {"GET", "/readyz?verbose", NULL, NULL, 200, "[+]map-replayed ok", NULL},
        {"POST", "/livez", NULL, NULL, 404, NULL, NULL},
        {"GET", "/version", NULL, NULL, 404, NULL, NULL},
        {"GET", "/v1/services", NULL, NULL, 404, NULL, NULL},
        {"DELETE", PAY, NULL, NULL, 404, NULL, NULL},
    };
    ROWS_RUN(rows, to_the_probe_listener);
}
END_TEST

TEST(an_allowed_host_is_ours_with_any_port_when_it_names_none)
{
    static const struct span allowed[] = {{"mesh.example", 12}, {"ui.example:8443", 15}};
    struct fake *fake = rows_fake();
    fake->api.hosts.allowed = allowed;
    fake->api.hosts.allowed_count = 2;
    static const struct {
        const char *host;
        unsigned status;
    } rows[] = {{"Host: mesh.example\n", 200},    {"Host: MESH.example:1\n", 200},
                {"Host: ui.example:8443\n", 200}, {"Host: ui.example\n", 421},
                {"Host: ui.example:1\n", 421},    {"Host: x.mesh.example\n", 421}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct fake_request ask = {
            .method = "GET", .target = "/version", .headers = rows[i].host};
        struct fake_answer answer;
        fake_ask(fake, &ask, &answer);
        CHECK_UEQ(answer.status, rows[i].status);
        fake_answer_free(&answer);
    }
    fake_free(fake);
}
END_TEST

SUITE("api/handle", T(an_unknown_route_is_not_found), T(a_wrong_method_is_told_the_right_ones),
      T(the_host_must_be_ours_but_for_probes), T(a_foreign_origin_is_forbidden),
      T(authenticated_writes_need_an_identity_before_anything_is_told_of_the_route),
      T(the_unix_socket_knows_its_users_and_needs_no_host),
      T(loopback_mode_takes_writes_from_loopback_only), T(writes_need_the_json_media_type),
      T(conditions_are_looked_at_before_the_body), T(require_if_match_asks_for_it_on_instances),
      T(names_are_checked_after_decoding), T(the_probe_listener_serves_probes_and_nothing_else),
      T(an_allowed_host_is_ours_with_any_port_when_it_names_none));
