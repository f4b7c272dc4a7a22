// SPDX-License-Identifier: Apache-2.0
// The daemon's table before its readers were without locks, as it was, under names of its own; without the walk over it.
#include "tests/bench/map/peers/rwlock_table.h"

#include "base/assert.h"
#include "base/random.h"
#include "base/siphash.h"

#include <pthread.h>
#include <stdlib.h>

#define CELL_BITS_MIN 4
#define CELL_BITS_MAX 31
#define CELLS_SPARE 64 // behind the last home, so that a run at the end needs no wrapping round

struct entry {
    uint32_t key_len;
    uint32_t value_len;
    uint32_t value_cap;
    char bytes[]; // key, then value
};

struct cell {
    uint64_t hash;
    struct entry *entry; // NULL: free
};

// Linear probing with the cells kept in the order of (hash, key): a look-up ends at the first greater one,
// whether the key is there or not; and "the next key" has a meaning that survives growth.
struct shard {
    pthread_rwlock_t lock; // rank 30; guards all below
    struct cell *cells;    // the last one is always free
    unsigned cell_bits;
    size_t count;
    size_t bytes; // of the entries
};

struct rwlock_table {
    uint8_t secret[SIPHASH_KEY_LEN];
    uint32_t shard_count;
    unsigned shard_bits;
    struct shard *shards;
};

static size_t cell_count(unsigned cell_bits)
{
    return ((size_t)1 << cell_bits) + CELLS_SPARE;
}

// --- making

static bool shard_init(struct shard *shard)
{
    pthread_rwlockattr_t attr;
    shard->cell_bits = CELL_BITS_MIN;
    shard->cells = calloc(cell_count(CELL_BITS_MIN), sizeof(struct cell));
    if (shard->cells == NULL) {
        return false;
    }
    // The default lets a stream of readers keep a writer out for ever.
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    int failed = pthread_rwlock_init(&shard->lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    if (failed != 0) {
        free(shard->cells);
    }
    return failed == 0;
}

static void shard_fini(struct shard *shard)
{
    for (size_t i = 0; i < cell_count(shard->cell_bits); i++) {
        free(shard->cells[i].entry);
    }
    free(shard->cells);
    pthread_rwlock_destroy(&shard->lock);
}

enum err rwlock_table_new(uint32_t shards, struct rwlock_table **ret_table)
{
    if (shards == 0 || shards > RWLOCK_TABLE_SHARDS_MAX || (shards & (shards - 1)) != 0) {
        return ERR_INVALID;
    }
    struct rwlock_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return ERR_NOMEM;
    }
    table->shards = calloc(shards, sizeof(struct shard));
    if (table->shards == NULL) {
        free(table);
        return ERR_NOMEM;
    }
    random_bytes(table->secret, sizeof(table->secret));
    table->shard_bits = (unsigned)__builtin_ctz(shards);
    for (; table->shard_count < shards; table->shard_count++) {
        if (!shard_init(&table->shards[table->shard_count])) {
            rwlock_table_free(table);
            return ERR_NOMEM;
        }
    }
    *ret_table = table;
    return ERR_OK;
}

void rwlock_table_free(struct rwlock_table *table)
{
    if (table == NULL) {
        return;
    }
    for (uint32_t i = 0; i < table->shard_count; i++) {
        shard_fini(&table->shards[i]);
    }
    free(table->shards);
    free(table);
}

struct rwlock_table_key rwlock_table_key(const struct rwlock_table *table, struct span bytes)
{
    return (struct rwlock_table_key){bytes, siphash13(table->secret, bytes.ptr, bytes.len)};
}

// --- finding

static struct shard *shard_of(const struct rwlock_table *table, uint64_t hash)
{
    return &table->shards[table->shard_bits == 0 ? 0 : hash >> (64 - table->shard_bits)];
}

// Where the look-up begins: grows with the hash, so the order of cells is that of hashes.
static size_t home_of(const struct rwlock_table *table, unsigned cell_bits, uint64_t hash)
{
    return (size_t)((hash << table->shard_bits) >> (64 - cell_bits));
}

static struct span entry_key(const struct entry *entry)
{
    return span_of(entry->bytes, entry->key_len);
}

static struct span entry_value(const struct entry *entry)
{
    return span_of(entry->bytes + entry->key_len, entry->value_len);
}

