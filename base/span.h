// SPDX-License-Identifier: Apache-2.0
// A span is a run of bytes that somebody else owns: a pointer and a length, no terminator.
// Invariant: len == 0 allows any ptr, NULL included; a span never owns.
// Pure, any thread.  Read next: base/cursor.h, which reads foreign bytes out of a span.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *ptr;
    size_t len;
};

#define SPAN_LIT(literal) ((struct span){"" literal, sizeof(literal) - 1})
#define SPAN_NONE ((struct span){NULL, 0})

static inline struct span span_of(const void *ptr, size_t len)
{
    return (struct span){ptr, len};
}

static inline struct span span_str(const char *str)
{
    return (struct span){str, strlen(str)};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_eq_str(struct span a, const char *str)
{
    return span_eq(a, span_str(str));
}

// Bytewise order, the shorter first when one is a prefix of the other.
static inline int span_cmp(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);
    if (order != 0) {
        return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}
