// SPDX-License-Identifier: Apache-2.0
// A row is a target and whether a probe may go there.
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include "replicator/check/refuse.h"

static bool refused(const struct refuse *refuse, const char *ip, uint16_t port)
{
    struct address address;
    CHECK_OK(address_parse_ip(span_str(ip), port, &address));
    return refuse_is_refused(refuse, &address);
}

TEST(some_places_are_refused_whatever_is_allowed)
{
    const struct {
        const char *ip;
        bool refused;
    } rows[] = {
        {"127.0.0.1", false},
        {"10.1.2.3", false},
        {"169.253.255.255", false},
        {"169.254.0.1", true},
        {"169.254.169.254", true},
        {"169.255.0.0", false},
        {"0.0.0.0", true},
        {"0.1.2.3", true},
        {"224.0.0.1", true},
        {"239.255.255.255", true},
        {"240.0.0.1", false},
        {"255.255.255.255", true},
        {"::", true},
        {"::1", false},
        {"fe80::1", true},
        {"febf::1", true},
        {"fec0::1", false},
        {"ff02::1", true},
        {"fd00:ec2::254", true},
        {"fd00:ec2::253", false},
        {"::ffff:169.254.1.1", true},
        {"::ffff:10.0.0.1", false},
        {"64:ff9b::a9fe:a9fe", true},
        {"2001:db8::1", false},
    };
    const struct span everything[] = {SPAN_LIT("0.0.0.0/0"), SPAN_LIT("::/0")};
    for (uint32_t allow = 0; allow <= 2; allow += 2) {
        struct refuse *refuse = NULL;
        const struct refuse_options options = {.allow = everything, .allow_count = allow};
        CHECK_OK(refuse_new(&options, &refuse));
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            ck_assert_msg(refused(refuse, rows[i].ip, 80) == rows[i].refused, "%s", rows[i].ip);
        }
        refuse_free(refuse);
    }
}

TEST(with_allowed_networks_everything_else_is_refused)
{
    const struct span allow[] = {SPAN_LIT("10.0.0.0/8"), SPAN_LIT("fd00::/8")};
    const struct refuse_options options = {.allow = allow, .allow_count = 2};
    struct refuse *refuse = NULL;
    CHECK_OK(refuse_new(&options, &refuse));
    CHECK(!refused(refuse, "10.255.0.1", 80));
    CHECK(!refused(refuse, "::ffff:10.0.0.1", 80));
    CHECK(refused(refuse, "11.0.0.1", 80));
    CHECK(refused(refuse, "127.0.0.1", 80));
    CHECK(!refused(refuse, "fd12::1", 80));
    CHECK(refused(refuse, "fd00:ec2::254", 80));
    refuse_free(refuse);
}

TEST(own_listeners_are_refused)
{
    const struct span local[] = {SPAN_LIT("192.0.2.7"), SPAN_LIT("2001:db8::7")};
    const struct refuse_options options = {.local = local, .local_count = 2};
    const struct check_refused one = {SPAN_LIT("127.0.0.1"), 9810};
    const struct check_refused any = {SPAN_LIT("0.0.0.0"), 9811};
    const struct check_refused all = {SPAN_LIT(""), 9812};
    const struct check_refused nothing = {SPAN_LIT("127.0.0.1"), 0};
    const struct check_refused words = {SPAN_LIT("localhost"), 1};
    struct refuse *refuse = NULL;
    CHECK_OK(refuse_new(&options, &refuse));
    CHECK_OK(refuse_listener(refuse, &one));
    CHECK_OK(refuse_listener(refuse, &any));
    CHECK_OK(refuse_listener(refuse, &all));
    CHECK_EQ(refuse_listener(refuse, &nothing), ERR_INVALID);
    CHECK_EQ(refuse_listener(refuse, &words), ERR_INVALID);
    const struct {
        const char *ip;
        uint16_t port;
        bool refused;
    } rows[] = {
        {"127.0.0.1", 9810, true},  {"127.0.0.2", 9810, false},       {"127.0.0.1", 80, false},
        {"127.0.0.2", 9811, true},  {"192.0.2.7", 9811, true},        {"192.0.2.8", 9811, false},
        {"::1", 9811, true},        {"2001:db8::7", 9812, true},      {"2001:db8::8", 9812, false},
        {"192.0.2.7", 9810, false}, {"::ffff:127.0.0.1", 9810, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_msg(refused(refuse, rows[i].ip, rows[i].port) == rows[i].refused, "row %zu", i);
    }
    refuse_free(refuse);
}

TEST(a_malformed_network_is_an_error)
{
    const struct span allow[] = {SPAN_LIT("10.0.0.0/33")};
    const struct refuse_options options = {.allow = allow, .allow_count = 1};
    struct refuse *refuse = NULL;
    CHECK_EQ(refuse_new(&options, &refuse), ERR_INVALID);
}

static bool walk(void *arg)
{
    (void)arg;
    const struct span allow[] = {SPAN_LIT("10.0.0.0/8")};
    const struct refuse_options options = {.allow = allow, .allow_count = 1};
    const struct check_refused listener = {SPAN_LIT("127.0.0.1"), 9810};
    struct refuse *refuse = NULL;
    bool made =
        refuse_new(&options, &refuse) == ERR_OK && refuse_listener(refuse, &listener) == ERR_OK;
    refuse_free(refuse);
    return made;
}

TEST(every_allocation_may_fail)
{
    CHECK_EQ(failalloc_each(walk, NULL), 4);
}

SUITE("check/refuse", T(some_places_are_refused_whatever_is_allowed),
      T(with_allowed_networks_everything_else_is_refused), T(own_listeners_are_refused),
      T(a_malformed_network_is_an_error), T(every_allocation_may_fail));