static size_t entry_size(const struct entry *entry)
{
    return sizeof(*entry) + entry->key_len + entry->value_cap;
}

// Negative, 0 or positive as the key stands before, at or behind the (used) cell.
static int order_of(const struct rwlock_table_key *key, const struct cell *cell)
{
    if (key->hash != cell->hash) {
        return key->hash < cell->hash ? -1 : 1;
    }
    return span_cmp(key->bytes, entry_key(cell->entry));
}

// The cell of the key, or the one before which it would have to stand.
static size_t find(const struct rwlock_table *table, const struct shard *shard,
                   const struct rwlock_table_key *key, bool *ret_there)
{
    size_t at = home_of(table, shard->cell_bits, key->hash);
    int order = -1;
    while (shard->cells[at].entry != NULL && (order = order_of(key, &shard->cells[at])) > 0) {
        at++;
    }
    *ret_there = shard->cells[at].entry != NULL && order == 0;
    return at;
}

bool rwlock_table_read(const struct rwlock_table *table, const struct rwlock_table_key *key,
                       rwlock_table_look_fn look, void *arg)
{
    struct shard *shard = shard_of(table, key->hash);
    bool there = false;
    pthread_rwlock_rdlock(&shard->lock);
    size_t at = find(table, shard, key, &there);
    if (there) {
        look(arg, entry_value(shard->cells[at].entry));
    }
    pthread_rwlock_unlock(&shard->lock);
    return there;
}

// --- changing

static struct entry *entry_new(struct span key, size_t room)
{
    size_t cap = (room + 15) / 16 * 16;
    struct entry *entry = malloc(sizeof(*entry) + key.len + cap);
    if (entry != NULL) {
        *entry = (struct entry){.key_len = (uint32_t)key.len, .value_cap = (uint32_t)cap};
        memcpy(entry->bytes, key.ptr, key.len);
    }
    return entry;
}

// The body first: it may be a part of the very value that is replaced, where the head would overwrite it.
static void entry_set(struct entry *entry, const struct rwlock_table_value *value)
{
    char *place = entry->bytes + entry->key_len;
    ASSERT(value->head.len + value->body.len <= entry->value_cap);
    if (value->body.len > 0) {
        memmove(place + value->head.len, value->body.ptr, value->body.len);
    }
    if (value->head.len > 0) {
        memcpy(place, value->head.ptr, value->head.len);
    }
    entry->value_len = (uint32_t)(value->head.len + value->body.len);
}

// Copies the cells, in their order, into twice as many.  false: no memory, or too crowded at the end even so.
static bool grow_to(const struct rwlock_table *table, struct shard *shard, unsigned cell_bits)
{
    size_t count = cell_count(cell_bits);
    struct cell *cells = calloc(count, sizeof(struct cell));
    size_t next = 0;
    for (size_t i = 0; cells != NULL && i < cell_count(shard->cell_bits); i++) {
        if (shard->cells[i].entry == NULL) {
            continue;
        }
        size_t home = home_of(table, cell_bits, shard->cells[i].hash);
        next = home > next ? home : next;
        if (next + 2 >= count) {
            free(cells);
            return false;
        }
        cells[next++] = shard->cells[i];
    }
    if (cells == NULL) {
        return false;
    }
    free(shard->cells);
    shard->cells = cells;
    shard->cell_bits = cell_bits;
    return true;
}

// The first free cell from `at` on.  false: it is the last one of all, which stays free.
static bool find_free(const struct shard *shard, size_t at, size_t *ret_free)
{
    while (shard->cells[at].entry != NULL) {
        at++;
    }
    *ret_free = at;
    return at + 1 < cell_count(shard->cell_bits);
}

// Sees to it that one more cell can be used at the place of `key`.  `at` is that place, before and after.
static bool make_room(const struct rwlock_table *table, struct shard *shard,
                      const struct rwlock_table_key *key, size_t *at)
{
    size_t free_at = 0;
    bool there = false;
    size_t limit = ((size_t)1 << shard->cell_bits) / 4 * 3;
    if (shard->count < limit && find_free(shard, *at, &free_at)) {
        return true;
    }
    if (shard->cell_bits == CELL_BITS_MAX || !grow_to(table, shard, shard->cell_bits + 1)) {
        return false;
    }
    *at = find(table, shard, key, &there);
    return find_free(shard, *at, &free_at);
}

