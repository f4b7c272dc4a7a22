// SPDX-License-Identifier: Apache-2.0
// Appends at and around the ceiling, and with every allocation failing once.
#include "base/buf.h"
#include "base/cursor.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

TEST(what_is_appended_stands_there_in_order)
{
    struct buf buf;
    buf_init(&buf, 1000);
    CHECK_STR(buf_cstr(&buf), "");
    buf_str(&buf, "a");
    buf_byte(&buf, '-');
    buf_put(&buf, SPAN_LIT("bc"));
    buf_put(&buf, SPAN_NONE);
    buf_printf(&buf, "%d%s", 42, "!");
    buf_u64(&buf, UINT64_MAX);
    buf_byte(&buf, ' ');
    buf_i64(&buf, INT64_MIN);
    CHECK_STR(buf_cstr(&buf), "a-bc42!18446744073709551615 -9223372036854775808");
    CHECK_OK(buf.err);
    buf_fini(&buf);
}

TEST(numbers_read_back_alike)
{
    struct buf buf;
    buf_init(&buf, 100);
    buf_be16(&buf, 0xABCD);
    buf_be32(&buf, 0x01020304);
    buf_be64(&buf, 0xFFEEDDCCBBAA9988);
    buf_varint(&buf, 300);
    struct cursor c = cursor_of(buf_span(&buf));
    CHECK_UEQ(cursor_u16(&c), 0xABCD);
    CHECK_UEQ(cursor_u32(&c), 0x01020304);
    CHECK_UEQ(cursor_u64(&c), 0xFFEEDDCCBBAA9988);
    CHECK_UEQ(cursor_varint(&c), 300);
    CHECK(cursor_done(&c));
    buf_fini(&buf);
}

TEST(the_ceiling_holds_and_the_error_stays)
{
    struct buf buf;
    buf_init(&buf, 5);
    buf_str(&buf, "abcde");
    CHECK_OK(buf.err);
    buf_byte(&buf, 'f');
    CHECK_EQ(buf.err, ERR_TOO_LARGE);
    buf_reset(&buf);
    CHECK_OK(buf.err);
    buf_str(&buf, "ab");
    buf_str(&buf, "cdef"); // not whole, so not at all
    buf_str(&buf, "x");
    CHECK_STR(buf_cstr(&buf), "ab");
    CHECK_EQ(buf.err, ERR_TOO_LARGE);
    CHECK(buf_reserve(&buf, 0) == NULL);
    buf_fini(&buf);
}

TEST(any_length_can_be_appended_byte_by_byte)
{
    struct buf buf;
    buf_init(&buf, 10000);
    for (unsigned i = 0; i < 10000; i++) {
        buf_byte(&buf, (char)('a' + i % 26));
    }
    CHECK_OK(buf.err);
    CHECK_UEQ(buf.len, 10000);
    CHECK_UEQ(buf.cap, 10000);
    CHECK_EQ(buf.ptr[9999], 'a' + 9999 % 26);
    CHECK_EQ(buf.ptr[10000], '\0');
    buf_fini(&buf);
}

TEST(reserved_room_counts_only_when_advanced)
{
    struct buf buf;
    buf_init(&buf, 100);
    char *room = buf_reserve(&buf, 50);
    CHECK(room != NULL);
    memcpy(room, "hello", 5);
    CHECK_UEQ(buf.len, 0);
    buf_advance(&buf, 5);
    CHECK_STR(buf_cstr(&buf), "hello");
    buf_fini(&buf);
}

TEST(consuming_drops_from_the_front)
{
    struct buf buf;
    buf_init(&buf, 100);
    buf_consume(&buf, 0);
    buf_str(&buf, "hello world");
    buf_consume(&buf, 6);
    CHECK_STR(buf_cstr(&buf), "world");
    buf_consume(&buf, 5);
    CHECK_STR(buf_cstr(&buf), "");
    buf_fini(&buf);
}

struct walk {
    unsigned odd; // runs that ended neither whole nor with ERR_NOMEM and whole appends
};

static bool append_much(void *arg)
{
    struct walk *walk = arg;
    struct buf buf;
    buf_init(&buf, 1 << 20);
    for (unsigned i = 0; i < 500; i++) {
        buf_printf(&buf, "%u ", i);
    }
    const bool whole = buf.err == ERR_OK && buf.len == 1890;
    const bool kept =
        buf.err == ERR_NOMEM && buf.len < 1890 && (buf.len == 0 || buf.ptr[buf.len - 1] == ' ');
    walk->odd += !whole && !kept;
    buf_fini(&buf);
    return whole;
}

TEST(without_memory_it_keeps_what_it_had)
{
    struct walk walk = {0};
    CHECK(failalloc_each(append_much, &walk) > 3);
    CHECK_UEQ(walk.odd, 0);
}

SUITE("base/buf", T(what_is_appended_stands_there_in_order), T(numbers_read_back_alike),
      T(the_ceiling_holds_and_the_error_stays), T(any_length_can_be_appended_byte_by_byte),
      T(reserved_room_counts_only_when_advanced), T(consuming_drops_from_the_front),
      T(without_memory_it_keeps_what_it_had));
