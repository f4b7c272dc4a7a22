// SPDX-License-Identifier: Apache-2.0
#include "localmap/services.h"

#include "base/assert.h"
#include "localmap/ordered.h"
#include "localmap/service_index.h"

#include <pthread.h>
#include <stdlib.h>

struct services {
    // What readers share with writers.
    struct service_index index;
    struct ordered all; // keys of the live services
    struct sequence totals_sequence;
    struct word totals[STATUS_COUNT]; // of all services
    struct word evicted;              // services that have evicted records
    struct word bytes;                // of the blocks

    pthread_mutex_t lock; // rank 40; who changes anything here holds it
    struct blocks blocks;
    uint32_t partitions;
};

enum err services_new(uint32_t partitions, struct services **ret_services)
{
    struct services *services = calloc(1, sizeof(*services));
    if (services == NULL) {
        return ERR_NOMEM;
    }
    services->partitions = partitions;
    service_index_init(&services->index);
    if (pthread_mutex_init(&services->lock, NULL) != 0) {
        free(services);
        return ERR_NOMEM;
    }
    *ret_services = services;
    return ERR_OK;
}

void services_free(struct services *services)
{
    if (services == NULL) {
        return;
    }
    blocks_fini(&services->blocks);
    pthread_mutex_destroy(&services->lock);
    free(services);
}

// --- writing

static void lock(struct services *services)
{
    pthread_mutex_lock(&services->lock);
}

static void unlock(struct services *services)
{
    if (word_get(&services->bytes) != services->blocks.bytes) {
        word_set(&services->bytes, services->blocks.bytes);
    }
    pthread_mutex_unlock(&services->lock);
}

// What stands behind the service in a record's key: nothing of a policy, else it begins with NUL.
static struct span rest_of(struct span key, size_t service_len)
{
    return span_of(key.ptr + service_len, key.len - service_len);
}

static bool is_policy(const struct service *service, struct span key)
{
    return word_get(&service->key_len) == key.len;
}

// Adds (`by` 1) or takes away (-1) what a record counts for.
static void tally(struct service *service, const struct services_shown *shown, bool instance,
                  int by)
{
    if (!shown->shown) {
        return;
    }
    if (shown->evicted) {
        service_count_by(service, SERVICE_EVICTED, by);
    }
    if (instance) {
        service_count_by(service, shown->status, by);
    }
    if (instance && shown->guarded) {
        service_count_by(service, SERVICE_GUARDED, by);
    }
}

static bool same_shown(const struct services_shown *a, const struct services_shown *b)
{
    return a->shown == b->shown && a->evicted == b->evicted && a->status == b->status &&
           a->guarded == b->guarded;
}

static void add_to_total(struct services *services, enum status status, int by)
{
    struct word *total = &services->totals[status];
    word_set(total, word_get(total) + (uint64_t)(int64_t)by);
}

// The totals follow within one sequence, so that a moved instance is never seen twice or not at all.
static void move_totals(struct services *services, const struct services_change *change)
{
    const struct services_shown *before = &change->before;
    const struct services_shown *after = &change->after;
    if (before->shown == after->shown && before->status == after->status) {
        return;
    }
    sequence_open(&services->totals_sequence);
    if (before->shown) {
        add_to_total(services, before->status, -1);
    }
    if (after->shown) {
        add_to_total(services, after->status, 1);
    }
    sequence_close(&services->totals_sequence);
}

// Counts a record as `after` in place of `before`; `revision` > 0 becomes the service's.
static void count(struct services *services, struct service *service,
                  const struct services_change *change, uint64_t revision)
{
    bool policy = is_policy(service, change->key->bytes);
    bool instance = change->key->registration;
    if (!instance && !policy && revision == 0 && change->before.evicted == change->after.evicted &&
        !change->after.evicted) {
        return; // an observation: counted by what it does to the instance
    }
    bool had_evicted = service_has_evicted(service);
    sequence_open(&service->sequence);
    if (!same_shown(&change->before, &change->after)) {
        tally(service, &change->before, instance, -1);
        tally(service, &change->after, instance, 1);
    }
    if (policy) {
        word_set(&service->policy, change->after.shown ? 1 : 0);
    }
    if (revision > 0) {
        word_set(&service->revision, revision);
    }
    sequence_close(&service->sequence);
    if (instance) {
        move_totals(services, change);
    }
    if (had_evicted != service_has_evicted(service)) {
        word_set(&services->evicted,
                 word_get(&services->evicted) + (had_evicted ? UINT64_MAX : 1)); // wraps
    }
}

static struct service *open_service(struct services *services, struct span key)
{
    struct service *service = service_index_find(&services->index, key);
    if (service != NULL) {
        return service;
    }
    if (ordered_add(&services->all, &services->blocks, key) != ERR_OK) {
        return NULL;
    }
    service = service_index_open(&services->index, &services->blocks, key);
    if (service == NULL) {
        ordered_remove(&services->all, &services->blocks, key);
        return NULL;
    }
    service->partition = key_partition(key, services->partitions);
    return service;
}

static void close_if_empty(struct services *services, struct service *service)
{
    if (ordered_is_empty(&service->members)) {
        ordered_remove(&services->all, &services->blocks, service_key(service));
        service_index_close(&services->index, &services->blocks, service);
    }
}

