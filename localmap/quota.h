// SPDX-License-Identifier: Apache-2.0
// How many records each tenant has, and how many it may have.
//
//     tenant --> used   records that count, and places taken for some on their way   <= limit, for what enters
//            '-> dead   tombstones of such records, until they are purged            <= 16 * limit, for new names
//
// Invariant: a write that enters never takes `used` over the limit, on whatever number of threads: a place is
// taken by compare-and-set before anything else happens, and given back when nothing comes of it.  What the
// stream has accepted is counted whether it fits or not.  A tenant without records, places, a limit of its own
// or news to tell has no row here.
// Any thread; one rwlock (rank 38), held for writing only when a tenant comes or goes and for quota_news.
// Private to localmap.  Read next: change.c (who calls), tenants.c (the map's calls).
#pragma once

#include "localmap/map.h"

// What one slot of the map weighs.
enum quota_weight { QUOTA_NONE, QUOTA_LIVE, QUOTA_DEAD };

// Does a record count?  Those that clients make do: registrations and what they report from outside.  What
// operators and the nodes themselves say (policies, overrides, checks, leases, the tenant `_mesh`) does not: each
// instance has a few of these at most, and a drain or a verdict must never be refused.  One that cannot be
// read here counts.  Pure.
bool quota_counts(struct span key, bool registration, struct span body);
bool quota_counts_record(struct span key, const struct record *record);

// May a record that counts enter?  `new_name`: not in place of a tombstone.  Pure.
struct quota_standing {
    uint32_t limit;   // 0 = none
    uint64_t squeeze; // of all tenants, while memory is short
    uint64_t used, dead;
};
enum quota_verdict { QUOTA_ENTERS, QUOTA_OVER_LIMIT, QUOTA_SQUEEZED };
enum quota_verdict quota_decide(const struct quota_standing *standing, bool new_name);

// Where a tenant stands, from where it stood when it was told last.  Full at the first refusal, over from
// 110 % on; over ends at the limit and full at 90 % of it, so that who hovers at a bound is told once.  Pure.
struct quota_since {
    bool refused; // a write was, by the tenant's own limit
    bool crossed; // 110 % was reached, even if it is not now
};
enum map_tenant_level quota_level(enum map_tenant_level before,
                                  const struct quota_standing *standing,
                                  const struct quota_since *since);

struct quota;

enum err quota_new(struct quota **ret_quota) MUST_USE; // ERR_NOMEM
void quota_free(struct quota *quota);

// As map_set_quota, map_squeeze, map_tenant, map_tenants, map_tenant_news.
enum err quota_set(struct quota *quota, struct span tenant, uint32_t limit) MUST_USE;
void quota_squeeze(struct quota *quota, uint64_t records);
bool quota_get(struct quota *quota, struct span tenant, struct map_tenant *ret_tenant);
size_t quota_largest(struct quota *quota, struct map_tenant *ret_tenants, size_t cap,
                     struct map_tenants *ret_all);
size_t quota_news(struct quota *quota, struct map_tenant *ret_tenants, size_t cap);
uint64_t quota_bytes(struct quota *quota);

// One slot (or place) of a tenant changes its weight.
struct quota_move {
    struct span key; // any that begins with the tenant
    enum quota_weight from, to;
    bool enters;   // to QUOTA_LIVE only while there is room
    bool new_name; // it needs a slot of its own: there is no tombstone either
    bool
        place; // for a record on its way, which is counted twice for the moment in which it arrives
};
// ERR_FULL: over quota (counted as a refusal); ERR_NOMEM: only for a tenant's first record.  Nothing has
// changed then.  A move that is taken back (from and to swapped) and one that adds nothing live do not fail.
enum err quota_apply(struct quota *quota, const struct quota_move *move) MUST_USE;
