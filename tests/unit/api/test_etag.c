// SPDX-License-Identifier: Apache-2.0
// Entity tags and the headers that name them, as tables.
#include "admin-api/etag.h"

#include "tests/lib/suite.h"

#define TAG "\"12-00a1b2c3d4e5f601\""

TEST(a_tag_is_the_version_and_says_what_is_pending)
{
    const struct version version = {.counter = 12, .writer = 0xa1b2c3d4e5f601};
    char text[ETAG_LEN];
    etag_format(version, 0, text);
    CHECK_STR(text, TAG);
    etag_format(version, 3, text);
    CHECK_STR(text, "\"12-00a1b2c3d4e5f601+3\"");
    etag_format(version, UINT64_MAX, text);
    CHECK_STR(text, "\"12-00a1b2c3d4e5f601+4294967295\"");
}
END_TEST

TEST(if_match_takes_one_strong_tag_or_a_star)
{
    static const struct {
        const char *value;
        enum etag_condition condition;
    } rows[] = {
        {"*", ETAG_ANY},
        {TAG, ETAG_VERSION},
        {"\"\"", ETAG_NEVER},
        {"\"x\"", ETAG_NEVER},
        {"\"0-0\"", ETAG_NEVER},
        {"\"12-00a1b2c3d4e5f601+3\"", ETAG_NEVER},
        {"\"012-00a1b2c3d4e5f601\"", ETAG_NEVER},
        {"\"12-00A1B2C3D4E5F601\"", ETAG_NEVER},
        {"", ETAG_MALFORMED},
        {"x", ETAG_MALFORMED},
        {"\"", ETAG_MALFORMED},
        {"\"x", ETAG_MALFORMED},
        {"x\"", ETAG_MALFORMED},
        {"\"a b\"", ETAG_MALFORMED},
        {"W/" TAG, ETAG_MALFORMED},
        {TAG ", " TAG, ETAG_MALFORMED},
        {TAG " ", ETAG_MALFORMED},
        {"**", ETAG_MALFORMED},
        {"*, " TAG, ETAG_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct version version = {0, 0};
        enum etag_condition got = etag_if_match(span_str(rows[i].value), &version);
        ck_assert_msg(got == rows[i].condition, "%s", rows[i].value);
        CHECK_UEQ(version.counter, got == ETAG_VERSION ? 12 : 0);
    }
}
END_TEST

TEST(if_none_match_names_a_tag_in_a_list)
{
    static const struct {
        const char *value;
        bool hits;
    } rows[] = {
        {"*", true},
        {" *", true},
        {TAG, true},
        {"W/" TAG, true},
        {"\"x\", " TAG, true},
        {"\"x\"," TAG ",\"y\"", true},
        {"W/\"x\" , W/" TAG, true},
        {"\"x\"", false},
        {"", false},
        {"x, " TAG, false},
        {"\"x\" " TAG, false},
        {"\"12-00a1b2c3d4e5f601+1\"", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_msg(etag_none_match_hits(span_str(rows[i].value), TAG) == rows[i].hits, "%s",
                      rows[i].value);
    }
}
END_TEST

SUITE("api/etag", T(a_tag_is_the_version_and_says_what_is_pending),
      T(if_match_takes_one_strong_tag_or_a_star), T(if_none_match_names_a_tag_in_a_list));
