// SPDX-License-Identifier: Apache-2.0
#include "localmap/table/snapshot.h"

#include <stdlib.h>

#define BUCKETS_MIN 64
#define BLOCK_BYTES 8000 // of copies
#define PASSED_NONE UINT32_MAX
#define VISITED_AT_ONCE 32
#define UNDO_BYTES_MAX ((size_t)64 << 20) // of one snapshot: who writes this much meanwhile wins

// A slot as it was at the cut; key_len 0: nobody lived there.
struct kept {
    struct kept *next;
    uint32_t ref;
    uint32_t key_len, value_len;
    char bytes[]; // key, value
};

// Many of them, so that a change of a record takes no memory of its own from the allocator.
struct kept_block {
    struct kept_block *older;
    size_t used, size;
    _Alignas(struct kept) char bytes[];
};

// Of one shard; its lock guards it until the shard is passed.
struct undo {
    uint32_t passed; // slots from here on were met
    // So were those of the chunk at `first` before `at`; 0 and 0: it was not begun.
    uint32_t first, at;
    uint32_t count;
    uint32_t bucket_count; // a power of two, or 0
    struct kept **buckets;
    struct kept_block *blocks; // the newest first
};

struct table_snapshot {
    struct table *table;
    uint32_t bit;
    uint32_t shard; // that is scanned
    uint32_t bucket;
    atomic_size_t bytes; // of what is kept; relaxed: a sum
    atomic_bool lost;    // relaxed: whoever reads it has been under a lock since, or reads it again
    struct undo undo[];
};

// --- keeping, by writers

static struct kept *kept_find(const struct undo *undo, uint32_t ref)
{
    if (undo->bucket_count == 0) {
        return NULL;
    }
    struct kept *kept = undo->buckets[ref & (undo->bucket_count - 1)];
    while (kept != NULL && kept->ref != ref) {
        kept = kept->next;
    }
    return kept;
}

static void put(struct undo *undo, struct kept *kept)
{
    struct kept **bucket = &undo->buckets[kept->ref & (undo->bucket_count - 1)];
    kept->next = *bucket;
    *bucket = kept;
}

static bool more_buckets(struct undo *undo)
{
    uint32_t count = undo->bucket_count;
    struct kept **old = undo->buckets;
    uint32_t wanted = count == 0 ? BUCKETS_MIN : count * 2;
    struct kept **buckets = calloc(wanted, sizeof(struct kept *));
    if (buckets == NULL) {
        return false;
    }
    undo->buckets = buckets;
    undo->bucket_count = wanted;
    for (uint32_t i = 0; i < count; i++) {
        while (old[i] != NULL) {
            struct kept *kept = old[i];
            old[i] = kept->next;
            put(undo, kept);
        }
    }
    free(old);
    return true;
}

