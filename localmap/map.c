// SPDX-License-Identifier: Apache-2.0
#include "localmap/map.h"

#include "base/assert.h"
#include "localmap/digest.h"
#include "localmap/feed.h"
#include "localmap/model/merge.h"
#include "localmap/services.h"
#include "localmap/slot.h"
#include "localmap/table/table.h"

#include <stdatomic.h>
#include <stdlib.h>

// Every change of a key is one call of table_update: services, digest and feed are kept from inside its
// `decide`, under the shard's lock, so that they follow the table change by change.
// Ranks: shard 30, services 40, digest 50, feed 60; a thread takes locks in rising order only.
struct map {
    struct table *table;
    struct services *services;
    struct digest *digest;
    struct feed *feed;
    uint32_t partitions;
    atomic_uint_fast64_t tombstones; // a counter: relaxed, it publishes nothing
    map_wake_fn wake;                // set before the first write
    void *wake_arg;
};

enum err map_new(const struct map_options *options, struct map **ret_map)
{
    struct map *map = calloc(1, sizeof(*map));
    if (map == NULL) {
        return ERR_NOMEM;
    }
    map->partitions = options->partitions;
    enum err err = table_new(options->shards, &map->table);
    err = err != ERR_OK ? err : services_new(options->partitions, &map->services);
    err = err != ERR_OK ? err : digest_new(options->partitions, &map->digest);
    err = err != ERR_OK ? err : feed_new(options->changefeed, options->instance, &map->feed);
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
    digest_free(map->digest);
    services_free(map->services);
    table_free(map->table);
    free(map);
}

static bool key_fits(struct span key)
{
    return key.len > 0 && key.len <= KEY_LEN_MAX;
}

struct map_key map_key(const struct map *map, struct span key)
{
    const struct table_key hashed = table_key(map->table, key);
    return (struct map_key){key, hashed.hash, slot_is_registration(key)};
}

static void wake(const struct map *map)
{
    if (map->wake != NULL) {
        map->wake(map->wake_arg);
    }
}

// --- changing

// One change on its way through the table: what is wanted, then what came of it.
struct change {
    struct map *map;
    struct map_key key;
    // wanted
    struct map_put given; // all of it by a put; the flags by a show, the mark by a mark
    struct span body;     // of a show
    const struct map_health *health;
    struct map_copy *copy; // of a get-or-put
    bool conditional, announce;
    struct version expected;
    uint32_t pending;
    // came of it
    enum put_result result;
    enum err err;
    bool was_held, done;
    char head[SLOT_HEAD_MAX];
};

// Tells the services index what is shown now.  A no-op unless that, or the key itself, is new.
static enum err tell_services(struct change *change, const struct slot *before, struct slot *after)
{
    const struct health *old = &before->facts.health.health;
    const struct health *new = &after->facts.health.health;
    struct map *map = change->map;
    const struct services_change told = {
        .shown = slot_is_shown(after), .status = new->status, .guarded = new->guarded};
    if (!change->was_held) {
        return services_add(map->services, change->key.bytes, &told, &after->member);
    }
    if (change->announce) {
        after->facts.health.revision =
            services_tell(map->services, after->member, &told, map->feed);
    } else if (slot_is_shown(before) != told.shown || old->status != told.status ||
               old->guarded != told.guarded) {
        services_set(map->services, after->member, &told);
    }
    return ERR_OK;
}

static void count_tombstones(struct map *map, uint32_t flags_before, uint32_t flags_after)
{
    if ((flags_before & MAP_TOMBSTONE) == 0 && (flags_after & MAP_TOMBSTONE) != 0) {
        atomic_fetch_add_explicit(&map->tombstones, 1, memory_order_relaxed);
    } else if ((flags_before & MAP_TOMBSTONE) != 0 && (flags_after & MAP_TOMBSTONE) == 0) {
        atomic_fetch_sub_explicit(&map->tombstones, 1, memory_order_relaxed);
    }
}

static void move_digest(const struct change *change, const struct slot *before,
                        const struct slot *after)
{
    bool counted = before->digested;
    bool counts = after->digested;
    if (counted && counts && before->facts.hash == after->facts.hash) {
        return;
    }
    digest_move(change->map->digest, services_partition(after->member),
                counted ? &before->facts.hash : NULL, counts ? &after->facts.hash : NULL);
}

// Keeps the books for `after` in place of `before` and hands the new value to the table.
static enum table_verdict commit(struct change *change, const struct slot *before,
                                 struct slot *after, struct table_value *ret_new)
{
    if (!slot_is_shown(after)) {
        memset(&after->facts.health, 0, sizeof(after->facts.health));
    }
    change->err = tell_services(change, before, after);
    if (change->err != ERR_OK) {
        return TABLE_KEEP;
    }
    count_tombstones(change->map, before->facts.flags, after->facts.flags);
    move_digest(change, before, after);
    size_t head_len = slot_write_head(change->key.registration, after, change->head);
    ret_new->head = span_of(change->head, head_len);
    ret_new->body = after->body;
    change->done = true;
    return TABLE_STORE;
}

