// SPDX-License-Identifier: Apache-2.0
// The services index: service -> its records in order of their keys, and what their health adds up to.
// Invariant: it names every key that the table holds; what is shown of an instance (registered or not,
// status, guarded) is counted exactly once.  Any thread; one rwlock (rank 30) above the table's.
// Private to localmap.  Read next: map.c, ordered.h.
#pragma once

#include "localmap/map.h"

struct services;

enum err services_new(struct services **ret_services) MUST_USE;
void services_free(struct services *services);

// `key` is held; `shown`: neither a tombstone nor opaque.  ERR_NOMEM: nothing changed.
enum err services_note(struct services *services, struct span key, bool shown) MUST_USE;
void services_drop(struct services *services, struct span key);
// The health and the index of the last change of a shown registration.
void services_health(struct services *services, struct span key, const struct health *health,
                     uint64_t revision);
void services_revision(struct services *services, struct span service_key, uint64_t revision);

bool services_get(struct services *services, struct span service_key, struct map_service *ret);
// The first service after `after` that has a policy or an instance.  false: there is none.
bool services_next(struct services *services, struct span after, struct map_service *ret);
size_t services_keys(struct services *services, struct span service_key, struct span after,
                     struct key_bytes *keys, size_t cap);
void services_by_status(struct services *services, uint64_t ret_by_status[STATUS_COUNT]);
uint64_t services_bytes(struct services *services);
