// SPDX-License-Identifier: Apache-2.0
#include "localmap/services.h"

#include "base/keyed.h"
#include "base/random.h"
#include "localmap/ordered.h"

#include <pthread.h>
#include <stdlib.h>

struct service {
    struct ordered_item item;
    struct keyed_node node;
    struct ordered members;
    uint32_t partition;
    uint32_t instances;
    uint32_t by_status[STATUS_COUNT];
    uint32_t guarded;
    uint32_t evicted;
    bool policy;
    uint64_t revision;
    char key[];
};

struct services_member {
    struct ordered_item item;
    struct service *service;
    bool registration;
    struct services_change now;
    char key[];
};

struct services {
    pthread_rwlock_t lock; // rank 40; guards all below
    struct ordered all;
    struct keyed by_key; // the same
    uint32_t partitions;
    uint64_t by_status[STATUS_COUNT];
    uint64_t evicted; // services
    uint64_t bytes;
};

enum err services_new(uint32_t partitions, struct services **ret_services)
{
    struct services *services = calloc(1, sizeof(*services));
    if (services == NULL) {
        return ERR_NOMEM;
    }
    services->partitions = partitions;
    if (keyed_init(&services->by_key, random_u64()) != ERR_OK) {
        free(services);
        return ERR_NOMEM;
    }
    if (pthread_rwlock_init(&services->lock, NULL) != 0) {
        keyed_fini(&services->by_key);
        free(services);
        return ERR_NOMEM;
    }
    *ret_services = services;
    return ERR_OK;
}

static void service_free(struct service *service)
{
    struct ordered_place place = ordered_after(&service->members, SPAN_NONE);
    struct services_member *member = NULL;
    while ((member = ordered_next(&service->members, &place)) != NULL) {
        free(member);
    }
    ordered_fini(&service->members);
    free(service);
}

void services_free(struct services *services)
{
    if (services == NULL) {
        return;
    }
    struct ordered_place place = ordered_after(&services->all, SPAN_NONE);
    struct service *service = NULL;
    while ((service = ordered_next(&services->all, &place)) != NULL) {
        service_free(service);
    }
    ordered_fini(&services->all);
    keyed_fini(&services->by_key);
    pthread_rwlock_destroy(&services->lock);
    free(services);
}

static struct service *service_find(const struct services *services, struct span key)
{
    struct keyed_node *node = keyed_find(&services->by_key, key);
    return node == NULL ? NULL
                        : (struct service *)(void *)((char *)node - offsetof(struct service, node));
}

static struct service *service_open(struct services *services, struct span key)
{
    struct service *service = service_find(services, key);
    if (service != NULL) {
        return service;
    }
    service = calloc(1, sizeof(*service) + key.len);
    if (service == NULL) {
        return NULL;
    }
    memcpy(service->key, key.ptr, key.len);
    service->item = (struct ordered_item){(uint32_t)key.len, service->key};
    service->node.key = span_of(service->key, key.len);
    service->partition = key_partition(key, services->partitions);
    if (ordered_add(&services->all, &service->item) != ERR_OK) {
        free(service);
        return NULL;
    }
    keyed_add(&services->by_key, &service->node);
    services->bytes += sizeof(*service) + key.len;
    return service;
}

static void service_close_if_empty(struct services *services, struct service *service)
{
    if (service->members.count == 0) {
        services->bytes -= sizeof(*service) + service->item.key_len;
        keyed_remove(&services->by_key, &service->node);
        ordered_remove(&services->all, span_of(service->item.key, service->item.key_len));
        service_free(service);
    }
}

static struct services_member *member_new(struct services *services, struct service *service,
                                          struct span key)
{
    struct services_member *member = malloc(sizeof(*member) + key.len);
    if (member == NULL) {
        return NULL;
    }
    memcpy(member->key, key.ptr, key.len);
    member->item = (struct ordered_item){(uint32_t)key.len, member->key};
    member->service = service;
    // A registration is the instance prefix itself; a policy or node key has none.
    member->registration = key_instance_prefix(key).len == key.len;
    member->now = (struct services_change){.shown = false};
    if (ordered_add(&service->members, &member->item) != ERR_OK) {
        free(member);
        return NULL;
    }
    services->bytes += sizeof(*member) + key.len + sizeof(void *);
    return member;
}

static void tally_evicted(struct services *services, struct service *service, int by)
{
    services->evicted -= service->evicted > 0;
    service->evicted += (uint32_t)by;
    services->evicted += service->evicted > 0;
}

// Adds (`by` 1) or takes away (-1) what a member counts for.
static void tally(struct services *services, const struct services_member *member, int by)
{
    struct service *service = member->service;
    if (!member->now.shown) {
        return;
    }
    if (member->now.evicted) {
        tally_evicted(services, service, by);
    }
    if (!member->registration) {
        if (member->item.key_len == service->item.key_len) {
            service->policy = by > 0;
        }
        return;
    }
    // Unsigned numbers wrap: adding -1 takes one away.
    service->instances += (uint32_t)by;
    service->by_status[member->now.status] += (uint32_t)by;
    service->guarded += member->now.guarded ? (uint32_t)by : 0;
    services->by_status[member->now.status] += (uint64_t)(int64_t)by;
}

static void change_member(struct services *services, struct services_member *member,
                          const struct services_change *change)
{
    tally(services, member, -1);
    member->now = *change;
    tally(services, member, 1);
}