enum err services_add(struct services *services, const struct services_change *change,
                      uint32_t *ret_service)
{
    struct span key = change->key->bytes;
    struct span prefix = key_service_prefix(key);
    enum err err = ERR_NOMEM;
    lock(services);
    struct service *service = open_service(services, prefix);
    if (service != NULL) {
        err = ordered_add(&service->members, &services->blocks, rest_of(key, prefix.len));
        if (err != ERR_OK) {
            close_if_empty(services, service);
        } else {
            count(services, service, change, 0);
            *ret_service = service->number;
        }
    }
    unlock(services);
    return err;
}

void services_set(struct services *services, const struct services_change *change)
{
    lock(services);
    count(services, service_index_at(&services->index, change->service), change, 0);
    unlock(services);
}

uint64_t services_tell(struct services *services, const struct services_change *change,
                       struct feed *feed)
{
    lock(services);
    uint64_t index = feed_append(feed, change->key->bytes);
    count(services, service_index_at(&services->index, change->service), change, index);
    unlock(services);
    return index;
}

uint64_t services_announce(struct services *services, struct feed *feed, struct span key)
{
    lock(services);
    struct service *service = service_index_find(&services->index, key_service_prefix(key));
    uint64_t index = feed_append(feed, key);
    if (service != NULL) {
        sequence_open(&service->sequence);
        word_set(&service->revision, index);
        sequence_close(&service->sequence);
    }
    unlock(services);
    return index;
}

void services_drop(struct services *services, const struct services_change *change)
{
    const struct services_change gone = {.key = change->key, .before = change->before};
    lock(services);
    struct service *service = service_index_at(&services->index, change->service);
    count(services, service, &gone, 0);
    ordered_remove(&service->members, &services->blocks,
                   rest_of(change->key->bytes, word_get(&service->key_len)));
    close_if_empty(services, service);
    unlock(services);
}

// --- reading

uint32_t services_partition(const struct services *services, uint32_t service)
{
    return service_index_at(&services->index, service)->partition;
}

bool services_get(const struct services *services, struct span service_key, struct map_service *ret)
{
    struct service_copy copy;
    if (service_key.len == 0 || service_key.len > sizeof(ret->key.ptr) ||
        !service_index_read(&services->index, service_key, &copy) ||
        (!copy.policy && service_instances(&copy) == 0)) {
        return false;
    }
    ret->key.len = (uint16_t)service_key.len;
    memmove(ret->key.ptr, service_key.ptr, service_key.len); // it may be the caller's key
    for (unsigned status = 0; status < STATUS_COUNT; status++) {
        ret->by_status[status] = service_count(&copy, status);
    }
    ret->instances = service_instances(&copy);
    ret->guarded = service_count(&copy, SERVICE_GUARDED);
    ret->evicted = service_count(&copy, SERVICE_EVICTED);
    ret->policy = copy.policy;
    ret->revision = copy.revision;
    return true;
}

bool services_next_key(const struct services *services, struct span after,
                       struct key_bytes *ret_key)
{
    const struct ordered_range range = {.after = after.len == 0 ? SPAN_NONE : after, .cap = 1};
    return ordered_after(&services->all, &range, ret_key) == 1;
}

bool services_next(const struct services *services, struct span after, struct map_service *ret)
{
    bool more = services_next_key(services, after, &ret->key);
    while (more && !services_get(services, key_span(&ret->key), ret)) {
        more = services_next_key(services, key_span(&ret->key), &ret->key);
    }
    return more;
}

static bool still_lives(const void *arg)
{
    return service_lives(arg);
}

size_t services_keys(const struct services *services, const struct services_range *range,
                     struct key_bytes *keys)
{
    struct span service = range->service_key;
    struct service_copy copy;
    struct span after = SPAN_NONE;
    if (range->after.len > 0 && span_cmp(range->after, service) >= 0) {
        if (range->after.len < service.len ||
            memcmp(range->after.ptr, service.ptr, service.len) != 0) {
            return 0; // behind all that begin with the service's key
        }
        after = rest_of(range->after, service.len);
    }
    if (service.len == 0 || service.len > KEY_LEN_MAX ||
        !service_index_read(&services->index, service, &copy)) {
        return 0;
    }
    // A service that is closed meanwhile had no records at that moment: none is a true answer.
    const struct ordered_range rest = {
        .prefix = service, .after = after, .cap = range->cap, .still = still_lives, .arg = &copy};
    return ordered_after(&copy.service->members, &rest, keys);
}

void services_by_status(const struct services *services, uint64_t ret_by_status[STATUS_COUNT])
{
    uint64_t noted = 0;
    do {
        noted = sequence_begin(&services->totals_sequence);
        for (size_t i = 0; i < STATUS_COUNT; i++) {
            ret_by_status[i] = word_get(&services->totals[i]);
        }
    } while (!sequence_holds(&services->totals_sequence, noted));
}

uint64_t services_evicted(const struct services *services)
{
    return word_get(&services->evicted);
}

uint64_t services_bytes(const struct services *services)
{
    return sizeof(*services) + word_get(&services->bytes);
}
