// SPDX-License-Identifier: Apache-2.0
#include "localmap/model/ip.h"

#define V4_PARTS 4
#define V6_GROUPS 8

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// One decimal part 0..255 at the front of `rest`, which it consumes.
static bool read_part(struct span *rest)
{
    unsigned value = 0;
    size_t len = 0;
    while (len < rest->len && len < 4 && is_digit(rest->ptr[len])) {
        value = value * 10 + (unsigned)(rest->ptr[len] - '0');
        len++;
    }
    bool good = len > 0 && value <= 255 && (rest->ptr[0] != '0' || len == 1);
    *rest = span_of(rest->ptr + len, rest->len - len);
    return good;
}

static bool is_v4(struct span text)
{
    struct span rest = text;
    for (unsigned part = 0; part < V4_PARTS; part++) {
        if (part > 0) {
            if (rest.len == 0 || rest.ptr[0] != '.') {
                return false;
            }
            rest = span_of(rest.ptr + 1, rest.len - 1);
        }
        if (!read_part(&rest)) {
            return false;
        }
    }
    return rest.len == 0;
}

static size_t hex_len(struct span text)
{
    size_t len = 0;
    while (len < text.len && is_hex(text.ptr[len])) {
        len++;
    }
    return len;
}

// Groups separated by ":", the last of which may be an IPv4 address, which counts as two.  Returns how
// many; 0 when the text is none.
static unsigned count_groups(struct span text)
{
    unsigned groups = 0;
    struct span rest = text;
    for (;;) {
        size_t len = hex_len(rest);
        if (len < rest.len && rest.ptr[len] == '.') {
            return is_v4(rest) ? groups + 2 : 0;
        }
        if (len == 0 || len > 4) {
            return 0;
        }
        groups++;
        if (len == rest.len) {
            return groups;
        }
        if (rest.ptr[len] != ':' || groups == V6_GROUPS) {
            return 0;
        }
        rest = span_of(rest.ptr + len + 1, rest.len - len - 1);
    }
}

// Where the first "::" begins; text.len when there is none.
static size_t find_gap(struct span text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] == ':' && text.ptr[i + 1] == ':') {
            return i;
        }
    }
    return text.len;
}

static bool is_v6(struct span text)
{
    size_t gap = find_gap(text);
    if (gap == text.len) {
        return count_groups(text) == V6_GROUPS;
    }
    struct span head = span_of(text.ptr, gap);
    struct span tail = span_of(text.ptr + gap + 2, text.len - gap - 2);
    unsigned before = head.len == 0 ? 0 : count_groups(head);
    unsigned after = tail.len == 0 ? 0 : count_groups(tail);
    bool bad = (head.len > 0 && before == 0) || (tail.len > 0 && after == 0) ||
               memchr(head.ptr, '.', head.len) != NULL;
    return !bad && before + after < V6_GROUPS;
}

bool ip_is_literal(struct span text)
{
    return text.len > 0 && text.len <= IP_LEN_MAX && (is_v4(text) || is_v6(text));
}
