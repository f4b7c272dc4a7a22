// SPDX-License-Identifier: Apache-2.0
// Tables of texts and values; times also day by day over 10,000 years against a naive calendar.
#include "base/text.h"
#include "tests/lib/suite.h"

#include <stdio.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

struct number_row {
    const char *text;
    enum err err;
    uint64_t value;
};

typedef enum err (*parse_fn)(struct span text, uint64_t *ret_value);

static void check_rows(parse_fn parse, const struct number_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 77;
        const enum err err = parse(span_str(rows[i].text), &value);
        ck_assert_msg(err == rows[i].err, "\"%s\": %s", rows[i].text, err_text(err));
        CHECK_UEQ(value, err == ERR_OK ? rows[i].value : 77);
    }
}

TEST(numbers_are_digits_and_nothing_else)
{
    static const struct number_row rows[] = {
        {"0", ERR_OK, 0},
        {"7", ERR_OK, 7},
        {"18446744073709551615", ERR_OK, UINT64_MAX},
        {"18446744073709551616", ERR_RANGE, 0},
        {"99999999999999999999999999999999", ERR_RANGE, 0},
        {"99999999999999999999x", ERR_SYNTAX, 0},
        {"", ERR_SYNTAX, 0},
        {"00", ERR_SYNTAX, 0},
        {"01", ERR_SYNTAX, 0},
        {"-1", ERR_SYNTAX, 0},
        {"+1", ERR_SYNTAX, 0},
        {" 1", ERR_SYNTAX, 0},
        {"1 ", ERR_SYNTAX, 0},
        {"0x1", ERR_SYNTAX, 0},
        {"1e3", ERR_SYNTAX, 0},
    };
    check_rows(text_u64, rows, COUNT(rows));
}

TEST(a_range_includes_both_its_ends)
{
    uint64_t value = 77;
    CHECK_OK(text_u64_in(SPAN_LIT("1"), 1, 65535, &value));
    CHECK_UEQ(value, 1);
    CHECK_OK(text_u64_in(SPAN_LIT("65535"), 1, 65535, &value));
    CHECK_EQ(text_u64_in(SPAN_LIT("0"), 1, 65535, &value), ERR_RANGE);
    CHECK_EQ(text_u64_in(SPAN_LIT("65536"), 1, 65535, &value), ERR_RANGE);
    CHECK_EQ(text_u64_in(SPAN_LIT("x"), 1, 65535, &value), ERR_SYNTAX);
    CHECK_UEQ(value, 65535);
}

TEST(numbers_are_written_as_they_are_read)
{
    char text[TEXT_U64_LEN];
    CHECK_UEQ(text_u64_format(0, text), 1);
    CHECK_STR(text, "0");
    CHECK_UEQ(text_u64_format(UINT64_MAX, text), 20);
    CHECK_STR(text, "18446744073709551615");
    CHECK_UEQ(text_i64_format(INT64_MIN, text), 20);
    CHECK_STR(text, "-9223372036854775808");
    CHECK_UEQ(text_i64_format(-1, text), 2);
    CHECK_STR(text, "-1");
    CHECK_UEQ(text_i64_format(INT64_MAX, text), 19);
    CHECK_STR(text, "9223372036854775807");
}

TEST(a_bool_is_one_of_two_words)
{
    bool value = false;
    CHECK_OK(text_bool(SPAN_LIT("true"), &value));
    CHECK(value);
    CHECK_OK(text_bool(SPAN_LIT("false"), &value));
    CHECK(!value);
    static const char *const refused[] = {"", "yes", "True", "1", "true ", "tru", "on"};
    for (size_t i = 0; i < COUNT(refused); i++) {
        CHECK_EQ(text_bool(span_str(refused[i]), &value), ERR_SYNTAX);
    }
}

TEST(durations_have_a_unit)
{
    static const struct number_row rows[] = {
        {"500ms", ERR_OK, 500},    {"2s", ERR_OK, 2000},
        {"10m", ERR_OK, 600000},   {"1h", ERR_OK, 3600000},
        {"24h", ERR_OK, 86400000}, {"0s", ERR_OK, 0},
        {"0", ERR_OK, 0},          {"876600h", ERR_OK, TEXT_DURATION_MAX_MS},
        {"876601h", ERR_RANGE, 0}, {"18446744073709551615h", ERR_RANGE, 0},
        {"5", ERR_SYNTAX, 0},      {"", ERR_SYNTAX, 0},
        {"s", ERR_SYNTAX, 0},      {"2 s", ERR_SYNTAX, 0},
        {"1.5s", ERR_SYNTAX, 0},   {"-1s", ERR_SYNTAX, 0},
        {"250us", ERR_SYNTAX, 0},  {"1d", ERR_SYNTAX, 0},
        {"1h30m", ERR_SYNTAX, 0},  {"2S", ERR_SYNTAX, 0},
        {"02s", ERR_SYNTAX, 0},    {"2ss", ERR_SYNTAX, 0},
    };
    check_rows(text_duration, rows, COUNT(rows));
}

