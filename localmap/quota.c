// SPDX-License-Identifier: Apache-2.0
#include "localmap/quota.h"

#include "base/assert.h"
#include "base/keyed.h"
#include "base/random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define DEAD_PER_RECORD 16
#define DEAD_MIN 1024 // a tenant with a small quota may rename its few records now and then
#define ALARM_PERCENT 110
#define ROOM_PERCENT 90

// Both numbers of a tenant in one word, so that one atomic operation moves a record, sees what there was, and
// leaves exactly one thread to find that nothing is left.  Neither half can run over: a record takes memory.
#define LIVE_ONE UINT64_C(1)
#define DEAD_ONE (UINT64_C(1) << 32)

struct tenant {
    struct keyed_node node;
    // dead << 32 | used.  Relaxed: nothing else is published through it.
    atomic_uint_fast64_t records;
    // Those of `records` that are places.  Relaxed; added a moment early and taken off a moment late, so that what
    // alarms are about may be too small in that moment, never too large.
    atomic_uint_fast64_t places;
    atomic_uint_fast64_t refused;     // relaxed: a number for people
    atomic_bool was_refused, crossed; // since the last news; relaxed, see `stirred`
    uint32_t limit;                   // its own; 0 = the default
    enum map_tenant_level level;      // as told
    struct tenant *next;              // of those that quota_news closes
    char name[];
};

struct quota {
    // Rank 38; guards which rows there are, and all below and in rows that is not atomic.
    pthread_rwlock_t lock;
    struct keyed tenants;
    uint64_t bytes; // of rows
    uint32_t limit; // of who has none of its own; 0 = none
    // Rows whose level is not MAP_TENANT_ROOM.  Changed by quota_news alone, so by one thread.
    uint64_t unsettled;
    // Relaxed: which of two bounds a write meets is nobody's promise.
    atomic_uint_fast64_t squeeze;
    // Some row may have news.  Relaxed: who sets it holds the lock, who clears it takes the lock for writing
    // afterwards; what is seen late is seen at the next look.
    atomic_bool stirred;
};

// --- pure

static bool is_mesh(struct span key)
{
    static const char mesh[] = KEY_TENANT_MESH; // its NUL is that between the parts
    return key.len >= sizeof(mesh) && memcmp(key.ptr, mesh, sizeof(mesh)) == 0;
}

// The observer's part of a key; empty when it has none.
static struct span observer_of(struct span key)
{
    struct span instance = key_instance_prefix(key);
    if (instance.len == 0 || instance.len + 1 >= key.len) {
        return SPAN_NONE;
    }
    return span_of(key.ptr + instance.len + 1, key.len - instance.len - 1);
}

static bool is_from_outside(const struct record *record)
{
    return record->kind == KEY_OBSERVATION && record->observation.vantage == VANTAGE_EXTERNAL;
}

bool quota_counts(struct span key, bool registration, struct span body)
{
    if (is_mesh(key)) {
        return false;
    }
    struct span observer = observer_of(key);
    if (observer.len == 0 || observer.ptr[0] == '!') {
        return registration;
    }
    enum vantage vantage = VANTAGE_EXTERNAL;
    return codec_body_vantage(body, &vantage) != ERR_OK || vantage == VANTAGE_EXTERNAL;
}

bool quota_counts_record(struct span key, const struct record *record)
{
    struct span observer = observer_of(key);
    bool named = observer.len > 0 && observer.ptr[0] != '!';
    return !record->tombstone && !is_mesh(key) &&
           (record->kind == KEY_REGISTRATION || (named && is_from_outside(record)));
}

static uint64_t dead_max(uint32_t limit)
{
    uint64_t dead = (uint64_t)limit * DEAD_PER_RECORD;
    return limit == 0 ? UINT64_MAX : dead < DEAD_MIN ? DEAD_MIN : dead;
}

enum quota_verdict quota_decide(const struct quota_standing *standing, bool new_name)
{
    if ((standing->limit != 0 && standing->used >= standing->limit) ||
        (new_name && standing->dead >= dead_max(standing->limit))) {
        return QUOTA_OVER_LIMIT;
    }
    return standing->used >= standing->squeeze ? QUOTA_SQUEEZED : QUOTA_ENTERS;
}

static bool is_over(const struct quota_standing *standing)
{
    return standing->limit != 0 &&
           standing->used * 100 >= (uint64_t)standing->limit * ALARM_PERCENT;
}

