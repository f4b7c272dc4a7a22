// SPDX-License-Identifier: Apache-2.0
#include "localmap/ordered.h"

#include "base/assert.h"

#include <stdlib.h>

#define CHUNK_ITEMS 128
#define CHUNKS_MIN 4

struct ordered_chunk {
    size_t count;
    struct ordered_item *items[CHUNK_ITEMS];
};

static struct span key_of(const struct ordered_item *item)
{
    return span_of(item->key, item->key_len);
}

// The first place in the chunk whose key is not less than `key` (or greater, when `past`).
static size_t lower(const struct ordered_chunk *chunk, struct span key, bool past)
{
    size_t low = 0;
    size_t high = chunk->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = span_cmp(key_of(chunk->items[mid]), key);
        if (order < 0 || (past && order == 0)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

// The chunk that `key` belongs to: the last one that does not begin after it.
static size_t chunk_for(const struct ordered *ordered, struct span key)
{
    size_t low = 0;
    size_t high = ordered->chunk_count;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (span_cmp(key_of(ordered->chunks[mid]->items[0]), key) <= 0) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return low;
}

void ordered_fini(struct ordered *ordered)
{
    for (size_t i = 0; i < ordered->chunk_count; i++) {
        free(ordered->chunks[i]);
    }
    free((void *)ordered->chunks);
    *ordered = (struct ordered){0};
}

void *ordered_get(const struct ordered *ordered, struct span key)
{
    if (ordered->count == 0) {
        return NULL;
    }
    const struct ordered_chunk *chunk = ordered->chunks[chunk_for(ordered, key)];
    size_t at = lower(chunk, key, false);
    if (at == chunk->count || !span_eq(key_of(chunk->items[at]), key)) {
        return NULL;
    }
    return chunk->items[at];
}

// Makes room for one more chunk at `at`.
static enum err insert_chunk(struct ordered *ordered, size_t at, struct ordered_chunk *chunk)
{
    if (ordered->chunk_count == ordered->chunk_cap) {
        size_t cap = ordered->chunk_cap == 0 ? CHUNKS_MIN : ordered->chunk_cap * 2;
        struct ordered_chunk **chunks =
            realloc((void *)ordered->chunks, cap * sizeof(struct ordered_chunk *));
        if (chunks == NULL) {
            return ERR_NOMEM;
        }
        ordered->chunks = chunks;
        ordered->chunk_cap = cap;
    }
    memmove((void *)&ordered->chunks[at + 1], (void *)&ordered->chunks[at],
            (ordered->chunk_count - at) * sizeof(struct ordered_chunk *));
    ordered->chunks[at] = chunk;
    ordered->chunk_count++;
    return ERR_OK;
}

// Halves a full chunk, or makes the first one.
static enum err make_room(struct ordered *ordered, size_t at)
{
    struct ordered_chunk *fresh = calloc(1, sizeof(*fresh));
    if (fresh == NULL) {
        return ERR_NOMEM;
    }
    bool first = ordered->chunk_count == 0;
    if (insert_chunk(ordered, first ? 0 : at + 1, fresh) != ERR_OK) {
        free(fresh);
        return ERR_NOMEM;
    }
    if (!first) {
        struct ordered_chunk *full = ordered->chunks[at];
        fresh->count = full->count / 2;
        full->count -= fresh->count;
        memcpy((void *)fresh->items, (void *)&full->items[full->count],
               fresh->count * sizeof(struct ordered_item *));
    }
    return ERR_OK;
}

enum err ordered_add(struct ordered *ordered, struct ordered_item *item)
{
    struct span key = key_of(item);
    size_t c = ordered->chunk_count == 0 ? 0 : chunk_for(ordered, key);
    if (ordered->chunk_count == 0 || ordered->chunks[c]->count == CHUNK_ITEMS) {
        enum err err = make_room(ordered, c);
        if (err != ERR_OK) {
            return err;
        }
        c = ordered->count == 0 ? 0 : chunk_for(ordered, key);
    }
    struct ordered_chunk *chunk = ordered->chunks[c];
    size_t at = lower(chunk, key, false);
    ASSERT(at == chunk->count || !span_eq(key_of(chunk->items[at]), key));
    memmove((void *)&chunk->items[at + 1], (void *)&chunk->items[at],
            (chunk->count - at) * sizeof(struct ordered_item *));
    chunk->items[at] = item;
    chunk->count++;
    ordered->count++;
    return ERR_OK;
}

void ordered_remove(struct ordered *ordered, struct span key)
{
    ASSERT(ordered->count > 0);
    size_t c = chunk_for(ordered, key);
    struct ordered_chunk *chunk = ordered->chunks[c];
    size_t at = lower(chunk, key, false);
    ASSERT(at < chunk->count && span_eq(key_of(chunk->items[at]), key));
    memmove((void *)&chunk->items[at], (void *)&chunk->items[at + 1],
            (chunk->count - at - 1) * sizeof(struct ordered_item *));
    chunk->count--;
    ordered->count--;
    if (chunk->count == 0) {
        free(chunk);
        memmove((void *)&ordered->chunks[c], (void *)&ordered->chunks[c + 1],
                (ordered->chunk_count - c - 1) * sizeof(struct ordered_chunk *));
        ordered->chunk_count--;
    }
}

struct ordered_place ordered_after(const struct ordered *ordered, struct span after)
{
    if (ordered->count == 0) {
        return (struct ordered_place){0, 0};
    }
    size_t c = chunk_for(ordered, after);
    return (struct ordered_place){c, lower(ordered->chunks[c], after, true)};
}

void *ordered_next(const struct ordered *ordered, struct ordered_place *place)
{
    while (place->chunk < ordered->chunk_count) {
        const struct ordered_chunk *chunk = ordered->chunks[place->chunk];
        if (place->at < chunk->count) {
            return chunk->items[place->at++];
        }
        place->chunk++;
        place->at = 0;
    }
    return NULL;
}