// Puts the entry into its place; those behind it, up to the next free cell, move on by one.
static void put_in(struct shard *shard, size_t at, uint64_t hash, struct entry *entry)
{
    size_t free_at = 0;
    bool found = find_free(shard, at, &free_at);
    ASSERT(found);
    memmove(&shard->cells[at + 1], &shard->cells[at], (free_at - at) * sizeof(struct cell));
    shard->cells[at] = (struct cell){hash, entry};
    shard->count++;
    shard->bytes += entry_size(entry);
}

// Takes the entry out; those behind it that are not at home move back by one, so that no run is cut.
static void take_out(const struct rwlock_table *table, struct shard *shard, size_t at)
{
    shard->bytes -= entry_size(shard->cells[at].entry);
    shard->count--;
    free(shard->cells[at].entry);
    while (shard->cells[at + 1].entry != NULL &&
           home_of(table, shard->cell_bits, shard->cells[at + 1].hash) <= at) {
        shard->cells[at] = shard->cells[at + 1];
        at++;
    }
    shard->cells[at] = (struct cell){0, NULL};
}

static void replace(struct shard *shard, struct cell *cell, struct entry *entry)
{
    shard->bytes += entry_size(entry);
    shard->bytes -= entry_size(cell->entry);
    free(cell->entry);
    cell->entry = entry;
}

// The key is not there: makes an entry and a cell for it first.
static enum err update_absent(const struct rwlock_table *table, struct shard *shard,
                              const struct rwlock_table_key *key,
                              const struct rwlock_table_change *change)
{
    bool there = false;
    size_t at = find(table, shard, key, &there);
    struct entry *fresh = entry_new(key->bytes, change->room);
    if (fresh == NULL || !make_room(table, shard, key, &at)) {
        free(fresh);
        return ERR_NOMEM;
    }
    struct rwlock_table_value value = {SPAN_NONE, SPAN_NONE};
    if (change->decide(change->arg, SPAN_NONE, &value) != RWLOCK_TABLE_STORE) {
        free(fresh);
        return ERR_OK;
    }
    entry_set(fresh, &value);
    put_in(shard, at, key->hash, fresh);
    return ERR_OK;
}

// A value of `room` bytes needs another entry: this one is too small, or far too large.
static bool needs_entry(const struct entry *entry, size_t room)
{
    return entry->value_cap < room || (room > 0 && entry->value_cap / 4 > room + 64);
}

static enum err update_held(const struct rwlock_table *table, struct shard *shard, size_t at,
                            const struct rwlock_table_change *change)
{
    struct cell *cell = &shard->cells[at];
    struct entry *entry = cell->entry;
    struct entry *fresh = NULL;
    if (needs_entry(entry, change->room)) {
        fresh = entry_new(entry_key(entry), change->room);
        if (fresh == NULL && entry->value_cap < change->room) {
            return ERR_NOMEM;
        }
    }
    struct rwlock_table_value value = {SPAN_NONE, SPAN_NONE};
    enum rwlock_table_verdict verdict = change->decide(change->arg, entry_value(entry), &value);
    bool moves = fresh != NULL && value.head.len + value.body.len <= fresh->value_cap;
    if (verdict == RWLOCK_TABLE_STORE && moves) {
        entry_set(fresh, &value);
        replace(shard, cell, fresh);
        return ERR_OK;
    }
    free(fresh);
    if (verdict == RWLOCK_TABLE_STORE) {
        entry_set(entry, &value);
    } else if (verdict == RWLOCK_TABLE_REMOVE) {
        take_out(table, shard, at);
    }
    return ERR_OK;
}

enum err rwlock_table_update(struct rwlock_table *table, const struct rwlock_table_key *key,
                             const struct rwlock_table_change *change)
{
    struct shard *shard = shard_of(table, key->hash);
    ASSERT(key->bytes.len > 0 && key->bytes.len <= RWLOCK_TABLE_KEY_MAX);
    bool there = false;
    enum err err = ERR_NOT_FOUND;
    pthread_rwlock_wrlock(&shard->lock);
    size_t at = find(table, shard, key, &there);
    if (there) {
        err = update_held(table, shard, at, change);
    } else if (change->create) {
        err = update_absent(table, shard, key, change);
    }
    pthread_rwlock_unlock(&shard->lock);
    return err;
}
