// SPDX-License-Identifier: Apache-2.0
#include "localmap/service_index.h"

#include "base/assert.h"
#include "base/random.h"

#define SEGMENT_MIN 32u

_Static_assert(SERVICE_COUNTS % 2 == 0, "two counts in a word");
_Static_assert(sizeof(struct service) <= 128, "two lines of the cache");

void service_index_init(struct service_index *index)
{
    random_bytes(index->secret, sizeof(index->secret));
}

uint64_t service_index_hash(const struct service_index *index, struct span key)
{
    return siphash13(index->secret, key.ptr, key.len);
}

// --- reading

static uint64_t load(const char *bytes)
{
    uint64_t bits = 0;
    memcpy(&bits, bytes, sizeof(bits));
    return bits;
}

// The last bytes of a key, those of a full word unless it is shorter.
static uint64_t tail_of(struct span key)
{
    uint64_t bits = 0;
    if (key.len >= sizeof(bits)) {
        return load(key.ptr + key.len - sizeof(bits));
    }
    memcpy(&bits, key.ptr, key.len);
    return bits;
}

static size_t tail_at(size_t key_len)
{
    return (key_len + sizeof(struct word) - 1) / sizeof(struct word);
}

static bool same_key(const struct word *words, struct span key)
{
    uint64_t differs = word_get(&words[tail_at(key.len)]) ^ tail_of(key);
    for (size_t i = 0; i < key.len / sizeof(struct word); i++) {
        differs |= word_get(&words[i]) ^ load(key.ptr + i * sizeof(struct word));
    }
    return differs == 0;
}

// false: it is another one, or none.
static bool read_service(const struct service *service, struct span key,
                         struct service_copy *ret_copy)
{
    for (;;) {
        uint64_t noted = sequence_begin(&service->sequence);
        uint64_t life = word_get(&service->life);
        uint64_t key_len = word_get(&service->key_len);
        const struct word *words = word_pointer(&service->key);
        if (!sequence_holds(&service->sequence, noted)) {
            continue;
        }
        if ((life & 1) == 0 || key_len != key.len || !same_key(words, key)) {
            // The key of a life stands still: what was compared was it, or the next look finds the life over.
            if (sequence_holds(&service->sequence, noted)) {
                return false;
            }
            continue;
        }
        for (size_t i = 0; i < SERVICE_COUNTS / 2; i++) {
            ret_copy->counts[i] = word_get(&service->counts[i]);
        }
        ret_copy->service = service;
        ret_copy->life = life;
        ret_copy->revision = word_get(&service->revision);
        ret_copy->policy = word_get(&service->policy) != 0;
        if (sequence_holds(&service->sequence, noted)) {
            return true;
        }
    }
}

// What a reader has of the cells; they may be followed while `noted` holds.
struct cells {
    const struct service_index *index;
    uint64_t noted;
    const struct word *cells;
    uint64_t mask;
};

static bool cells_hold(const struct cells *cells)
{
    return sequence_holds(&cells->index->sequence, cells->noted);
}

static bool look_up(const struct cells *cells, uint64_t hash, struct span key,
                    struct service_copy *ret_copy)
{
    for (uint64_t i = 0; i <= cells->mask; i++) {
        const struct service *service = word_pointer(&cells->cells[(hash + i) & cells->mask]);
        if (service == NULL || !cells_hold(cells)) {
            return false;
        }
        if (word_get(&service->hash) == hash && read_service(service, key, ret_copy)) {
            return true;
        }
    }
    return false;
}

bool service_index_read(const struct service_index *index, struct span key,
                        struct service_copy *ret_copy)
{
    uint64_t hash = service_index_hash(index, key);
    for (;;) {
        struct cells cells = {.index = index, .noted = sequence_begin(&index->sequence)};
        cells.cells = word_pointer(&index->cells);
        cells.mask = word_get(&index->mask);
        if (!cells_hold(&cells)) {
            continue;
        }
        if (cells.cells != NULL && look_up(&cells, hash, key, ret_copy)) {
            return true; // whatever became of the cells: it was there, under this key
        }
        if (cells_hold(&cells)) {
            return false;
        }
    }
}

// --- writing

static uint64_t mask_of(const struct service_index *index)
{
    return word_get(&index->mask);
}

static struct word *cells_of(const struct service_index *index)
{
    return word_pointer(&index->cells);
}

// Nothing moves under a writer: it looks where things lie.
struct service *service_index_find(const struct service_index *index, struct span key)
{
    const struct word *cells = cells_of(index);
    uint64_t mask = mask_of(index);
    uint64_t hash = service_index_hash(index, key);
    for (uint64_t at = hash & mask; cells != NULL; at = (at + 1) & mask) {
        struct service *service = word_pointer(&cells[at]);
        if (service == NULL ||
            (word_get(&service->hash) == hash && span_eq(service_key(service), key))) {
            return service;
        }
    }
    return NULL;
}

struct service *service_index_at(const struct service_index *index, uint32_t number)
{
    unsigned segment = 31U - (unsigned)__builtin_clz(number / SEGMENT_MIN + 1);
    return &index->segments[segment][number - ((1U << segment) - 1) * SEGMENT_MIN];
}

struct span service_key(const struct service *service)
{
    return span_of(word_pointer(&service->key), word_get(&service->key_len));
}

bool service_has_evicted(const struct service *service)
{
    uint64_t bits = word_get(&service->counts[SERVICE_EVICTED / 2]);
    return (uint32_t)(bits >> (SERVICE_EVICTED % 2 * 32)) > 0;
}

