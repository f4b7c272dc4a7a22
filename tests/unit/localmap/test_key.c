// SPDX-License-Identifier: Apache-2.0
// Keys as a table of joined bytes and what they are; every joined key parses back to its parts.
#include "localmap/model/key.h"
#include "tests/lib/suite.h"

#define BYTES(literal)                                                                             \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16
#define A256 A64 A64 A64 A64

TEST(a_key_is_what_the_number_of_its_parts_says)
{
    static const struct {
        struct span bytes;
        enum key_kind kind;
    } rows[] = {
        {BYTES("default\0pay"), KEY_POLICY},
        {BYTES("_mesh\0node-a"), KEY_NODE},
        {BYTES("default\0pay\0pay-1"), KEY_REGISTRATION},
        {BYTES("default\0pay\0pay-1\0!"), KEY_OVERRIDE},
        {BYTES("default\0pay\0pay-1\0node-a"), KEY_OBSERVATION},
        {BYTES("default\0outbound|80||pay.svc\0a/b"), KEY_REGISTRATION},
        {BYTES("t\xc3\xa4t\0\xe2\x82\xac"), KEY_POLICY},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct key key;
        struct key_bytes joined;
        CHECK_OK(key_parse(rows[i].bytes, &key));
        CHECK_EQ(key.kind, rows[i].kind);
        key_join(&key, &joined);
        CHECK(span_eq(key_span(&joined), rows[i].bytes));
    }
}

TEST(a_malformed_key_is_refused)
{
    static const struct span rows[] = {
        BYTES(""),
        BYTES("default"),
        BYTES("default\0"),
        BYTES("\0pay"),
        BYTES("default\0\0pay-1"),
        BYTES("default\0pay\0pay-1\0"),
        BYTES("a\0b\0c\0d\0e"),
        BYTES("a\0b\0c\0d\0"),
        BYTES("a\0b\n"),
        BYTES("a\0b\x7f"),
        BYTES("a\0b\xc2\x80"),
        BYTES("a\0b\xe2\x80\xa8"),
        BYTES("a\0b\xff"),
        BYTES("a\0b\xc0\x80"),
        BYTES("_mesh\0node-a\0x"),
        BYTES(A64 "\0b"),
        BYTES("a\0" A256),
        BYTES("a\0b\0" A256),
        BYTES("a\0b\0c\0" A64),
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct key key;
        CHECK_EQ(key_parse(rows[i], &key), ERR_SYNTAX);
    }
}

// Names are looked at eight bytes at a time: each byte in each place of two such words and a rest.
TEST(a_byte_is_as_good_in_one_place_of_a_name_as_in_another)
{
    for (size_t at = 0; at < 19; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char name[] = "a name of 19 bytes.";
            name[at] = (char)(unsigned char)byte;
            bool plain = byte >= 0x20 && byte < 0x7f;
            CHECK_EQ(key_name_check(span_of(name, 19), 19), plain ? ERR_OK : ERR_SYNTAX);
        }
    }
}

TEST(the_longest_key_fits_and_one_byte_more_does_not)
{
    static const char a[] = A256;
    struct key_bytes joined;
    struct key key;
    key_observation(span_of(a, KEY_TENANT_MAX), span_of(a, KEY_SERVICE_MAX),
                    span_of(a, KEY_INSTANCE_MAX), span_of(a, KEY_OBSERVER_MAX), &joined);
    CHECK_EQ(joined.len, KEY_LEN_MAX);
    CHECK_OK(key_parse(key_span(&joined), &key));
    CHECK_EQ(key_name_check(span_of(a, 64), 63), ERR_TOO_LARGE);
    CHECK_EQ(key_name_check(span_of(a, 63), 63), ERR_OK);
    CHECK_EQ(key_name_check(SPAN_NONE, 63), ERR_SYNTAX);
}

TEST(prefixes_name_the_service_and_the_instance)
{
    static const struct {
        struct span bytes, service, instance;
    } rows[] = {
        {BYTES("t\0s"), BYTES("t\0s"), BYTES("")},
        {BYTES("t\0s\0i"), BYTES("t\0s"), BYTES("t\0s\0i")},
        {BYTES("t\0s\0i\0!"), BYTES("t\0s"), BYTES("t\0s\0i")},
        {BYTES("t\0s\0i\0o"), BYTES("t\0s"), BYTES("t\0s\0i")},
        {BYTES("t"), BYTES("t"), BYTES("")},
        {BYTES(""), BYTES(""), BYTES("")},
        {BYTES("t\0s\0"), BYTES("t\0s"), BYTES("t\0s\0")},
        {BYTES("\0\0\0\0"), BYTES("\0"), BYTES("\0\0")},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK(span_eq(key_service_prefix(rows[i].bytes), rows[i].service));
        CHECK(span_eq(key_instance_prefix(rows[i].bytes), rows[i].instance));
    }
}

TEST(shorthands_make_the_keys_that_they_name)
{
    const struct span t = SPAN_LIT("t"), s = SPAN_LIT("s"), i = SPAN_LIT("i"), o = SPAN_LIT("o");
    struct key_bytes bytes;
    key_policy(t, s, &bytes);
    CHECK(span_eq(key_span(&bytes), SPAN_LIT("t\0s")));
    key_node(o, &bytes);
    CHECK(span_eq(key_span(&bytes), SPAN_LIT("_mesh\0o")));
    key_registration(t, s, i, &bytes);
    CHECK(span_eq(key_span(&bytes), SPAN_LIT("t\0s\0i")));
    key_override(t, s, i, &bytes);
    CHECK(span_eq(key_span(&bytes), SPAN_LIT("t\0s\0i\0!")));
    key_observation(t, s, i, o, &bytes);
    CHECK(span_eq(key_span(&bytes), SPAN_LIT("t\0s\0i\0o")));
}

// Part of the wire: these numbers may never change.
TEST(all_records_of_a_service_share_its_partition_for_ever)
{
    const struct span family[] = {BYTES("default\0pay"), BYTES("default\0pay\0pay-1"),
                                  BYTES("default\0pay\0pay-1\0!"),
                                  BYTES("default\0pay\0pay-2\0node-a")};
    for (size_t i = 0; i < sizeof(family) / sizeof(family[0]); i++) {
        CHECK_EQ(key_partition(family[i], 16), key_partition(family[0], 16));
    }
    CHECK_EQ(key_partition(SPAN_LIT("default\0pay"), 16), 12);
    CHECK_EQ(key_partition(SPAN_LIT("default\0cart"), 16), 6);
    CHECK_EQ(key_partition(SPAN_LIT("_mesh\0node-a"), 16), 0);
    CHECK_EQ(key_partition(SPAN_LIT("default\0pay"), 1), 0);
}

SUITE("localmap/model/key", T(a_key_is_what_the_number_of_its_parts_says),
      T(a_malformed_key_is_refused), T(a_byte_is_as_good_in_one_place_of_a_name_as_in_another),
      T(the_longest_key_fits_and_one_byte_more_does_not),
      T(prefixes_name_the_service_and_the_instance), T(shorthands_make_the_keys_that_they_name),
      T(all_records_of_a_service_share_its_partition_for_ever));
