// SPDX-License-Identifier: Apache-2.0
// Text in, text and properties out.
#include "base/address.h"
#include "tests/lib/suite.h"

TEST(addresses_read_back_in_one_form)
{
    static const struct {
        const char *text, *expect; // NULL: refused
        uint16_t port;
        bool loopback, any;
    } rows[] = {
        {"127.0.0.1:9810", "127.0.0.1:9810", 9810, true, false},
        {"127.9.9.9:1", "127.9.9.9:1", 1, true, false},
        {"localhost:80", "127.0.0.1:80", 80, true, false},
        {":9810", "0.0.0.0:9810", 9810, false, true},
        {"0.0.0.0:0", "0.0.0.0:0", 0, false, true},
        {"[::1]:65535", "[::1]:65535", 65535, true, false},
        {"[::]:1", "[::]:1", 1, false, true},
        {"[2001:DB8:0::1]:1", "[2001:db8::1]:1", 1, false, false},
        {"[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1", 1, true, false},
        {"10.0.0.1:1", "10.0.0.1:1", 1, false, false},
        {"127.0.0.1", NULL, 0, false, false},
        {"127.0.0.1:", NULL, 0, false, false},
        {"127.0.0.1:65536", NULL, 0, false, false},
        {"127.0.0.1:+1", NULL, 0, false, false},
        {"127.0.0.1:1 ", NULL, 0, false, false},
        {"127.0.1:1", NULL, 0, false, false},
        {"::1:1", NULL, 0, false, false},
        {"[127.0.0.1]:1", NULL, 0, false, false},
        {"[]:1", NULL, 0, false, false},
        {"[::1:1", NULL, 0, false, false},
        {"example.com:1", NULL, 0, false, false},
        {"", NULL, 0, false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address address;
        char text[ADDRESS_TEXT_LEN];
        enum err err = address_parse(span_str(rows[i].text), &address);
        ck_assert_msg((err == ERR_OK) == (rows[i].expect != NULL), "%s", rows[i].text);
        if (err == ERR_OK) {
            address_format(&address, text);
            CHECK_STR(text, rows[i].expect);
            CHECK_UEQ(address_port(&address), rows[i].port);
            CHECK_EQ(address_is_loopback(&address), rows[i].loopback);
            CHECK_EQ(address_is_any(&address), rows[i].any);
            CHECK(!address_is_unix(&address));
        }
    }
}

TEST(unix_paths_are_addresses_too)
{
    struct address address;
    char path[200];
    char text[ADDRESS_TEXT_LEN];
    memset(path, 'a', sizeof(path));
    CHECK_OK(address_unix(SPAN_LIT("/run/x.sock"), &address));
    CHECK(address_is_unix(&address) && address_is_loopback(&address));
    CHECK(!address_is_any(&address));
    CHECK_UEQ(address_port(&address), 0);
    address_format(&address, text);
    CHECK_STR(text, "unix:/run/x.sock");
    address_format_ip(&address, text);
    CHECK_STR(text, "");
    CHECK_OK(address_unix(span_of(path, 107), &address));
    CHECK_EQ(address_unix(span_of(path, 108), &address), ERR_TOO_LARGE);
    CHECK_EQ(address_unix(SPAN_NONE, &address), ERR_SYNTAX);
    CHECK_EQ(address_unix(SPAN_LIT("a\0b"), &address), ERR_SYNTAX);
}

TEST(equality_is_of_family_address_and_port)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"127.0.0.1:1", "localhost:1", true},  {"127.0.0.1:1", "127.0.0.1:2", false},
        {"127.0.0.1:1", "127.0.0.2:1", false}, {"[::1]:1", "[0::1]:1", true},
        {"[::1]:1", "127.0.0.1:1", false},
    };
    struct address none = {.len = 0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address a;
        struct address b;
        CHECK_OK(address_parse(span_str(rows[i].a), &a));
        CHECK_OK(address_parse(span_str(rows[i].b), &b));
        CHECK_EQ(address_eq(&a, &b), rows[i].equal);
        CHECK(!address_eq(&a, &none));
    }
    CHECK(address_eq(&none, &none));
    CHECK(!address_is_loopback(&none) && !address_is_any(&none) && !address_is_unix(&none));
}

TEST(the_port_can_be_set)
{
    struct address address;
    CHECK_OK(address_parse_ip(SPAN_LIT("::1"), 1, &address));
    address_set_port(&address, 4242);
    CHECK_UEQ(address_port(&address), 4242);
    CHECK_OK(address_parse_ip(SPAN_LIT("10.1.2.3"), 1, &address));
    address_set_port(&address, 7);
    CHECK_UEQ(address_port(&address), 7);
    CHECK_EQ(address_parse_ip(SPAN_LIT("10.1.2"), 1, &address), ERR_SYNTAX);
    CHECK_EQ(address_parse_ip(SPAN_LIT("::1\0"), 1, &address), ERR_SYNTAX);
}

SUITE("base/address", T(addresses_read_back_in_one_form), T(unix_paths_are_addresses_too),
      T(equality_is_of_family_address_and_port), T(the_port_can_be_set));
