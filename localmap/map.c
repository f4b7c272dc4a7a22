// SPDX-License-Identifier: Apache-2.0
#include "localmap/map_state.h"

#include <stdlib.h>

enum err map_new(const struct map_options *options, struct map **ret_map)
{
    struct map *map = calloc(1, sizeof(*map));
    if (map == NULL) {
        return ERR_NOMEM;
    }
    map->partitions = options->partitions;
    enum err err = table_new(options->shards, &map->table);
    err = err != ERR_OK ? err : services_new(options->partitions, &map->services);
    err = err != ERR_OK ? err : quota_new(&map->quota);
    err = err != ERR_OK ? err : digest_new(options->partitions, &map->digest);
    err = err != ERR_OK ? err : feed_new(options->changefeed, options->instance, &map->feed);
    err = err != ERR_OK ? err : interest_new(&map->interest);
    err = err != ERR_OK ? err : users_new(&map->users);
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
    interest_free(map->interest);
    users_free(map->users);
    feed_free(map->feed);
    digest_free(map->digest);
    quota_free(map->quota);
    services_free(map->services);
    table_free(map->table);
    free(map);
}

// --- who uses it

uint32_t map_user_open(const struct map *map, const char *name, const char *where)
{
    return users_open(map->users, name, where);
}

void map_user_close(const struct map *map, uint32_t ticket)
{
    users_close(map->users, ticket);
}

size_t map_close(struct map *map, map_user_fn tell, void *arg)
{
    atomic_store_explicit(&map->ended, true, memory_order_relaxed);
    // Counting goes through every shard's lock, behind whoever is inside (see map_state.h).
    (void)table_count(map->table);
    return users_tell(map->users, tell, arg);
}

struct map_key map_key(const struct map *map, struct span key)
{
    const struct table_key hashed = table_key(map->table, key);
    return (struct map_key){key, hashed.hash, slot_is_registration(key)};
}

// --- reading

void map_look_value(void *arg, struct span value)
{
    const struct map_look *look = arg;
    struct slot slot;
    slot_read(look->registration, value, &slot);
    *look->facts = slot.facts;
    if (look->copy != NULL) {
        ASSERT(slot.body.len <= sizeof(look->copy->body));
        look->copy->body_len = (uint16_t)slot.body.len;
        memcpy(look->copy->body, slot.body.ptr, slot.body.len);
    }
}

// Where a value goes that its body may come to stand in the copy's.
static struct table_copy place_in(struct map_copy *copy, size_t head_len)
{
    char *body = (char *)copy + offsetof(struct map_copy, body);
    return (struct table_copy){.bytes = body - head_len, .cap = head_len + sizeof(copy->body)};
}

static void take(bool registration, const struct table_copy *read, struct map_copy *ret_copy)
{
    size_t head_len = slot_head_len(registration);
    ASSERT(read->len >= head_len && read->len - head_len <= CODEC_BODY_MAX);
    slot_read_facts(registration, read->bytes, &ret_copy->facts);
    ret_copy->body_len = (uint16_t)(read->len - head_len);
}

bool map_get(const struct map *map, struct span key, struct map_copy *ret_copy)
{
    const struct map_key worked_out = map_key(map, key);
    struct table_copy read = place_in(ret_copy, slot_head_len(worked_out.registration));
    const struct table_key hashed = {key, worked_out.hash};
    if (!map_key_fits(key) || !table_get(map->table, &hashed, &read)) {
        return false;
    }
    take(worked_out.registration, &read, ret_copy);
    return true;
}

bool map_peek(const struct map *map, struct span key, struct map_facts *ret_facts)
{
    const struct map_key worked_out = map_key(map, key);
    return map_peek_at(map, &worked_out, ret_facts);
}

bool map_peek_at(const struct map *map, const struct map_key *key, struct map_facts *ret_facts)
{
    char head[SLOT_HEAD_MAX]; // the body stays where it is
    struct table_copy read = {.bytes = head, .cap = sizeof(head)};
    const struct table_key hashed = {key->bytes, key->hash};
    if (!map_key_fits(key->bytes) || !table_get(map->table, &hashed, &read)) {
        return false;
    }
    ASSERT(read.len >= slot_head_len(key->registration));
    slot_read_facts(key->registration, head, ret_facts);
    return true;
}

#define MANY 16 // keys for the table at once, as many as it fetches at once

// Looks up the block of keys that begins at `from` and returns how many those were.
static size_t get_block(const struct map *map, const struct map_many *many, size_t from)
{
    struct table_key keys[MANY];
    struct table_copy reads[MANY];
    bool registration[MANY];
    size_t places[MANY]; // of those that can be held at all
    size_t count = 0;
    size_t at = from;
    for (; at < many->count && at - from < MANY; at++) {
        const struct map_key key = map_key(map, many->keys[at]);
        many->found[at] = false;
        if (map_key_fits(key.bytes)) {
            keys[count] = (struct table_key){key.bytes, key.hash};
            registration[count] = key.registration;
            reads[count] = place_in(&many->copies[at], slot_head_len(key.registration));
            places[count++] = at;
        }
    }
    if (count > 0) {
        table_get_many(map->table, keys, count, reads);
    }
    for (size_t i = 0; i < count; i++) {
        many->found[places[i]] = reads[i].found;
        if (reads[i].found) {
            take(registration[i], &reads[i], &many->copies[places[i]]);
        }
    }
    return at - from;
}

void map_get_many(const struct map *map, const struct map_many *many)
{
    for (size_t from = 0; from < many->count;) {
        from += get_block(map, many, from);
    }
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
                        quota_bytes(map->quota) + digest_bytes(map->digest) +
                        feed_bytes(map->feed) + users_bytes();
    ret_counts->late = atomic_load_explicit(&map->late, memory_order_relaxed);
    services_by_status(map->services, ret_counts->by_status);
    ret_counts->evicted_records = atomic_load_explicit(&map->evicted, memory_order_relaxed);
    ret_counts->evicted_services = services_evicted(map->services);
}

enum err map_follow(const struct map *map, const struct map_filter *filter)
{
    return interest_add(map->interest, filter);
}

void map_unfollow(const struct map *map, const struct map_filter *filter)
{
    interest_drop(map->interest, filter);
}

bool map_has_evicted(const struct map *map)
{
    return atomic_load_explicit(&map->evicted, memory_order_relaxed) > 0;
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
    struct map_look look = {slot_is_registration(key), &scan->copy.facts, &scan->copy};
    map_look_value(&look, value);
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
    if (map_is_late(map)) {
        return map_index(map);
    }
    uint64_t index = services_announce(map->services, map->feed, key);
    map_wake_readers(map);
    return index;
}