TEST(sizes_count_in_powers_of_1024)
{
    static const struct number_row rows[] = {
        {"0", ERR_OK, 0},
        {"512", ERR_OK, 512},
        {"512B", ERR_OK, 512},
        {"64KiB", ERR_OK, 65536},
        {"8MiB", ERR_OK, 8u << 20},
        {"2GiB", ERR_OK, UINT64_C(2) << 30},
        {"17179869184GiB", ERR_RANGE, 0},
        {"", ERR_SYNTAX, 0},
        {"KiB", ERR_SYNTAX, 0},
        {"64KB", ERR_SYNTAX, 0},
        {"64k", ERR_SYNTAX, 0},
        {"1.5MiB", ERR_SYNTAX, 0},
        {"-1", ERR_SYNTAX, 0},
    };
    check_rows(text_size, rows, COUNT(rows));
}

TEST(a_value_is_written_in_the_greatest_unit_that_divides_it)
{
    static const struct {
        uint64_t value;
        const char *duration, *size;
    } rows[] = {
        {0, "0s", "0B"},
        {1, "1ms", "1B"},
        {1000, "1s", "1000B"},
        {1500, "1500ms", "1500B"},
        {90000, "90s", "90000B"},
        {600000, "10m", "600000B"},
        {86400000, "24h", "84375KiB"},
        {1u << 20, "1048576ms", "1MiB"},
        {TEXT_DURATION_MAX_MS, "876600h", "3081796875KiB"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[TEXT_DURATION_LEN];
        uint64_t again = 1;
        CHECK_UEQ(text_duration_format(rows[i].value, text), strlen(rows[i].duration));
        CHECK_STR(text, rows[i].duration);
        CHECK_OK(text_duration(span_str(text), &again));
        CHECK_UEQ(again, rows[i].value);
        CHECK_UEQ(text_size_format(rows[i].value, text), strlen(rows[i].size));
        CHECK_STR(text, rows[i].size);
        CHECK_OK(text_size(span_str(text), &again));
        CHECK_UEQ(again, rows[i].value);
    }
    char text[TEXT_SIZE_LEN];
    CHECK(text_size_format(UINT64_MAX, text) < TEXT_SIZE_LEN);
    CHECK(text_duration_format(UINT64_MAX, text) < TEXT_DURATION_LEN);
}

TEST(times_are_read_as_rfc_3339_has_them)
{
    static const struct {
        const char *text;
        enum err err;
        int64_t ms;
    } rows[] = {
        {"1970-01-01T00:00:00Z", ERR_OK, 0},
        {"2026-11-24T10:00:00.123Z", ERR_OK, 1795514400123},
        {"2026-11-24t10:00:00.123z", ERR_OK, 1795514400123},
        {"2026-11-24T11:30:00.123+01:30", ERR_OK, 1795514400123},
        {"2026-11-24T02:00:00.123-08:00", ERR_OK, 1795514400123},
        {"2026-11-24T10:00:00-00:00", ERR_OK, 1795514400000},
        {"2026-11-24T10:00:00.1Z", ERR_OK, 1795514400100},
        {"2026-11-24T10:00:00.123999999999999999999999999999Z", ERR_OK, 1795514400123},
        {"1969-12-31T23:59:59.999Z", ERR_OK, -1},
        {"2000-02-29T00:00:00Z", ERR_OK, 951782400000},
        {"0000-01-01T00:00:00Z", ERR_OK, -62167219200000},
        {"9999-12-31T23:59:59.999Z", ERR_OK, 253402300799999},
        {"0000-01-01T00:00:00+00:01", ERR_RANGE, 0},
        {"9999-12-31T23:59:59-00:01", ERR_RANGE, 0},
        {"2026-02-29T00:00:00Z", ERR_RANGE, 0},
        {"1900-02-29T00:00:00Z", ERR_RANGE, 0},
        {"2026-13-01T00:00:00Z", ERR_RANGE, 0},
        {"2026-00-01T00:00:00Z", ERR_RANGE, 0},
        {"2026-04-31T00:00:00Z", ERR_RANGE, 0},
        {"2026-04-00T00:00:00Z", ERR_RANGE, 0},
        {"2026-04-01T24:00:00Z", ERR_RANGE, 0},
        {"2026-04-01T00:60:00Z", ERR_RANGE, 0},
        {"2016-12-31T23:59:60Z", ERR_RANGE, 0},
        {"2026-04-01T00:00:00+24:00", ERR_RANGE, 0},
        {"", ERR_SYNTAX, 0},
        {"2026-11-24", ERR_SYNTAX, 0},
        {"2026-11-24T10:00:00", ERR_SYNTAX, 0},
        {"2026-11-24 10:00:00Z", ERR_SYNTAX, 0},
        {"2026-11-24T10:00Z", ERR_SYNTAX, 0},
        {"2026-11-24T10:00:00.Z", ERR_SYNTAX, 0},
        {"2026-11-24T10:00:00,5Z", ERR_SYNTAX, 0},
        {"2026-11-24T10:00:00Z ", ERR_SYNTAX, 0},
        {"2026-11-24T10:00:00+0100", ERR_SYNTAX, 0},
        {"+026-11-24T10:00:00Z", ERR_SYNTAX, 0},
        {"x.1", ERR_SYNTAX, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wall time = {77};
        const enum err err = text_time(span_str(rows[i].text), &time);
        ck_assert_msg(err == rows[i].err, "\"%s\": %s", rows[i].text, err_text(err));
        CHECK_EQ(time.ms, err == ERR_OK ? rows[i].ms : 77);
    }
}

TEST(every_day_of_ten_thousand_years_survives_writing_and_reading)
{
    static const int days_in[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t ms = -62167219200000;
    for (int year = 0; year <= 9999; year++) {
        const int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for (int month = 0; month < 12; month++) {
            for (int day = 1; day <= days_in[month] + (month == 1 && leap); day++) {
                char expected[64], text[TEXT_TIME_LEN];
                struct wall again = {0};
                snprintf(expected, sizeof(expected), "%04d-%02d-%02dT23:59:59.987Z", year,
                         month + 1, day);
                text_time_format((struct wall){ms + 86399987}, text);
                if (strcmp(text, expected) != 0 || text_time(span_str(text), &again) != ERR_OK ||
                    again.ms != ms + 86399987) {
                    ck_abort_msg("%s became %s", expected, text);
                }
                ms += 86400000;
            }
        }
    }
}

TEST(times_outside_the_calendar_are_shown_as_the_nearest_inside)
{
    char text[TEXT_TIME_LEN];
    CHECK_UEQ(text_time_format((struct wall){INT64_MAX}, text), 24);
    CHECK_STR(text, "9999-12-31T23:59:59.999Z");
    CHECK_UEQ(text_time_format((struct wall){INT64_MIN}, text), 24);
    CHECK_STR(text, "0000-01-01T00:00:00.000Z");
}

TEST(hex_bytes_read_back_alike)
{
    char text[512];
    uint8_t bytes[256], again[256] = {0};
    for (unsigned i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
    }
    CHECK_UEQ(text_hex_format(bytes, 256, text), 512);
    CHECK(memcmp(text, "000102", 6) == 0);
    CHECK_OK(text_hex(span_of(text, 512), again, 256));
    CHECK_MEM(bytes, again, 256);
    CHECK_OK(text_hex(SPAN_LIT("aAFf"), again, 2));
    CHECK_UEQ(again[0], 0xAA);
    again[0] = 7;
    CHECK_EQ(text_hex(SPAN_LIT("aaf"), again, 2), ERR_SYNTAX);
    CHECK_EQ(text_hex(SPAN_LIT("aafff"), again, 2), ERR_SYNTAX);
    CHECK_EQ(text_hex(SPAN_LIT("aafg"), again, 2), ERR_SYNTAX);
    CHECK_UEQ(again[0], 7);
}

TEST(hex_numbers_have_exactly_so_many_digits)
{
    char text[17];
    uint64_t value = 0;
    CHECK_UEQ(text_hex_u64_format(0x00a1b2c3d4e5f601, 16, text), 16);
    CHECK_STR(text, "00a1b2c3d4e5f601");
    CHECK_OK(text_hex_u64(SPAN_LIT("00a1b2c3d4e5f601"), 16, &value));
    CHECK_UEQ(value, 0x00a1b2c3d4e5f601);
    CHECK_OK(text_hex_u64(SPAN_LIT("ffffffffffffffff"), 16, &value));
    CHECK_UEQ(value, UINT64_MAX);
    CHECK_EQ(text_hex_u64(SPAN_LIT("00A1"), 4, &value), ERR_SYNTAX);
    CHECK_EQ(text_hex_u64(SPAN_LIT("0a1"), 4, &value), ERR_SYNTAX);
    CHECK_EQ(text_hex_u64(SPAN_LIT("000a1"), 4, &value), ERR_SYNTAX);
    CHECK_EQ(text_hex_u64(SPAN_LIT("0x01"), 4, &value), ERR_SYNTAX);
}

TEST(percent_encoded_parts_are_decoded)
{
    static const struct {
        const char *text;
        enum err err;
        const char *decoded;
    } rows[] = {
        {"", ERR_OK, ""},          {"pay", ERR_OK, "pay"},
        {"a+b", ERR_OK, "a+b"},    {"outbound%7C80%7c%7Cpay.svc", ERR_OK, "outbound|80||pay.svc"},
        {"a%2Fb", ERR_OK, "a/b"},  {"%25", ERR_OK, "%"},
        {"%2525", ERR_OK, "%25"}, // once only
        {"%", ERR_SYNTAX, NULL},   {"%2", ERR_SYNTAX, NULL},
        {"a%2", ERR_SYNTAX, NULL}, {"%zz", ERR_SYNTAX, NULL},
        {"%+1", ERR_SYNTAX, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char buf[64];
        size_t len = 77;
        const enum err err = text_percent_decode(span_str(rows[i].text), buf, sizeof(buf), &len);
        ck_assert_msg(err == rows[i].err, "\"%s\": %s", rows[i].text, err_text(err));
        CHECK(err == ERR_OK ? span_eq_str(span_of(buf, len), rows[i].decoded) : len == 77);
    }
    char buf[3];
    size_t len = 0;
    CHECK_OK(text_percent_decode(SPAN_LIT("a%2Fb"), buf, 3, &len));
    CHECK_UEQ(len, 3);
    CHECK_EQ(text_percent_decode(SPAN_LIT("a%2Fb"), buf, 2, &len), ERR_TOO_LARGE);
}

TEST(every_byte_survives_percent_encoding)
{
    char bytes[256], encoded[768], again[256];
    for (unsigned i = 0; i < 256; i++) {
        bytes[i] = (char)i;
    }
    size_t again_len = 0;
    const size_t len =
        text_percent_encode(span_of(bytes, 256), TEXT_PERCENT_KEEP_PATH, encoded, 768);
    CHECK_UEQ(len, 66 + 190 * 3);
    CHECK_OK(text_percent_decode(span_of(encoded, len), again, 256, &again_len));
    CHECK_UEQ(again_len, 256);
    CHECK_MEM(bytes, again, 256);
}

TEST(an_encoding_that_does_not_fit_says_how_long_it_is)
{
    char buf[8] = "1234567";
    CHECK_UEQ(text_percent_encode(SPAN_LIT("a/b"), "_-", buf, 4), 5);
    CHECK_STR(buf + 4, "567");
    CHECK_UEQ(text_percent_encode(SPAN_LIT("a/b"), "_-", buf, 5), 5);
    CHECK(memcmp(buf, "a%2Fb67", 7) == 0);
    CHECK_UEQ(text_percent_encode(SPAN_LIT("a.b"), "_-", NULL, 0), 5);
}

SUITE("base/text", T(numbers_are_digits_and_nothing_else), T(a_range_includes_both_its_ends),
      T(numbers_are_written_as_they_are_read), T(a_bool_is_one_of_two_words),
      T(durations_have_a_unit), T(sizes_count_in_powers_of_1024),
      T(a_value_is_written_in_the_greatest_unit_that_divides_it),
      T(times_are_read_as_rfc_3339_has_them),
      T(every_day_of_ten_thousand_years_survives_writing_and_reading),
      T(times_outside_the_calendar_are_shown_as_the_nearest_inside), T(hex_bytes_read_back_alike),
      T(hex_numbers_have_exactly_so_many_digits), T(percent_encoded_parts_are_decoded),
      T(every_byte_survives_percent_encoding),
      T(an_encoding_that_does_not_fit_says_how_long_it_is));
