// SPDX-License-Identifier: Apache-2.0
#include "localmap/model/version.h"

#include "base/siphash.h"

#define ATTEMPT_MASK UINT64_C(0xffffff)
#define WRITER_DIGITS 16

// Big-endian on every machine: the version is part of the wire.  One load and a swap, as each record that
// comes is asked for it several times.
static uint64_t big_endian(uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return value;
#else
    return __builtin_bswap64(value);
#endif
}

static void put64(uint64_t value, char *bytes)
{
    const uint64_t swapped = big_endian(value);
    memcpy(bytes, &swapped, sizeof(swapped));
}

static uint64_t get64(const char *bytes)
{
    uint64_t value = 0;
    memcpy(&value, bytes, sizeof(value));
    return big_endian(value);
}

void version_put(struct version v, char ret_bytes[VERSION_LEN])
{
    put64(v.counter, ret_bytes);
    put64(v.writer, ret_bytes + 8);
}

struct version version_get(const char bytes[VERSION_LEN])
{
    return (struct version){.counter = get64(bytes), .writer = get64(bytes + 8)};
}

size_t version_format(struct version v, char ret_text[VERSION_TEXT_LEN])
{
    static const char hex[] = "0123456789abcdef";
    if (version_is_none(v)) {
        memcpy(ret_text, "0-0", 4);
        return 3;
    }
    char digits[20];
    size_t count = 0;
    uint64_t rest = v.counter;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    size_t len = 0;
    while (count > 0) {
        ret_text[len++] = digits[--count];
    }
    ret_text[len++] = '-';
    for (size_t i = 0; i < WRITER_DIGITS; i++) {
        ret_text[len++] = hex[v.writer >> (60 - 4 * i) & 15];
    }
    ret_text[len] = '\0';
    return len;
}

// Digits without a leading zero, up to the "-", which is consumed.
static bool read_counter(struct span *text, uint64_t *ret_counter)
{
    uint64_t counter = 0;
    size_t at = 0;
    while (at < text->len && text->ptr[at] >= '0' && text->ptr[at] <= '9') {
        counter = counter * 10 + (uint64_t)(text->ptr[at] - '0');
        at++;
        if (counter > VERSION_COUNTER_MAX) {
            return false;
        }
    }
    if (at == 0 || at == text->len || text->ptr[at] != '-' || (text->ptr[0] == '0' && at > 1)) {
        return false;
    }
    *text = span_of(text->ptr + at + 1, text->len - at - 1);
    *ret_counter = counter;
    return true;
}

static bool read_writer(struct span text, uint64_t *ret_writer)
{
    uint64_t writer = 0;
    if (text.len != WRITER_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < WRITER_DIGITS; i++) {
        char c = text.ptr[i];
        bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) {
            return false;
        }
        writer = writer << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    *ret_writer = writer;
    return true;
}

enum err version_parse(struct span text, struct version *ret_version)
{
    struct version version = {0, 0};
    if (span_eq_str(text, "0-0")) {
        *ret_version = version;
        return ERR_OK;
    }
    if (!read_counter(&text, &version.counter) || !read_writer(text, &version.writer) ||
        version_is_none(version)) {
        return ERR_SYNTAX;
    }
    *ret_version = version;
    return ERR_OK;
}

uint64_t version_writer(struct span node_id, uint32_t attempt)
{
    uint64_t hash = siphash13(siphash_zero_key, node_id.ptr, node_id.len);
    return (hash & ~ATTEMPT_MASK) | (attempt & ATTEMPT_MASK);
}