// Takes the old value apart; one that is not there reads as zeros.
static void begin(struct change *change, struct span old, struct slot *ret_before)
{
    memset(ret_before, 0, sizeof(*ret_before));
    change->was_held = old.ptr != NULL;
    if (change->was_held) {
        slot_read(change->key.registration, old, ret_before);
    }
}

// Runs `decide` on the key.  `body_len`: of the new body; `create`: also when it is not held.
static enum err run(struct change *change, table_decide_fn decide, size_t body_len, bool create)
{
    const struct table_key key = {change->key.bytes, change->key.hash};
    const struct table_change update = {
        .decide = decide,
        .arg = change,
        .room = create ? slot_head_len(change->key.registration) + body_len : 0,
        .create = create};
    enum err err = table_update(change->map->table, &key, &update);
    return err != ERR_OK ? err : change->err;
}

// The same for a change that says what came of it.
static enum err run_new(struct change *change, table_decide_fn decide, size_t body_len,
                        enum put_result *ret_result)
{
    enum err err = run(change, decide, body_len, true);
    if (err == ERR_OK) {
        *ret_result = change->result;
    }
    return err;
}

static enum table_verdict decide_put(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    const struct codec_value *value = change->given.value;
    struct slot before;
    begin(change, old, &before);
    change->result = PUT_STALE;
    if (change->conditional && version_cmp(before.facts.version, change->expected) != 0) {
        return TABLE_KEEP;
    }
    struct slot after = before;
    after.facts.mark = change->given.mark;
    enum merge_result merge = MERGE_NEWER;
    if (!version_is_none(before.facts.version)) {
        merge = merge_decide(before.facts.version, before.facts.hash, value->version, value->hash);
    }
    if (merge == MERGE_SAME) {
        change->result = PUT_SAME;
        return commit(change, &before, &after, ret_new);
    }
    if (!merge_takes(merge)) {
        return TABLE_KEEP;
    }
    change->result = change->was_held ? PUT_CHANGED : PUT_NEW;
    after.facts.version = value->version;
    after.facts.hash = value->hash;
    after.digested = (change->given.flags & MAP_LOCAL) == 0;
    if (before.facts.pending == 0) {
        // Under pending patches readers go on seeing base + patches until map_show has the new sum.
        after.facts.flags = change->given.flags;
        after.body = value->body;
    }
    return commit(change, &before, &after, ret_new);
}

static enum err check_value(struct span key, const struct codec_value *value)
{
    if (!key_fits(key) || version_is_none(value->version)) {
        return ERR_INVALID;
    }
    return value->body.len > CODEC_BODY_MAX ? ERR_TOO_LARGE : ERR_OK;
}

static enum err put(struct change *change, enum put_result *ret_result)
{
    enum err err = check_value(change->key.bytes, change->given.value);
    size_t body_len = change->given.value->body.len;
    return err != ERR_OK ? err : run_new(change, decide_put, body_len, ret_result);
}

enum err map_put(struct map *map, struct span key, const struct codec_value *value, uint32_t flags,
                 uint32_t mark, enum put_result *ret_result)
{
    struct change change = {.map = map, .key = map_key(map, key), .given = {value, flags, mark}};
    return put(&change, ret_result);
}

enum err map_put_at(struct map *map, const struct map_key *key, const struct map_put *wanted,
                    enum put_result *ret_result)
{
    struct change change = {.map = map, .key = *key, .given = *wanted};
    return put(&change, ret_result);
}

enum err map_put_if(struct map *map, struct span key, struct version expected,
                    const struct codec_value *value, uint32_t flags, uint32_t mark,
                    enum put_result *ret_result)
{
    struct change change = {.map = map,
                            .key = map_key(map, key),
                            .given = {value, flags, mark},
                            .conditional = true,
                            .expected = expected};
    return put(&change, ret_result);
}

static enum table_verdict decide_show(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    struct slot before;
    begin(change, old, &before);
    if (change->was_held && before.facts.flags == change->given.flags &&
        before.facts.pending == change->pending && span_eq(before.body, change->body)) {
        change->result = PUT_SAME;
        return TABLE_KEEP;
    }
    change->result = change->was_held ? PUT_CHANGED : PUT_NEW;
    struct slot after = before;
    after.facts.flags = change->given.flags;
    after.facts.pending = change->pending;
    after.body = change->body;
    return commit(change, &before, &after, ret_new);
}

