// SPDX-License-Identifier: Apache-2.0
// The services index: service -> its records in order of their keys, and what their health adds up to.
// Invariant: it names every key that the table holds; what is shown of an instance (registered or not,
// status, guarded) is counted exactly once.  Kept by who changes the table, under the table's lock, so the two
// never differ for whoever holds it.  Any thread; one rwlock (rank 40: below it only the feed's).
// Private to localmap.  Read next: map.c, ordered.h.
#pragma once

#include "localmap/feed.h"
#include "localmap/map.h"

struct services;

enum err services_new(struct services **ret_services) MUST_USE;
void services_free(struct services *services);

// What is shown of one record from now on.
struct services_change {
    struct span key;
    bool shown;         // neither a tombstone nor opaque
    enum status status; // of a shown registration
    bool guarded;
    struct feed *announce; // NULL: not
};

// Enters or changes a record; when it is announced, `ret_index` is the index of that and the service's
// revision.  ERR_NOMEM: nothing has changed; only a key that was not there can give it.
enum err services_set(struct services *services, const struct services_change *change,
                      uint64_t *ret_index) MUST_USE;
void services_drop(struct services *services, struct span key);
// Announces a key by hand, as a change of its service.  Returns the index.
uint64_t services_announce(struct services *services, struct feed *feed, struct span key);

// false: neither policy nor instance.
bool services_get(struct services *services, struct span service_key, struct map_service *ret);
// The first service after `after` that has a policy or an instance.  false: there is none.
bool services_next(struct services *services, struct span after, struct map_service *ret);
// The key of the first one after `after` that has any record at all.  `ret_key` may hold `after`.
bool services_next_key(struct services *services, struct span after, struct key_bytes *ret_key);
// As map_service_keys.
struct services_range {
    struct span service_key, after;
    size_t cap;
};
size_t services_keys(struct services *services, const struct services_range *range,
                     struct key_bytes *keys);
void services_by_status(struct services *services, uint64_t ret_by_status[STATUS_COUNT]);
uint64_t services_bytes(struct services *services);
