// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include "base/assert.h"

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

// The length that a first byte promises, 0 for one that starts no character (80-C1, F5-FF).
static size_t len_of_first(uint8_t byte)
{
    if (byte < 0x80) {
        return 1;
    }
    if (byte < 0xC2) {
        return 0;
    }
    if (byte < 0xE0) {
        return 2;
    }
    if (byte < 0xF0) {
        return 3;
    }
    return byte < 0xF5 ? 4 : 0;
}

size_t utf8_next(struct span text, uint32_t *ret_code)
{
    if (text.len == 0) {
        return 0;
    }
    static const uint8_t first_mask[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    static const uint32_t code_min[5] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t first = (uint8_t)text.ptr[0];
    const size_t len = len_of_first(first);
    if (len == 0 || len > text.len) {
        return 0;
    }
    uint32_t code = first & first_mask[len];
    for (size_t i = 1; i < len; i++) {
        const uint8_t byte = (uint8_t)text.ptr[i];
        if (!is_continuation(byte)) {
            return 0;
        }
        code = code << 6 | (byte & 0x3Fu);
    }
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (code < code_min[len] || code > 0x10FFFF || surrogate) {
        return 0;
    }
    *ret_code = code;
    return len;
}

size_t utf8_put(uint32_t code, char ret_bytes[UTF8_LEN_MAX])
{
    ASSERT(code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF));
    if (code < 0x80) {
        ret_bytes[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        ret_bytes[0] = (char)(0xC0 | code >> 6);
        ret_bytes[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        ret_bytes[0] = (char)(0xE0 | code >> 12);
        ret_bytes[1] = (char)(0x80 | (code >> 6 & 0x3F));
        ret_bytes[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    ret_bytes[0] = (char)(0xF0 | code >> 18);
    ret_bytes[1] = (char)(0x80 | (code >> 12 & 0x3F));
    ret_bytes[2] = (char)(0x80 | (code >> 6 & 0x3F));
    ret_bytes[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

bool utf8_valid(struct span text)
{
    size_t plain = 0; // ASCII first: it is nearly all that there is
    while (plain < text.len && (unsigned char)text.ptr[plain] < 0x80) {
        plain++;
    }
    if (plain == text.len) {
        return true; // an empty text may have no address to count from
    }
    text = span_of(text.ptr + plain, text.len - plain);
    while (text.len > 0) {
        uint32_t code;
        const size_t len = utf8_next(text, &code);
        if (len == 0) {
            return false;
        }
        text = span_of(text.ptr + len, text.len - len);
    }
    return true;
}

bool utf8_is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x2028 || code == 0x2029;
}

struct span utf8_cut(struct span text, size_t len_max)
{
    if (text.len <= len_max) {
        return text;
    }
    size_t len = len_max;
    // At most three bytes back: in text that is no UTF-8 the cut may fall anywhere.
    for (unsigned back = 0; back < 3 && len > 0 && is_continuation((uint8_t)text.ptr[len]);
         back++) {
        len--;
    }
    return span_of(text.ptr, len);
}
