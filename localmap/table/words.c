// SPDX-License-Identifier: Apache-2.0
#include "localmap/table/words.h"

static bool equal_singly(const _Atomic uint64_t *words, struct span bytes)
{
    uint64_t differs = 0;
    const char *at = bytes.ptr;
    for (const char *end = at + bytes.len / 8 * 8; at != end; at += 8) {
        differs |= words_at(at) ^ words_load(words++);
    }
    if (bytes.len % 8 != 0) {
        differs |= words_tail(bytes.ptr, bytes.len) ^ words_load(words);
    }
    return differs == 0;
}

static void get_singly(const _Atomic uint64_t *words, char *to, size_t count)
{
    for (const _Atomic uint64_t *end = words + count; words != end; to += 8) {
        ((struct words_bytes *)to)->word = words_load(words++);
    }
}

static void set_singly(_Atomic uint64_t *words, struct span bytes)
{
    const char *at = bytes.ptr;
    for (const char *end = at + bytes.len / 8 * 8; at != end; at += 8) {
        words_store(words++, words_at(at));
    }
    if (bytes.len % 8 != 0) {
        words_store(words, words_tail(bytes.ptr, bytes.len));
    }
}

#if defined(WORDS_ONE_BY_ONE)

bool words_equal(const _Atomic uint64_t *words, struct span bytes)
{
    return equal_singly(words, bytes);
}

void words_get(const _Atomic uint64_t *words, char *to, size_t count)
{
    get_singly(words, to, count);
}

void words_set(_Atomic uint64_t *words, struct span bytes)
{
    set_singly(words, bytes);
}

#else

bool words_equal(const _Atomic uint64_t *words, struct span bytes)
{
    return bytes.len >= WORDS_LONG ? words_equal_long(words, bytes) : equal_singly(words, bytes);
}

void words_get(const _Atomic uint64_t *words, char *to, size_t count)
{
    if (8 * count >= WORDS_LONG) {
        words_get_long(words, to, count);
    } else {
        get_singly(words, to, count);
    }
}

void words_set(_Atomic uint64_t *words, struct span bytes)
{
    if (bytes.len >= WORDS_LONG) {
        words_set_long(words, bytes);
    } else {
        set_singly(words, bytes);
    }
}

#endif
