// SPDX-License-Identifier: Apache-2.0
// Versions as bytes and as text, a table of texts; the order that the merge stands on.
#include "localmap/model/version.h"
#include "tests/lib/suite.h"

static const struct {
    struct version version;
    const char *text;
} good[] = {
    {{0, 0}, "0-0"},
    {{12, UINT64_C(0x00a1b2c3d4e5f601)}, "12-00a1b2c3d4e5f601"},
    {{1, 0}, "1-0000000000000000"},
    {{0, 1}, "0-0000000000000001"},
    {{VERSION_COUNTER_MAX, UINT64_MAX}, "9007199254740991-ffffffffffffffff"},
};
#define GOOD (sizeof(good) / sizeof(good[0]))

TEST(text_and_bytes_give_back_the_version)
{
    for (size_t i = 0; i < GOOD; i++) {
        char text[VERSION_TEXT_LEN];
        char bytes[VERSION_LEN];
        struct version back = {7, 7};
        CHECK_EQ(version_format(good[i].version, text), strlen(good[i].text));
        CHECK_STR(text, good[i].text);
        CHECK_OK(version_parse(span_str(text), &back));
        CHECK_EQ(version_cmp(back, good[i].version), 0);
        version_put(good[i].version, bytes);
        CHECK_EQ(version_cmp(version_get(bytes), good[i].version), 0);
    }
}

TEST(bytes_are_big_endian)
{
    char bytes[VERSION_LEN];
    version_put((struct version){0x0102, UINT64_C(0xa000000000000003)}, bytes);
    CHECK_MEM(bytes, "\0\0\0\0\0\0\1\2\xa0\0\0\0\0\0\0\3", VERSION_LEN);
}

TEST(only_what_is_written_is_read)
{
    static const char *const bad[] = {"",
                                      "0",
                                      "0-",
                                      "-0000000000000001",
                                      "0-0000000000000000",
                                      "01-0000000000000001",
                                      "1-000000000000001",
                                      "1-00000000000000011",
                                      "1-000000000000000G",
                                      "1-000000000000000A",
                                      "+1-0000000000000001",
                                      " 1-0000000000000001",
                                      "1-0000000000000001 ",
                                      "9007199254740992-0000000000000001",
                                      "99999999999999999999-0000000000000001",
                                      "12-00a1b2c3d4e5f601+1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct version version = {5, 5};
        CHECK_EQ(version_parse(span_str(bad[i]), &version), ERR_SYNTAX);
        CHECK_UEQ(version.counter, 5);
    }
}

TEST(the_counter_orders_before_the_writer)
{
    const struct version ascending[] = {{0, 0}, {0, 9}, {1, 0}, {1, 5}, {1, UINT64_MAX}, {2, 0}};
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < 6; j++) {
            int order = version_cmp(ascending[i], ascending[j]);
            CHECK_EQ((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
    CHECK(version_is_none(ascending[0]));
    CHECK(!version_is_none(ascending[1]));
}

TEST(a_writer_is_its_node_and_its_attempt)
{
    uint64_t a = version_writer(SPAN_LIT("node-a"), 1);
    CHECK_UEQ(a >> 24, version_writer(SPAN_LIT("node-a"), 0xfffffe) >> 24);
    CHECK(a >> 24 != version_writer(SPAN_LIT("node-b"), 1) >> 24);
    CHECK_UEQ(a & 0xffffff, 1);
    CHECK_UEQ(version_writer(SPAN_LIT("node-a"), 0xff000001), a);
}

SUITE("localmap/model/version", T(text_and_bytes_give_back_the_version), T(bytes_are_big_endian),
      T(only_what_is_written_is_read), T(the_counter_orders_before_the_writer),
      T(a_writer_is_its_node_and_its_attempt));
