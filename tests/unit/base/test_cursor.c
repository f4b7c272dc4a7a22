// SPDX-License-Identifier: Apache-2.0
// Reads what the comments say, and shows that no read after a failure gives anything.
#include "base/cursor.h"
#include "tests/lib/suite.h"

TEST(numbers_are_big_endian)
{
    struct cursor c =
        cursor_of(span_of("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F", 15));
    CHECK_UEQ(cursor_u8(&c), 0x01);
    CHECK_UEQ(cursor_u16(&c), 0x0203);
    CHECK_UEQ(cursor_u32(&c), 0x04050607);
    CHECK(!cursor_done(&c));
    CHECK_UEQ(cursor_u64(&c), 0x08090A0B0C0D0E0F);
    CHECK(cursor_done(&c));
}

TEST(a_failure_is_final)
{
    struct cursor c = cursor_of(SPAN_LIT("\x01\x02\x03"));
    CHECK_UEQ(cursor_u32(&c), 0);
    CHECK(!cursor_ok(&c));
    CHECK_UEQ(cursor_u8(&c), 0); // three bytes were there
    CHECK_UEQ(cursor_varint(&c), 0);
    CHECK(cursor_bytes(&c, 0).ptr == NULL);
    CHECK_UEQ(cursor_rest(&c).len, 0);
    CHECK(!cursor_ok(&c) && !cursor_done(&c));
}

TEST(a_length_from_outside_cannot_lead_outside)
{
    static const uint64_t lens[] = {4, 1u << 31, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        struct cursor c = cursor_of(SPAN_LIT("abc"));
        CHECK(cursor_bytes(&c, lens[i]).ptr == NULL);
        CHECK(!cursor_ok(&c));
    }
}

TEST(the_rest_is_what_was_not_read)
{
    struct cursor c = cursor_of(SPAN_LIT("abcdef"));
    CHECK(span_eq_str(cursor_bytes(&c, 2), "ab"));
    CHECK(span_eq_str(cursor_bytes(&c, 0), ""));
    CHECK(span_eq_str(cursor_rest(&c), "cdef"));
    CHECK(cursor_done(&c));
    CHECK_UEQ(cursor_rest(&c).len, 0);
    CHECK(cursor_done(&c));
}

TEST(a_nonsense_value_can_fail_it_by_hand)
{
    struct cursor c = cursor_of(SPAN_LIT("abc"));
    cursor_fail(&c);
    CHECK(!cursor_ok(&c));
    CHECK_UEQ(cursor_u8(&c), 0);
}

TEST(every_varint_survives_writing_and_reading)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int around = -1; around <= 1; around++) {
            const uint64_t value = (UINT64_C(1) << bit) + (uint64_t)around;
            char bytes[CURSOR_VARINT_MAX];
            const size_t len = cursor_varint_put(value, bytes);
            struct cursor c = cursor_of(span_of(bytes, len));
            CHECK_UEQ(cursor_varint(&c), value);
            CHECK(cursor_done(&c));
            c = cursor_of(span_of(bytes, len - 1));
            CHECK_UEQ(cursor_varint(&c), 0);
            CHECK(!cursor_ok(&c));
        }
    }
}

TEST(a_varint_has_one_encoding)
{
    static const struct span refused[] = {
        {"\x80\x00", 2},
        {"\xFF\x00", 2},
        {"\x80\x80\x00", 3},
        {"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 10},     // 65 bits
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11}, // 71 bits
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct cursor c = cursor_of(refused[i]);
        CHECK_UEQ(cursor_varint(&c), 0);
        CHECK(!cursor_ok(&c));
    }
    struct cursor max = cursor_of(SPAN_LIT("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"));
    CHECK_UEQ(cursor_varint(&max), UINT64_MAX);
}

SUITE("base/cursor", T(numbers_are_big_endian), T(a_failure_is_final),
      T(a_length_from_outside_cannot_lead_outside), T(the_rest_is_what_was_not_read),
      T(a_nonsense_value_can_fail_it_by_hand), T(every_varint_survives_writing_and_reading),
      T(a_varint_has_one_encoding));
