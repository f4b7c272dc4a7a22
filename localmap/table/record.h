// SPDX-License-Identifier: Apache-2.0
// One slot of the slabs: a key and its value under a sequence lock of their own.
//
//     | seq | hash | key_len, value_len | cap, tick | key, padded to 8 | value, padded to 8 | room |
//      u32    u32    u16        u16       u16   u16
//
//     seq even: at rest.  odd: a writer is inside, readers of this record wait.  key_len 0: nobody lives here.
//
// The memory of a slot is a slot for ever, so a reader with a stale reference reads some record: another
// key's (then the keys differ) or a dead one (then the lengths do).  Every word that readers see is an
// atomic, and the order is made by acquire and release on the words themselves, without fences: Boehm,
// "Can seqlocks get along with programming language memory models?", MSPC 2012.
// Invariant: a read that returns true has copied one whole value, never half of one.
// Writers hold the shard's lock; readers hold nothing.  Private to table/.  Read next: index.h, table.c.
#pragma once

#include "base/assert.h"
#include "localmap/table/table.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define RECORD_HEAD_LEN 16

struct record {
    _Atomic uint32_t seq;
    _Atomic uint32_t hash;
    _Atomic uint32_t lens; // key_len << 16 | value_len
    uint16_t cap;          // of the whole slot, in words of 8 bytes; never changes
    _Atomic uint16_t tick;
    _Atomic uint64_t words[];
};

_Static_assert(sizeof(struct record) == RECORD_HEAD_LEN, "the head of a slot");
_Static_assert(TABLE_KEY_MAX <= UINT16_MAX && TABLE_VALUE_MAX <= UINT16_MAX, "lengths fit");

// Eight bytes that stand anywhere and are of any type.
struct record_bytes {
    uint64_t word;
} __attribute__((packed, may_alias));

static inline uint64_t record_word(const char *bytes)
{
    return ((const struct record_bytes *)bytes)->word;
}

static inline size_t record_words(size_t len)
{
    return (len + 7) / 8;
}

// Bytes of a slot for such a key and value.
static inline size_t record_size(size_t key_len, size_t value_len)
{
    return RECORD_HEAD_LEN + 8 * (record_words(key_len) + record_words(value_len));
}

uint64_t record_short_tail(const char *bytes, size_t len);

// The last bytes of a key or value, those behind the last whole word (1..7), as a word filled up with zeros.
static inline uint64_t record_tail(const char *bytes, size_t len)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (len >= 8) { // a whole word that ends there: no copy of a length that nobody knows
        return record_word(bytes + len - 8) >> (64 - 8 * (len % 8));
    }
#endif
    return record_short_tail(bytes, len);
}

// --- writers, under the shard's lock

static inline size_t record_key_len(const struct record *record)
{
    return atomic_load_explicit(&record->lens, memory_order_relaxed) >> 16;
}

static inline size_t record_value_len(const struct record *record)
{
    return atomic_load_explicit(&record->lens, memory_order_relaxed) & UINT16_MAX;
}

// Plain views for the writer: nobody else writes, and reading beside readers is no race.
static inline struct span record_key(const struct record *record)
{
    return span_of((const char *)record + RECORD_HEAD_LEN, record_key_len(record));
}

static inline struct span record_value(const struct record *record)
{
    size_t key_len = record_key_len(record);
    return span_of((const char *)record + record_size(key_len, 0), record_value_len(record));
}

// Where the value of a record is, worked out once for a change of it.
struct record_place {
    struct record *record;
    struct span value; // as it is
    size_t key_len;
    size_t room; // what a value may grow to without another slot
};

static inline struct record_place record_place(struct record *record)
{
    uint32_t lens = atomic_load_explicit(&record->lens, memory_order_relaxed);
    size_t before = record_size(lens >> 16, 0);
    return (struct record_place){.record = record,
                                 .value = span_of((const char *)record + before, lens & UINT16_MAX),
                                 .key_len = lens >> 16,
                                 .room = 8 * (size_t)record->cap - before};
}

// From here to record_close readers of this record wait.
static inline void record_open(struct record *record)
{
    uint32_t seq = atomic_load_explicit(&record->seq, memory_order_relaxed);
    ASSERT(seq % 2 == 0);
    // Relaxed: each store of the change that follows is a release, which this one cannot pass.
    atomic_store_explicit(&record->seq, seq + 1, memory_order_relaxed);
}

