// SPDX-License-Identifier: Apache-2.0
// Values of Host and Origin against the rules, as tables.
#include "admin-api/host.h"

#include "tests/lib/suite.h"

static const struct span allowed[] = {{"mesh.example", 12}, {"[fd00::1]:8443", 14}};
static const struct host_rules rules = {
    .listen_ip = {"10.0.0.7", 8}, .allowed = allowed, .allowed_count = 2};

TEST(a_host_is_ours_by_name_and_port)
{
    static const struct {
        const char *host;
        uint16_t port;
        bool is_tls, ours;
    } rows[] = {
        {"localhost:9810", 9810, false, true},
        {"LocalHost:9810", 9810, false, true},
        {"127.0.0.1:9810", 9810, false, true},
        {"[::1]:9810", 9810, false, true},
        {"10.0.0.7:9810", 9810, false, true},
        {"::1:9810", 9810, false, false},
        {"localhost", 9810, false, false},
        {"localhost:", 9810, false, false},
        {"localhost:9811", 9810, false, false},
        {"localhost:09810", 9810, false, false},
        {"localhost:+9810", 9810, false, false},
        {"localhost:99999810", 9810, false, false},
        {"localhost", 80, false, true},
        {"localhost", 443, true, true},
        {"localhost", 443, false, false},
        {"localhost", 80, true, false},
        {"127.0.0.2:9810", 9810, false, false},
        {"localhost.:9810", 9810, false, false},
        {"user@localhost:9810", 9810, false, false},
        {"[::1", 9810, false, false},
        {"[::1]x:9810", 9810, false, false},
        {"[]:9810", 9810, false, false},
        {":9810", 9810, false, false},
        {"", 9810, false, false},
        {"mesh.example", 9810, false, true},
        {"mesh.example:1", 9810, false, true},
        {"Mesh.Example:443", 9810, true, true},
        {"[FD00::1]:8443", 9810, false, true},
        {"[fd00::1]:8444", 9810, false, false},
        {"[fd00::1]", 9810, false, false},
        {"evil.example:9810", 9810, false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct host_door door = {.port = rows[i].port, .is_tls = rows[i].is_tls};
        ck_assert_msg(host_is_ours(&rules, door, span_str(rows[i].host)) == rows[i].ours, "%s",
                      rows[i].host);
    }
}
END_TEST

TEST(an_origin_is_ours_when_its_host_is)
{
    static const struct {
        const char *origin;
        bool ours;
    } rows[] = {
        {"http://127.0.0.1:9810", true},
        {"HTTP://localhost:9810", true},
        {"https://mesh.example", true},
        {"http://[::1]:9810", true},
        {"http://127.0.0.1", false},
        {"https://localhost", false},
        {"http://evil.example:9810", false},
        {"null", false},
        {"", false},
        {"http://", false},
        {"ftp://localhost:9810", false},
        {"localhost:9810", false},
        {"http://localhost:9810/", false},
        {"http://localhost:9810.evil.example", false},
    };
    const struct host_door door = {.port = 9810};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_msg(host_origin_is_ours(&rules, door, span_str(rows[i].origin)) == rows[i].ours,
                      "%s", rows[i].origin);
    }
}
END_TEST

SUITE("api/host", T(a_host_is_ours_by_name_and_port), T(an_origin_is_ours_when_its_host_is));
