// SPDX-License-Identifier: Apache-2.0
// Reads foreign bytes front to back.  The error is sticky: after the first read that does not fit, every
// read gives zeros or nothing, so that a parser reads straight on and asks once, at the end.
//
//     struct cursor c = cursor_of(bytes);
//     uint8_t kind = cursor_u8(&c);
//     struct span name = cursor_bytes(&c, cursor_u16(&c));
//     if (!cursor_done(&c)) { return ERR_SYNTAX; }
//
// Invariant: no read goes outside the span; a failed cursor stays failed and has nothing left.
// Spans that it gives borrow from the span it was made of.  Pure, any thread.
#pragma once

#include "base/span.h"

#include <stdint.h>

struct cursor {
    const char *ptr;
    size_t left;
    bool failed;
};

static inline struct cursor cursor_of(struct span bytes)
{
    return (struct cursor){bytes.ptr, bytes.len, false};
}

// Nothing has failed so far.
static inline bool cursor_ok(const struct cursor *cursor)
{
    return !cursor->failed;
}

// Nothing has failed and nothing is left.
static inline bool cursor_done(const struct cursor *cursor)
{
    return !cursor->failed && cursor->left == 0;
}

// Marks as failed: for a value that reads well and means nonsense.
void cursor_fail(struct cursor *cursor);

// The next `len` bytes; SPAN_NONE on failure.
static inline struct span cursor_bytes(struct cursor *cursor, uint64_t len)
{
    if (len > cursor->left) {
        cursor_fail(cursor);
        return SPAN_NONE;
    }
    const struct span bytes = span_of(cursor->ptr, (size_t)len);
    if (bytes.len > 0) { // a NULL may not be added to
        cursor->ptr += bytes.len;
        cursor->left -= bytes.len;
    }
    return bytes;
}

// Big-endian numbers; 0 on failure.
static inline uint8_t cursor_u8(struct cursor *cursor)
{
    if (cursor->left == 0) {
        cursor_fail(cursor);
        return 0;
    }
    cursor->left--;
    return (uint8_t)*cursor->ptr++;
}
uint16_t cursor_u16(struct cursor *cursor);
uint32_t cursor_u32(struct cursor *cursor);
uint64_t cursor_u64(struct cursor *cursor);

// LEB128, shortest form only, so that one value has one encoding.  0 on failure.
uint64_t cursor_varint_long(struct cursor *cursor); // of any length
static inline uint64_t cursor_varint(struct cursor *cursor)
{
    bool one_byte = cursor->left > 0 && (uint8_t)*cursor->ptr < 0x80; // it nearly always is
    return one_byte ? cursor_u8(cursor) : cursor_varint_long(cursor);
}

// Everything that is left, which is consumed.  Never fails.
struct span cursor_rest(struct cursor *cursor);

#define CURSOR_VARINT_MAX 10 // bytes of the longest varint

// The writer's half of cursor_varint.  Returns the length.
size_t cursor_varint_put(uint64_t value, char ret_bytes[CURSOR_VARINT_MAX]);
