// SPDX-License-Identifier: Apache-2.0
#include "localmap/table/record.h"

#include <sched.h>

#define SPINS 64 // a writer inside is gone after some ten nanoseconds, unless it lost its core

uint64_t record_short_tail(const char *bytes, size_t len)
{
    uint64_t word = 0;
    memcpy(&word, bytes + len / 8 * 8, len % 8);
    return word;
}

static void wait_a_little(unsigned *spins)
{
    if ((*spins)++ < SPINS) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    } else {
        (void)sched_yield(); // the writer is not running: let it
    }
}

bool record_read(const struct record *record, struct span key, struct table_copy *copy)
{
    unsigned spins = 0;
    for (;;) {
        enum record_answer answer = record_try(record, key, copy);
        if (answer != RECORD_AGAIN) {
            return answer == RECORD_COPIED;
        }
        wait_a_little(&spins);
    }
}

// Release, each: none may become visible before the odd number that record_open stored.
static inline void set_words(_Atomic uint64_t *words, struct span bytes)
{
    const char *at = bytes.ptr;
    for (const char *end = at + bytes.len / 8 * 8; at != end; at += 8, words++) {
        atomic_store_explicit(words, record_word(at), memory_order_release);
    }
    if (bytes.len % 8 != 0) {
        atomic_store_explicit(words, record_tail(bytes.ptr, bytes.len), memory_order_release);
    }
}

static inline void set_lens(struct record *record, size_t key_len, size_t value_len)
{
    atomic_store_explicit(&record->lens, (uint32_t)(key_len << 16 | value_len),
                          memory_order_release);
}

void record_settle(struct record *record, uint32_t hash, struct span key)
{
    ASSERT(key.len > 0 && record_size(key.len, 0) <= 8 * (size_t)record->cap);
    atomic_store_explicit(&record->hash, hash, memory_order_release);
    set_lens(record, key.len, 0);
    set_words(record->words, key);
}

static bool overlap(struct span a, struct span b)
{
    return (uintptr_t)a.ptr < (uintptr_t)b.ptr + b.len &&
           (uintptr_t)b.ptr < (uintptr_t)a.ptr + a.len;
}

// What overlaps its own new place goes through a buffer.
static __attribute__((noinline)) void set_overlapping(_Atomic uint64_t *words,
                                                      const struct table_value *value)
{
    char bytes[TABLE_VALUE_MAX];
    if (value->head.len > 0) {
        memcpy(bytes, value->head.ptr, value->head.len);
    }
    if (value->body.len > 0) {
        memcpy(bytes + value->head.len, value->body.ptr, value->body.len);
    }
    set_words(words, span_of(bytes, value->head.len + value->body.len));
}

void record_set_value(struct record *record, const struct table_value *value)
{
    struct span head = value->head;
    struct span body = value->body;
    size_t key_len = record_key_len(record);
    struct span place =
        span_of((const char *)record + record_size(key_len, 0), record_room(record));
    _Atomic uint64_t *words = record->words + record_words(key_len);
    bool in_place = body.ptr == place.ptr + head.len;
    ASSERT(head.len + body.len <= place.len);
    if (head.len % 8 != 0 || overlap(head, place) || (!in_place && overlap(body, place))) {
        set_overlapping(words, value);
    } else {
        set_words(words, head);
        if (!in_place) {
            set_words(words + head.len / 8, body);
        }
    }
    set_lens(record, key_len, head.len + body.len);
}

void record_vacate(struct record *record)
{
    set_lens(record, 0, 0);
}