enum map_tenant_level quota_level(enum map_tenant_level before,
                                  const struct quota_standing *standing,
                                  const struct quota_since *since)
{
    uint64_t limit = standing->limit;
    if (limit == 0) {
        return MAP_TENANT_ROOM;
    }
    if (since->crossed || is_over(standing) ||
        (before == MAP_TENANT_OVER && standing->used > limit)) {
        return MAP_TENANT_OVER;
    }
    bool near = standing->used * 100 > limit * ROOM_PERCENT ||
                standing->dead * 100 > dead_max(standing->limit) * ROOM_PERCENT;
    bool full = since->refused || (before != MAP_TENANT_ROOM && near);
    return full ? MAP_TENANT_FULL : MAP_TENANT_ROOM;
}

// --- rows

static struct tenant *tenant_of(struct keyed_node *node)
{
    return node == NULL ? NULL
                        : (struct tenant *)(void *)((char *)node - offsetof(struct tenant, node));
}

// The tenant in a key; a longer name than one can have, which only tests make, is cut.
static struct span name_of(struct span key)
{
    const char *nul = memchr(key.ptr, '\0', key.len);
    size_t len = nul == NULL ? key.len : (size_t)(nul - key.ptr);
    return span_of(key.ptr, len < KEY_TENANT_MAX ? len : KEY_TENANT_MAX);
}

static struct quota_standing standing_of(const struct quota *quota, const struct tenant *tenant,
                                         uint64_t records)
{
    return (struct quota_standing){.limit = tenant->limit != 0 ? tenant->limit : quota->limit,
                                   .squeeze =
                                       atomic_load_explicit(&quota->squeeze, memory_order_relaxed),
                                   .used = records & (DEAD_ONE - 1),
                                   .dead = records >> 32};
}

