// SPDX-License-Identifier: Apache-2.0
#include "stream/memory_presence.h"

#include <stdlib.h>

struct memory_row {
    char *bytes; // name, payload
    size_t name_len, payload_len;
    int64_t beat_ms;
};

static struct span row_name(const struct memory_row *row)
{
    return span_of(row->bytes, row->name_len);
}

static struct span row_payload(const struct memory_row *row)
{
    return span_of(row->bytes + row->name_len, row->payload_len);
}

void memory_presence_fini(struct memory_presence *presence)
{
    for (size_t i = 0; i < presence->count; i++) {
        free(presence->rows[i].bytes);
    }
    free(presence->rows);
    *presence = (struct memory_presence){0};
}

static struct memory_row *row_find(const struct memory_presence *presence, struct span name)
{
    for (size_t i = 0; i < presence->count; i++) {
        if (span_eq(row_name(&presence->rows[i]), name)) {
            return &presence->rows[i];
        }
    }
    return NULL;
}

static struct memory_row *row_open(struct memory_presence *presence, struct span name)
{
    struct memory_row *row = row_find(presence, name);
    if (row != NULL) {
        return row;
    }
    if (presence->count == presence->cap) {
        size_t cap = presence->cap == 0 ? 8 : presence->cap * 2;
        struct memory_row *rows = realloc(presence->rows, cap * sizeof(*rows));
        if (rows == NULL) {
            return NULL;
        }
        presence->rows = rows;
        presence->cap = cap;
    }
    row = &presence->rows[presence->count++];
    *row = (struct memory_row){0};
    return row;
}

void memory_presence_forget(struct memory_presence *presence, struct span name)
{
    struct memory_row *row = row_find(presence, name);
    if (row != NULL) {
        free(row->bytes);
        *row = presence->rows[--presence->count];
    }
}

static bool note(struct memory_presence *presence, const struct memory_beat *beat)
{
    char *bytes = malloc(beat->name.len + beat->payload.len + 1);
    struct memory_row *row = bytes != NULL ? row_open(presence, beat->name) : NULL;
    if (row == NULL) {
        free(bytes);
        return false;
    }
    memcpy(bytes, beat->name.ptr, beat->name.len);
    if (beat->payload.len > 0) {
        memcpy(bytes + beat->name.len, beat->payload.ptr, beat->payload.len);
    }
    free(row->bytes);
    *row = (struct memory_row){bytes, beat->name.len, beat->payload.len, beat->now_ms};
    if (presence->last_beat_ms == 0 || beat->now_ms - presence->last_beat_ms > beat->lease_ms / 2) {
        presence->grace_until_ms = beat->now_ms + beat->lease_ms;
    }
    presence->last_beat_ms = beat->now_ms;
    return true;
}

enum err memory_presence_copy(const struct memory_presence *from, struct memory_presence *ret_copy)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct memory_row *row = &from->rows[i];
        const struct memory_beat beat = {row_name(row), row_payload(row), 0, row->beat_ms};
        if (!note(ret_copy, &beat)) {
            memory_presence_fini(ret_copy);
            return ERR_NOMEM;
        }
    }
    ret_copy->last_beat_ms = from->last_beat_ms;
    ret_copy->grace_until_ms = from->grace_until_ms;
    return ERR_OK;
}

static struct span keep(char **at, struct span text)
{
    struct span kept = span_of(*at, text.len);
    if (text.len > 0) {
        memcpy(*at, text.ptr, text.len);
    }
    *at += text.len;
    return kept;
}

void *memory_presence_beat(struct memory_presence *presence, const struct memory_beat *beat,
                           struct stream_event *event)
{
    if (!note(presence, beat)) {
        return NULL;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < presence->count; i++) {
        bytes += presence->rows[i].name_len + presence->rows[i].payload_len;
    }
    size_t head = presence->count * (sizeof(struct stream_peer) + sizeof(struct span));
    char *blob = malloc(head + bytes + 1);
    if (blob == NULL) {
        return NULL;
    }
    struct stream_peer *peers = (struct stream_peer *)(void *)blob;
    struct span *lapsed = (struct span *)(void *)(peers + presence->count);
    char *at = blob + head;
    uint32_t peer_count = 0;
    uint32_t lapsed_count = 0;
    for (size_t i = 0; i < presence->count; i++) {
        const struct memory_row *row = &presence->rows[i];
        if (beat->now_ms - row->beat_ms > beat->lease_ms) {
            lapsed[lapsed_count++] = keep(&at, row_name(row));
        } else {
            peers[peer_count++] = (struct stream_peer){.name = keep(&at, row_name(row)),
                                                       .age_ms = beat->now_ms - row->beat_ms,
                                                       .payload = keep(&at, row_payload(row))};
        }
    }
    event->beat.server_ms = beat->now_ms;
    event->beat.in_grace = beat->now_ms < presence->grace_until_ms;
    event->beat.lapsed = lapsed;
    event->beat.lapsed_count = lapsed_count;
    event->beat.peers = peers;
    event->beat.peer_count = peer_count;
    return blob;
}
