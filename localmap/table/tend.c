// SPDX-License-Identifier: Apache-2.0
// What a table does beside its writers: memory ahead of them, and back to the kernel.
#include "localmap/table/snapshot.h"

#define RECORD_MEAN 256 // of a record, while there is none
#define GROUPS_AHEAD 64 // a smaller index costs nothing that is worth doing ahead
#define AHEAD_PERCENT 65
#define SPARSE_PERCENT 40
#define SLACK_CHUNKS 3 // vacant memory of a shard below which nothing is moved
#define MOVES_AT_ONCE 16
#define DENSE_PERCENT 90 // by those who are short of memory
#define DENSE_SLACK 2

static enum err reserve_in(const struct table *table, struct shard *shard, uint32_t records)
{
    size_t mean = shard->count == 0 ? RECORD_MEAN : (size_t)(shard->slab.used / shard->count);
    enum err err = shard_make_room(table, shard, records);
    return err != ERR_OK ? err : slab_reserve(&shard->slab, (size_t)records * mean);
}

enum err table_reserve(struct table *table, uint32_t records)
{
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < route_count(route_of(table)) && err == ERR_OK; i++) {
        struct shard *shard = &table->shards[i];
        shard_lock_visit(&shard->lock, "table: reserve");
        err = reserve_in(table, shard, records);
        struct slab_uncut uncut = slab_uncut(&shard->slab);
        struct slab_uncut ahead = slab_ahead(&shard->slab);
        shard_lock_leave(&shard->lock);
        range_populate(uncut.start, uncut.bytes); // addresses stay ours, so no lock is needed
        if (ahead.bytes > 0) {
            range_populate(ahead.start, ahead.bytes);
        }
    }
    return err;
}

// The next index, made and populated before it is needed.
static void tend_index(const struct table *table, struct shard *shard)
{
    uint64_t ahead = 0;
    shard_lock_visit(&shard->lock, "table: tend");
    size_t groups = (size_t)shard_index(shard).mask + 1;
    bool soon = shard->spare == 0 && !shard->head->busy && groups >= GROUPS_AHEAD &&
                shard->count * 100 > groups * INDEX_PLACES * AHEAD_PERCENT;
    if (soon && shard_index_new(table->range, (uint32_t)groups * 2, &ahead) == ERR_OK) {
        shard->spare = ahead;
    }
    shard_lock_leave(&shard->lock);
    if (ahead != 0) {
        range_populate((char *)index_unpack(ahead).groups, index_bytes(index_unpack(ahead)));
    }
}

// Moves some records out of a closed chunk.  false: there are more, or no memory for them elsewhere.
static bool empty_chunk(const struct table *table, struct shard *shard, struct slab_chunk *chunk)
{
    uint32_t at = 0;
    for (unsigned moved = 0; moved < MOVES_AT_ONCE; moved++) {
        uint32_t from_to[2] = {slab_chunk_next(&shard->slab, chunk, &at), 0};
        if (from_to[0] == 0) {
            return true;
        }
        struct record *record = slab_at(table->base, from_to[0]);
        const struct table_value value = {record_value(record), SPAN_NONE};
        size_t size = record_size(record_key_len(record), value.head.len);
        if (slab_take(&shard->slab, size, &from_to[1]) != ERR_OK) {
            return false;
        }
        snapshot_begin(table, shard);
        (void)record_open(record);
        shard_move(table, shard, from_to, &value);
    }
    return slab_chunk_next(&shard->slab, chunk, &at) == 0;
}

// How full a chunk may be to be emptied, and of how many chunks' memory that is vacant.
struct thrift {
    unsigned percent, slack;
};

// Gives a chunk back that is nearly empty.  In several steps, so that no writer waits long.  false: there is none.
static bool tend_chunk(const struct table *table, struct shard *shard, const struct thrift *thrift)
{
    shard_lock_visit(&shard->lock, "table: tend");
    uint64_t vacant = shard->slab.held - shard->slab.used;
    struct slab_chunk *chunk = NULL;
    if (vacant >= thrift->slack * (uint64_t)SLAB_CHUNK_MAX) {
        chunk = slab_sparse(&shard->slab, thrift->percent);
    }
    if (chunk != NULL) {
        slab_close(&shard->slab, chunk);
        if (empty_chunk(table, shard, chunk)) {
            shard_moved(shard);
            enum err later = slab_release(&shard->slab, chunk); // the next time finds it again
            (void)later;
        }
    }
    shard_lock_leave(&shard->lock);
    return chunk != NULL;
}

bool table_compact(struct table *table)
{
    static const struct thrift dense = {DENSE_PERCENT, DENSE_SLACK};
    bool more = false;
    for (uint32_t i = 0; i < route_count(route_of(table)); i++) {
        more = tend_chunk(table, &table->shards[i], &dense) || more;
    }
    return more;
}

uint64_t table_tend(struct table *table)
{
    static const struct thrift usual = {SPARSE_PERCENT, SLACK_CHUNKS};
    uint64_t vacant = 0;
    for (uint32_t i = 0; i < route_count(route_of(table)); i++) {
        struct shard *shard = &table->shards[i];
        range_ahead(table->range); // each index takes of it
        tend_index(table, shard);
        (void)tend_chunk(table, shard, &usual);
        shard_lock_visit(&shard->lock, "table: tend");
        struct slab_uncut uncut = slab_uncut(&shard->slab);
        bool fresh = uncut.start + uncut.bytes != shard->populated.start + shard->populated.bytes;
        shard->populated = uncut;
        vacant += shard->slab.held - shard->slab.used;
        shard_lock_leave(&shard->lock);
        if (fresh && uncut.bytes > 0) {
            range_populate(uncut.start, uncut.bytes);
        }
    }
    return vacant;
}
