// SPDX-License-Identifier: Apache-2.0
// What a record's key and value are made of: words that one writer stores while readers look.
//
//     key    | word | word | word | wo..0 |      the last one is filled up with zeros
//
// Two ways, the same order: each load is an acquire, each store a release.  The portable one says so, a word at a
// time.  With SSE2 two words go at once, which is half of the instructions of a look-up at this place: what is
// not one access there may be torn, but so may two words be, and what has been torn is either seen by the second look
// at the sequence number or belongs to a record that has moved; and x86 keeps loads in order with loads and
// stores with stores, whatever their width.  (ThreadSanitizer sees atomics only, and so gets the portable one.)
// Invariant: nothing here decides what is true; record.h does, by the sequence number around it.
// Private to table/.  Read next: record.h.
#pragma once

#include "base/span.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// What picks the portable one; a test of it defines this itself.
#if !defined(WORDS_ONE_BY_ONE)
#if defined(__SANITIZE_THREAD__) || !defined(__SSE2__)
#define WORDS_ONE_BY_ONE
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WORDS_ONE_BY_ONE
#endif
#endif
#endif

// Eight bytes that stand anywhere and are of any type.
struct words_bytes {
    uint64_t word;
} __attribute__((packed, may_alias));

static inline uint64_t words_at(const char *bytes)
{
    return ((const struct words_bytes *)bytes)->word;
}

// Words that so many bytes take.
static inline size_t words_of(size_t len)
{
    return (len + 7) / 8;
}

// Acquire; see above.  Pairs with the release of all that is stored there, a vacant slot's link too.
static inline uint64_t words_load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static inline void words_store(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

// The last bytes, those behind the last whole word (1..7), as a word filled up with zeros.
static inline uint64_t words_tail(const char *bytes, size_t len)
{
    uint64_t word = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (len >= 8) { // a whole word that ends there: no copy of a length that nobody knows
        return words_at(bytes + len - 8) >> (64 - 8 * (len % 8));
    }
#endif
    memcpy(&word, bytes + len / 8 * 8, len % 8);
    return word;
}

// Any number of them; out of line.
bool words_equal(const _Atomic uint64_t *words, struct span bytes);
void words_get(const _Atomic uint64_t *words, char *to, size_t count);
void words_set(_Atomic uint64_t *words, struct span bytes);

// --- the same for what is long enough, which nearly all keys and values are: WORDS_LONG bytes or more (for words_set, of
// whole words).  Inlined wherever they stand; these loops are most of a look-up and of a change.

#if defined(WORDS_ONE_BY_ONE)

#define WORDS_LONG 1
#define words_equal_long words_equal
#define words_get_long words_get
#define words_set_long words_set

#else

// In pairs.  The last one ends where the bytes end, so it may have some of those before it once more: there is no rest to
// care for.
#define WORDS_LONG 16

#include <emmintrin.h>

struct words_pair {
    uint64_t words[2];
} __attribute__((packed, may_alias));

// In assembly, because to C a load that is no atomic one must not meet a store.
static inline __m128i words_load_pair(const _Atomic uint64_t *words, size_t at)
{
    const void *start = words;
    __m128i pair;
    __asm__("movdqu %1, %0"
            : "=x"(pair)
            : "m"(*(const struct words_pair *)((const char *)start + at)));
    return pair;
}

static inline void words_store_pair(_Atomic uint64_t *words, size_t at, __m128i pair)
{
    void *start = words;
    __asm__("movdqu %1, %0" : "=m"(*(struct words_pair *)((char *)start + at)) : "x"(pair));
}

static inline __m128i words_pair_at(const char *bytes)
{
    return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

// All of them rather than those up to the first that differs: nearly every key that gets here is the right one.
static inline __attribute__((always_inline)) bool words_equal_long(const _Atomic uint64_t *words,
                                                                   struct span bytes)
{
    size_t last = bytes.len - WORDS_LONG;
    __m128i same = _mm_cmpeq_epi8(words_pair_at(bytes.ptr + last), words_load_pair(words, last));
    for (size_t at = 0; at < last; at += WORDS_LONG) {
        __m128i both = _mm_cmpeq_epi8(words_pair_at(bytes.ptr + at), words_load_pair(words, at));
        same = _mm_and_si128(same, both);
    }
    // What comes next, a second look at a number, stays behind.
    atomic_signal_fence(memory_order_acquire);
    return _mm_movemask_epi8(same) == 0xffff;
}

static inline __attribute__((always_inline)) void words_get_long(const _Atomic uint64_t *words,
                                                                 char *to, size_t count)
{
    size_t last = 8 * count - WORDS_LONG;
    for (size_t at = 0; at < last; at += WORDS_LONG) {
        _mm_storeu_si128((__m128i *)(void *)(to + at), words_load_pair(words, at));
    }
    _mm_storeu_si128((__m128i *)(void *)(to + last), words_load_pair(words, last));
    atomic_signal_fence(memory_order_acquire); // as above
}

static inline __attribute__((always_inline)) void words_set_long(_Atomic uint64_t *words,
                                                                 struct span bytes)
{
    size_t whole = bytes.len / 8 * 8;
    size_t last = whole - WORDS_LONG;
    atomic_signal_fence(memory_order_release); // the odd number stays before
    for (size_t at = 0; at < last; at += WORDS_LONG) {
        words_store_pair(words, at, words_pair_at(bytes.ptr + at));
    }
    words_store_pair(words, last, words_pair_at(bytes.ptr + last));
    if (bytes.len % 8 != 0) {
        words_store(&words[whole / 8], words_tail(bytes.ptr, bytes.len));
    }
}

#endif

// words_set_long, or nothing to do.  false: too short.
static inline __attribute__((always_inline)) bool words_set_part(_Atomic uint64_t *words,
                                                                 struct span bytes)
{
    if (__builtin_expect(bytes.len >= WORDS_LONG, 1)) {
        words_set_long(words, bytes);
        return true;
    }
    return bytes.len == 0;
}
