// SPDX-License-Identifier: Apache-2.0
#include "base/keyed.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 64

enum err keyed_init(struct keyed *keyed, uint64_t seed)
{
    *keyed = (struct keyed){.mask = BUCKETS_MIN - 1};
    memcpy(keyed->hash_key, &seed, sizeof(seed));
    keyed->buckets = calloc(BUCKETS_MIN, sizeof(struct keyed_node *));
    return keyed->buckets == NULL ? ERR_NOMEM : ERR_OK;
}

void keyed_fini(struct keyed *keyed)
{
    free(keyed->buckets);
    keyed->buckets = NULL;
}

static void link_node(struct keyed *keyed, struct keyed_node *node)
{
    struct keyed_node **bucket = &keyed->buckets[node->hash & keyed->mask];
    node->next = *bucket;
    *bucket = node;
}

static void grow(struct keyed *keyed)
{
    struct keyed old = *keyed;
    size_t buckets = 2 * (old.mask + 1);
    struct keyed_node **grown = calloc(buckets, sizeof(struct keyed_node *));
    if (grown == NULL) {
        return;
    }
    keyed->buckets = grown;
    keyed->mask = buckets - 1;
    for (size_t i = 0; i <= old.mask; i++) {
        while (old.buckets[i] != NULL) {
            struct keyed_node *node = old.buckets[i];
            old.buckets[i] = node->next;
            link_node(keyed, node);
        }
    }
    free(old.buckets);
}

void keyed_add(struct keyed *keyed, struct keyed_node *node)
{
    if (keyed->count > keyed->mask) {
        grow(keyed);
    }
    node->hash = siphash13(keyed->hash_key, node->key.ptr, node->key.len);
    link_node(keyed, node);
    keyed->count++;
}

void keyed_remove(struct keyed *keyed, struct keyed_node *node)
{
    struct keyed_node **link = &keyed->buckets[node->hash & keyed->mask];
    while (*link != node) {
        ASSERT(*link != NULL);
        link = &(*link)->next;
    }
    *link = node->next;
    keyed->count--;
}

struct keyed_node *keyed_find(const struct keyed *keyed, struct span key)
{
    uint64_t hash = siphash13(keyed->hash_key, key.ptr, key.len);
    struct keyed_node *node = keyed->buckets[hash & keyed->mask];
    while (node != NULL && !(node->hash == hash && span_eq(node->key, key))) {
        node = node->next;
    }
    return node;
}

void keyed_each(const struct keyed *keyed, keyed_visit_fn visit, void *arg)
{
    for (size_t i = 0; i <= keyed->mask; i++) {
        for (struct keyed_node *node = keyed->buckets[i]; node != NULL; node = node->next) {
            visit(arg, node);
        }
    }
}

struct keyed_node *keyed_pop(struct keyed *keyed)
{
    for (size_t i = 0; keyed->count > 0 && i <= keyed->mask; i++) {
        struct keyed_node *node = keyed->buckets[i];
        if (node != NULL) {
            keyed->buckets[i] = node->next;
            keyed->count--;
            return node;
        }
    }
    return NULL;
}
