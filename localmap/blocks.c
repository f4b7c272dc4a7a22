// SPDX-License-Identifier: Apache-2.0
#include "localmap/blocks.h"

#include "base/assert.h"

#include <stdlib.h>

#define LINE 64
#define SLAB_MIN ((size_t)4096)
#define SLAB_MAX ((size_t)65536)
#define OWN_SLAB_MIN                                                                               \
    (SLAB_MAX / 4) // from here on a block is a slab of its own: nothing is cut up for it

// A line of its own, before the blocks, so that each of them begins a line of the cache.
struct blocks_slab {
    _Alignas(LINE) struct blocks_slab *older;
    void *memory; // as it was allocated
    size_t len;   // of the words
};

void blocks_fini(struct blocks *blocks)
{
    while (blocks->slabs != NULL) {
        struct blocks_slab *slab = blocks->slabs;
        blocks->slabs = slab->older;
        free(slab->memory);
    }
    *blocks = (struct blocks){0};
}

unsigned blocks_class(size_t bytes)
{
    unsigned size_class = 0;
    while (BLOCKS_BYTES(size_class) < bytes) {
        size_class++;
    }
    ASSERT(size_class < BLOCKS_CLASSES);
    return size_class;
}

static struct word *slab_words(struct blocks_slab *slab)
{
    return (struct word *)(void *)(slab + 1);
}

// What is left of the newest slab becomes blocks as large as they go.
static void cut_up(struct blocks *blocks)
{
    struct blocks_slab *slab = blocks->slabs;
    while (slab != NULL && slab->len - blocks->cut >= BLOCKS_BYTES(0)) {
        unsigned size_class = 0;
        while (BLOCKS_BYTES(size_class + 1) <= slab->len - blocks->cut) {
            size_class++;
        }
        struct word *block = slab_words(slab) + blocks->cut / sizeof(struct word);
        blocks->cut += BLOCKS_BYTES(size_class);
        blocks_give(blocks, size_class, block);
    }
}

static struct blocks_slab *slab_new(struct blocks *blocks, size_t len)
{
    size_t bytes = sizeof(struct blocks_slab) + len + LINE;
    char *memory = calloc(1, bytes);
    if (memory == NULL) {
        return NULL;
    }
    size_t to_line = (LINE - (uintptr_t)memory % LINE) % LINE;
    struct blocks_slab *slab = (struct blocks_slab *)(void *)(memory + to_line);
    *slab = (struct blocks_slab){.memory = memory, .len = len};
    blocks->bytes += bytes;
    return slab;
}

// They grow with what is there: a small map shall not pay for a large one.
static size_t slab_len(const struct blocks *blocks, size_t needed)
{
    size_t len = blocks->bytes > SLAB_MIN ? blocks->bytes : SLAB_MIN;
    len = len > needed ? len : needed;
    return len > SLAB_MAX ? SLAB_MAX : BLOCKS_BYTES(blocks_class(len));
}

// A block that is a slab, behind the newest, from which one goes on cutting.
static struct word *take_slab(struct blocks *blocks, size_t bytes)
{
    struct blocks_slab *slab = slab_new(blocks, bytes);
    if (slab == NULL) {
        return NULL;
    }
    if (blocks->slabs == NULL) {
        blocks->slabs = slab;
        blocks->cut = bytes;
    } else {
        slab->older = blocks->slabs->older;
        blocks->slabs->older = slab;
    }
    return slab_words(slab);
}

static struct word *cut_off(struct blocks *blocks, size_t bytes)
{
    if (blocks->slabs == NULL || blocks->slabs->len - blocks->cut < bytes) {
        struct blocks_slab *slab = slab_new(blocks, slab_len(blocks, bytes));
        if (slab == NULL) {
            return NULL;
        }
        cut_up(blocks);
        slab->older = blocks->slabs;
        blocks->slabs = slab;
        blocks->cut = 0;
    }
    struct word *block = slab_words(blocks->slabs) + blocks->cut / sizeof(struct word);
    blocks->cut += bytes;
    return block;
}

struct word *blocks_take(struct blocks *blocks, unsigned size_class)
{
    ASSERT(size_class < BLOCKS_CLASSES);
    struct word *block = blocks->idle[size_class];
    if (block != NULL) {
        blocks->idle[size_class] = word_pointer(block);
        return block;
    }
    size_t bytes = BLOCKS_BYTES(size_class);
    return bytes >= OWN_SLAB_MIN ? take_slab(blocks, bytes) : cut_off(blocks, bytes);
}

void blocks_give(struct blocks *blocks, unsigned size_class, struct word *block)
{
    word_set_pointer(block, blocks->idle[size_class]);
    blocks->idle[size_class] = block;
}
