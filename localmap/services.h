// SPDX-License-Identifier: Apache-2.0
// The services index: service -> its records in order of their keys, and what their health adds up to.
// Invariant: it names every key that the table holds; what is shown of an instance (registered or not,
// status, guarded) is counted exactly once.  Kept by who changes the table, under the table's lock, so the two
// never differ for whoever holds it; a slot knows its member, so that a look-up is paid for new keys alone.
// Any thread; one rwlock (rank 40: below it only the feed's).
// Private to localmap.  Read next: map.c, ordered.h.
#pragma once

#include "localmap/feed.h"
#include "localmap/map.h"

struct services;
struct services_member; // one record; its slot in the table keeps it as long as it is held

// `partitions`: as of key_partition.  ERR_NOMEM.
enum err services_new(uint32_t partitions, struct services **ret_services) MUST_USE;
void services_free(struct services *services);

// What is shown of one record from now on.
struct services_change {
    bool shown;         // neither a tombstone nor opaque
    bool evicted;       // without its body
    enum status status; // of a shown registration
    bool guarded;
};

// Enters a record that is not there (ASSERTed).  ERR_NOMEM: nothing has changed.
enum err services_add(struct services *services, struct span key,
                      const struct services_change *change,
                      struct services_member **ret_member) MUST_USE;
void services_set(struct services *services, struct services_member *member,
                  const struct services_change *change);
// As services_set, and announces the record on `feed`.  Returns the index, now the service's revision.
uint64_t services_tell(struct services *services, struct services_member *member,
                       const struct services_change *change, struct feed *feed);
void services_drop(struct services *services, struct services_member *member);
// The partition of its service.  Needs no lock: it never changes.
uint32_t services_partition(const struct services_member *member);
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
uint64_t services_evicted(struct services *services); // that have evicted records
uint64_t services_bytes(struct services *services);
