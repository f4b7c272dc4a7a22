// SPDX-License-Identifier: Apache-2.0
#include "base/cursor.h"

void cursor_fail(struct cursor *cursor)
{
    cursor->failed = true;
    cursor->ptr = NULL;
    cursor->left = 0;
}

struct span cursor_rest(struct cursor *cursor)
{
    return cursor->failed ? SPAN_NONE : cursor_bytes(cursor, cursor->left);
}

static uint64_t read_number(struct cursor *cursor, unsigned len)
{
    const struct span bytes = cursor_bytes(cursor, len);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        value = value << 8 | (uint8_t)bytes.ptr[i];
    }
    return value;
}

uint16_t cursor_u16(struct cursor *cursor)
{
    return (uint16_t)read_number(cursor, 2);
}

uint32_t cursor_u32(struct cursor *cursor)
{
    return (uint32_t)read_number(cursor, 4);
}

uint64_t cursor_u64(struct cursor *cursor)
{
    return read_number(cursor, 8);
}

uint64_t cursor_varint_long(struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint8_t byte = cursor_u8(cursor);
        const uint64_t bits = byte & 0x7Fu;
        const bool overflow = shift == 63 && bits > 1;
        const bool not_shortest = byte == 0 && shift > 0;
        if (cursor->failed || overflow || not_shortest) {
            break;
        }
        value |= bits << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    cursor_fail(cursor);
    return 0;
}

size_t cursor_varint_put(uint64_t value, char ret_bytes[CURSOR_VARINT_MAX])
{
    size_t len = 0;
    while (value >= 0x80) {
        ret_bytes[len++] = (char)(value | 0x80);
        value >>= 7;
    }
    ret_bytes[len++] = (char)value;
    return len;
}
