// SPDX-License-Identifier: Apache-2.0
#include "replicator/envoy/endpoints.h"

#include "base/address.h"
#include "localmap/map.h"

#include <stdlib.h>

#define BYTES_MAX (256u << 20)
#define KEYS_MAX 64 // read from the map at a time

// What reading needs, too large for a stack.
struct endpoints_reader {
    struct key_bytes keys[KEYS_MAX];
    struct map_copy copy;
    struct record record;
};

void endpoints_init(struct endpoints *endpoints)
{
    *endpoints = (struct endpoints){0};
    buf_init(&endpoints->bytes, BYTES_MAX);
}

void endpoints_fini(struct endpoints *endpoints)
{
    buf_fini(&endpoints->bytes);
    free(endpoints->items);
    free(endpoints->reader);
}

void endpoints_clear(struct endpoints *endpoints)
{
    endpoints->count = 0;
    buf_reset(&endpoints->bytes);
}

// Until endpoints_order a span's ptr is no pointer but a place in `bytes`, which may still move.
static struct span keep(struct endpoints *endpoints, struct span text)
{
    struct span kept = {(const char *)(uintptr_t)endpoints->bytes.len, text.len};
    buf_put(&endpoints->bytes, text);
    return kept;
}

static void settle(const struct endpoints *endpoints, struct span *text)
{
    text->ptr = buf_cstr(&endpoints->bytes) + (uintptr_t)text->ptr;
}

static enum err make_room(struct endpoints *endpoints)
{
    if (endpoints->count < endpoints->cap) {
        return ERR_OK;
    }
    size_t cap = endpoints->cap == 0 ? 64 : 2 * endpoints->cap;
    struct endpoint *items = realloc(endpoints->items, cap * sizeof(*items));
    if (items == NULL) {
        return ERR_NOMEM;
    }
    endpoints->items = items;
    endpoints->cap = cap;
    return ERR_OK;
}

enum err endpoints_add(struct endpoints *endpoints, struct span id,
                       const struct registration *registration, enum status status)
{
    struct address address;
    char text[ADDRESS_TEXT_LEN];
    if (address_parse_ip(registration->address, (uint16_t)registration->port, &address) != ERR_OK) {
        return ERR_OK;
    }
    enum err err = make_room(endpoints);
    if (err != ERR_OK) {
        return err;
    }
    address_format_ip(&address, text);
    endpoints->items[endpoints->count] = (struct endpoint){
        .region = keep(endpoints, registration->region),
        .zone = keep(endpoints, registration->zone),
        .sub_zone = keep(endpoints, registration->sub_zone),
        .address = keep(endpoints, span_str(text)),
        .id = keep(endpoints, id),
        .port = registration->port,
        .weight = registration->weight > 0 ? registration->weight : 1, // Envoy refuses 0
        .priority = registration->priority,
        .status = status,
    };
    if (endpoints->bytes.err != ERR_OK) {
        return endpoints->bytes.err;
    }
    endpoints->count++;
    return ERR_OK;
}

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare_place(const struct endpoint *a, const struct endpoint *b)
{
    int order = span_cmp(a->address, b->address);
    return order != 0 ? order : compare_numbers(a->port, b->port);
}

static int by_place_and_id(const void *left, const void *right)
{
    const struct endpoint *a = left;
    const struct endpoint *b = right;
    int order = compare_place(a, b);
    return order != 0 ? order : span_cmp(a->id, b->id);
}

static int compare_group(const struct endpoint *a, const struct endpoint *b)
{
    int order = compare_numbers(a->priority, b->priority);
    order = order != 0 ? order : span_cmp(a->region, b->region);
    order = order != 0 ? order : span_cmp(a->zone, b->zone);
    return order != 0 ? order : span_cmp(a->sub_zone, b->sub_zone);
}

static int canonical(const void *left, const void *right)
{
    int order = compare_group(left, right);
    return order != 0 ? order : by_place_and_id(left, right);
}

bool endpoints_same_group(const struct endpoint *a, const struct endpoint *b)
{
    return compare_group(a, b) == 0;
}

static void drop_twins(struct endpoints *endpoints)
{
    size_t kept = 0;
    qsort(endpoints->items, endpoints->count, sizeof(*endpoints->items), by_place_and_id);
    for (size_t i = 0; i < endpoints->count; i++) {
        if (kept == 0 || compare_place(&endpoints->items[kept - 1], &endpoints->items[i]) != 0) {
            endpoints->items[kept++] = endpoints->items[i];
        }
    }
    endpoints->count = kept;
}

static void close_gaps(struct endpoints *endpoints)
{
    uint32_t before = 0;
    uint32_t priority = 0;
    for (size_t i = 0; i < endpoints->count; i++) {
        struct endpoint *endpoint = &endpoints->items[i];
        priority += i > 0 && endpoint->priority != before;
        before = endpoint->priority;
        endpoint->priority = priority;
    }
}

void endpoints_order(struct endpoints *endpoints)
{
    if (endpoints->count == 0) {
        return;
    }
    for (size_t i = 0; i < endpoints->count; i++) {
        struct endpoint *endpoint = &endpoints->items[i];
        settle(endpoints, &endpoint->region);
        settle(endpoints, &endpoint->zone);
        settle(endpoints, &endpoint->sub_zone);
        settle(endpoints, &endpoint->address);
        settle(endpoints, &endpoint->id);
    }
    drop_twins(endpoints);
    qsort(endpoints->items, endpoints->count, sizeof(*endpoints->items), canonical);
    close_gaps(endpoints);
}

// Adds the registration of `bytes` if that is one and it is shown.
static enum err add_key(struct endpoints *endpoints, const struct map *map, struct span bytes)
{
    struct endpoints_reader *reader = endpoints->reader;
    struct key key;
    if (key_parse(bytes, &key) != ERR_OK || key.kind != KEY_REGISTRATION ||
        !map_get(map, bytes, &reader->copy) ||
        (reader->copy.facts.flags & (MAP_OPAQUE | MAP_TOMBSTONE)) != 0 ||
        codec_body_read(KEY_REGISTRATION, map_copy_body(&reader->copy), &reader->record) !=
            ERR_OK ||
        reader->record.tombstone) {
        return ERR_OK;
    }
    return endpoints_add(endpoints, key.instance, &reader->record.registration,
                         reader->copy.facts.health.health.status);
}

enum err endpoints_read(struct endpoints *endpoints, const struct map *map, struct span service_key)
{
    endpoints_clear(endpoints);
    if (endpoints->reader == NULL) {
        endpoints->reader = malloc(sizeof(*endpoints->reader));
        if (endpoints->reader == NULL) {
            return ERR_NOMEM;
        }
    }
    struct key_bytes *keys = endpoints->reader->keys;
    struct key_bytes after = {.len = 0};
    size_t count = KEYS_MAX;
    while (count == KEYS_MAX) {
        count = map_service_keys(map, service_key, key_span(&after), keys, KEYS_MAX);
        for (size_t i = 0; i < count; i++) {
            enum err err = add_key(endpoints, map, key_span(&keys[i]));
            if (err != ERR_OK) {
                return err;
            }
        }
        if (count > 0) {
            after = keys[count - 1];
        }
    }
    endpoints_order(endpoints);
    return ERR_OK;
}
