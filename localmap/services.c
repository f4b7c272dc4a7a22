// SPDX-License-Identifier: Apache-2.0
#include "localmap/services.h"

#include "localmap/ordered.h"

#include <pthread.h>
#include <stdlib.h>

struct member {
    struct ordered_item item;
    bool shown;
    bool registration;
    enum status status;
    bool guarded;
    char key[];
};

struct service {
    struct ordered_item item;
    struct ordered members;
    uint32_t instances;
    uint32_t by_status[STATUS_COUNT];
    uint32_t guarded;
    bool policy;
    uint64_t revision;
    char key[];
};

struct services {
    pthread_rwlock_t lock; // rank 40; guards all below
    struct ordered all;
    uint64_t by_status[STATUS_COUNT];
    uint64_t bytes;
};

enum err services_new(struct services **ret_services)
{
    struct services *services = calloc(1, sizeof(*services));
    if (services == NULL) {
        return ERR_NOMEM;
    }
    if (pthread_rwlock_init(&services->lock, NULL) != 0) {
        free(services);
        return ERR_NOMEM;
    }
    *ret_services = services;
    return ERR_OK;
}

static void service_free(struct service *service)
{
    struct ordered_place place = ordered_after(&service->members, SPAN_NONE);
    struct member *member = NULL;
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
    pthread_rwlock_destroy(&services->lock);
    free(services);
}

static struct service *service_open(struct services *services, struct span key)
{
    struct service *service = ordered_get(&services->all, key);
    if (service != NULL) {
        return service;
    }
    service = calloc(1, sizeof(*service) + key.len);
    if (service == NULL) {
        return NULL;
    }
    memcpy(service->key, key.ptr, key.len);
    service->item = (struct ordered_item){(uint32_t)key.len, service->key};
    if (ordered_add(&services->all, &service->item) != ERR_OK) {
        free(service);
        return NULL;
    }
    services->bytes += sizeof(*service) + key.len;
    return service;
}

static void service_close_if_empty(struct services *services, struct service *service)
{
    if (service->members.count == 0) {
        services->bytes -= sizeof(*service) + service->item.key_len;
        ordered_remove(&services->all, span_of(service->item.key, service->item.key_len));
        service_free(service);
    }
}

static struct member *member_open(struct services *services, struct service *service,
                                  struct span key)
{
    struct member *member = ordered_get(&service->members, key);
    if (member != NULL) {
        return member;
    }
    member = calloc(1, sizeof(*member) + key.len);
    if (member == NULL) {
        return NULL;
    }
    memcpy(member->key, key.ptr, key.len);
    member->item = (struct ordered_item){(uint32_t)key.len, member->key};
    // A registration is the instance prefix itself; a policy or node key has none.
    member->registration = key_instance_prefix(key).len == key.len;
    if (ordered_add(&service->members, &member->item) != ERR_OK) {
        free(member);
        return NULL;
    }
    services->bytes += sizeof(*member) + key.len + sizeof(void *);
    return member;
}

// Adds (`by` 1) or takes away (-1) what a member counts for.
static void tally(struct services *services, struct service *service, const struct member *member,
                  int by)
{
    if (!member->shown) {
        return;
    }
    if (!member->registration) {
        if (member->item.key_len == service->item.key_len) {
            service->policy = by > 0;
        }
        return;
    }
    // Unsigned numbers wrap: adding -1 takes one away.
    service->instances += (uint32_t)by;
    service->by_status[member->status] += (uint32_t)by;
    service->guarded += member->guarded ? (uint32_t)by : 0;
    services->by_status[member->status] += (uint64_t)(int64_t)by;
}

enum err services_set(struct services *services, const struct services_change *change,
                      uint64_t *ret_index)
{
    enum err err = ERR_NOMEM;
    pthread_rwlock_wrlock(&services->lock);
    struct service *service = service_open(services, key_service_prefix(change->key));
    struct member *member = service != NULL ? member_open(services, service, change->key) : NULL;
    if (member != NULL) {
        tally(services, service, member, -1);
        member->shown = change->shown;
        member->status = change->status;
        member->guarded = change->guarded;
        tally(services, service, member, 1);
        if (change->announce != NULL) {
            service->revision = feed_append(change->announce, change->key);
            *ret_index = service->revision;
        }
        err = ERR_OK;
    } else if (service != NULL) {
        service_close_if_empty(services, service);
    }
    pthread_rwlock_unlock(&services->lock);
    return err;
}

uint64_t services_announce(struct services *services, struct feed *feed, struct span key)
{
    pthread_rwlock_wrlock(&services->lock);
    struct service *service = ordered_get(&services->all, key_service_prefix(key));
    uint64_t index = feed_append(feed, key);
    if (service != NULL) {
        service->revision = index;
    }
    pthread_rwlock_unlock(&services->lock);
    return index;
}

void services_drop(struct services *services, struct span key)
{
    pthread_rwlock_wrlock(&services->lock);
    struct service *service = ordered_get(&services->all, key_service_prefix(key));
    struct member *member = service != NULL ? ordered_get(&service->members, key) : NULL;
    if (member != NULL) {
        tally(services, service, member, -1);
        services->bytes -= sizeof(*member) + key.len + sizeof(void *);
        ordered_remove(&service->members, key);
        free(member);
        service_close_if_empty(services, service);
    }
    pthread_rwlock_unlock(&services->lock);
}

static void copy_service(const struct service *service, struct map_service *ret)
{
    ret->key.len = (uint16_t)service->item.key_len;
    memcpy(ret->key.ptr, service->item.key, service->item.key_len);
    ret->instances = service->instances;
    memcpy(ret->by_status, service->by_status, sizeof(ret->by_status));
    ret->guarded = service->guarded;
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
    const struct service *service = ordered_get(&services->all, service_key);
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
    const struct service *service = ordered_get(&services->all, range->service_key);
    if (service != NULL) {
        struct ordered_place place = ordered_after(&service->members, range->after);
        const struct member *member = NULL;
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

uint64_t services_bytes(struct services *services)
{
    pthread_rwlock_rdlock(&services->lock);
    uint64_t bytes = services->bytes;
    pthread_rwlock_unlock(&services->lock);
    return bytes;
}
