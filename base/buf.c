// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include "base/assert.h"
#include "base/cursor.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define BUF_CAP_MIN 64

void buf_init(struct buf *buf, size_t max)
{
    ASSERT(max < SIZE_MAX / 4);
    *buf = (struct buf){.max = max};
}

void buf_fini(struct buf *buf)
{
    free(buf->ptr);
    *buf = (struct buf){0};
}

void buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->err = ERR_OK;
    if (buf->ptr != NULL) {
        buf->ptr[0] = '\0';
    }
}

// The capacity for `need` bytes: doubled, so that appending is linear in all, within the ceiling.
static size_t next_cap(const struct buf *buf, size_t need)
{
    size_t cap = buf->cap < BUF_CAP_MIN ? BUF_CAP_MIN : buf->cap * 2;
    if (cap < need) {
        cap = need;
    }
    return cap > buf->max ? buf->max : cap;
}

char *buf_reserve(struct buf *buf, size_t len)
{
    if (buf->err != ERR_OK) {
        return NULL;
    }
    if (len > buf->max - buf->len) {
        buf->err = ERR_TOO_LARGE;
        return NULL;
    }
    const size_t need = buf->len + len;
    if (buf->ptr == NULL || need > buf->cap) {
        const size_t cap = next_cap(buf, need);
        char *ptr = realloc(buf->ptr, cap + 1); // one for the NUL
        if (ptr == NULL) {
            buf->err = ERR_NOMEM;
            return NULL;
        }
        buf->ptr = ptr;
        buf->cap = cap;
        buf->ptr[buf->len] = '\0';
    }
    return buf->ptr + buf->len;
}

void buf_advance(struct buf *buf, size_t len)
{
    ASSERT(buf->ptr != NULL && len <= buf->cap - buf->len);
    buf->len += len;
    buf->ptr[buf->len] = '\0';
}

void buf_consume(struct buf *buf, size_t len)
{
    ASSERT(len <= buf->len);
    if (len == 0) {
        return;
    }
    buf->len -= len;
    memmove(buf->ptr, buf->ptr + len, buf->len + 1);
}

void buf_put(struct buf *buf, struct span bytes)
{
    if (bytes.len == 0) {
        return;
    }
    char *end = buf_reserve(buf, bytes.len);
    if (end != NULL) {
        memcpy(end, bytes.ptr, bytes.len);
        buf_advance(buf, bytes.len);
    }
}

void buf_str(struct buf *buf, const char *str)
{
    buf_put(buf, span_str(str));
}

void buf_byte(struct buf *buf, char byte)
{
    buf_put(buf, span_of(&byte, 1));
}

void buf_u64(struct buf *buf, uint64_t value)
{
    char text[TEXT_U64_LEN];
    buf_put(buf, span_of(text, text_u64_format(value, text)));
}

void buf_i64(struct buf *buf, int64_t value)
{
    char text[TEXT_I64_LEN];
    buf_put(buf, span_of(text, text_i64_format(value, text)));
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    const int len = vsnprintf(NULL, 0, format, args);
    char *end = len < 0 ? NULL : buf_reserve(buf, (size_t)len);
    if (len < 0 && buf->err == ERR_OK) {
        buf->err = ERR_INVALID;
    }
    if (end != NULL) {
        vsnprintf(end, (size_t)len + 1, format, again);
        buf_advance(buf, (size_t)len);
    }
    va_end(again);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

static void put_number(struct buf *buf, uint64_t value, unsigned len)
{
    char bytes[8];
    for (unsigned i = 0; i < len; i++) {
        bytes[i] = (char)(value >> (8 * (len - 1 - i)));
    }
    buf_put(buf, span_of(bytes, len));
}

void buf_be16(struct buf *buf, uint16_t value)
{
    put_number(buf, value, 2);
}

void buf_be32(struct buf *buf, uint32_t value)
{
    put_number(buf, value, 4);
}

void buf_be64(struct buf *buf, uint64_t value)
{
    put_number(buf, value, 8);
}

void buf_varint(struct buf *buf, uint64_t value)
{
    char bytes[CURSOR_VARINT_MAX];
    buf_put(buf, span_of(bytes, cursor_varint_put(value, bytes)));
}