static inline void record_close(struct record *record)
{
    uint32_t seq = atomic_load_explicit(&record->seq, memory_order_relaxed);
    ASSERT(seq % 2 == 1);
    // Release; pairs with the acquire of `seq` in record_try: who sees it sees the whole change.
    atomic_store_explicit(&record->seq, seq + 1, memory_order_release);
}

// The three below: the record is open.

// Gives the slot to a key, with an empty value.
void record_settle(struct record *record, uint32_t hash, struct span key);
// Head and body; the body, or both, may be a part of the value that they replace.
void record_set_value(const struct record_place *place, const struct table_value *value);
// Nobody lives here any more.
void record_vacate(struct record *record);

// --- readers

// Acquire: a word that differs says "another key's" as a length does, and so must come before the second look at
// `moves` (shard.h).  Pairs with the release of all that is stored there, a vacant slot's link too.
static inline uint64_t record_differs(const _Atomic uint64_t *word, const char *bytes)
{
    return record_word(bytes) ^ atomic_load_explicit(word, memory_order_acquire);
}

// All words at once rather than one by one: nearly every key that gets here is the right one.  By two, and by
// pointers rather than places, here and in record_copy: these loops are most of a look-up.
static inline bool record_words_equal(const _Atomic uint64_t *words, struct span key)
{
    uint64_t differs = 0;
    const char *at = key.ptr;
    if ((key.len & 8) != 0) {
        differs = record_differs(words++, at);
        at += 8;
    }
    for (const char *end = at + key.len / 16 * 16; at != end; at += 16, words += 2) {
        differs |= record_differs(words, at) | record_differs(words + 1, at + 8);
    }
    if (key.len % 8 != 0) {
        differs |=
            record_tail(key.ptr, key.len) ^ atomic_load_explicit(words, memory_order_acquire);
    }
    return differs == 0;
}

// Copies so many words of a value.  Decides nothing before `seq` was looked at again.
static inline void record_copy(const _Atomic uint64_t *words, char *to, size_t count)
{
    // Acquire, each: the second look at `seq` cannot pass it.  Pairs with the release of each store in
    // record.c: who sees a word of a change sees at least the odd number before it.
    struct record_bytes *at = (struct record_bytes *)to;
    const _Atomic uint64_t *end = words + count;
    if (count % 2 != 0) {
        (at++)->word = atomic_load_explicit(words++, memory_order_acquire);
    }
    for (; words != end; words += 2, at += 2) {
        at[0].word = atomic_load_explicit(&words[0], memory_order_acquire);
        at[1].word = atomic_load_explicit(&words[1], memory_order_acquire);
    }
}

// For writers: is it the key's?
static inline bool record_is(const struct record *record, struct span key)
{
    return record_key_len(record) == key.len && record_words_equal(record->words, key);
}

// RECORD_AGAIN: a writer is, or was, inside.
enum record_answer { RECORD_OTHER, RECORD_COPIED, RECORD_AGAIN };

static inline enum record_answer record_try(const struct record *record, struct span key,
                                            struct table_copy *copy)
{
    // Acquire; pairs with the release in record_close.
    uint32_t seq = atomic_load_explicit(&record->seq, memory_order_acquire);
    // Acquire: who finds a slot vacated sees that the shard's `moves` had been raised before (shard.h).
    // Both lengths at once: together they never reach beyond the slot.
    uint32_t lens = atomic_load_explicit(&record->lens, memory_order_acquire);
    if (seq % 2 != 0) {
        return RECORD_AGAIN;
    }
    if (lens >> 16 != key.len || !record_words_equal(record->words, key)) {
        return RECORD_OTHER;
    }
    size_t count = record_words(lens & UINT16_MAX);
    copy->len = lens & UINT16_MAX;
    record_copy(record->words + record_words(key.len), copy->bytes,
                count < copy->cap / 8 ? count : copy->cap / 8);
    bool same = atomic_load_explicit(&record->seq, memory_order_relaxed) == seq;
    return same ? RECORD_COPIED : RECORD_AGAIN;
}

// What a reader does who must try again.  `spins` counts, from 0.
void record_wait(unsigned *spins);

// Notes that it was wanted now; a hint.
static inline void record_touch(struct record *record, uint16_t tick)
{
    if (atomic_load_explicit(&record->tick, memory_order_relaxed) != tick) {
        atomic_store_explicit(&record->tick, tick, memory_order_relaxed);
    }
}
