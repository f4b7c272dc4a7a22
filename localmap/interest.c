// SPDX-License-Identifier: Apache-2.0
#include "localmap/interest.h"

#include "base/assert.h"
#include "base/keyed.h"
#include "base/random.h"

#include <pthread.h>
#include <stdlib.h>

#define FILTER_LEN_MAX (KEY_TENANT_MAX + 1 + KEY_SERVICE_MAX)

// One filter: tenant 0 service, either of them empty for any.
struct followed {
    struct keyed_node node;
    uint32_t count;
    char key[];
};

struct interest {
    pthread_mutex_t lock; // rank 25; guards the table
    struct keyed all;
};

enum err interest_new(struct interest **ret_interest)
{
    struct interest *interest = calloc(1, sizeof(*interest));
    if (interest == NULL) {
        return ERR_NOMEM;
    }
    if (keyed_init(&interest->all, random_u64()) != ERR_OK) {
        goto free_interest;
    }
    if (pthread_mutex_init(&interest->lock, NULL) != 0) {
        goto fini_all;
    }
    *ret_interest = interest;
    return ERR_OK;

fini_all:
    keyed_fini(&interest->all);
free_interest:
    free(interest);
    return ERR_NOMEM;
}

static struct followed *followed_of(struct keyed_node *node)
{
    return (struct followed *)(void *)((char *)node - offsetof(struct followed, node));
}

void interest_free(struct interest *interest)
{
    struct keyed_node *node = NULL;
    if (interest == NULL) {
        return;
    }
    while ((node = keyed_pop(&interest->all)) != NULL) {
        free(followed_of(node));
    }
    pthread_mutex_destroy(&interest->lock);
    keyed_fini(&interest->all);
    free(interest);
}

static struct span join(struct span tenant, struct span service, char place[FILTER_LEN_MAX])
{
    ASSERT(tenant.len <= KEY_TENANT_MAX && service.len <= KEY_SERVICE_MAX);
    if (tenant.len > 0) {
        memcpy(place, tenant.ptr, tenant.len);
    }
    place[tenant.len] = '\0';
    if (service.len > 0) {
        memcpy(place + tenant.len + 1, service.ptr, service.len);
    }
    return span_of(place, tenant.len + 1 + service.len);
}

static struct followed *find(const struct interest *interest, struct span key)
{
    struct keyed_node *node = keyed_find(&interest->all, key);
    return node == NULL ? NULL : followed_of(node);
}

static struct followed *add_new(struct interest *interest, struct span key)
{
    struct followed *followed = calloc(1, sizeof(*followed) + key.len);
    if (followed != NULL) {
        memcpy(followed->key, key.ptr, key.len);
        followed->node.key = span_of(followed->key, key.len);
        keyed_add(&interest->all, &followed->node);
    }
    return followed;
}

enum err interest_add(struct interest *interest, const struct map_filter *filter)
{
    char place[FILTER_LEN_MAX];
    struct span key = join(filter->tenant, filter->service, place);
    pthread_mutex_lock(&interest->lock);
    struct followed *followed = find(interest, key);
    followed = followed != NULL ? followed : add_new(interest, key);
    if (followed != NULL) {
        followed->count++;
    }
    pthread_mutex_unlock(&interest->lock);
    return followed != NULL ? ERR_OK : ERR_NOMEM;
}

void interest_drop(struct interest *interest, const struct map_filter *filter)
{
    char place[FILTER_LEN_MAX];
    struct span key = join(filter->tenant, filter->service, place);
    pthread_mutex_lock(&interest->lock);
    struct followed *followed = find(interest, key);
    ASSERT(followed != NULL && followed->count > 0);
    followed->count--;
    if (followed->count == 0) {
        keyed_remove(&interest->all, &followed->node);
        free(followed);
    }
    pthread_mutex_unlock(&interest->lock);
}

void interest_begin(struct interest *interest)
{
    pthread_mutex_lock(&interest->lock);
}

bool interest_has(const struct interest *interest, struct span service_key)
{
    char place[FILTER_LEN_MAX];
    const char *end = memchr(service_key.ptr, '\0', service_key.len);
    if (interest->all.count == 0 || end == NULL) {
        return false;
    }
    struct span tenant = span_of(service_key.ptr, (size_t)(end - service_key.ptr));
    struct span service = span_of(end + 1, service_key.len - tenant.len - 1);
    return find(interest, service_key) != NULL ||
           find(interest, join(tenant, SPAN_NONE, place)) != NULL ||
           find(interest, join(SPAN_NONE, service, place)) != NULL ||
           find(interest, join(SPAN_NONE, SPAN_NONE, place)) != NULL;
}

void interest_end(struct interest *interest)
{
    pthread_mutex_unlock(&interest->lock);
}
