// SPDX-License-Identifier: Apache-2.0
#include "localmap/feed.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define COUNT_BITS 40
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define INSTANCE_MASK ((UINT64_C(1) << 24) - 1)
#define KEY_LEN_MEAN 64   // of the byte ring; longer keys make the ring turn sooner ...
#define ENTRIES_FULL 1024 // ... but in a small ring, where every key finds room

struct row {
    uint64_t at; // of the key in the byte stream, not wrapped
    uint16_t len;
};

struct feed {
    pthread_mutex_t lock; // rank 60; guards all below, but for reading `newest`
    uint64_t base;        // upper bits of every index; constant
    // Count of the newest entry, 0: none yet.  Stored with release, under the lock: pairs with the acquire in
    // feed_index and feed_next, so that who sees a count finds what was written before it.
    atomic_uint_fast64_t newest;
    uint64_t oldest;  // count of the oldest that is whole
    uint64_t written; // bytes ever
    uint32_t row_count;
    size_t byte_count;
    struct row *rows;
    char *bytes;
};

enum err feed_new(uint32_t entries, uint64_t instance, struct feed **ret_feed)
{
    if (entries < 2 || entries > FEED_ENTRIES_MAX || (entries & (entries - 1)) != 0) {
        return ERR_INVALID;
    }
    struct feed *feed = calloc(1, sizeof(*feed));
    if (feed == NULL) {
        return ERR_NOMEM;
    }
    feed->row_count = entries;
    feed->byte_count = (size_t)entries * (entries <= ENTRIES_FULL ? KEY_LEN_MAX : KEY_LEN_MEAN);
    feed->base = (instance & INSTANCE_MASK) << COUNT_BITS;
    feed->oldest = 1;
    feed->rows = calloc(entries, sizeof(struct row));
    feed->bytes = calloc(1, feed->byte_count);
    if (feed->rows == NULL || feed->bytes == NULL || pthread_mutex_init(&feed->lock, NULL) != 0) {
        free(feed->rows);
        free(feed->bytes);
        free(feed);
        return ERR_NOMEM;
    }
    *ret_feed = feed;
    return ERR_OK;
}

void feed_free(struct feed *feed)
{
    if (feed == NULL) {
        return;
    }
    pthread_mutex_destroy(&feed->lock);
    free(feed->bytes);
    free(feed->rows);
    free(feed);
}

static struct row *row_of(const struct feed *feed, uint64_t count)
{
    return &feed->rows[count & (feed->row_count - 1)];
}

static void copy_in(struct feed *feed, struct span key)
{
    size_t at = feed->written % feed->byte_count;
    size_t head = feed->byte_count - at < key.len ? feed->byte_count - at : key.len;
    memcpy(feed->bytes + at, key.ptr, head);
    memcpy(feed->bytes, key.ptr + head, key.len - head);
    feed->written += key.len;
}

uint64_t feed_append(struct feed *feed, struct span key)
{
    ASSERT(key.len <= KEY_LEN_MAX);
    pthread_mutex_lock(&feed->lock);
    uint64_t count = atomic_load_explicit(&feed->newest, memory_order_relaxed) + 1;
    ASSERT(count <= COUNT_MASK);
    *row_of(feed, count) = (struct row){feed->written, (uint16_t)key.len};
    copy_in(feed, key);
    if (count >= feed->row_count && feed->oldest < count - feed->row_count + 1) {
        feed->oldest = count - feed->row_count + 1;
    }
    while (feed->written - row_of(feed, feed->oldest)->at > feed->byte_count) {
        feed->oldest++;
    }
    atomic_store_explicit(&feed->newest, count, memory_order_release);
    pthread_mutex_unlock(&feed->lock);
    return feed->base | count;
}

uint64_t feed_index(const struct feed *feed)
{
    return feed->base | atomic_load_explicit(&feed->newest, memory_order_acquire);
}

static void copy_out(const struct feed *feed, const struct row *row, struct key_bytes *ret_key)
{
    size_t at = row->at % feed->byte_count;
    size_t head = feed->byte_count - at < row->len ? feed->byte_count - at : row->len;
    memcpy(ret_key->ptr, feed->bytes + at, head);
    memcpy(ret_key->ptr + head, feed->bytes, row->len - head);
    ret_key->len = row->len;
}

enum feed_result feed_next(struct feed *feed, uint64_t position, struct map_change *ret_change)
{
    uint64_t newest = atomic_load_explicit(&feed->newest, memory_order_acquire);
    uint64_t next = (position & COUNT_MASK) + 1;
    if ((position & ~COUNT_MASK) != feed->base || next > newest + 1) {
        return FEED_LAPPED;
    }
    if (next == newest + 1) {
        return FEED_EMPTY;
    }
    pthread_mutex_lock(&feed->lock);
    bool whole = next >= feed->oldest;
    if (whole) {
        ret_change->index = feed->base | next;
        copy_out(feed, row_of(feed, next), &ret_change->key);
    }
    pthread_mutex_unlock(&feed->lock);
    return whole ? FEED_OK : FEED_LAPPED;
}

size_t feed_bytes(const struct feed *feed)
{
    return sizeof(*feed) + feed->row_count * sizeof(struct row) + feed->byte_count;
}
