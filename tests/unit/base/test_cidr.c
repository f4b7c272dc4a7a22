// SPDX-License-Identifier: Apache-2.0
// A row is a network, an address and whether it lies within.
#include "tests/lib/suite.h"

#include "base/cidr.h"

TEST(an_address_lies_in_a_network_or_not)
{
    const struct {
        const char *network, *address;
        bool within;
    } rows[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.1.2.3/8", "10.0.0.1", true},
        {"10.0.0.0/9", "10.127.0.1", true},
        {"10.0.0.0/9", "10.128.0.1", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1/32", "192.0.2.1", true},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "203.0.113.9", true},
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fe00::1", false},
        {"fe80::/10", "febf::1", true},
        {"fe80::/10", "fec0::1", false},
        {"::1", "::1", true},
        {"::1", "::2", false},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true},
        {"::ffff:10.0.0.0/104", "10.1.1.1", true},
        {"::ffff:10.0.0.0/104", "11.1.1.1", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cidr cidr;
        struct address address;
        CHECK_OK(cidr_parse(span_str(rows[i].network), &cidr));
        CHECK_OK(address_parse_ip(span_str(rows[i].address), 80, &address));
        ck_assert_msg(cidr_contains(&cidr, &address) == rows[i].within, "%s in %s", rows[i].address,
                      rows[i].network);
    }
}

TEST(a_unix_socket_lies_in_no_network)
{
    struct cidr cidr;
    struct address address;
    CHECK_OK(cidr_parse(SPAN_LIT("::/0"), &cidr));
    CHECK_OK(address_unix(SPAN_LIT("/run/x"), &address));
    CHECK(!cidr_contains(&cidr, &address));
}

TEST(what_is_no_network_is_refused)
{
    const struct {
        const char *text;
        enum err err;
    } rows[] = {{"", ERR_SYNTAX},
                {"10.0.0.0/", ERR_SYNTAX},
                {"/8", ERR_SYNTAX},
                {"10.0.0/8", ERR_SYNTAX},
                {"10.0.0.0/x", ERR_SYNTAX},
                {"10.0.0.0/33", ERR_RANGE},
                {"10.0.0.0/-1", ERR_SYNTAX},
                {"10.0.0.0/08", ERR_SYNTAX},
                {"::/129", ERR_RANGE},
                {"host/8", ERR_SYNTAX},
                {"10.0.0.0/8/8", ERR_SYNTAX},
                {"[::1]/8", ERR_SYNTAX}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cidr cidr;
        ck_assert_msg(cidr_parse(span_str(rows[i].text), &cidr) == rows[i].err, "%s", rows[i].text);
    }
}

SUITE("base/cidr", T(an_address_lies_in_a_network_or_not), T(a_unix_socket_lies_in_no_network),
      T(what_is_no_network_is_refused));