// NULL: no memory.
static struct kept *kept_new(struct undo *undo, size_t bytes)
{
    struct kept_block *block = undo->blocks;
    bytes = (bytes + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
    if (block == NULL || block->size - block->used < bytes) {
        size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        block = malloc(sizeof(*block) + size);
        if (block == NULL) {
            return NULL;
        }
        *block = (struct kept_block){.older = undo->blocks, .size = size};
        undo->blocks = block;
    }
    struct kept *kept = (struct kept *)(void *)(block->bytes + block->used);
    block->used += bytes;
    return kept;
}

static bool keep(struct table_snapshot *snapshot, struct undo *undo, uint32_t ref)
{
    const struct record *record = slab_at(snapshot->table->base, ref);
    struct span key = record_key(record);
    struct span value = key.len == 0 ? SPAN_NONE : record_value(record);
    size_t bytes = sizeof(struct kept) + key.len + value.len;
    if ((undo->count == undo->bucket_count && !more_buckets(undo)) ||
        atomic_fetch_add_explicit(&snapshot->bytes, bytes, memory_order_relaxed) + bytes >
            UNDO_BYTES_MAX) {
        return false;
    }
    struct kept *kept = kept_new(undo, bytes);
    if (kept == NULL) {
        return false;
    }
    kept->ref = ref;
    kept->key_len = (uint32_t)key.len;
    kept->value_len = (uint32_t)value.len;
    if (key.len > 0) {
        memcpy(kept->bytes, key.ptr, key.len);
    }
    if (value.len > 0) {
        memcpy(kept->bytes + key.len, value.ptr, value.len);
    }
    put(undo, kept);
    undo->count++;
    return true;
}

static bool was_met(const struct undo *undo, uint32_t ref)
{
    return ref >= undo->passed || (ref >= undo->first && ref < undo->at);
}

void snapshot_keep_now(const struct table *table, const struct shard *shard, uint32_t ref)
{
    for (uint32_t cuts = shard->head->cuts; cuts != 0; cuts &= cuts - 1) {
        struct table_snapshot *snapshot = table->snapshots[__builtin_ctz(cuts)];
        struct undo *undo = &snapshot->undo[shard - table->shards];
        bool lost = atomic_load_explicit(&snapshot->lost, memory_order_relaxed);
        if (!lost && !was_met(undo, ref) && kept_find(undo, ref) == NULL &&
            !keep(snapshot, undo, ref)) {
            atomic_store_explicit(&snapshot->lost, true, memory_order_relaxed);
        }
    }
}

// --- the cut

static void enter_all(const struct table *table)
{
    for (uint32_t i = 0; i < route_count(route_of(table)); i++) {
        shard_lock_visit(&table->shards[i].lock,
                         "table: snapshot"); // rank 30 each, in rising order
    }
}

static void leave_all(const struct table *table)
{
    for (uint32_t i = 0; i < route_count(route_of(table)); i++) {
        shard_lock_leave(&table->shards[i].lock);
    }
}

// Waits until no change is under way that began before now.
static void pass_all(const struct table *table)
{
    for (uint32_t i = 0; i < route_count(route_of(table)); i++) {
        shard_lock_visit(&table->shards[i].lock, "table: snapshot");
        shard_lock_leave(&table->shards[i].lock);
    }
}

// A number of its own for the snapshot.  false: there are as many as there may be.
static bool take_place(struct table_snapshot *snapshot)
{
    struct table *table = snapshot->table;
    pthread_mutex_lock(&table->snapshots_lock);
    uint32_t vacant = ~table->places & ((1u << TABLE_SNAPSHOTS_MAX) - 1);
    if (vacant != 0) {
        snapshot->bit = vacant & (~vacant + 1);
        table->places |= snapshot->bit;
        table->snapshots[__builtin_ctz(vacant)] = snapshot;
    }
    pthread_mutex_unlock(&table->snapshots_lock);
    return vacant != 0;
}

static void give_place(struct table_snapshot *snapshot)
{
    struct table *table = snapshot->table;
    pthread_mutex_lock(&table->snapshots_lock);
    table->places &= ~snapshot->bit;
    pthread_mutex_unlock(&table->snapshots_lock);
}

enum err table_snapshot_new(struct table *table, enum table_cut cut,
                            struct table_snapshot **ret_snapshot)
{
    uint32_t shards = route_count(route_of(table));
    struct table_snapshot *snapshot =
        calloc(1, sizeof(*snapshot) + shards * sizeof(snapshot->undo[0]));
    if (snapshot == NULL) {
        return ERR_NOMEM;
    }
    snapshot->table = table;
    for (uint32_t i = 0; i < shards; i++) {
        snapshot->undo[i].passed = PASSED_NONE;
    }
    if (!take_place(snapshot)) {
        free(snapshot);
        return ERR_FULL;
    }
    if (cut == TABLE_CUT_STRICT) {
        enter_all(table);
    }
    // The cut.  Release; pairs with the acquire in snapshot_begin.
    atomic_fetch_or_explicit(&table->cuts, snapshot->bit, memory_order_release);
    if (cut == TABLE_CUT_STRICT) {
        leave_all(table);
    } else {
        pass_all(table);
    }
    *ret_snapshot = snapshot;
    return ERR_OK;
}

static void undo_fini(struct undo *undo)
{
    while (undo->blocks != NULL) {
        struct kept_block *block = undo->blocks;
        undo->blocks = block->older;
        free(block);
    }
    free(undo->buckets);
    undo->buckets = NULL; // `passed` stays: writers still look at it
    undo->bucket_count = 0;
    undo->count = 0;
}

void table_snapshot_free(struct table_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    struct table *table = snapshot->table;
    atomic_fetch_and_explicit(&table->cuts, ~snapshot->bit, memory_order_relaxed);
    pass_all(table); // whoever has seen the bit is done with it
    give_place(snapshot);
    for (uint32_t i = 0; i < route_count(route_of(table)); i++) {
        undo_fini(&snapshot->undo[i]);
    }
    free(snapshot);
}

// --- scanning

// The chunk that comes next, from the highest address down; NULL: none.
static struct slab_chunk *chunk_behind(const struct shard *shard, uint32_t passed)
{
    struct slab_chunk *chunk = slab_chunk_first(&shard->slab);
    while (chunk != NULL && slab_chunk_start(chunk) >= passed) {
        chunk = slab_chunk_older(chunk);
    }
    return chunk;
}

// The next slots of a chunk; a few, so that no writer waits long.
static void visit_chunk(struct table_snapshot *snapshot, const struct shard *shard,
                        const struct slab_chunk *chunk, const struct table_visitor *visitor)
{
    struct undo *undo = &snapshot->undo[snapshot->shard];
    uint32_t ref = 0;
    if (undo->first != slab_chunk_start(chunk)) { // the one begun has given its pages back
        undo->passed = undo->first != 0 ? undo->first : undo->passed;
        undo->first = slab_chunk_start(chunk);
        undo->at = 0;
    }
    for (unsigned i = 0; i < VISITED_AT_ONCE; i++) {
        ref = slab_chunk_next(&shard->slab, chunk, &undo->at);
        if (ref == 0) {
            undo->passed = undo->first;
            undo->first = undo->at = 0;
            return;
        }
        if (undo->count == 0 || kept_find(undo, ref) == NULL) {
            const struct record *record = slab_at(snapshot->table->base, ref);
            visitor->visit(visitor->arg, record_key(record), record_value(record));
        }
    }
}

// The copies of a shard that was passed; it is ours alone now.
static void visit_kept(const struct table_snapshot *snapshot, const struct table_visitor *visitor)
{
    const struct undo *undo = &snapshot->undo[snapshot->shard];
    for (uint32_t i = 0; i < undo->bucket_count; i++) {
        for (const struct kept *kept = undo->buckets[i]; kept != NULL; kept = kept->next) {
            if (kept->key_len > 0) {
                visitor->visit(visitor->arg, span_of(kept->bytes, kept->key_len),
                               span_of(kept->bytes + kept->key_len, kept->value_len));
            }
        }
    }
}

enum table_scan table_snapshot_next(struct table_snapshot *snapshot,
                                    const struct table_visitor *visitor)
{
    struct table *table = snapshot->table;
    if (snapshot->shard == route_count(route_of(table))) {
        return TABLE_SCAN_END;
    }
    struct shard *shard = &table->shards[snapshot->shard];
    struct undo *undo = &snapshot->undo[snapshot->shard];
    shard_lock_visit(&shard->lock, "table: snapshot");
    shard_lock_brief(&shard->lock, true);
    // The one begun, if it is still there: what came above it meanwhile holds nothing of the cut.
    uint32_t below = undo->first != 0 ? undo->first + 1 : undo->passed;
    const struct slab_chunk *chunk = chunk_behind(shard, below);
    bool lost = atomic_load_explicit(&snapshot->lost, memory_order_relaxed);
    if (!lost && chunk != NULL) {
        visit_chunk(snapshot, shard, chunk, visitor);
    }
    if (chunk == NULL) {
        undo->passed = 0;
        shard_lock_brief(&shard->lock, false);
    }
    shard_lock_leave(&shard->lock);
    shard_lock_let(&shard->lock);
    if (lost) {
        return TABLE_SCAN_LOST;
    }
    if (chunk == NULL) {
        visit_kept(snapshot, visitor);
        undo_fini(undo);
        snapshot->shard++;
    }
    return TABLE_SCAN_MORE;
}
