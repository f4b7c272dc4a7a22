// SPDX-License-Identifier: Apache-2.0
// The services index: service -> its records in order of their keys, and what their health adds up to.
//
//     all       the services' keys, in order                                              ordered.h
//     index     key -> service: counts, revision, policy; the rest of its records' keys      service_index.h
//     totals    by status, of all services
//
// Invariant: it names every key that the table holds; what is shown of an instance (registered or not,
// status, guarded) is counted exactly once.  Kept by who changes the table, under the table's lock, so the two
// never differ for whoever holds it; a slot knows the number of its service and what it counts for, so that
// nothing is looked up but for new keys and old ones.
// Any thread; writers take one mutex (rank 40: below it only the feed's), readers none.
// Private to localmap.  Read next: map.c, service_index.h.
#pragma once

#include "localmap/feed.h"
#include "localmap/map.h"

struct services;

// `partitions`: as of key_partition.  ERR_NOMEM.
enum err services_new(uint32_t partitions, struct services **ret_services) MUST_USE;
void services_free(struct services *services);

// What is shown of one record.
struct services_shown {
    bool shown;         // neither a tombstone nor opaque
    bool evicted;       // without its body
    enum status status; // of a shown registration
    bool guarded;
};

// One record that changes.  Borrows.
struct services_change {
    const struct map_key *key;
    uint32_t service; // as given by services_add
    struct services_shown before, after;
};

// Enters a record that is not there (ASSERTed), shown as `after`.  ERR_NOMEM: nothing has changed.
enum err services_add(struct services *services, const struct services_change *change,
                      uint32_t *ret_service) MUST_USE;
void services_set(struct services *services, const struct services_change *change);
// As services_set, and announces the record on `feed`.  Returns the index, now the service's revision.
uint64_t services_tell(struct services *services, const struct services_change *change,
                       struct feed *feed);
// Takes out a record that was shown as `before`.
void services_drop(struct services *services, const struct services_change *change);
// The partition of a service that has records.  Needs no lock: it never changes.
uint32_t services_partition(const struct services *services, uint32_t service);
// Announces a key by hand, as a change of its service.  Returns the index.
uint64_t services_announce(struct services *services, struct feed *feed, struct span key);

// false: neither policy nor instance.
bool services_get(const struct services *services, struct span service_key,
                  struct map_service *ret);
// The first service after `after` that has a policy or an instance.  false: there is none.
bool services_next(const struct services *services, struct span after, struct map_service *ret);
// The key of the first one after `after` that has any record at all.  `ret_key` may hold `after`.
bool services_next_key(const struct services *services, struct span after,
                       struct key_bytes *ret_key);
// As map_service_keys.
struct services_range {
    struct span service_key, after;
    size_t cap;
};
size_t services_keys(const struct services *services, const struct services_range *range,
                     struct key_bytes *keys);
void services_by_status(const struct services *services, uint64_t ret_by_status[STATUS_COUNT]);
uint64_t services_evicted(const struct services *services); // that have evicted records
uint64_t services_bytes(const struct services *services);
