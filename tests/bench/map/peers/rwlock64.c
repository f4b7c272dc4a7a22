// SPDX-License-Identifier: Apache-2.0
// The dull baseline, and a serious one: 64 stripes, each an open-addressed index under a pthread_rwlock.  With
// STRIPE_BITS 0 it is one map under one lock.
//
//     hash: top 6 bits --> stripe; low 32 --> cells (hash, number) --> records in chunks, never moved
//
// Values are replaced in place.
#include "tests/bench/map/peer.h"
#include "tests/bench/report.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#ifndef STRIPE_BITS
#define STRIPE_BITS 6
#endif
#define STRIPES (1u << STRIPE_BITS)
#define CHUNK 256u // records
#define CELLS_MIN 64u

const char *const peer_name = STRIPE_BITS == 0 ? "rwlock1" : "rwlock64";

struct record {
    struct peer_key key;
    struct peer_value value;
};

struct cell {
    uint32_t hash;
    uint32_t number; // of the record, from 1 on; 0: free
};

struct stripe {
    _Alignas(128) pthread_rwlock_t lock; // guards all below
    struct cell *cells;
    uint32_t mask;
    uint32_t count;
    struct record **chunks;
};

static struct stripe stripes[STRIPES];

static void *need(void *memory)
{
    if (memory == NULL) {
        report_give_up("no memory");
    }
    return memory;
}

void peer_open(void)
{
    for (size_t i = 0; i < STRIPES; i++) {
        pthread_rwlock_init(&stripes[i].lock, NULL);
        stripes[i].mask = CELLS_MIN - 1;
        stripes[i].cells = need(calloc(CELLS_MIN, sizeof(struct cell)));
    }
}

static struct stripe *stripe_of(uint64_t hash)
{
    return &stripes[STRIPE_BITS == 0 ? 0 : hash >> (64 - (STRIPE_BITS + (STRIPE_BITS == 0)))];
}

static struct record *record_at(const struct stripe *stripe, uint32_t number)
{
    return &stripe->chunks[(number - 1) / CHUNK][(number - 1) % CHUNK];
}

// The cell of the key, or the free one where it would stand.
static struct cell *find(const struct stripe *stripe, uint32_t hash, const struct peer_key *key)
{
    for (uint32_t i = hash;; i++) {
        struct cell *cell = &stripe->cells[i & stripe->mask];
        if (cell->number == 0) {
            return cell;
        }
        if (cell->hash == hash &&
            memcmp(record_at(stripe, cell->number)->key.bytes, key->bytes, PEER_KEY_LEN) == 0) {
            return cell;
        }
    }
}

bool peer_get(const struct peer_key *key, struct peer_value *ret_value)
{
    uint64_t hash = peer_hash(key);
    struct stripe *stripe = stripe_of(hash);
    pthread_rwlock_rdlock(&stripe->lock);
    const struct cell *cell = find(stripe, (uint32_t)hash, key);
    bool found = cell->number != 0;
    if (found) {
        *ret_value = record_at(stripe, cell->number)->value;
    }
    pthread_rwlock_unlock(&stripe->lock);
    return found;
}

// One stripe after the other, each under its lock: a put waits for the stripe.
size_t peer_walk(void)
{
    size_t met = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < STRIPES; i++) {
        pthread_rwlock_rdlock(&stripes[i].lock);
        for (uint32_t number = 1; number <= stripes[i].count; number++) {
            sum += record_at(&stripes[i], number)->value.words[0];
            met++;
        }
        pthread_rwlock_unlock(&stripes[i].lock);
    }
    return met + (sum == 1 ? 1 : 0); // so that the records are looked at
}

static void grow(struct stripe *stripe)
{
    uint32_t old_count = stripe->mask + 1;
    struct cell *old = stripe->cells;
    stripe->cells = need(calloc((size_t)old_count * 2, sizeof(struct cell)));
    stripe->mask = old_count * 2 - 1;
    for (uint32_t i = 0; i < old_count; i++) {
        if (old[i].number != 0) {
            uint32_t at = old[i].hash;
            while (stripe->cells[at & stripe->mask].number != 0) {
                at++;
            }
            stripe->cells[at & stripe->mask] = old[i];
        }
    }
    free(old);
}

static struct cell *insert(struct stripe *stripe, uint32_t hash, const struct peer_key *key)
{
    if ((stripe->count + 1) * UINT64_C(10) > (stripe->mask + 1) * UINT64_C(8)) {
        grow(stripe);
    }
    if (stripe->count % CHUNK == 0) {
        size_t chunk = stripe->count / CHUNK;
        stripe->chunks = need(realloc(stripe->chunks, (chunk + 1) * sizeof(*stripe->chunks)));
        stripe->chunks[chunk] = need(malloc(CHUNK * sizeof(struct record)));
    }
    struct cell *cell = find(stripe, hash, key);
    *cell = (struct cell){hash, ++stripe->count};
    record_at(stripe, cell->number)->key = *key;
    return cell;
}

void peer_put(const struct peer_key *key, const struct peer_value *value)
{
    uint64_t hash = peer_hash(key);
    struct stripe *stripe = stripe_of(hash);
    pthread_rwlock_wrlock(&stripe->lock);
    struct cell *cell = find(stripe, (uint32_t)hash, key);
    if (cell->number == 0) {
        cell = insert(stripe, (uint32_t)hash, key);
    }
    record_at(stripe, cell->number)->value = *value;
    pthread_rwlock_unlock(&stripe->lock);
}