enum err services_add(struct services *services, struct span key,
                      const struct services_change *change, struct services_member **ret_member)
{
    struct services_member *member = NULL;
    pthread_rwlock_wrlock(&services->lock);
    struct service *service = service_open(services, key_service_prefix(key));
    if (service != NULL) {
        member = member_new(services, service, key);
        if (member == NULL) {
            service_close_if_empty(services, service);
        }
    }
    if (member != NULL) {
        change_member(services, member, change);
        *ret_member = member;
    }
    pthread_rwlock_unlock(&services->lock);
    return member != NULL ? ERR_OK : ERR_NOMEM;
}

void services_set(struct services *services, struct services_member *member,
                  const struct services_change *change)
{
    pthread_rwlock_wrlock(&services->lock);
    change_member(services, member, change);
    pthread_rwlock_unlock(&services->lock);
}

uint64_t services_tell(struct services *services, struct services_member *member,
                       const struct services_change *change, struct feed *feed)
{
    pthread_rwlock_wrlock(&services->lock);
    change_member(services, member, change);
    uint64_t index = feed_append(feed, span_of(member->item.key, member->item.key_len));
    member->service->revision = index;
    pthread_rwlock_unlock(&services->lock);
    return index;
}

uint64_t services_announce(struct services *services, struct feed *feed, struct span key)
{
    pthread_rwlock_wrlock(&services->lock);
    struct service *service = service_find(services, key_service_prefix(key));
    uint64_t index = feed_append(feed, key);
    if (service != NULL) {
        service->revision = index;
    }
    pthread_rwlock_unlock(&services->lock);
    return index;
}

void services_drop(struct services *services, struct services_member *member)
{
    pthread_rwlock_wrlock(&services->lock);
    struct service *service = member->service;
    tally(services, member, -1);
    services->bytes -= sizeof(*member) + member->item.key_len + sizeof(void *);
    ordered_remove(&service->members, span_of(member->item.key, member->item.key_len));
    free(member);
    service_close_if_empty(services, service);
    pthread_rwlock_unlock(&services->lock);
}

uint32_t services_partition(const struct services_member *member)
{
    return member->service->partition;
}

static void copy_service(const struct service *service, struct map_service *ret)
{
    ret->key.len = (uint16_t)service->item.key_len;
    memcpy(ret->key.ptr, service->item.key, service->item.key_len);
    ret->instances = service->instances;
    memcpy(ret->by_status, service->by_status, sizeof(ret->by_status));
    ret->guarded = service->guarded;
    ret->evicted = service->evicted;
    ret->policy = service->policy;
    ret->revision = service->revision;
}

static bool is_there(const struct service *service)
{
    return service != NULL && (service->policy || service->instances > 0);
}

bool services_get(struct services *services, struct span service_key, struct map_service *ret)
{
    pthread_rwlock_rdlock(&services->lock);
    const struct service *service = service_find(services, service_key);
    bool there = is_there(service);
    if (there) {
        copy_service(service, ret);
    }
    pthread_rwlock_unlock(&services->lock);
    return there;
}

bool services_next(struct services *services, struct span after, struct map_service *ret)
{
    pthread_rwlock_rdlock(&services->lock);
    struct ordered_place place = ordered_after(&services->all, after);
    const struct service *service = NULL;
    do {
        service = ordered_next(&services->all, &place);
    } while (service != NULL && !is_there(service));
    if (service != NULL) {
        copy_service(service, ret);
    }
    pthread_rwlock_unlock(&services->lock);
    return service != NULL;
}

bool services_next_key(struct services *services, struct span after, struct key_bytes *ret_key)
{
    pthread_rwlock_rdlock(&services->lock);
    struct ordered_place place = ordered_after(&services->all, after);
    const struct service *service = ordered_next(&services->all, &place);
    if (service != NULL) {
        ret_key->len = (uint16_t)service->item.key_len;
        memcpy(ret_key->ptr, service->item.key, service->item.key_len);
    }
    pthread_rwlock_unlock(&services->lock);
    return service != NULL;
}

size_t services_keys(struct services *services, const struct services_range *range,
                     struct key_bytes *keys)
{
    size_t count = 0;
    pthread_rwlock_rdlock(&services->lock);
    const struct service *service = service_find(services, range->service_key);
    if (service != NULL) {
        struct ordered_place place = ordered_after(&service->members, range->after);
        const struct services_member *member = NULL;
        while (count < range->cap && (member = ordered_next(&service->members, &place)) != NULL) {
            keys[count].len = (uint16_t)member->item.key_len;
            memcpy(keys[count].ptr, member->item.key, member->item.key_len);
            count++;
        }
    }
    pthread_rwlock_unlock(&services->lock);
    return count;
}

void services_by_status(struct services *services, uint64_t ret_by_status[STATUS_COUNT])
{
    pthread_rwlock_rdlock(&services->lock);
    memcpy(ret_by_status, services->by_status, sizeof(services->by_status));
    pthread_rwlock_unlock(&services->lock);
}

uint64_t services_evicted(struct services *services)
{
    pthread_rwlock_rdlock(&services->lock);
    uint64_t evicted = services->evicted;
    pthread_rwlock_unlock(&services->lock);
    return evicted;
}

uint64_t services_bytes(struct services *services)
{
    pthread_rwlock_rdlock(&services->lock);
    uint64_t bytes = services->bytes;
    pthread_rwlock_unlock(&services->lock);
    return bytes;
}
