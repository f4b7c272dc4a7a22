// SPDX-License-Identifier: Apache-2.0
#include "localmap/table/table.h"

#include "base/assert.h"
#include "base/random.h"
#include "base/siphash.h"

#include <pthread.h>
#include <stdlib.h>

#define CELLS_MIN 16
#define SHARDS_MAX 65536

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

struct shard {
    pthread_rwlock_t lock; // rank 40; guards all below
    struct cell *cells;
    size_t cell_count; // a power of two
    size_t count;
    size_t bytes;
};

struct table {
    uint8_t secret[SIPHASH_KEY_LEN];
    uint32_t shard_count;
    unsigned shard_shift;
    struct shard *shards;
};

static bool shard_init(struct shard *shard)
{
    shard->cells = calloc(CELLS_MIN, sizeof(struct cell));
    if (shard->cells == NULL) {
        return false;
    }
    if (pthread_rwlock_init(&shard->lock, NULL) != 0) {
        free(shard->cells);
        return false;
    }
    shard->cell_count = CELLS_MIN;
    return true;
}

static void shard_fini(struct shard *shard)
{
    for (size_t i = 0; i < shard->cell_count; i++) {
        free(shard->cells[i].entry);
    }
    free(shard->cells);
    pthread_rwlock_destroy(&shard->lock);
}

enum err table_new(uint32_t shards, struct table **ret_table)
{
    if (shards == 0 || shards > SHARDS_MAX || (shards & (shards - 1)) != 0) {
        return ERR_INVALID;
    }
    struct table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return ERR_NOMEM;
    }
    table->shards = calloc(shards, sizeof(struct shard));
    if (table->shards == NULL) {
        free(table);
        return ERR_NOMEM;
    }
    random_bytes(table->secret, sizeof(table->secret));
    table->shard_shift = 64 - (unsigned)__builtin_ctz(shards); // unused when there is one
    for (; table->shard_count < shards; table->shard_count++) {
        if (!shard_init(&table->shards[table->shard_count])) {
            table_free(table);
            return ERR_NOMEM;
        }
    }
    *ret_table = table;
    return ERR_OK;
}

void table_free(struct table *table)
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

struct table_key table_key(const struct table *table, struct span bytes)
{
    return (struct table_key){bytes, siphash13(table->secret, bytes.ptr, bytes.len)};
}

static struct shard *shard_of(const struct table *table, uint64_t hash)
{
    if (table->shard_count == 1) {
        return &table->shards[0];
    }
    return &table->shards[hash >> table->shard_shift];
}

static struct span entry_key(const struct entry *entry)
{
    return span_of(entry->bytes, entry->key_len);
}

static char *entry_value(struct entry *entry)
{
    return entry->bytes + entry->key_len;
}

// The cell of the key, or the free one where it would go.
static struct cell *find(const struct shard *shard, struct table_key key)
{
    size_t mask = shard->cell_count - 1;
    size_t at = key.hash & mask;
    while (shard->cells[at].entry != NULL) {
        struct cell *cell = &shard->cells[at];
        if (cell->hash == key.hash && span_eq(entry_key(cell->entry), key.bytes)) {
            return cell;
        }
        at = (at + 1) & mask;
    }
    return &shard->cells[at];
}

bool table_read(const struct table *table, struct table_key key, table_look_fn look, void *arg)
{
    struct shard *shard = shard_of(table, key.hash);
    pthread_rwlock_rdlock(&shard->lock);
    struct entry *entry = find(shard, key)->entry;
    if (entry != NULL) {
        look(arg, span_of(entry_value(entry), entry->value_len));
    }
    pthread_rwlock_unlock(&shard->lock);
    return entry != NULL;
}

bool table_edit(struct table *table, struct table_key key, table_edit_fn edit, void *arg)
{
    struct shard *shard = shard_of(table, key.hash);
    pthread_rwlock_wrlock(&shard->lock);
    struct entry *entry = find(shard, key)->entry;
    if (entry != NULL) {
        edit(arg, entry_value(entry), entry->value_len);
    }
    pthread_rwlock_unlock(&shard->lock);
    return entry != NULL;
}

static bool grow(struct shard *shard)
{
    size_t cell_count = shard->cell_count * 2;
    struct cell *cells = calloc(cell_count, sizeof(struct cell));
    if (cells == NULL) {
        return false;
    }
    for (size_t i = 0; i < shard->cell_count; i++) {
        if (shard->cells[i].entry == NULL) {
            continue;
        }
        size_t at = shard->cells[i].hash & (cell_count - 1);
        while (cells[at].entry != NULL) {
            at = (at + 1) & (cell_count - 1);
        }
        cells[at] = shard->cells[i];
    }
    free(shard->cells);
    shard->cells = cells;
    shard->cell_count = cell_count;
    return true;
}

static struct entry *entry_new(struct span key, size_t value_len)
{
    size_t cap = (value_len + 15) / 16 * 16;
    struct entry *entry = malloc(sizeof(*entry) + key.len + cap);
    if (entry != NULL) {
        entry->key_len = (uint32_t)key.len;
        entry->value_cap = (uint32_t)cap;
        memcpy(entry->bytes, key.ptr, key.len);
    }
    return entry;
}

static size_t entry_bytes(const struct entry *entry)
{
    return sizeof(*entry) + entry->key_len + entry->value_cap;
}

