// SPDX-License-Identifier: Apache-2.0
#include "localmap/table/record.h"

#include "localmap/table/pause.h"

#include <sched.h>

#define SPINS 64 // a writer inside is gone after some ten nanoseconds, unless it lost its core

void record_wait(unsigned *spins)
{
    if ((*spins)++ < SPINS) {
        pause_core();
    } else {
        (void)sched_yield(); // the writer is not running: let it
    }
}

void record_settle(struct record *record, uint32_t hash, struct span key)
{
    ASSERT(key.len > 0 && record_size(key.len, 0) <= 8 * (size_t)record->cap);
    atomic_store_explicit(&record->hash, hash, memory_order_release);
    record_set_lens(record, key.len, 0);
    words_set(record->words, key);
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
    words_set(words, span_of(bytes, value->head.len + value->body.len));
}

void record_set_value(const struct record_place *place, const struct table_value *value)
{
    struct span head = value->head;
    struct span body = value->body;
    struct record *record = place->record;
    _Atomic uint64_t *words = record->words + words_of(place->key_len);
    bool stays = body.ptr == place->value.ptr + head.len;
    ASSERT(head.len + body.len <= place->room);
    if (head.len % 8 != 0 || record_has(place, head) || (!stays && record_has(place, body))) {
        set_overlapping(words, value);
    } else {
        if (head.len > 0) {
            words_set(words, head);
        }
        if (!stays) {
            words_set(words + head.len / 8, body);
        }
    }
    record_set_lens(record, place->key_len, head.len + body.len);
}

void record_vacate(struct record *record)
{
    record_set_lens(record, 0, 0);
}
