// SPDX-License-Identifier: Apache-2.0
#include "admin-api/watch_event.h"

#include "admin-api/evicted.h"
#include "admin-api/instance.h"

#include <inttypes.h>

static bool is_wanted(const struct watch_cursor *cursor, const struct key *key)
{
    struct span tenant = span_of(cursor->tenant, cursor->tenant_len);
    struct span service = span_of(cursor->service, cursor->service_len);
    return key->kind == KEY_REGISTRATION && (tenant.len == 0 || span_eq(tenant, key->tenant)) &&
           (service.len == 0 || span_eq(service, key->service));
}

static void append_head(struct buf *buf, const char *event, uint64_t index)
{
    buf_printf(buf, "event: %s\nid: %" PRIu64 "\ndata: ", event, index);
}

// false: it cannot be shown, because it was evicted before anybody watched.
static bool append_change(struct api *api, const struct map_change *change, struct buf *buf)
{
    struct instance_view view = {.registration = &change->key, .without_observations = true};
    size_t start = buf->len;
    append_head(buf, "change", change->index);
    if (!instance_write(api, &view, buf)) {
        if (view.evicted) {
            buf->len = start;
            return false;
        }
        instance_write_deleted(&change->key, buf);
    }
    buf_str(buf, "\n\n");
    return true;
}

void watch_event_resync(struct api *api, struct watch_cursor *cursor, struct buf *buf)
{
    cursor->position = map_index(api->backend->map);
    append_head(buf, "resync", cursor->position);
    buf_printf(buf, "{\"index\":\"%" PRIu64 "\"}\n\n", cursor->position);
}

enum watch_step watch_event_next(struct api *api, struct watch_cursor *cursor, struct buf *buf)
{
    struct map_change change;
    struct key key;
    switch (map_feed_next(api->backend->map, cursor->position, &change)) {
    case FEED_EMPTY:
        return WATCH_IDLE;
    case FEED_LAPPED:
        watch_event_resync(api, cursor, buf);
        return WATCH_EVENT;
    case FEED_OK:
        break;
    }
    cursor->position = change.index;
    if (key_parse(key_span(&change.key), &key) != ERR_OK || !is_wanted(cursor, &key)) {
        return WATCH_SKIPPED;
    }
    if (!append_change(api, &change, buf)) {
        watch_event_resync(api, cursor, buf); // who lists anew is answered once it is read again
    }
    return WATCH_EVENT;
}
