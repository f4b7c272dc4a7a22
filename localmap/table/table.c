// SPDX-License-Identifier: Apache-2.0
#include "localmap/table/table.h"

#include "base/assert.h"
#include "base/random.h"
#include "base/siphash.h"
#include "localmap/table/shard.h"

#include <stdlib.h>
#include <sys/mman.h>

#define MANY                                                                                       \
    16 // keys whose lines are fetched at once: what one core keeps under way, and fits its first cache

_Static_assert(sizeof(((struct table *)NULL)->secret) == SIPHASH_KEY_LEN, "the secret of a hash");

// --- making

static enum err shard_init(struct shard *shard, struct shard_head *head, struct range *range)
{
    uint64_t index = 0;
    shard->head = head;
    head->shard = shard;
    slab_init(&shard->slab, range);
    enum err err = shard_index_new(range, 1, &index);
    if (err == ERR_OK) {
        shard_show_index(shard, index);
    }
    return err;
}

static void *lines(size_t count, size_t size)
{
    void *memory = aligned_alloc(CACHE_LINE, count * size);
    if (memory != NULL) {
        memset(memory, 0, count * size);
    }
    return memory;
}

static enum err make_shards(struct table *table, uint32_t count)
{
    table->heads = lines(count, sizeof(struct shard_head));
    table->shards = lines(count, sizeof(struct shard));
    if (table->heads == NULL || table->shards == NULL || wait_ring_new(&table->waits) != ERR_OK) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        shard_lock_init(&table->shards[i].lock, i, table->waits);
        enum err err = shard_init(&table->shards[i], &table->heads[i], table->range);
        if (err != ERR_OK) {
            return err;
        }
    }
    // Release; pairs with the acquire in route_of.
    atomic_store_explicit(&table->route,
                          (uint64_t)(uintptr_t)table->heads | (uint64_t)__builtin_ctz(count),
                          memory_order_release);
    return ERR_OK;
}

enum err table_new(uint32_t shards, struct table **ret_table)
{
    if (shards == 0 || shards > TABLE_SHARDS_MAX || (shards & (shards - 1)) != 0) {
        return ERR_INVALID;
    }
    struct table *table = calloc(1, sizeof(*table));
    if (table == NULL || range_new(&table->range) != ERR_OK ||
        make_shards(table, shards) != ERR_OK) {
        table_free(table);
        return ERR_NOMEM;
    }
    pthread_mutex_init(&table->snapshots_lock, NULL);
    table->base = range_base(table->range);
    random_bytes(table->secret, sizeof(table->secret));
    *ret_table = table;
    return ERR_OK;
}

void table_free(struct table *table)
{
    if (table == NULL) {
        return;
    }
    ASSERT(table->places == 0);
    for (uint32_t i = 0; i < route_count(route_of(table)); i++) {
        slab_fini(&table->shards[i].slab);
    }
    free(table->shards);
    free(table->heads);
    wait_ring_free(table->waits);
    if (table->zeros != NULL) {
        (void)munmap(table->zeros, INDEX_BYTES_MAX);
    }
    range_free(table->range);
    free(table);
}

struct table_key table_key(const struct table *table, struct span bytes)
{
    return (struct table_key){bytes, siphash13(table->secret, bytes.ptr, bytes.len)};
}

// --- reading, without a lock

static inline uint16_t tick_of(const struct table *table)
{
    return atomic_load_explicit(&table->tick, memory_order_relaxed);
}

// One of the shard's indexes.
struct look {
    struct shard_head *head;
    uint64_t index;
    uint16_t tick;
};

// Waits for the writer inside.  One who writes a record all the time would keep its readers out for as long: the
// lines go back and forth between two cores for longer than he takes.  So he is asked for a gap.
static bool read_record(const struct look *look, struct record *record, struct span key,
                        struct table_copy *copy)
{
    unsigned spins = 0;
    enum record_answer answer = record_try(record, key, look->tick, copy);
    while (answer == RECORD_AGAIN) {
        shard_ask_gap(look->head->shard);
        record_wait(&spins);
        answer = record_try(record, key, look->tick, copy);
    }
    return answer == RECORD_COPIED;
}

static bool get_in(const struct table *table, const struct look *look, const struct table_key *key,
                   struct table_copy *copy)
{
    struct index_search search;
    index_begin(&search, index_unpack(look->index), (uint32_t)key->hash);
    for (uint32_t ref = index_next(&search); ref != 0; ref = index_next(&search)) {
        if (read_record(look, slab_at(table->base, ref), key->bytes, copy)) {
            return true;
        }
    }
    return false;
}

