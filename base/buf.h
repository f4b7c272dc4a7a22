// SPDX-License-Identifier: Apache-2.0
// A growable run of bytes with a ceiling.  The error is sticky: after the first append that does not fit
// (ERR_TOO_LARGE) or finds no memory (ERR_NOMEM) every append does nothing, so that a writer writes
// straight on and asks once, at the end.
//
//     ptr |---- len ----|---- free ----|         cap <= max; ptr[len] is always a NUL when ptr is set
//
// Invariant: len <= max; an append is whole or has not happened.
// Owned by one thread at a time.  Read next: json_write.h, which writes into one.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdarg.h>
#include <stdint.h>

struct buf {
    char *ptr;
    size_t len;
    size_t cap;
    size_t max;
    enum err err;
};

// Empty, allocates nothing yet; never more than `max` bytes.
void buf_init(struct buf *buf, size_t max);
void buf_fini(struct buf *buf);

// Empty again and without error; keeps its memory.
void buf_reset(struct buf *buf);

void buf_put(struct buf *buf, struct span bytes);
void buf_str(struct buf *buf, const char *str);
void buf_byte(struct buf *buf, char byte);
void buf_u64(struct buf *buf, uint64_t value); // decimal
void buf_i64(struct buf *buf, int64_t value);  // decimal
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

// Big-endian and varint, for bytes on a wire (the readers stand in cursor.h).
void buf_be16(struct buf *buf, uint16_t value);
void buf_be32(struct buf *buf, uint32_t value);
void buf_be64(struct buf *buf, uint64_t value);
void buf_varint(struct buf *buf, uint64_t value);

// Room for `len` more bytes at the end, for a read(2) or a library; NULL on failure.  What was really
// written is then added by buf_advance.
char *buf_reserve(struct buf *buf, size_t len);
void buf_advance(struct buf *buf, size_t len);

// Drops `len` bytes (at most buf->len) from the front.
void buf_consume(struct buf *buf, size_t len);

// What stands in it; borrows until the next append.
static inline struct span buf_span(const struct buf *buf)
{
    return span_of(buf->ptr, buf->len);
}

// The same as a C string; "" when nothing was ever appended.
static inline const char *buf_cstr(const struct buf *buf)
{
    return buf->ptr == NULL ? "" : buf->ptr;
}
