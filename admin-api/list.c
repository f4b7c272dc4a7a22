// SPDX-License-Identifier: Apache-2.0
#include "admin-api/list.h"

#include "admin-api/instance.h"
#include "base/json_write.h"

#include <inttypes.h>

static bool begins_with(struct span key, struct span prefix)
{
    return key.len >= prefix.len && memcmp(key.ptr, prefix.ptr, prefix.len) == 0;
}

void list_begin(struct api *api, enum list_kind kind, const struct key_bytes *within,
                struct list_cursor *ret_cursor)
{
    *ret_cursor = (struct list_cursor){
        .kind = kind, .within = *within, .after = *within, .index = map_index(api->backend->map)};
}

static const char *before_item(const struct list_cursor *cursor)
{
    return cursor->comma ? "," : "{\"items\":[";
}

static void end_list(struct list_cursor *cursor, struct buf *buf)
{
    buf_str(buf, cursor->comma ? "" : before_item(cursor));
    buf_printf(buf, "],\"index\":\"%" PRIu64 "\"}", cursor->index);
}

void list_write_service(const struct map_service *service, struct buf *buf)
{
    struct key key;
    if (key_parse(key_span(&service->key), &key) != ERR_OK) {
        return;
    }
    struct json_writer json;
    json_writer_init(&json, buf, JSON_COMPACT);
    json_write_object(&json, NULL);
    json_write_string(&json, "tenant", key.tenant);
    json_write_string(&json, "name", key.service);
    json_write_int(&json, "instances", service->instances);
    json_write_int(&json, "healthy", service->by_status[STATUS_HEALTHY]);
    json_write_int(&json, "unhealthy", service->by_status[STATUS_UNHEALTHY]);
    json_write_int(&json, "timeout", service->by_status[STATUS_TIMEOUT]);
    json_write_int(&json, "draining", service->by_status[STATUS_DRAINING]);
    json_write_int(&json, "degraded", service->by_status[STATUS_DEGRADED]);
    json_write_int(&json, "unknown", service->by_status[STATUS_UNKNOWN]);
    json_write_int(&json, "guarded", service->guarded);
    json_write_u64(&json, "revision", service->revision);
    json_write_object_end(&json);
}

struct services_piece {
    struct list_cursor *cursor;
    struct buf *buf;
    size_t limit;
    bool more;
};

static bool visit_service(void *arg, const struct map_service *service)
{
    struct services_piece *piece = arg;
    if (!begins_with(key_span(&service->key), key_span(&piece->cursor->within))) {
        return false;
    }
    if (piece->buf->len >= piece->limit) {
        piece->more = true;
        return false;
    }
    piece->cursor->after = service->key;
    buf_str(piece->buf, before_item(piece->cursor));
    piece->cursor->comma = true;
    list_write_service(service, piece->buf);
    return true;
}

static bool more_services(struct api *api, struct list_cursor *cursor, struct buf *buf)
{
    struct services_piece piece = {
        .cursor = cursor, .buf = buf, .limit = buf->len + LIST_PIECE_LEN};
    map_services(api->backend->map, key_span(&cursor->after), visit_service, &piece);
    return piece.more;
}

// Writes the registrations among a page of keys; the others are shown within theirs.  Returns how many
// keys were used before the piece was full.
static size_t write_page(struct api *api, struct list_cursor *cursor, size_t count, struct buf *buf)
{
    size_t start = buf->len;
    for (size_t i = 0; i < count; i++) {
        const struct key_bytes *key = &api->scratch->keys[i];
        struct key parsed;
        if (buf->len - start >= LIST_PIECE_LEN) {
            return i;
        }
        cursor->after = *key;
        if (key_parse(key_span(key), &parsed) != ERR_OK || parsed.kind != KEY_REGISTRATION) {
            continue;
        }
        struct instance_view view = {.registration = key, .before = before_item(cursor)};
        if (instance_write(api, &view, buf)) {
            cursor->comma = true;
        } else if (view.evicted) {
            buf->err = ERR_BUSY; // half a list must not look like a whole one
            return i;
        }
    }
    return count;
}

static bool more_instances(struct api *api, struct list_cursor *cursor, struct buf *buf)
{
    size_t start = buf->len;
    for (;;) {
        size_t count =
            map_service_keys(api->backend->map, key_span(&cursor->within), key_span(&cursor->after),
                             api->scratch->keys, API_KEYS_PAGE);
        size_t used = write_page(api, cursor, count, buf);
        if (used == count && count < API_KEYS_PAGE) {
            return false;
        }
        if (buf->err != ERR_OK || buf->len - start >= LIST_PIECE_LEN) {
            return true;
        }
    }
}

bool list_more(struct api *api, struct list_cursor *cursor, struct buf *buf)
{
    bool more = cursor->kind == LIST_SERVICES ? more_services(api, cursor, buf)
                                              : more_instances(api, cursor, buf);
    if (!more || buf->err != ERR_OK) {
        end_list(cursor, buf);
        return false;
    }
    return true;
}