// The whole search.
// The older index is noted before the newer one is searched: what is taken over meanwhile then stands in one
// of the two.
static __attribute__((noinline)) bool
get_anywhere(const struct table *table, const struct table_key *key, struct table_copy *copy)
{
    struct shard_head *head = head_of(table, key->hash);
    if (atomic_load_explicit(&head->counts, memory_order_relaxed) != 0) {
        atomic_fetch_add_explicit(&head->reads, 1, memory_order_relaxed);
    }
    // Acquire, each.  `moves` pairs with the release in shard_moved: nothing that hid the key can have been missed
    // by both looks at the number, the second of which comes behind all loads of the search.  The other
    // two pair with the releases in update.c: what the index leads to is whole.
    uint32_t now = atomic_load_explicit(&head->moves, memory_order_acquire);
    uint32_t moves = 0;
    do {
        moves = now;
        uint64_t index = atomic_load_explicit(&head->index, memory_order_acquire);
        uint64_t prev = atomic_load_explicit(&head->prev, memory_order_acquire);
        const struct look newer = {head, index, tick_of(table)};
        const struct look older = {head, prev, newer.tick};
        if (get_in(table, &newer, key, copy) || (prev != 0 && get_in(table, &older, key, copy))) {
            return true;
        }
        now = atomic_load_explicit(&head->moves, memory_order_acquire);
    } while (now != moves);
    return false;
}

// What nearly every read comes to is here, without a loop over places and without a call: the key is no short one,
// its tag is the first of its kind in the home group, and no writer is at the record.  A guess of 0 leads to zeros, which are nobody's.
static inline __attribute__((always_inline)) bool get_guessed(const struct table *table,
                                                              struct record *record,
                                                              const struct table_key *key,
                                                              struct table_copy *copy)
{
    return __builtin_expect(record_try_long(record, key->bytes, tick_of(table), copy), 1) ||
           get_anywhere(table, key, copy);
}

bool table_get(const struct table *table, const struct table_key *key, struct table_copy *copy)
{
    const struct index_group *home = head_home(head_of(table, key->hash), key->hash);
    struct record *record = slab_at(table->base, head_guess(home, key->hash));
    fetch_record(record);
    return get_guessed(table, record, key, copy);
}

bool table_read(const struct table *table, const struct table_key *key, table_look_fn look,
                void *arg)
{
    char bytes[TABLE_VALUE_MAX];
    struct table_copy copy = {.bytes = bytes, .cap = sizeof(bytes)};
    if (!table_get(table, key, &copy)) {
        return false;
    }
    look(arg, span_of(bytes, copy.len));
    return true;
}

void table_get_many(const struct table *table, const struct table_key *keys, size_t count,
                    struct table_copy *copies)
{
    for (size_t from = 0; from < count; from += MANY) {
        const struct index_group *home[MANY];
        struct record *record[MANY];
        size_t block = count - from < MANY ? count - from : MANY;
        for (size_t i = 0; i < block; i++) {
            uint64_t hash = keys[from + i].hash;
            home[i] = head_home(head_of(table, hash), hash);
            __builtin_prefetch(home[i]);
        }
        for (size_t i = 0; i < block; i++) {
            record[i] = slab_at(table->base, head_guess(home[i], keys[from + i].hash));
            fetch_record_whole(record[i]);
        }
        for (size_t i = 0; i < block; i++) {
            const struct table_key *key = &keys[from + i];
            copies[from + i].found = get_guessed(table, record[i], key, &copies[from + i]);
        }
    }
}

// --- counting

uint64_t shard_bytes(const struct shard *shard)
{
    struct index prev;
    uint64_t bytes = shard->slab.used + index_bytes(shard_index(shard));
    return shard_prev(shard, &prev) ? bytes + index_bytes(prev) : bytes;
}

static uint64_t sum_shards(const struct table *table, bool bytes)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < route_count(route_of(table)); i++) {
        struct shard *shard = &table->shards[i];
        shard_lock_visit(&shard->lock, "table: count");
        sum += bytes ? shard_bytes(shard) : shard->count;
        shard_lock_leave(&shard->lock);
    }
    return sum;
}

uint64_t table_count(const struct table *table)
{
    return sum_shards(table, false);
}

uint64_t table_bytes(const struct table *table)
{
    size_t each = sizeof(struct shard) + sizeof(struct shard_head);
    return sizeof(*table) + route_count(route_of(table)) * each + sum_shards(table, true);
}
