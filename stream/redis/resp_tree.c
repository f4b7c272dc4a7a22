// SPDX-License-Identifier: Apache-2.0
#include "stream/redis/resp_tree.h"

#include "base/assert.h"

#include <stdlib.h>

#define BLOCK_FIRST 512
#define BLOCK_MOST ((size_t)32 * 1024)

struct resp_block {
    struct resp_block *first; // of the same reply
    struct resp_block *next;
    size_t used, cap;
    _Alignas(16) char bytes[];
};

static struct resp_block *block_new(struct resp_tree *tree, size_t len)
{
    size_t cap = tree->last == NULL ? BLOCK_FIRST : tree->last->cap * 2;
    cap = cap > BLOCK_MOST ? BLOCK_MOST : cap;
    cap = cap < len ? len : cap;
    struct resp_block *block = malloc(sizeof(*block) + cap);
    if (block == NULL) {
        return NULL;
    }
    *block = (struct resp_block){.first = block, .cap = cap};
    if (tree->last != NULL) {
        block->first = tree->last->first;
        tree->last->next = block;
    }
    tree->last = block;
    return block;
}

struct resp_reply *resp_tree_node(struct resp_tree *tree, enum resp_type type, size_t room)
{
    size_t len = (sizeof(struct resp_reply) + room + 15) / 16 * 16;
    struct resp_block *block = tree->last;
    if (block == NULL || block->cap - block->used < len) {
        block = block_new(tree, len);
    }
    if (block == NULL) {
        return NULL;
    }
    struct resp_reply *node = (struct resp_reply *)(void *)(block->bytes + block->used);
    block->used += len;
    *node = (struct resp_reply){.type = type, .text = (char *)(node + 1)};
    return node;
}

void resp_tree_free(struct resp_reply *root)
{
    if (root == NULL) {
        return;
    }
    struct resp_block *block =
        (struct resp_block *)(void *)((char *)root - offsetof(struct resp_block, bytes));
    ASSERT(block->first == block);
    while (block != NULL) {
        struct resp_block *next = block->next;
        free(block);
        block = next;
    }
}
