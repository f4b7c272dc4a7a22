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

// Eight bytes that stand anywhere and are of any type; sixteen.
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

// --- two at a time.  What is between two words of a pair is left to the machine.

#if defined(WORDS_ONE_BY_ONE)

struct words_pair {
    uint64_t a, b;
};

static inline struct words_pair words_load_pair(const _Atomic uint64_t *words)
{
    return (struct words_pair){words_load(&words[0]), words_load(&words[1])};
}

static inline void words_store_pair(_Atomic uint64_t *words, struct words_pair pair)
{
    words_store(&words[0], pair.a);
    words_store(&words[1], pair.b);
}

static inline struct words_pair words_pair_at(const char *bytes)
{
    return (struct words_pair){words_at(bytes), words_at(bytes + 8)};
}

static inline void words_pair_to(char *bytes, struct words_pair pair)
{
    ((struct words_bytes *)bytes)->word = pair.a;
    ((struct words_bytes *)(bytes + 8))->word = pair.b;
}

static inline struct words_pair words_differ(struct words_pair so_far, struct words_pair one,
                                             struct words_pair other)
{
    return (struct words_pair){so_far.a | (one.a ^ other.a), so_far.b | (one.b ^ other.b)};
}

static inline bool words_none(struct words_pair pair)
{
    return (pair.a | pair.b) == 0;
}

#define WORDS_PAIR_NONE ((struct words_pair){0, 0})

#else

#include <emmintrin.h>

struct words_pair {
    __m128i both;
};

struct words_two {
    uint64_t words[2];
} __attribute__((packed, may_alias));

// In assembly, because to C a load that is no atomic one must not meet a store.
static inline struct words_pair words_load_pair(const _Atomic uint64_t *words)
{
    struct words_pair pair;
    const void *at = words;
    __asm__("movdqu %1, %0" : "=x"(pair.both) : "m"(*(const struct words_two *)at));
    return pair;
}

static inline void words_store_pair(_Atomic uint64_t *words, struct words_pair pair)
{
    void *at = words;
    __asm__("movdqu %1, %0" : "=m"(*(struct words_two *)at) : "x"(pair.both));
}

static inline struct words_pair words_pair_at(const char *bytes)
{
    return (struct words_pair){_mm_loadu_si128((const __m128i *)(const void *)bytes)};
}

static inline void words_pair_to(char *bytes, struct words_pair pair)
{
    _mm_storeu_si128((__m128i *)(void *)bytes, pair.both);
}

static inline struct words_pair words_differ(struct words_pair so_far, struct words_pair one,
                                             struct words_pair other)
{
    return (struct words_pair){_mm_or_si128(so_far.both, _mm_xor_si128(one.both, other.both))};
}

static inline bool words_none(struct words_pair pair)
{
    return _mm_movemask_epi8(_mm_cmpeq_epi8(pair.both, _mm_setzero_si128())) == 0xffff;
}

#define WORDS_PAIR_NONE ((struct words_pair){_mm_setzero_si128()})

#endif

// --- any number.  The loops are most of a look-up and of a change, so they are inlined everywhere.

// All words rather than those up to the first that differs: nearly every key that gets here is the right one.
static inline __attribute__((always_inline)) bool words_equal(const _Atomic uint64_t *words,
                                                              struct span bytes)
{
    struct words_pair differs = WORDS_PAIR_NONE;
    uint64_t rest = 0;
    const char *at = bytes.ptr;
    for (const char *end = at + bytes.len / 32 * 32; at != end; at += 32, words += 4) {
        differs = words_differ(differs, words_pair_at(at), words_load_pair(words));
        differs = words_differ(differs, words_pair_at(at + 16), words_load_pair(words + 2));
    }
    if ((bytes.len & 16) != 0) {
        differs = words_differ(differs, words_pair_at(at), words_load_pair(words));
        at += 16;
        words += 2;
    }
    if ((bytes.len & 8) != 0) {
        rest = words_at(at) ^ words_load(words++);
    }
    if (bytes.len % 8 != 0) {
        rest |= words_tail(bytes.ptr, bytes.len) ^ words_load(words);
    }
    // What comes next, a second look at a number, stays behind.
    atomic_signal_fence(memory_order_acquire);
    return rest == 0 && words_none(differs);
}

static inline __attribute__((always_inline)) void words_get(const _Atomic uint64_t *words, char *to,
                                                            size_t count)
{
    for (const _Atomic uint64_t *end = words + count / 4 * 4; words != end; words += 4, to += 32) {
        words_pair_to(to, words_load_pair(words));
        words_pair_to(to + 16, words_load_pair(words + 2));
    }
    if ((count & 2) != 0) {
        words_pair_to(to, words_load_pair(words));
        to += 16;
        words += 2;
    }
    if ((count & 1) != 0) {
        ((struct words_bytes *)to)->word = words_load(words);
    }
    atomic_signal_fence(memory_order_acquire); // as above
}

static inline __attribute__((always_inline)) void words_set(_Atomic uint64_t *words,
                                                            struct span bytes)
{
    const char *at = bytes.ptr;
    atomic_signal_fence(memory_order_release); // the odd number stays before
    for (const char *end = at + bytes.len / 32 * 32; at != end; at += 32, words += 4) {
        words_store_pair(words, words_pair_at(at));
        words_store_pair(words + 2, words_pair_at(at + 16));
    }
    if ((bytes.len & 16) != 0) {
        words_store_pair(words, words_pair_at(at));
        at += 16;
        words += 2;
    }
    if ((bytes.len & 8) != 0) {
        words_store(words++, words_at(at));
    }
    if (bytes.len % 8 != 0) {
        words_store(words, words_tail(bytes.ptr, bytes.len));
    }
}
