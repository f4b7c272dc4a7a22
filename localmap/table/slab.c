// SPDX-License-Identifier: Apache-2.0
#include "localmap/table/slab.h"

#include "localmap/table/range.h"

#include <stdlib.h>

// Up to EXACT words each size is its own; above, eight sizes to a doubling: at most an eighth is wasted.
#define EXACT 64
#define STEPS_SHIFT 3

#define WINDOW_WORDS (SLAB_CHUNK_MAX / 8)

_Static_assert(SLAB_CHUNK_MAX == RANGE_WINDOW,
               "a chunk of the largest size has a window of its own");

struct slab_chunk {
    struct slab_chunk *older;
    uint32_t first, end; // references
    uint32_t cut;        // up to here there are slots
    uint32_t live;       // bytes of slots in use
    bool closed;         // nothing is taken from it
    // Of a released one: its slots' sizes in words, and the greatest sequence number of all.
    uint16_t *caps;
    uint32_t slots;
    uint32_t seq;
};

// --- sizes

static size_t round_up(size_t words)
{
    if (words <= EXACT) {
        return words;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(words - 1) - STEPS_SHIFT;
    return (((words - 1) >> shift) + 1) << shift;
}

// `words` as round_up gives them.
static size_t size_place(size_t words)
{
    if (words <= EXACT) {
        return words;
    }
    unsigned log = 63u - (unsigned)__builtin_clzll(words - 1);
    size_t step = ((words - 1) >> (log - STEPS_SHIFT)) - (1u << STEPS_SHIFT); // 0..7
    return EXACT + 1 + (size_t)(log - 6) * (1u << STEPS_SHIFT) + step;
}

// --- the slabs

void slab_init(struct slab *slab, struct range *range)
{
    memset(slab, 0, sizeof(*slab));
    slab->range = range;
    slab->chunk_size = SLAB_CHUNK_MIN;
}

static void free_chunks(struct slab_chunk *chunk)
{
    while (chunk != NULL) {
        struct slab_chunk *older = chunk->older;
        free(chunk->caps);
        free(chunk);
        chunk = older;
    }
}

void slab_fini(struct slab *slab)
{
    free_chunks(slab->chunks);
    free_chunks(slab->released);
    free_chunks(slab->ahead);
}

static struct record *at(const struct slab *slab, uint32_t ref)
{
    return slab_at(range_base(slab->range), ref);
}

static struct slab_chunk *chunk_of(const struct slab *slab, uint32_t ref)
{
    return *range_owner(slab->range, 8 * (uint64_t)ref);
}

// --- vacant slots: chained both ways, by the first word, which readers may look at like at any other

static uint32_t link_next(const struct record *record)
{
    return (uint32_t)atomic_load_explicit(&record->words[0], memory_order_relaxed);
}

static uint32_t link_prev(const struct record *record)
{
    return (uint32_t)(atomic_load_explicit(&record->words[0], memory_order_relaxed) >> 32);
}

// Release; pairs with the acquire in words.h: who takes the link for another key's word sees that the
// record has moved.
static void set_links(struct record *record, uint32_t prev, uint32_t next)
{
    atomic_store_explicit(&record->words[0], (uint64_t)prev << 32 | next, memory_order_release);
}

static void chain(struct slab *slab, uint32_t ref)
{
    struct record *record = at(slab, ref);
    uint32_t *first = &slab->vacant[size_place(record->cap)];
    set_links(record, 0, *first);
    if (*first != 0) {
        set_links(at(slab, *first), ref, link_next(at(slab, *first)));
    }
    *first = ref;
}

static void unchain(struct slab *slab, uint32_t ref)
{
    const struct record *record = at(slab, ref);
    uint32_t next = link_next(record);
    uint32_t prev = link_prev(record);
    if (next != 0) {
        set_links(at(slab, next), prev, link_next(at(slab, next)));
    }
    if (prev != 0) {
        set_links(at(slab, prev), link_prev(at(slab, prev)), next);
    } else {
        slab->vacant[size_place(record->cap)] = next;
    }
}

static uint32_t cut(struct slab *slab, size_t words)
{
    uint32_t ref = slab->next;
    slab->next += (uint32_t)words;
    slab->chunks->cut = slab->next;
    at(slab, ref)->cap = (uint16_t)words;
    return ref;
}

// The largest slot that fits into what is left of the chunk, so that little is lost when it is left.
static void use_tail(struct slab *slab)
{
    size_t left = slab->end - slab->next;
    while (left > RECORD_HEAD_LEN / 8) {
        size_t words = left;
        while (round_up(words) != words) {
            words--;
        }
        chain(slab, cut(slab, words));
        left = slab->end - slab->next;
    }
}

// --- chunks

// Gives a released chunk its life back, if it has a slot of so many words.
static bool restore(struct slab *slab, size_t words)
{
    for (struct slab_chunk **link = &slab->released; *link != NULL; link = &(*link)->older) {
        struct slab_chunk *chunk = *link;
        uint32_t place = 0;
        while (place < chunk->slots && chunk->caps[place] != words) {
            place++;
        }
        if (place == chunk->slots) {
            continue;
        }
        *link = chunk->older;
        uint32_t ref = chunk->first;
        for (uint32_t i = 0; i < chunk->slots; ref += chunk->caps[i++]) {
            struct record *record = at(slab, ref);
            record->cap = chunk->caps[i];
            // Release; pairs with the acquire in record_try: from here on it is a slot like others.
            atomic_store_explicit(&record->seq, chunk->seq, memory_order_release);
            chain(slab, ref);
        }
        free(chunk->caps);
        chunk->caps = NULL;
        chunk->closed = false;
        link = &slab->chunks;
        while (*link != NULL && (*link)->first > chunk->first) {
            link = &(*link)->older;
        }
        chunk->older = *link;
        *link = chunk;
        slab->held += SLAB_CHUNK_MAX;
        return true;
    }
    return false;
}

// One that holds a slot of that size at least.  NULL: no memory.
static struct slab_chunk *new_chunk(struct slab *slab, size_t slot_size)
{
    uint64_t place = 0;
    size_t size = slab->chunk_size < slot_size ? SLAB_CHUNK_MAX : slab->chunk_size;
    struct slab_chunk *chunk = calloc(1, sizeof(*chunk));
    if (chunk == NULL || range_take(slab->range, size, 8, &place) != ERR_OK) {
        free(chunk);
        return NULL;
    }
    chunk->first = chunk->cut = (uint32_t)(place / 8);
    chunk->end = (uint32_t)((place + size) / 8);
    if (size == SLAB_CHUNK_MAX) {
        *range_owner(slab->range, place) = chunk;
    }
    slab->held += size;
    slab->chunk_size = size * 2 > SLAB_CHUNK_MAX ? SLAB_CHUNK_MAX : (uint32_t)size * 2;
    return chunk;
}

static size_t chunk_len(const struct slab_chunk *chunk)
{
    return 8 * (size_t)(chunk->end - chunk->first);
}

static void cut_from(struct slab *slab, struct slab_chunk *chunk)
{
    if (slab->chunks != NULL) {
        use_tail(slab);
    }
    chunk->older = slab->chunks;
    slab->chunks = chunk;
    slab->next = chunk->first;
    slab->end = chunk->end;
}

static enum err add_chunk(struct slab *slab, size_t slot_size)
{
    struct slab_chunk *ahead = slab->ahead;
    if (ahead != NULL) {
        slab->ahead = NULL;
        cut_from(slab, ahead);
        if (chunk_len(ahead) >= slot_size) {
            return ERR_OK;
        }
    }
    struct slab_chunk *chunk = new_chunk(slab, slot_size);
    if (chunk == NULL) {
        return ERR_NOMEM;
    }
    cut_from(slab, chunk);
    return ERR_OK;
}

enum err slab_take(struct slab *slab, size_t size, uint32_t *ret_ref)
{
    size_t words = round_up(words_of(size));
    ASSERT(size > RECORD_HEAD_LEN && 8 * words <= SLAB_CHUNK_MAX && size_place(words) < SLAB_SIZES);
    uint32_t *first = &slab->vacant[size_place(words)];
    bool fits = slab->end - slab->next >= words;
    if (*first == 0 && !fits && !restore(slab, words) && add_chunk(slab, 8 * words) != ERR_OK) {
        return ERR_NOMEM;
    }
    uint32_t ref = *first;
    if (ref != 0) {
        unchain(slab, ref);
    } else {
        ref = cut(slab, words);
    }
    struct slab_chunk *chunk = chunk_of(slab, ref);
    if (chunk != NULL) {
        chunk->live += 8 * (uint32_t)words;
    }
    slab->used += 8 * words;
    *ret_ref = ref;
    return ERR_OK;
}

void slab_give(struct slab *slab, uint32_t ref)
{
    const struct record *record = at(slab, ref);
    struct slab_chunk *chunk = chunk_of(slab, ref);
    ASSERT(record_key_len(record) == 0);
    slab->used -= 8 * (uint64_t)record->cap;
    if (chunk != NULL) {
        chunk->live -= 8 * (uint32_t)record->cap;
    }
    if (chunk == NULL || !chunk->closed) {
        chain(slab, ref);
    }
}

enum err slab_reserve(struct slab *slab, size_t bytes)
{
    size_t wanted = bytes < SLAB_CHUNK_MAX ? bytes : SLAB_CHUNK_MAX;
    if (8 * (size_t)(slab->end - slab->next) >= wanted) {
        return ERR_OK;
    }
    // Kept aside until what is left is used: to leave it would waste up to a chunk in each shard.
    if (slab->ahead == NULL) {
        slab->ahead = new_chunk(slab, wanted);
    }
    return slab->ahead != NULL ? ERR_OK : ERR_NOMEM;
}

struct slab_uncut slab_ahead(const struct slab *slab)
{
    const struct slab_chunk *chunk = slab->ahead;
    return chunk == NULL ? (struct slab_uncut){NULL, 0}
                         : (struct slab_uncut){(char *)at(slab, chunk->first), chunk_len(chunk)};
}

struct slab_uncut slab_uncut(const struct slab *slab)
{
    return (struct slab_uncut){(char *)at(slab, slab->next), 8 * (size_t)(slab->end - slab->next)};
}

// --- giving back

struct slab_chunk *slab_sparse(const struct slab *slab, unsigned percent)
{
    const struct slab_chunk *current = slab->chunks;
    struct slab_chunk *sparsest = NULL;
    uint32_t most = SLAB_CHUNK_MAX / 100 * percent;
    for (struct slab_chunk *chunk = slab->chunks; chunk != NULL; chunk = chunk->older) {
        bool whole = chunk->end - chunk->first == WINDOW_WORDS;
        if (chunk != current && whole && chunk_of(slab, chunk->first) == chunk &&
            chunk->live <= most && (sparsest == NULL || chunk->live < sparsest->live)) {
            sparsest = chunk;
        }
    }
    return sparsest;
}

uint32_t slab_chunk_next(const struct slab *slab, const struct slab_chunk *chunk, uint32_t *next)
{
    uint32_t ref = *next == 0 ? chunk->first : *next;
    while (ref < chunk->cut) {
        const struct record *record = at(slab, ref);
        *next = ref + record->cap;
        if (record_key_len(record) > 0) {
            return ref;
        }
        ref = *next;
    }
    return 0;
}

void slab_close(struct slab *slab, struct slab_chunk *chunk)
{
    if (chunk->closed) {
        return;
    }
    for (uint32_t ref = chunk->first; ref < chunk->cut; ref += at(slab, ref)->cap) {
        if (record_key_len(at(slab, ref)) == 0) {
            unchain(slab, ref);
        }
    }
    chunk->closed = true;
}

static void remember(const struct slab *slab, struct slab_chunk *chunk)
{
    uint32_t place = 0;
    for (uint32_t ref = chunk->first; ref < chunk->cut; ref += at(slab, ref)->cap) {
        uint32_t seq = atomic_load_explicit(&at(slab, ref)->seq, memory_order_relaxed);
        chunk->seq = seq > chunk->seq ? seq : chunk->seq;
        chunk->caps[place++] = at(slab, ref)->cap;
    }
}

enum err slab_release(struct slab *slab, struct slab_chunk *chunk)
{
    ASSERT(chunk->closed && chunk->live == 0);
    struct slab_chunk **link = &slab->chunks;
    chunk->slots = 0;
    for (uint32_t ref = chunk->first; ref < chunk->cut; ref += at(slab, ref)->cap) {
        chunk->slots++;
    }
    chunk->caps = calloc(chunk->slots, sizeof(chunk->caps[0]));
    if (chunk->caps == NULL) {
        return ERR_NOMEM;
    }
    remember(slab, chunk);
    while (*link != chunk) {
        link = &(*link)->older;
    }
    *link = chunk->older;
    chunk->older = slab->released;
    slab->released = chunk;
    slab->held -= SLAB_CHUNK_MAX;
    range_give_back((char *)at(slab, chunk->first), SLAB_CHUNK_MAX);
    return ERR_OK;
}

struct slab_chunk *slab_chunk_first(const struct slab *slab)
{
    return slab->chunks;
}

struct slab_chunk *slab_chunk_older(const struct slab_chunk *chunk)
{
    return chunk->older;
}

uint32_t slab_chunk_start(const struct slab_chunk *chunk)
{
    return chunk->first;
}
