// SPDX-License-Identifier: Apache-2.0
#include "localmap/digest.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdlib.h>

struct cell {
    pthread_mutex_t lock; // rank 50; guards all below
    uint64_t count;
    uint64_t sum; // mod 2^64; mod 2^48 when it is told
};

struct digest {
    uint32_t cell_count;
    struct cell *cells;
};

enum err digest_new(uint32_t partitions, struct digest **ret_digest)
{
    if (partitions == 0 || partitions > DIGEST_PARTITIONS_MAX) {
        return ERR_INVALID;
    }
    struct digest *digest = calloc(1, sizeof(*digest));
    if (digest == NULL) {
        return ERR_NOMEM;
    }
    digest->cells = calloc(partitions, sizeof(struct cell));
    for (; digest->cells != NULL && digest->cell_count < partitions; digest->cell_count++) {
        if (pthread_mutex_init(&digest->cells[digest->cell_count].lock, NULL) != 0) {
            break;
        }
    }
    if (digest->cell_count < partitions) {
        digest_free(digest);
        return ERR_NOMEM;
    }
    *ret_digest = digest;
    return ERR_OK;
}

void digest_free(struct digest *digest)
{
    if (digest == NULL) {
        return;
    }
    for (uint32_t i = 0; i < digest->cell_count; i++) {
        pthread_mutex_destroy(&digest->cells[i].lock);
    }
    free(digest->cells);
    free(digest);
}

void digest_move(struct digest *digest, uint32_t partition, const uint64_t *before,
                 const uint64_t *after)
{
    ASSERT(partition < digest->cell_count);
    if (before == NULL && after == NULL) {
        return;
    }
    struct cell *cell = &digest->cells[partition];
    pthread_mutex_lock(&cell->lock);
    if (before != NULL) {
        ASSERT(cell->count > 0);
        cell->count--;
        cell->sum -= *before;
    }
    if (after != NULL) {
        cell->count++;
        cell->sum += *after;
    }
    pthread_mutex_unlock(&cell->lock);
}

struct map_digest digest_get(struct digest *digest, uint32_t partition)
{
    ASSERT(partition < digest->cell_count);
    struct cell *cell = &digest->cells[partition];
    pthread_mutex_lock(&cell->lock);
    struct map_digest result = {cell->count, cell->sum & CODEC_HASH_MASK};
    pthread_mutex_unlock(&cell->lock);
    return result;
}

size_t digest_bytes(const struct digest *digest)
{
    return sizeof(*digest) + digest->cell_count * sizeof(struct cell);
}