static uint64_t load(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

// With the lock held for writing.
static struct tenant *open_row(struct quota *quota, struct span name)
{
    struct tenant *tenant = tenant_of(keyed_find(&quota->tenants, name));
    if (tenant != NULL) {
        return tenant;
    }
    tenant = calloc(1, sizeof(*tenant) + name.len + 1);
    if (tenant == NULL) {
        return NULL;
    }
    memcpy(tenant->name, name.ptr, name.len);
    tenant->node.key = span_of(tenant->name, name.len);
    keyed_add(&quota->tenants, &tenant->node);
    quota->bytes += sizeof(*tenant) + name.len + 1;
    return tenant;
}

// Under the lock for reading it may be so no longer when this returns.
static bool is_idle(const struct tenant *tenant)
{
    return load(&tenant->records) == 0 && tenant->limit == 0 && tenant->level == MAP_TENANT_ROOM;
}

// With the lock held for writing.
static void close_row(struct quota *quota, struct tenant *tenant)
{
    quota->bytes -= sizeof(*tenant) + tenant->node.key.len + 1;
    keyed_remove(&quota->tenants, &tenant->node);
    free(tenant);
}

enum err quota_new(struct quota **ret_quota)
{
    struct quota *quota = calloc(1, sizeof(*quota));
    if (quota == NULL) {
        return ERR_NOMEM;
    }
    if (keyed_init(&quota->tenants, random_u64()) != ERR_OK) {
        free(quota);
        return ERR_NOMEM;
    }
    if (pthread_rwlock_init(&quota->lock, NULL) != 0) {
        keyed_fini(&quota->tenants);
        free(quota);
        return ERR_NOMEM;
    }
    atomic_init(&quota->squeeze, UINT64_MAX);
    *ret_quota = quota;
    return ERR_OK;
}

void quota_free(struct quota *quota)
{
    if (quota == NULL) {
        return;
    }
    struct keyed_node *node = NULL;
    while ((node = keyed_pop(&quota->tenants)) != NULL) {
        free(tenant_of(node));
    }
    keyed_fini(&quota->tenants);
    pthread_rwlock_destroy(&quota->lock);
    free(quota);
}

// --- limits

enum err quota_set(struct quota *quota, struct span tenant_name, uint32_t limit)
{
    enum err err = ERR_OK;
    pthread_rwlock_wrlock(&quota->lock);
    if (tenant_name.len == 0) {
        quota->limit = limit;
    } else {
        struct tenant *tenant = open_row(quota, name_of(tenant_name));
        err = tenant == NULL ? ERR_NOMEM : ERR_OK;
        if (tenant != NULL) {
            tenant->limit = limit;
        }
        if (tenant != NULL && is_idle(tenant)) {
            close_row(quota, tenant);
        }
    }
    atomic_store_explicit(&quota->stirred, true, memory_order_relaxed);
    pthread_rwlock_unlock(&quota->lock);
    return err;
}

void quota_squeeze(struct quota *quota, uint64_t records)
{
    atomic_store_explicit(&quota->squeeze, records, memory_order_relaxed);
}

// --- moves

static void stir(struct quota *quota, atomic_bool *what)
{
    atomic_store_explicit(what, true, memory_order_relaxed);
    atomic_store_explicit(&quota->stirred, true, memory_order_relaxed);
}

static void refuse(struct quota *quota, struct tenant *tenant, enum quota_verdict verdict)
{
    atomic_fetch_add_explicit(&tenant->refused, 1, memory_order_relaxed);
    if (verdict == QUOTA_OVER_LIMIT) {
        stir(quota, &tenant->was_refused); // by its own quota, not because memory is short
    }
}

// The same without places: what alarms are about.
static struct quota_standing without_places(const struct tenant *tenant,
                                            struct quota_standing standing)
{
    uint64_t places = load(&tenant->places);
    standing.used -= places < standing.used ? places : standing.used;
    return standing;
}

static bool shift(struct quota *quota, struct tenant *tenant, const struct quota_move *move)
{
    static const uint64_t weights[] = {
        [QUOTA_NONE] = 0, [QUOTA_LIVE] = LIVE_ONE, [QUOTA_DEAD] = DEAD_ONE};
    bool grows = move->to == QUOTA_LIVE && move->from != QUOTA_LIVE;
    uint_fast64_t before = load(&tenant->records);
    uint64_t after = 0;
    do {
        const struct quota_standing standing = standing_of(quota, tenant, before);
        enum quota_verdict verdict =
            grows && move->enters ? quota_decide(&standing, move->new_name) : QUOTA_ENTERS;
        if (verdict != QUOTA_ENTERS) {
            refuse(quota, tenant, verdict);
            return false;
        }
        ASSERT(move->from != QUOTA_LIVE || standing.used > 0);
        ASSERT(move->from != QUOTA_DEAD || standing.dead > 0);
        after = before + weights[move->to] - weights[move->from];
    } while (!atomic_compare_exchange_weak_explicit(&tenant->records, &before, after,
                                                    memory_order_relaxed, memory_order_relaxed));
    const struct quota_standing now = without_places(tenant, standing_of(quota, tenant, after));
    if (grows && is_over(&now)) {
        stir(quota, &tenant->crossed);
    }
    return true;
}

static bool move_row(struct quota *quota, struct tenant *tenant, const struct quota_move *move)
{
    if (move->place && move->to == QUOTA_LIVE) {
        atomic_fetch_add_explicit(&tenant->places, 1, memory_order_relaxed);
    }
    bool moved = shift(quota, tenant, move);
    if (move->place && (!moved || move->from == QUOTA_LIVE)) {
        atomic_fetch_sub_explicit(&tenant->places, 1, memory_order_relaxed);
    }
    return moved;
}

static void close_if_idle(struct quota *quota, struct span name)
{
    pthread_rwlock_wrlock(&quota->lock);
    struct tenant *tenant = tenant_of(keyed_find(&quota->tenants, name));
    if (tenant != NULL && is_idle(tenant)) {
        close_row(quota, tenant);
    }
    pthread_rwlock_unlock(&quota->lock);
}

enum err quota_apply(struct quota *quota, const struct quota_move *move)
{
    struct span name = name_of(move->key);
    pthread_rwlock_rdlock(&quota->lock);
    struct tenant *tenant = tenant_of(keyed_find(&quota->tenants, name));
    if (tenant == NULL) {
        ASSERT(move->from == QUOTA_NONE);
        pthread_rwlock_unlock(&quota->lock);
        pthread_rwlock_wrlock(&quota->lock);
        tenant = open_row(quota, name);
    }
    bool moved = tenant != NULL && move_row(quota, tenant, move);
    // An idle row may be gone as soon as the lock is given back: another thread closes it, too.
    bool idle = tenant != NULL && is_idle(tenant);
    enum err err = moved ? ERR_OK : tenant == NULL ? ERR_NOMEM : ERR_FULL;
    pthread_rwlock_unlock(&quota->lock);
    if (idle) {
        close_if_idle(quota, name);
    }
    return err;
}

// --- looking

static void describe(const struct quota *quota, const struct tenant *tenant,
                     struct map_tenant *ret_tenant)
{
    const struct quota_standing standing = standing_of(quota, tenant, load(&tenant->records));
    *ret_tenant = (struct map_tenant){.limit = standing.limit,
                                      .used = standing.used,
                                      .deleted = standing.dead,
                                      .deleted_max = dead_max(standing.limit),
                                      .refused = load(&tenant->refused),
                                      .level = tenant->level};
    memcpy(ret_tenant->name, tenant->name, tenant->node.key.len + 1);
}

bool quota_get(struct quota *quota, struct span tenant_name, struct map_tenant *ret_tenant)
{
    pthread_rwlock_rdlock(&quota->lock);
    const struct tenant *tenant = tenant_of(keyed_find(&quota->tenants, tenant_name));
    if (tenant != NULL) {
        describe(quota, tenant, ret_tenant);
    }
    pthread_rwlock_unlock(&quota->lock);
    return tenant != NULL;
}

struct ranking {
    const struct quota *quota;
    struct map_tenant *tenants; // largest first
    size_t count, cap;
    struct map_tenants all;
};

static void rank_one(void *arg, struct keyed_node *node)
{
    struct ranking *ranking = arg;
    const struct tenant *tenant = tenant_of(node);
    struct map_tenant row;
    describe(ranking->quota, tenant, &row);
    ranking->all.count++;
    ranking->all.used += row.used;
    ranking->all.refused += row.refused;
    ranking->all.over += row.level == MAP_TENANT_OVER;
    size_t at = ranking->count;
    while (at > 0 && ranking->tenants[at - 1].used < row.used) {
        at--;
    }
    if (at == ranking->cap) {
        return;
    }
    size_t moved = (ranking->count < ranking->cap ? ranking->count : ranking->cap - 1) - at;
    memmove(&ranking->tenants[at + 1], &ranking->tenants[at], moved * sizeof(row));
    ranking->tenants[at] = row;
    ranking->count += ranking->count < ranking->cap;
}

size_t quota_largest(struct quota *quota, struct map_tenant *ret_tenants, size_t cap,
                     struct map_tenants *ret_all)
{
    struct ranking ranking = {.quota = quota, .tenants = ret_tenants, .cap = cap};
    pthread_rwlock_rdlock(&quota->lock);
    keyed_each(&quota->tenants, rank_one, &ranking);
    pthread_rwlock_unlock(&quota->lock);
    *ret_all = ranking.all;
    return ranking.count;
}

// --- news

struct news {
    struct quota *quota;
    struct map_tenant *tenants;
    size_t count, cap;
    bool more;
    struct tenant *idle; // those that can go
};

static void look_for_news(void *arg, struct keyed_node *node)
{
    struct news *news = arg;
    struct quota *quota = news->quota;
    struct tenant *tenant = tenant_of(node);
    if (news->count == news->cap) {
        news->more = true; // its flags stay for the next call
        return;
    }
    const struct quota_standing standing =
        without_places(tenant, standing_of(quota, tenant, load(&tenant->records)));
    const struct quota_since since = {
        .refused = atomic_exchange_explicit(&tenant->was_refused, false, memory_order_relaxed),
        .crossed = atomic_exchange_explicit(&tenant->crossed, false, memory_order_relaxed)};
    enum map_tenant_level level = quota_level(tenant->level, &standing, &since);
    if (level == tenant->level) {
        return;
    }
    quota->unsettled += tenant->level == MAP_TENANT_ROOM ? 1 : 0;
    quota->unsettled -= level == MAP_TENANT_ROOM ? 1 : 0;
    tenant->level = level;
    describe(quota, tenant, &news->tenants[news->count++]);
    if (is_idle(tenant)) {
        tenant->next = news->idle;
        news->idle = tenant;
    }
}

size_t quota_news(struct quota *quota, struct map_tenant *ret_tenants, size_t cap)
{
    struct news news = {.quota = quota, .tenants = ret_tenants, .cap = cap};
    bool stirred = atomic_exchange_explicit(&quota->stirred, false, memory_order_relaxed);
    if (!stirred && quota->unsettled == 0) {
        return 0; // nobody else changes `unsettled`
    }
    pthread_rwlock_wrlock(&quota->lock);
    keyed_each(&quota->tenants, look_for_news, &news);
    while (news.idle != NULL) {
        struct tenant *tenant = news.idle;
        news.idle = tenant->next;
        close_row(quota, tenant);
    }
    pthread_rwlock_unlock(&quota->lock);
    if (news.more) {
        atomic_store_explicit(&quota->stirred, true, memory_order_relaxed);
    }
    return news.count;
}

uint64_t quota_bytes(struct quota *quota)
{
    pthread_rwlock_rdlock(&quota->lock);
    uint64_t bytes = sizeof(*quota) + quota->bytes + (quota->tenants.mask + 1) * sizeof(void *);
    pthread_rwlock_unlock(&quota->lock);
    return bytes;
}