enum err map_show(struct map *map, struct span key, struct span body, uint32_t flags,
                  uint32_t pending, enum put_result *ret_result)
{
    if (!key_fits(key)) {
        return ERR_INVALID;
    }
    if (body.len > CODEC_BODY_MAX) {
        return ERR_TOO_LARGE;
    }
    struct change change = {.map = map,
                            .key = map_key(map, key),
                            .body = body,
                            .given = {.flags = flags},
                            .pending = pending};
    return run_new(&change, decide_show, body.len, ret_result);
}

static enum table_verdict decide_drop(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    struct slot before;
    (void)ret_new;
    begin(change, old, &before);
    count_tombstones(change->map, before.facts.flags, 0);
    if (before.digested) {
        digest_move(change->map->digest, services_partition(before.member), &before.facts.hash,
                    NULL);
    }
    services_drop(change->map->services, before.member);
    change->done = true;
    return TABLE_REMOVE;
}

static enum table_verdict decide_health(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    struct slot before;
    begin(change, old, &before);
    if (!slot_is_shown(&before)) {
        return TABLE_KEEP;
    }
    struct slot after = before;
    after.facts.health = *change->health;
    after.facts.health.revision = before.facts.health.revision;
    return commit(change, &before, &after, ret_new);
}

static enum table_verdict decide_mark(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    struct slot before;
    begin(change, old, &before);
    struct slot after = before;
    after.facts.mark = change->given.mark;
    return commit(change, &before, &after, ret_new);
}

// Changes that need no memory, of a key that must be held.  false: it is not, or the change does not apply.
static bool run_held(struct change *change, table_decide_fn decide)
{
    if (!key_fits(change->key.bytes)) {
        return false;
    }
    enum err err = run(change, decide, 0, false);
    ASSERT(err == ERR_OK || err == ERR_NOT_FOUND);
    return change->done;
}

bool map_drop(struct map *map, struct span key)
{
    struct change change = {.map = map, .key = map_key(map, key), .result = PUT_STALE};
    return run_held(&change, decide_drop);
}

bool map_set_health(struct map *map, struct span key, const struct map_health *health,
                    bool announce)
{
    struct change change = {
        .map = map, .key = map_key(map, key), .health = health, .announce = announce};
    if (!change.key.registration || !run_held(&change, decide_health)) {
        return false;
    }
    if (announce) {
        wake(map);
    }
    return true;
}

bool map_set_mark(struct map *map, struct span key, uint32_t mark)
{
    struct change change = {.map = map, .key = map_key(map, key), .given = {.mark = mark}};
    return run_held(&change, decide_mark);
}

// --- reading

struct look {
    bool registration;
    struct map_facts *facts;
    struct map_copy *copy; // NULL: the facts alone are wanted
};

static void look_value(void *arg, struct span value)
{
    const struct look *look = arg;
    struct slot slot;
    slot_read(look->registration, value, &slot);
    *look->facts = slot.facts;
    if (look->copy != NULL) {
        ASSERT(slot.body.len <= sizeof(look->copy->body));
        look->copy->body_len = (uint16_t)slot.body.len;
        memcpy(look->copy->body, slot.body.ptr, slot.body.len);
    }
}

static bool read_key(const struct map *map, const struct map_key *key, struct map_facts *ret_facts,
                     struct map_copy *ret_copy)
{
    struct look look = {key->registration, ret_facts, ret_copy};
    const struct table_key hashed = {key->bytes, key->hash};
    return key_fits(key->bytes) && table_read(map->table, &hashed, look_value, &look);
}

bool map_get(const struct map *map, struct span key, struct map_copy *ret_copy)
{
    const struct map_key worked_out = map_key(map, key);
    return read_key(map, &worked_out, &ret_copy->facts, ret_copy);
}

bool map_peek(const struct map *map, struct span key, struct map_facts *ret_facts)
{
    const struct map_key worked_out = map_key(map, key);
    return map_peek_at(map, &worked_out, ret_facts);
}

bool map_peek_at(const struct map *map, const struct map_key *key, struct map_facts *ret_facts)
{
    return read_key(map, key, ret_facts, NULL);
}

void map_get_many(const struct map *map, const struct span *keys, size_t count,
                  struct map_copy *ret_copies, bool *ret_found)
{
    for (size_t i = 0; i < count; i++) {
        ret_found[i] = map_get(map, keys[i], &ret_copies[i]);
    }
}

