// SPDX-License-Identifier: Apache-2.0
// Every code point once, and the malformed sequences that RFC 3629 and Unicode's table 3-7 name.
#include "base/utf8.h"
#include "tests/lib/suite.h"

TEST(every_code_point_survives_writing_and_reading)
{
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        if (code >= 0xD800 && code <= 0xDFFF) {
            continue;
        }
        char bytes[UTF8_LEN_MAX];
        uint32_t again = UINT32_MAX;
        const size_t len = utf8_put(code, bytes);
        if (utf8_next(span_of(bytes, len), &again) != len || again != code ||
            utf8_next(span_of(bytes, len - 1), &again) != 0) {
            ck_abort_msg("U+%04X", code);
        }
    }
}

TEST(malformed_bytes_are_refused)
{
    static const struct span rows[] = {
        {NULL, 0},
        {"\x80", 1},
        {"\xBF", 1},
        {"\xC0\x80", 2},
        {"\xC1\xBF", 2},
        {"\xC2", 1},
        {"\xC2\x41", 2},
        {"\xE0\x9F\xBF", 3},
        {"\xE2\x82", 2},
        {"\xED\xA0\x80", 3},
        {"\xED\xBF\xBF", 3},
        {"\xF0\x8F\xBF\xBF", 4},
        {"\xF0\x9F\x98", 3},
        {"\xF4\x90\x80\x80", 4},
        {"\xF5\x80\x80\x80", 4},
        {"\xFF", 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t code = 7;
        CHECK_UEQ(utf8_next(rows[i], &code), 0);
        CHECK_UEQ(code, 7);
        CHECK_EQ(utf8_valid(rows[i]), rows[i].len == 0);
    }
}

TEST(one_bad_byte_makes_a_text_invalid)
{
    CHECK(utf8_valid(SPAN_LIT("z\xC3\xBCrich \xE2\x82\xAC \xF0\x9F\x98\x80")));
    CHECK(!utf8_valid(SPAN_LIT("z\xC3\xBCrich \xE2\x82 \xF0\x9F\x98\x80")));
}

TEST(controls_are_those_that_break_lines_or_steer_terminals)
{
    static const struct {
        uint32_t code;
        bool control;
    } rows[] = {
        {0, true},       {0x1F, true},   {0x20, false},  {0x7E, false},
        {0x7F, true},    {0x80, true},   {0x9F, true},   {0xA0, false},
        {0x2027, false}, {0x2028, true}, {0x2029, true}, {0x202A, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ(utf8_is_control(rows[i].code), rows[i].control);
    }
}

TEST(a_cut_never_falls_inside_a_character)
{
    const struct span text = SPAN_LIT("a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80");
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t max = 0; max < sizeof(expected) / sizeof(expected[0]); max++) {
        CHECK_UEQ(utf8_cut(text, max).len, expected[max]);
    }
    CHECK(utf8_cut(SPAN_LIT("\x80\x80\x80\x80\x80\x80"), 5).len >= 2);
}

SUITE("base/utf8", T(every_code_point_survives_writing_and_reading), T(malformed_bytes_are_refused),
      T(one_bad_byte_makes_a_text_invalid),
      T(controls_are_those_that_break_lines_or_steer_terminals),
      T(a_cut_never_falls_inside_a_character));