void service_count_by(struct service *service, unsigned which, int by)
{
    struct word *word = &service->counts[which / 2];
    unsigned shift = which % 2 * 32;
    uint32_t count = (uint32_t)(word_get(word) >> shift) + (uint32_t)by; // wraps: -1 takes one away
    word_set(word, (word_get(word) & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)count << shift);
}

static void put_in(struct word *cells, uint64_t mask, const struct service *service)
{
    uint64_t at = word_get(&service->hash) & mask;
    while (word_pointer(&cells[at]) != NULL) {
        at = (at + 1) & mask;
    }
    word_set_pointer(&cells[at], service);
}

// Those behind it that are not at home move back, so that no run is cut.
static void take_out(struct word *cells, uint64_t mask, const struct service *service)
{
    uint64_t hole = word_get(&service->hash) & mask;
    while (word_pointer(&cells[hole]) != service) {
        hole = (hole + 1) & mask;
    }
    for (uint64_t at = (hole + 1) & mask;; at = (at + 1) & mask) {
        const struct service *other = word_pointer(&cells[at]);
        if (other == NULL) {
            break;
        }
        uint64_t home = word_get(&other->hash) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            word_set_pointer(&cells[hole], other);
            hole = at;
        }
    }
    word_set_pointer(&cells[hole], NULL);
}

// Room for one more in the cells.
static bool reserve_cell(struct service_index *index, struct blocks *blocks)
{
    struct word *old = cells_of(index);
    size_t count = old == NULL ? 0 : mask_of(index) + 1;
    if ((index->live + 1) * 2 <= count) {
        return true;
    }
    unsigned size_class = blocks_class((count == 0 ? 1 : count * 2) * sizeof(struct word));
    struct word *cells = blocks_take(blocks, size_class);
    if (cells == NULL) {
        return false;
    }
    uint64_t mask = BLOCKS_WORDS(size_class) - 1;
    for (uint64_t i = 0; i <= mask; i++) {
        word_set_pointer(&cells[i], NULL);
    }
    for (size_t i = 0; i < count; i++) {
        const struct service *service = word_pointer(&old[i]);
        if (service != NULL) {
            put_in(cells, mask, service);
        }
    }
    sequence_open(&index->sequence);
    word_set_pointer(&index->cells, cells);
    word_set(&index->mask, mask);
    sequence_close(&index->sequence);
    if (old != NULL) {
        blocks_give(blocks, blocks_class(count * sizeof(struct word)), old);
    }
    return true;
}

// A segment's block is never given back, so that a service stays one for ever.
static struct service *reserve_service(struct service_index *index, struct blocks *blocks)
{
    if (index->idle != 0) {
        return service_index_at(index, index->idle - 1);
    }
    unsigned segment = 31U - (unsigned)__builtin_clz(index->numbers / SEGMENT_MIN + 1);
    ASSERT(segment < SERVICE_INDEX_SEGMENTS);
    if (index->segments[segment] == NULL) {
        size_t bytes = ((size_t)SEGMENT_MIN << segment) * sizeof(struct service);
        struct word *block = blocks_take(blocks, blocks_class(bytes));
        if (block == NULL) {
            return NULL;
        }
        for (size_t i = 0; i < bytes / sizeof(struct word); i++) {
            word_set(&block[i], 0);
        }
        index->segments[segment] = (struct service *)(void *)block;
    }
    struct service *service = service_index_at(index, index->numbers);
    service->number = index->numbers;
    return service;
}

static unsigned key_class(size_t key_len)
{
    return blocks_class((tail_at(key_len) + 1) * sizeof(struct word));
}

static struct word *copy_key(struct blocks *blocks, struct span key)
{
    struct word *words = blocks_take(blocks, key_class(key.len));
    if (words == NULL) {
        return NULL;
    }
    for (size_t at = 0; at < key.len; at += sizeof(struct word)) {
        size_t left = key.len - at;
        uint64_t bits = 0;
        memcpy(&bits, key.ptr + at, left < sizeof(bits) ? left : sizeof(bits));
        word_set(&words[at / sizeof(struct word)], bits);
    }
    word_set(&words[tail_at(key.len)], tail_of(key));
    return words;
}

struct service *service_index_open(struct service_index *index, struct blocks *blocks,
                                   struct span key)
{
    struct service *service = reserve_service(index, blocks);
    struct word *words = NULL;
    if (service == NULL || !reserve_cell(index, blocks) ||
        (words = copy_key(blocks, key)) == NULL) {
        return NULL;
    }
    if (index->idle != 0) {
        index->idle = service->idle;
    } else {
        index->numbers++;
    }
    sequence_open(&service->sequence);
    word_set(&service->hash, service_index_hash(index, key));
    word_set_pointer(&service->key, words);
    word_set(&service->key_len, key.len);
    word_set(&service->life, word_get(&service->life) + 1);
    for (size_t i = 0; i < SERVICE_COUNTS / 2; i++) {
        word_set(&service->counts[i], 0);
    }
    word_set(&service->revision, 0);
    word_set(&service->policy, 0);
    sequence_close(&service->sequence);
    sequence_open(&index->sequence);
    put_in(cells_of(index), mask_of(index), service);
    sequence_close(&index->sequence);
    index->live++;
    return service;
}

void service_index_close(struct service_index *index, struct blocks *blocks,
                         struct service *service)
{
    sequence_open(&index->sequence);
    take_out(cells_of(index), mask_of(index), service);
    sequence_close(&index->sequence);
    sequence_open(&service->sequence);
    word_set(&service->life, word_get(&service->life) + 1);
    sequence_close(&service->sequence);
    blocks_give(blocks, key_class(word_get(&service->key_len)), word_pointer(&service->key));
    service->idle = index->idle;
    index->idle = service->number + 1;
    index->live--;
}
