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
#include "localmap/table/words.h"

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

// Bytes of a slot for such a key and value.
static inline size_t record_size(size_t key_len, size_t value_len)
{
    return RECORD_HEAD_LEN + 8 * (words_of(key_len) + words_of(value_len));
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

// Is it the key's?
static inline bool record_is(const struct record *record, struct span key)
{
    return record_key_len(record) == key.len && words_equal(record->words, key);
}

// As record_is; false for a short key too.
static inline __attribute__((always_inline)) bool record_is_long(const struct record *record,
                                                                 struct span key)
{
    return key.len >= WORDS_LONG && record_key_len(record) == key.len &&
           words_equal_long(record->words, key);
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

// From here to record_close readers of this record wait.  Returns the odd number.
static inline uint32_t record_open(struct record *record)
{
    uint32_t seq = atomic_load_explicit(&record->seq, memory_order_relaxed);
    ASSERT(seq % 2 == 0);
    // Relaxed: each store of the change that follows is a release, which this one cannot pass.
    atomic_store_explicit(&record->seq, seq + 1, memory_order_relaxed);
    return seq + 1;
}

// As record_close, for who knows the odd number.
static inline void record_close_at(struct record *record, uint32_t seq)
{
    // Release; pairs with the acquire of `seq` in record_try: who sees it sees the whole change.
    atomic_store_explicit(&record->seq, seq + 1, memory_order_release);
}

static inline void record_close(struct record *record)
{
    uint32_t seq = atomic_load_explicit(&record->seq, memory_order_relaxed);
    ASSERT(seq % 2 == 1);
    record_close_at(record, seq);
}

// All below: the record is open.

// Release; pairs with the acquire in record_try.
static inline void record_set_lens(struct record *record, size_t key_len, size_t value_len)
{
    atomic_store_explicit(&record->lens, (uint32_t)(key_len << 16 | value_len),
                          memory_order_release);
}

// Does it begin where the value may be?  What the caller has of his own does not reach into it either.
static inline bool record_has(const struct record_place *place, struct span part)
{
    return (uintptr_t)part.ptr - (uintptr_t)place->value.ptr < place->room;
}

// The common case of record_set_value: no part of the old value is in the new one.  false: not done, or not
// all of it.
static inline __attribute__((always_inline)) bool record_set_fresh(const struct record_place *place,
                                                                   const struct table_value *value)
{
    struct span head = value->head;
    struct span body = value->body;
    if (head.len % 8 != 0 || head.len + body.len > place->room || record_has(place, head) ||
        record_has(place, body)) {
        return false;
    }
    _Atomic uint64_t *words = place->record->words + words_of(place->key_len);
    if (!words_set_part(words, head) || !words_set_part(words + head.len / 8, body)) {
        return false;
    }
    record_set_lens(place->record, place->key_len, head.len + body.len);
    return true;
}

// Gives the slot to a key, with an empty value.
void record_settle(struct record *record, uint32_t hash, struct span key);
// Head and body; the body, or both, may be a part of the value that they replace.
void record_set_value(const struct record_place *place, const struct table_value *value);
// Nobody lives here any more.
void record_vacate(struct record *record);

// --- readers

// RECORD_AGAIN: a writer is, or was, inside.
enum record_answer { RECORD_OTHER, RECORD_COPIED, RECORD_AGAIN };

// The beginning of a read.
struct record_look {
    uint32_t seq, lens;
    uint16_t tick;
};

static inline struct record_look record_look(const struct record *record)
{
    struct record_look look;
    // Acquire; pairs with the release in record_close.
    look.seq = atomic_load_explicit(&record->seq, memory_order_acquire);
    // Acquire: who finds a slot vacated sees that the shard's `moves` had been raised before (shard.h).
    // Both lengths at once: together they never reach beyond the slot.
    look.lens = atomic_load_explicit(&record->lens, memory_order_acquire);
    // Here rather than when it is needed, by when a writer may have taken the line away once more.
    look.tick = atomic_load_explicit(&record->tick, memory_order_relaxed);
    return look;
}

// Words of the value that the reader gets.
static inline size_t record_copied(struct record_look look, struct table_copy *copy)
{
    size_t len = look.lens & UINT16_MAX;
    copy->len = len;
    return words_of(len < copy->cap ? len : copy->cap);
}

static inline bool record_unchanged(const struct record *record, struct record_look look)
{
    return atomic_load_explicit(&record->seq, memory_order_relaxed) == look.seq;
}

// Notes that it was wanted now; a hint.
static inline void record_note(struct record *record, uint16_t tick)
{
    atomic_store_explicit(&record->tick, tick, memory_order_relaxed);
}

// `tick`: now.
static inline enum record_answer record_try(struct record *record, struct span key, uint16_t tick,
                                            struct table_copy *copy)
{
    struct record_look look = record_look(record);
    if (look.seq % 2 != 0) {
        return RECORD_AGAIN;
    }
    // A word that differs says "another key's" as a length does: it comes before the second look at `moves` (shard.h).
    if (look.lens >> 16 != key.len || !words_equal(record->words, key)) {
        return RECORD_OTHER;
    }
    words_get(record->words + words_of(key.len), copy->bytes, record_copied(look, copy));
    if (!record_unchanged(record, look)) {
        return RECORD_AGAIN;
    }
    if (look.tick != tick) {
        record_note(record, tick);
    }
    return RECORD_COPIED;
}

// As record_try, in place, for what nearly every read comes to.  false: not copied, for whatever reason.
static inline __attribute__((always_inline)) bool
record_try_long(struct record *record, struct span key, uint16_t tick, struct table_copy *copy)
{
    struct record_look look = record_look(record);
    if (look.seq % 2 != 0 || key.len < WORDS_LONG || look.lens >> 16 != key.len ||
        !words_equal_long(record->words, key)) {
        return false;
    }
    size_t count = record_copied(look, copy);
    if (8 * count < WORDS_LONG) {
        return false;
    }
    words_get_long(record->words + words_of(key.len), copy->bytes, count);
    if (!record_unchanged(record, look)) {
        return false;
    }
    if (__builtin_expect(look.tick != tick, 0)) {
        record_note(record, tick);
    }
    return true;
}

// What a reader does who must try again.  `spins` counts, from 0.
void record_wait(unsigned *spins);
