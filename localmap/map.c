// SPDX-License-Identifier: Apache-2.0
#include "localmap/map.h"

#include "base/assert.h"
#include "localmap/feed.h"
#include "localmap/model/merge.h"
#include "localmap/services.h"
#include "localmap/table/table.h"

#include <stdatomic.h>
#include <stdlib.h>

// A value of the table: the facts, then the body.
#define FACTS_LEN sizeof(struct map_facts)

// The digest of one partition.  Each half is exact; together they are a cut only for the writer itself.
struct digest_cell {
    atomic_uint_fast64_t count;
    atomic_uint_fast64_t sum;
};

struct map {
    struct table *table;
    struct services *services;
    struct feed *feed;
    uint32_t partitions;
    struct digest_cell *digests;
    atomic_uint_fast64_t tombstones;
    map_wake_fn wake;
    void *wake_arg;
};

enum err map_new(const struct map_options *options, struct map **ret_map)
{
    if (options->partitions == 0) {
        return ERR_INVALID;
    }
    struct map *map = calloc(1, sizeof(*map));
    if (map == NULL) {
        return ERR_NOMEM;
    }
    map->partitions = options->partitions;
    map->digests = calloc(options->partitions, sizeof(struct digest_cell));
    enum err err = map->digests == NULL ? ERR_NOMEM : ERR_OK;
    if (err == ERR_OK) {
        err = table_new(options->shards, &map->table);
    }
    if (err == ERR_OK) {
        err = services_new(&map->services);
    }
    if (err == ERR_OK) {
        err = feed_new(options->changefeed, options->instance, &map->feed);
    }
    if (err != ERR_OK) {
        map_free(map);
        return err;
    }
    *ret_map = map;
    return ERR_OK;
}

void map_free(struct map *map)
{
    if (map == NULL) {
        return;
    }
    feed_free(map->feed);
    services_free(map->services);
    table_free(map->table);
    free(map->digests);
    free(map);
}

// --- values of the table

static struct map_facts facts_of(struct span value)
{
    struct map_facts facts;
    memcpy(&facts, value.ptr, FACTS_LEN);
    return facts;
}

static struct span body_of(struct span value)
{
    return span_of(value.ptr + FACTS_LEN, value.len - FACTS_LEN);
}