static void entry_set(struct entry *entry, const struct table_value *value)
{
    char *place = entry_value(entry);
    memcpy(place, value->head.ptr, value->head.len);
    if (value->body.len > 0) {
        // The body may be a part of the very value that it replaces.
        memmove(place + value->head.len, value->body.ptr, value->body.len);
    }
    entry->value_len = (uint32_t)(value->head.len + value->body.len);
}

static enum err store(struct shard *shard, struct table_key key, const struct table_value *value)
{
    size_t len = value->head.len + value->body.len;
    struct cell *cell = find(shard, key);
    if (cell->entry != NULL && cell->entry->value_cap >= len &&
        cell->entry->value_cap <= 2 * len + 64) {
        entry_set(cell->entry, value);
        return ERR_OK;
    }
    if (cell->entry == NULL && (shard->count + 1) * 4 > shard->cell_count * 3) {
        if (!grow(shard)) {
            return ERR_NOMEM;
        }
        cell = find(shard, key);
    }
    struct entry *entry = entry_new(key.bytes, len);
    if (entry == NULL) {
        return ERR_NOMEM;
    }
    entry_set(entry, value);
    shard->bytes += entry_bytes(entry);
    if (cell->entry != NULL) {
        shard->bytes -= entry_bytes(cell->entry);
        free(cell->entry);
    } else {
        shard->count++;
    }
    *cell = (struct cell){key.hash, entry};
    return ERR_OK;
}

// Backward shift: whoever was pushed past the hole moves into it, so that no chain is cut.
static void take_out(struct shard *shard, struct cell *cell)
{
    size_t mask = shard->cell_count - 1;
    size_t hole = (size_t)(cell - shard->cells);
    shard->bytes -= entry_bytes(cell->entry);
    free(cell->entry);
    for (size_t at = (hole + 1) & mask; shard->cells[at].entry != NULL; at = (at + 1) & mask) {
        size_t home = shard->cells[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            shard->cells[hole] = shard->cells[at];
            hole = at;
        }
    }
    shard->cells[hole] = (struct cell){0, NULL};
    shard->count--;
}

enum err table_update(struct table *table, struct table_key key, table_decide_fn decide, void *arg)
{
    struct shard *shard = shard_of(table, key.hash);
    enum err err = ERR_OK;
    pthread_rwlock_wrlock(&shard->lock);
    struct cell *cell = find(shard, key);
    struct span old = SPAN_NONE;
    if (cell->entry != NULL) {
        old = span_of(entry_value(cell->entry), cell->entry->value_len);
    }
    struct table_value value = {SPAN_NONE, SPAN_NONE};
    switch (decide(arg, old, &value)) {
    case TABLE_STORE:
        err = store(shard, key, &value);
        break;
    case TABLE_REMOVE:
        if (cell->entry != NULL) {
            take_out(shard, cell);
        }
        break;
    case TABLE_KEEP:
    default:
        break;
    }
    pthread_rwlock_unlock(&shard->lock);
    return err;
}

// The keys of one shard, copied together: length (4 B), bytes.
static char *copy_keys(struct shard *shard, size_t *ret_len)
{
    pthread_rwlock_rdlock(&shard->lock);
    size_t len = 0;
    for (size_t i = 0; i < shard->cell_count; i++) {
        len += shard->cells[i].entry != NULL ? sizeof(uint32_t) + shard->cells[i].entry->key_len : 0;
    }
    char *keys = malloc(len + 1);
    size_t at = 0;
    for (size_t i = 0; keys != NULL && i < shard->cell_count; i++) {
        const struct entry *entry = shard->cells[i].entry;
        if (entry != NULL) {
            memcpy(keys + at, &entry->key_len, sizeof(uint32_t));
            memcpy(keys + at + sizeof(uint32_t), entry->bytes, entry->key_len);
            at += sizeof(uint32_t) + entry->key_len;
        }
    }
    pthread_rwlock_unlock(&shard->lock);
    *ret_len = len;
    return keys;
}

enum err table_keys(const struct table *table, table_visit_fn visit, void *arg)
{
    for (uint32_t s = 0; s < table->shard_count; s++) {
        size_t len = 0;
        char *keys = copy_keys(&table->shards[s], &len);
        if (keys == NULL) {
            return ERR_NOMEM;
        }
        bool more = true;
        for (size_t at = 0; at < len && more;) {
            uint32_t key_len = 0;
            memcpy(&key_len, keys + at, sizeof(key_len));
            more = visit(arg, span_of(keys + at + sizeof(key_len), key_len));
            at += sizeof(key_len) + key_len;
        }
        free(keys);
        if (!more) {
            break;
        }
    }
    return ERR_OK;
}

static uint64_t sum_shards(const struct table *table, bool bytes)
{
    uint64_t sum = 0;
    for (uint32_t s = 0; s < table->shard_count; s++) {
        struct shard *shard = &table->shards[s];
        pthread_rwlock_rdlock(&shard->lock);
        sum += bytes ? shard->bytes + shard->cell_count * sizeof(struct cell) : shard->count;
        pthread_rwlock_unlock(&shard->lock);
    }
    return sum;
}

uint64_t table_count(const struct table *table)
{
    return sum_shards(table, false);
}

uint64_t table_bytes(const struct table *table)
{
    return sum_shards(table, true);
}