static enum table_verdict decide_get_or_put(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    struct look look = {change->key.registration, &change->copy->facts, change->copy};
    if (old.ptr != NULL) {
        change->was_held = true;
        look_value(&look, old);
        return TABLE_KEEP;
    }
    enum table_verdict verdict = decide_put(change, old, ret_new);
    if (verdict == TABLE_STORE) {
        struct slot slot;
        slot_read(change->key.registration, ret_new->head, &slot);
        change->copy->facts = slot.facts;
        change->copy->body_len = (uint16_t)change->given.value->body.len;
        memcpy(change->copy->body, change->given.value->body.ptr, change->given.value->body.len);
    }
    return verdict;
}

enum err map_get_or_put(struct map *map, struct span key, const struct codec_value *value,
                        uint32_t flags, struct map_copy *ret_copy, bool *ret_was_held)
{
    struct change change = {.map = map,
                            .key = map_key(map, key),
                            .given = {.value = value, .flags = flags},
                            .copy = ret_copy};
    enum err err = check_value(key, value);
    if (err == ERR_OK && map_get(map, key, ret_copy)) {
        *ret_was_held = true; // the usual case needs no writer's lock
        return ERR_OK;
    }
    if (err == ERR_OK) {
        err = run(&change, decide_get_or_put, value->body.len, true);
    }
    if (err == ERR_OK) {
        *ret_was_held = change.was_held;
    }
    return err;
}

struct map_digest map_digest(const struct map *map, uint32_t partition)
{
    return digest_get(map->digest, partition);
}

void map_counts(const struct map *map, struct map_counts *ret_counts)
{
    ret_counts->records = table_count(map->table);
    ret_counts->tombstones = atomic_load_explicit(&map->tombstones, memory_order_relaxed);
    ret_counts->bytes = sizeof(*map) + table_bytes(map->table) + services_bytes(map->services) +
                        digest_bytes(map->digest) + feed_bytes(map->feed);
    services_by_status(map->services, ret_counts->by_status);
}

// --- services and scans

bool map_service_get(const struct map *map, struct span service_key,
                     struct map_service *ret_service)
{
    return services_get(map->services, service_key, ret_service);
}

void map_services(const struct map *map, struct span after, map_service_fn visit, void *arg)
{
    struct map_service service;
    bool more = services_next(map->services, after, &service);
    while (more && visit(arg, &service)) {
        struct key_bytes last = service.key;
        more = services_next(map->services, key_span(&last), &service);
    }
}

size_t map_service_keys(const struct map *map, struct span service_key, struct span after,
                        struct key_bytes *keys, size_t cap)
{
    const struct services_range range = {service_key, after, cap};
    return services_keys(map->services, &range, keys);
}

struct scan {
    struct table_cursor cursor;
    struct map_copy copy;
};

static void look_scanned(void *arg, struct span value)
{
    struct scan *scan = arg;
    struct span key = span_of(scan->cursor.key, scan->cursor.key_len);
    struct look look = {slot_is_registration(key), &scan->copy.facts, &scan->copy};
    look_value(&look, value);
}

void map_scan(const struct map *map, map_scan_fn visit, void *arg)
{
    struct scan scan;
    memset(&scan.cursor, 0, sizeof(scan.cursor));
    while (table_next(map->table, &scan.cursor, look_scanned, &scan)) {
        if (!visit(arg, span_of(scan.cursor.key, scan.cursor.key_len), &scan.copy)) {
            return;
        }
    }
}

// All records of one service.  false: `visit` has had enough.
static bool scan_service(const struct map *map, struct span service_key, map_scan_fn visit,
                         void *arg)
{
    struct map_copy copy;
    struct key_bytes keys[8];
    struct key_bytes after = {.len = 0};
    size_t count = 0;
    const size_t cap = sizeof(keys) / sizeof(keys[0]);
    do {
        const struct services_range range = {service_key, key_span(&after), cap};
        count = services_keys(map->services, &range, keys);
        for (size_t i = 0; i < count; i++) {
            if (map_get(map, key_span(&keys[i]), &copy) && !visit(arg, key_span(&keys[i]), &copy)) {
                return false;
            }
            after = keys[i];
        }
    } while (count == cap);
    return true;
}

// By services, which lie in one partition each, rather than by looking at every record of all partitions.
void map_scan_partition(const struct map *map, uint32_t partition, map_scan_fn visit, void *arg)
{
    struct key_bytes service = {.len = 0};
    while (services_next_key(map->services, key_span(&service), &service)) {
        struct span key = key_span(&service);
        if (key_partition(key, map->partitions) == partition &&
            !scan_service(map, key, visit, arg)) {
            return;
        }
    }
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

void map_on_change(struct map *map, map_wake_fn wake_fn, void *arg)
{
    map->wake = wake_fn;
    map->wake_arg = arg;
}

uint64_t map_announce(struct map *map, struct span key)
{
    uint64_t index = services_announce(map->services, map->feed, key);
    wake(map);
    return index;
}
