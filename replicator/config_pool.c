// SPDX-License-Identifier: Apache-2.0
#include "replicator/config_pool.h"

#include <stdint.h>
#include <stdlib.h>

struct piece {
    struct piece *next;
    max_align_t bytes[];
};

struct config_pool {
    struct piece *pieces;
};

struct config_pool *config_pool_new(void)
{
    return calloc(1, sizeof(struct config_pool));
}

void config_pool_free(struct config_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    while (pool->pieces != NULL) {
        struct piece *piece = pool->pieces;
        pool->pieces = piece->next;
        free(piece);
    }
    free(pool);
}

void *config_pool_alloc(struct config_pool *pool, size_t len)
{
    if (len > SIZE_MAX - sizeof(struct piece)) {
        return NULL;
    }
    struct piece *piece = calloc(1, sizeof(*piece) + len);
    if (piece == NULL) {
        return NULL;
    }
    piece->next = pool->pieces;
    pool->pieces = piece;
    return piece->bytes;
}

const char *config_pool_copy(struct config_pool *pool, struct span text)
{
    char *copy = config_pool_alloc(pool, text.len + 1);
    if (copy != NULL && text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return copy;
}