static bool is_shown(const struct map_facts *facts)
{
    return (facts->flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0;
}

static bool is_digested(const struct map_facts *facts)
{
    return !version_is_none(facts->version) && (facts->flags & MAP_LOCAL) == 0;
}

// One change of a slot, carried through the table's callback.
struct change {
    struct map *map;
    struct digest_cell *digest;
    const struct codec_value *value; // of a put
    struct span body;                // of a show
    bool conditional;
    struct version expected;
    uint32_t flags, mark, pending;
    bool was_held, was_shown, now_shown;
    struct map_facts facts; // as they will be
    enum put_result result;
};

// Under the shard's lock, so that the digest follows the table change by change.
static void move_digest(struct change *change, const struct map_facts *before,
                        const struct map_facts *after)
{
    uint64_t count = 0;
    uint64_t sum = 0;
    if (before != NULL && is_digested(before)) {
        count--;
        sum -= before->hash;
    }
    if (after != NULL && is_digested(after)) {
        count++;
        sum += after->hash;
    }
    // relaxed: a counter; nothing is published by it.  Pairs with the loads in map_digest.
    atomic_fetch_add_explicit(&change->digest->count, count, memory_order_relaxed);
    atomic_fetch_add_explicit(&change->digest->sum, sum, memory_order_relaxed);
}

static void move_tombstones(struct change *change, bool before, bool after)
{
    uint64_t by = (after ? 1u : 0u) - (uint64_t)(before ? 1 : 0);
    atomic_fetch_add_explicit(&change->map->tombstones, by, memory_order_relaxed); // a counter
}

// `old` is what stood there (ptr NULL: nothing), change->facts and `body` what will.
static enum table_verdict store(struct change *change, struct span old, struct span body,
                                struct table_value *ret_new)
{
    struct map_facts before;
    change->was_held = old.ptr != NULL;
    if (change->was_held) {
        before = facts_of(old);
        change->was_shown = is_shown(&before);
    }
    change->now_shown = is_shown(&change->facts);
    if ((change->facts.flags & MAP_TOMBSTONE) != 0) {
        memset(&change->facts.health, 0, sizeof(change->facts.health));
    }
    move_digest(change, change->was_held ? &before : NULL, &change->facts);
    move_tombstones(change, change->was_held && (before.flags & MAP_TOMBSTONE) != 0,
                    (change->facts.flags & MAP_TOMBSTONE) != 0);
    ret_new->head = span_of(&change->facts, FACTS_LEN);
    ret_new->body = body;
    return TABLE_STORE;
}

static enum table_verdict decide_put(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    const struct codec_value *value = change->value;
    struct map_facts held = {0};
    if (old.ptr != NULL) {
        held = facts_of(old);
    }
    bool none = version_is_none(held.version);
    if (change->conditional && version_cmp(held.version, change->expected) != 0) {
        change->result = PUT_STALE;
        return TABLE_KEEP;
    }
    enum merge_result merge =
        none ? MERGE_NEWER : merge_decide(held.version, held.hash, value->version, value->hash);
    change->facts = held;
    if (merge == MERGE_SAME) {
        change->result = PUT_SAME;
        change->facts.mark = change->mark;
        return store(change, old, body_of(old), ret_new);
    }
    if (!merge_takes(merge)) {
        change->result = PUT_STALE;
        return TABLE_KEEP;
    }
    change->result = old.ptr == NULL ? PUT_NEW : PUT_CHANGED;
    change->facts.version = value->version;
    change->facts.hash = value->hash;
    change->facts.flags = change->flags;
    change->facts.pending = 0;
    change->facts.mark = change->mark;
    return store(change, old, value->body, ret_new);
}

static enum table_verdict decide_show(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    struct map_facts held = {0};
    if (old.ptr != NULL) {
        held = facts_of(old);
    }
    change->result = old.ptr == NULL ? PUT_NEW : PUT_CHANGED;
    if (old.ptr != NULL && held.flags == change->flags && held.pending == change->pending &&
        span_eq(body_of(old), change->body)) {
        change->result = PUT_SAME;
        return TABLE_KEEP;
    }
    change->facts = held;
    change->facts.flags = change->flags;
    change->facts.pending = change->pending;
    return store(change, old, change->body, ret_new);
}

// Runs one change.  The services index learns of a key before the table holds it and forgets it after, so
// that whoever finds a key in the table finds it in the index too.
static enum err run(struct map *map, struct span key, table_decide_fn decide, struct change *change)
{
    ASSERT(key.len <= KEY_LEN_MAX);
    change->map = map;
    change->digest = &map->digests[key_partition(key, map->partitions)];
    struct table_key hashed = table_key(map->table, key);
    struct map_facts before;
    bool held = map_peek(map, key, &before);
    if (!held) {
        enum err err = services_note(map->services, key, false);
        if (err != ERR_OK) {
            return err;
        }
    }
    enum err err = table_update(map->table, hashed, decide, change);
    if (err != ERR_OK) {
        struct map_facts after = change->facts;
        move_digest(change, &after, change->was_held ? &before : NULL);
        move_tombstones(change, (after.flags & MAP_TOMBSTONE) != 0,
                        change->was_held && (before.flags & MAP_TOMBSTONE) != 0);
        if (!held) {
            services_drop(map->services, key);
        }
        return err;
    }
    bool stored = change->result != PUT_STALE;
    if (stored && (!change->was_held || change->was_shown != change->now_shown) &&
        change->result != PUT_SAME) {
        return services_note(map->services, key, change->now_shown);
    }
    if (!held && !stored) {
        services_drop(map->services, key); // a conditional put that found nothing
    }
    return ERR_OK;
}

static enum err put(struct map *map, struct span key, struct change *change,
                    enum put_result *ret_result)
{
    if (change->value->body.len > CODEC_BODY_MAX) {
        return ERR_TOO_LARGE;
    }
    enum err err = run(map, key, decide_put, change);
    if (err == ERR_OK) {
        *ret_result = change->result;
    }
    return err;
}

enum err map_put(struct map *map, struct span key, const struct codec_value *value, uint32_t flags,
                 uint32_t mark, enum put_result *ret_result)
{
    struct change change = {.value = value, .flags = flags, .mark = mark};
    return put(map, key, &change, ret_result);
}

enum err map_put_if(struct map *map, struct span key, struct version expected,
                    const struct codec_value *value, uint32_t flags, uint32_t mark,
                    enum put_result *ret_result)
{
    struct change change = {
        .value = value, .flags = flags, .mark = mark, .conditional = true, .expected = expected};
    return put(map, key, &change, ret_result);
}

enum err map_show(struct map *map, struct span key, struct span body, uint32_t flags,
                  uint32_t pending, enum put_result *ret_result)
{
    if (body.len > CODEC_BODY_MAX) {
        return ERR_TOO_LARGE;
    }
    struct change change = {.body = body, .flags = flags, .pending = pending};
    enum err err = run(map, key, decide_show, &change);
    if (err == ERR_OK) {
        *ret_result = change.result;
    }
    return err;
}

static enum table_verdict decide_drop(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    (void)ret_new;
    change->was_held = old.ptr != NULL;
    if (!change->was_held) {
        return TABLE_KEEP;
    }
    struct map_facts before = facts_of(old);
    move_digest(change, &before, NULL);
    move_tombstones(change, (before.flags & MAP_TOMBSTONE) != 0, false);
    return TABLE_REMOVE;
}

bool map_drop(struct map *map, struct span key)
{
    struct change change = {.map = map,
                            .digest = &map->digests[key_partition(key, map->partitions)]};
    enum err err = table_update(map->table, table_key(map->table, key), decide_drop, &change);
    ASSERT(err == ERR_OK); // taking out needs no memory
    if (change.was_held) {
        services_drop(map->services, key);
    }
    return change.was_held;
}

static void edit_mark(void *arg, char *value, size_t len)
{
    ASSERT(len >= FACTS_LEN);
    memcpy(value + offsetof(struct map_facts, mark), arg, sizeof(uint32_t));
}

bool map_set_mark(struct map *map, struct span key, uint32_t mark)
{
    return table_edit(map->table, table_key(map->table, key), edit_mark, &mark);
}

static void edit_health(void *arg, char *value, size_t len)
{
    ASSERT(len >= FACTS_LEN);
    memcpy(value + offsetof(struct map_facts, health), arg, sizeof(struct map_health));
}

static uint64_t announce_key(struct map *map, struct span key)
{
    uint64_t index = feed_append(map->feed, key);
    if (map->wake != NULL) {
        map->wake(map->wake_arg);
    }
    return index;
}

bool map_set_health(struct map *map, struct span key, const struct map_health *health,
                    bool announce)
{
    struct map_facts facts;
    if (!map_peek(map, key, &facts)) {
        return false;
    }
    // The health is in place before the feed tells of it: who is woken finds what it was woken for.
    struct map_health stored = *health;
    stored.revision = announce ? feed_index(map->feed) + 1 : facts.health.revision;
    struct table_key key_hashed = table_key(map->table, key);
    if (!table_edit(map->table, key_hashed, edit_health, &stored)) {
        return false;
    }
    services_health(map->services, key, &stored.health, stored.revision);
    if (!announce) {
        return true;
    }
    uint64_t index = announce_key(map, key);
    if (index != stored.revision) { // another writer came between: tests only
        stored.revision = index;
        (void)table_edit(map->table, key_hashed, edit_health, &stored);
        services_health(map->services, key, &stored.health, index);
    }
    return true;
}

// --- reading

static void look_facts(void *arg, struct span value)
{
    memcpy(arg, value.ptr, FACTS_LEN);
}

bool map_peek(const struct map *map, struct span key, struct map_facts *ret_facts)
{
    return table_read(map->table, table_key(map->table, key), look_facts, ret_facts);
}

static void look_copy(void *arg, struct span value)
{
    struct map_copy *copy = arg;
    struct span body = body_of(value);
    copy->facts = facts_of(value);
    copy->body_len = (uint16_t)body.len;
    memcpy(copy->body, body.ptr, body.len);
}

bool map_get(const struct map *map, struct span key, struct map_copy *ret_copy)
{
    return table_read(map->table, table_key(map->table, key), look_copy, ret_copy);
}

void map_get_many(const struct map *map, const struct span *keys, size_t count,
                  struct map_copy *ret_copies, bool *ret_found)
{
    for (size_t i = 0; i < count; i++) {
        ret_found[i] = map_get(map, keys[i], &ret_copies[i]);
    }
}

struct get_or_put {
    struct change change;
    struct map_copy *copy;
};

static enum table_verdict decide_get_or_put(void *arg, struct span old, struct table_value *ret_new)
{
    struct get_or_put *request = arg;
    struct change *change = &request->change;
    if (old.ptr != NULL) {
        change->was_held = true;
        change->result = PUT_STALE;
        look_copy(request->copy, old);
        return TABLE_KEEP;
    }
    enum table_verdict verdict = decide_put(change, old, ret_new);
    request->copy->facts = change->facts;
    request->copy->body_len = (uint16_t)change->value->body.len;
    memcpy(request->copy->body, change->value->body.ptr, change->value->body.len);
    return verdict;
}

enum err map_get_or_put(struct map *map, struct span key, const struct codec_value *value,
                        uint32_t flags, struct map_copy *ret_copy, bool *ret_was_held)
{
    if (value->body.len > CODEC_BODY_MAX) {
        return ERR_TOO_LARGE;
    }
    if (map_get(map, key, ret_copy)) {
        *ret_was_held = true;
        return ERR_OK;
    }
    struct get_or_put request = {
        .change = {.map = map,
                   .value = value,
                   .flags = flags,
                   .digest = &map->digests[key_partition(key, map->partitions)]},
        .copy = ret_copy};
    enum err err = table_update(map->table, table_key(map->table, key), decide_get_or_put, &request);
    if (err != ERR_OK) {
        move_digest(&request.change, &request.change.facts, NULL);
        move_tombstones(&request.change, (flags & MAP_TOMBSTONE) != 0, false);
        return err;
    }
    *ret_was_held = request.change.was_held;
    return request.change.was_held
               ? ERR_OK
               : services_note(map->services, key, request.change.now_shown);
}

bool map_service_get(const struct map *map, struct span service_key, struct map_service *ret_service)
{
    return services_get(map->services, service_key, ret_service);
}

void map_services(const struct map *map, struct span after, map_service_fn visit, void *arg)
{
    struct map_service service;
    struct key_bytes last = {.len = 0};
    ASSERT(after.len <= KEY_LEN_MAX);
    if (after.len > 0) {
        last.len = (uint16_t)after.len;
        memcpy(last.ptr, after.ptr, after.len);
    }
    while (services_next(map->services, key_span(&last), &service)) {
        if (!visit(arg, &service)) {
            return;
        }
        last = service.key;
    }
}

size_t map_service_keys(const struct map *map, struct span service_key, struct span after,
                        struct key_bytes *keys, size_t cap)
{
    return services_keys(map->services, service_key, after, keys, cap);
}

struct scan {
    const struct map *map;
    map_scan_fn visit;
    void *arg;
    bool filtered;
    uint32_t partition;
    struct map_copy copy;
};

static bool scan_key(void *arg, struct span key)
{
    struct scan *scan = arg;
    if (scan->filtered && key_partition(key, scan->map->partitions) != scan->partition) {
        return true;
    }
    return !map_get(scan->map, key, &scan->copy) || scan->visit(scan->arg, key, &scan->copy);
}

static void scan_all(struct scan *scan)
{
    // Out of memory for the keys of a shard: a scan may miss records, and says so in its contract.
    enum err err = table_keys(scan->map->table, scan_key, scan);
    (void)err;
}

void map_scan(const struct map *map, map_scan_fn visit, void *arg)
{
    struct scan scan = {.map = map, .visit = visit, .arg = arg};
    scan_all(&scan);
}

void map_scan_partition(const struct map *map, uint32_t partition, map_scan_fn visit, void *arg)
{
    struct scan scan = {
        .map = map, .visit = visit, .arg = arg, .filtered = true, .partition = partition};
    scan_all(&scan);
}

struct map_digest map_digest(const struct map *map, uint32_t partition)
{
    ASSERT(partition < map->partitions);
    const struct digest_cell *cell = &map->digests[partition];
    // relaxed: counters.  Pairs with the additions in move_digest.
    return (struct map_digest){
        atomic_load_explicit(&cell->count, memory_order_relaxed),
        atomic_load_explicit(&cell->sum, memory_order_relaxed) & CODEC_HASH_MASK};
}

void map_counts(const struct map *map, struct map_counts *ret_counts)
{
    ret_counts->records = table_count(map->table);
    ret_counts->tombstones = atomic_load_explicit(&map->tombstones, memory_order_relaxed);
    ret_counts->bytes =
        table_bytes(map->table) + services_bytes(map->services) + feed_bytes(map->feed);
    services_by_status(map->services, ret_counts->by_status);
}

// --- changefeed

uint64_t map_index(const struct map *map)
{
    return feed_index(map->feed);
}

enum feed_result map_feed_next(const struct map *map, uint64_t position,
                               struct map_change *ret_change)
{
    return feed_next(map->feed, position, ret_change);
}

void map_on_change(struct map *map, map_wake_fn wake, void *arg)
{
    map->wake = wake;
    map->wake_arg = arg;
}

uint64_t map_announce(struct map *map, struct span key)
{
    uint64_t index = announce_key(map, key);
    services_revision(map->services, key_service_prefix(key), index);
    return index;
}
