// SPDX-License-Identifier: Apache-2.0
#include "localmap/table/record.h"

#include "localmap/table/pause.h"

#include <sched.h>

#define SPINS 64 // a writer inside is gone after some ten nanoseconds, unless it lost its core

uint64_t record_short_tail(const char *bytes, size_t len)
{
    uint64_t word = 0;
    memcpy(&word, bytes + len / 8 * 8, len % 8);
    return word;
}

void record_wait(unsigned *spins)
{
    if ((*spins)++ < SPINS) {
        pause_core();
    } else {
        (void)sched_yield(); // the writer is not running: let it
    }
}

// Release, each: none may become visible before the odd number that record_open stored.
static inline void set_words(_Atomic uint64_t *words, struct span bytes)
{
    const char *at = bytes.ptr;
    if ((bytes.len & 8) != 0) {
        atomic_store_explicit(words++, record_word(at), memory_order_release);
        at += 8;
    }
    for (const char *end = at + bytes.len / 16 * 16; at != end; at += 16, words += 2) {
        atomic_store_explicit(&words[0], record_word(at), memory_order_release);
        atomic_store_explicit(&words[1], record_word(at + 8), memory_order_release);
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

// Does it begin within the value's place?  What the caller has of his own does not reach into it either.
static inline bool begins_in(struct span part, const struct record_place *place)
{
    return (uintptr_t)part.ptr - (uintptr_t)place->value.ptr < place->room;
}

void record_set_value(const struct record_place *place, const struct table_value *value)
{
    struct span head = value->head;
    struct span body = value->body;
    struct record *record = place->record;
    _Atomic uint64_t *words = record->words + record_words(place->key_len);
    bool stays = body.ptr == place->value.ptr + head.len;
    ASSERT(head.len + body.len <= place->room);
    if (head.len % 8 != 0 || begins_in(head, place) || (!stays && begins_in(body, place))) {
        set_overlapping(words, value);
    } else {
        if (head.len > 0) {
            set_words(words, head);
        }
        if (!stays) {
            set_words(words + head.len / 8, body);
        }
    }
    set_lens(record, place->key_len, head.len + body.len);
}

void record_vacate(struct record *record)
{
    set_lens(record, 0, 0);
}
