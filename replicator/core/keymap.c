// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/keymap.h"

#include "base/assert.h"

#define CELLS_MIN 16

static void place(struct keyed **cells, uint32_t cell_count, struct keyed *item)
{
    uint32_t mask = cell_count - 1;
    uint32_t at = (uint32_t)item->hash & mask;
    while (cells[at] != NULL) {
        at = (at + 1) & mask;
    }
    cells[at] = item;
}

void keymap_init(struct keymap *keymap, struct arena *arena)
{
    *keymap = (struct keymap){.arena = arena};
}

static bool grow(struct keymap *keymap)
{
    uint32_t cell_count = keymap->cell_count == 0 ? CELLS_MIN : keymap->cell_count * 2;
    struct keyed **cells = arena_take(keymap->arena, cell_count * sizeof(struct keyed *));
    if (cells == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < keymap->cell_count; i++) {
        if (keymap->cells[i] != NULL) {
            place(cells, cell_count, keymap->cells[i]);
        }
    }
    arena_give(keymap->arena, (void *)keymap->cells, keymap->cell_count * sizeof(struct keyed *));
    keymap->cells = cells;
    keymap->cell_count = cell_count;
    return true;
}

void *keymap_get(const struct keymap *keymap, struct span key, uint64_t hash)
{
    if (keymap->count == 0) {
        return NULL;
    }
    uint32_t mask = keymap->cell_count - 1;
    for (uint32_t at = (uint32_t)hash & mask; keymap->cells[at] != NULL; at = (at + 1) & mask) {
        struct keyed *item = keymap->cells[at];
        if (item->hash == hash && span_eq(keyed_span(item), key)) {
            return item;
        }
    }
    return NULL;
}

void *keymap_add(struct keymap *keymap, struct span key, size_t len, uint64_t hash)
{
    ASSERT(keymap_get(keymap, key, hash) == NULL);
    if ((keymap->count + 1) * 4 > keymap->cell_count * 3 && !grow(keymap)) {
        return NULL;
    }
    struct keyed *item = arena_take(keymap->arena, len + key.len);
    if (item == NULL) {
        return NULL;
    }
    item->hash = hash;
    item->key = (char *)item + len;
    item->key_len = (uint32_t)key.len;
    item->block_len = (uint32_t)(len + key.len);
    memcpy(item->key, key.ptr, key.len);
    place(keymap->cells, keymap->cell_count, item);
    keymap->count++;
    return item;
}

void keymap_remove(struct keymap *keymap, void *thing)
{
    struct keyed *item = thing;
    uint32_t mask = keymap->cell_count - 1;
    uint32_t hole = (uint32_t)item->hash & mask;
    while (keymap->cells[hole] != item) {
        ASSERT(keymap->cells[hole] != NULL);
        hole = (hole + 1) & mask;
    }
    // Backward shift: whoever was pushed past the hole moves into it, so that no chain is cut.
    for (uint32_t at = (hole + 1) & mask; keymap->cells[at] != NULL; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)keymap->cells[at]->hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            keymap->cells[hole] = keymap->cells[at];
            hole = at;
        }
    }
    keymap->cells[hole] = NULL;
    keymap->count--;
    arena_give(keymap->arena, item, item->block_len);
}

void *keymap_at(const struct keymap *keymap, uint32_t *index)
{
    for (; *index < keymap->cell_count; ++*index) {
        if (keymap->cells[*index] != NULL) {
            return keymap->cells[*index];
        }
    }
    return NULL;
}
