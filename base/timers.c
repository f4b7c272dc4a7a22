// SPDX-License-Identifier: Apache-2.0
#include "base/timers.h"

#include "base/assert.h"

#include <stdlib.h>

void timers_init(struct timers *timers)
{
    *timers = (struct timers){NULL, 0, 0, 0};
}

void timers_fini(struct timers *timers)
{
    free(timers->entries);
    timers_init(timers);
}

enum err timers_reserve(struct timers *timers)
{
    if (timers->users == timers->cap) {
        size_t cap = timers->cap == 0 ? 16 : timers->cap * 2;
        struct timers_entry **entries =
            realloc(timers->entries, cap * sizeof(struct timers_entry *));
        if (entries == NULL) {
            return ERR_NOMEM;
        }
        timers->entries = entries;
        timers->cap = cap;
    }
    timers->users++;
    return ERR_OK;
}

void timers_release(struct timers *timers)
{
    ASSERT(timers->users > timers->count);
    timers->users--;
}

static void put(struct timers *timers, size_t index, struct timers_entry *entry)
{
    timers->entries[index] = entry;
    entry->place = index + 1;
}

static void rise(struct timers *timers, size_t index)
{
    struct timers_entry *entry = timers->entries[index];
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (timers->entries[parent]->at.us <= entry->at.us) {
            break;
        }
        put(timers, index, timers->entries[parent]);
        index = parent;
    }
    put(timers, index, entry);
}

static void sink(struct timers *timers, size_t index)
{
    struct timers_entry *entry = timers->entries[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= timers->count) {
            break;
        }
        if (child + 1 < timers->count &&
            timers->entries[child + 1]->at.us < timers->entries[child]->at.us) {
            child++;
        }
        if (entry->at.us <= timers->entries[child]->at.us) {
            break;
        }
        put(timers, index, timers->entries[child]);
        index = child;
    }
    put(timers, index, entry);
}

void timers_set(struct timers *timers, struct timers_entry *entry, struct mono at)
{
    entry->at = at;
    if (entry->place == 0) {
        ASSERT(timers->count < timers->users);
        put(timers, timers->count, entry);
        timers->count++;
    }
    ASSERT(timers->entries[entry->place - 1] == entry);
    rise(timers, entry->place - 1);
    sink(timers, entry->place - 1);
}

void timers_cancel(struct timers *timers, struct timers_entry *entry)
{
    if (entry->place == 0) {
        return;
    }
    size_t index = entry->place - 1;
    ASSERT(index < timers->count && timers->entries[index] == entry);
    entry->place = 0;
    timers->count--;
    if (index == timers->count) {
        return;
    }
    struct timers_entry *last = timers->entries[timers->count];
    put(timers, index, last);
    rise(timers, index);
    sink(timers, last->place - 1);
}

struct timers_entry *timers_first(const struct timers *timers)
{
    return timers->count == 0 ? NULL : timers->entries[0];
}
