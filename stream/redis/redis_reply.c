// SPDX-License-Identifier: Apache-2.0
#include "stream/redis/redis_reply.h"

#include "base/text.h"

#include <stdlib.h>

enum { META_SHAPE, META_COUNTS, META_DIGEST, META_FLOOR, META_LAST_ID, META_FIELDS };
enum { BEAT_NOW, BEAT_GRACE, BEAT_LAPSED, BEAT_LIVE, BEAT_FIRST, BEAT_PAYLOADS, BEAT_FIELDS };

// Cuts the part before the next `end` (or all of it) off the front of `text`.
static struct span part(struct span *text, char end)
{
    if (text->len == 0) {
        return SPAN_NONE; // an empty text may have no address to count from
    }
    const char *at = memchr(text->ptr, end, text->len);
    size_t len = at == NULL ? text->len : (size_t)(at - text->ptr);
    struct span first = span_of(text->ptr, len);
    size_t gone = at == NULL ? len : len + 1;
    *text = span_of(text->ptr + gone, text->len - gone);
    return first;
}

enum err redis_reply_id(struct span text, struct stream_id *ret_id)
{
    struct stream_id id = {0};
    struct span ms = part(&text, '-');
    if (text_u64(ms, &id.ms) != ERR_OK || text_u64(text, &id.seq) != ERR_OK) {
        return ERR_SYNTAX;
    }
    *ret_id = id;
    return ERR_OK;
}

size_t redis_reply_id_format(struct stream_id id, char ret_text[STREAM_ID_LEN])
{
    size_t len = text_u64_format(id.ms, ret_text);
    ret_text[len++] = '-';
    return len + text_u64_format(id.seq, ret_text + len);
}

// 32 lower-case hex digits.
static bool parse_epoch(struct span text, struct stream_epoch *ret_epoch)
{
    if (text.len != STREAM_EPOCH_LEN) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        bool digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        if (!digit && (text.ptr[i] < 'a' || text.ptr[i] > 'f')) {
            return false;
        }
    }
    memcpy(ret_epoch->text, text.ptr, STREAM_EPOCH_LEN);
    ret_epoch->text[STREAM_EPOCH_LEN] = '\0';
    return true;
}

// "<count>-<12 hex>"
static bool parse_digest(struct span text, struct stream_digest *ret_digest)
{
    struct span count = part(&text, '-');
    return text_u64(count, &ret_digest->count) == ERR_OK &&
           text_hex_u64(text, 12, &ret_digest->sum) == ERR_OK;
}

// "epoch:K:wire:born"
static bool parse_shape(struct span text, struct stream_meta *meta)
{
    uint64_t partitions = 0;
    uint64_t wire = 0;
    uint64_t born = 0;
    bool fits = parse_epoch(part(&text, ':'), &meta->epoch) &&
                text_u64_in(part(&text, ':'), 1, UINT32_MAX, &partitions) == ERR_OK &&
                text_u64_in(part(&text, ':'), 0, UINT32_MAX, &wire) == ERR_OK &&
                text_u64_in(text, 0, INT64_MAX, &born) == ERR_OK;
    meta->partitions = (uint32_t)partitions;
    meta->wire = (uint32_t)wire;
    meta->born_ms = (int64_t)born;
    return fits;
}

// "sequence:mean", the mean with three digits behind its point.
static bool parse_counts(struct span text, struct stream_meta *meta)
{
    uint64_t whole = 0;
    uint64_t thousandths = 0;
    bool fits = text_u64(part(&text, ':'), &meta->sequence) == ERR_OK &&
                text_u64_in(part(&text, '.'), 0, UINT32_MAX, &whole) == ERR_OK;
    for (size_t i = 0; i < text.len; i++) { // text_u64 refuses leading zeros, which stand here
        fits = fits && text.ptr[i] >= '0' && text.ptr[i] <= '9';
        thousandths = thousandths * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    meta->mean = (double)whole + (double)thousandths / 1000;
    return fits && text.len == 3;
}

static bool parse_fields(const struct resp_reply *reply, struct stream_meta *meta)
{
    return parse_shape(resp_text(resp_at(reply, META_SHAPE)), meta) &&
           parse_counts(resp_text(resp_at(reply, META_COUNTS)), meta) &&
           parse_digest(resp_text(resp_at(reply, META_DIGEST)), &meta->digest) &&
           text_u64(resp_text(resp_at(reply, META_FLOOR)), &meta->floor) == ERR_OK;
}

enum err redis_reply_meta(const struct resp_reply *reply, struct stream_meta *ret_meta,
                          bool *ret_malformed)
{
    struct stream_meta meta = {0};
    if (resp_count(reply) != META_FIELDS ||
        redis_reply_id(resp_text(resp_at(reply, META_LAST_ID)), &meta.last_id) != ERR_OK) {
        return ERR_SYNTAX;
    }
    meta.exists = resp_type(resp_at(reply, META_SHAPE)) != RESP_NIL;
    *ret_malformed = meta.exists && !parse_fields(reply, &meta);
    *ret_meta = meta;
    return ERR_OK;
}

static enum err parse_row(const struct resp_reply *reply, struct stream_put_row *row)
{
    enum resp_type type = resp_type(reply);
    if (type == RESP_STRING || type == RESP_CUT) {
        *row = (struct stream_put_row){STREAM_PUT_CONFLICT, resp_text(reply)};
        return ERR_OK;
    }
    if (type != RESP_INTEGER) {
        return ERR_SYNTAX;
    }
    *row = (struct stream_put_row){
        resp_integer(reply) == 1 ? STREAM_PUT_ACCEPTED : STREAM_PUT_DUPLICATE, SPAN_NONE};
    return ERR_OK;
}

enum err redis_reply_put(const struct resp_reply *reply, struct redis_reply_put *put)
{
    if (resp_count(reply) != 3 || resp_count(resp_at(reply, 2)) != put->count ||
        text_u64(resp_text(resp_at(reply, 0)), &put->sequence) != ERR_OK ||
        text_u64(resp_text(resp_at(reply, 1)), &put->floor) != ERR_OK) {
        return ERR_SYNTAX;
    }
    for (uint32_t i = 0; i < put->count; i++) {
        if (parse_row(resp_at(resp_at(reply, 2), i), &put->rows[i]) != ERR_OK) {
            return ERR_SYNTAX;
        }
    }
    return ERR_OK;
}

static bool is_text(const struct resp_reply *reply)
{
    return resp_type(reply) == RESP_STRING || resp_type(reply) == RESP_CUT;
}

static bool parse_pair(const struct resp_reply *key, const struct resp_reply *value,
                       struct stream_pair *ret_pair)
{
    ret_pair->key = resp_text(key);
    ret_pair->value = resp_text(value);
    ret_pair->oversized = resp_type(key) == RESP_CUT || resp_type(value) == RESP_CUT;
    return is_text(key) && is_text(value);
}

// "epoch:sequence:digest:floor"
static bool parse_head(struct span text, struct stream_entry *entry)
{
    return parse_epoch(part(&text, ':'), &entry->epoch) &&
           text_u64(part(&text, ':'), &entry->sequence) == ERR_OK &&
           parse_digest(part(&text, ':'), &entry->digest) &&
           text_u64(text, &entry->floor) == ERR_OK;
}

enum err redis_reply_entry(const struct resp_reply *reply, struct stream_pair *pairs,
                           struct stream_entry *ret_entry)
{
    struct stream_entry entry = {.pairs = pairs};
    if (resp_count(reply) != 2 ||
        redis_reply_id(resp_text(resp_at(reply, 0)), &entry.id) != ERR_OK) {
        return ERR_SYNTAX;
    }
    const struct resp_reply *fields = resp_at(reply, 1);
    uint32_t count = resp_count(fields) / 2;
    entry.valid = count > 0 && count <= REDIS_REPLY_PAIRS_MAX + 1 &&
                  span_eq_str(resp_text(resp_at(fields, 0)), "#") &&
                  parse_head(resp_text(resp_at(fields, 1)), &entry);
    for (uint32_t i = 1; entry.valid && i < count; i++) {
        if (!parse_pair(resp_at(fields, 2 * i), resp_at(fields, 2 * i + 1), &pairs[i - 1])) {
            return ERR_SYNTAX;
        }
        entry.count++;
    }
    *ret_entry = entry;
    return ERR_OK;
}

uint32_t redis_reply_scan_max(const struct resp_reply *reply)
{
    return resp_count(reply) == 2 ? resp_count(resp_at(reply, 1)) / 2 : 0;
}

enum err redis_reply_scan(const struct resp_reply *reply, struct stream_pair *pairs,
                          uint32_t *ret_count, uint64_t *ret_cursor)
{
    uint64_t cursor = 0;
    uint32_t count = 0;
    if (resp_count(reply) != 2 || resp_type(resp_at(reply, 1)) != RESP_ARRAY ||
        text_u64(resp_text(resp_at(reply, 0)), &cursor) != ERR_OK) {
        return ERR_SYNTAX;
    }
    const struct resp_reply *fields = resp_at(reply, 1);
    for (uint32_t i = 0; i + 1 < resp_count(fields); i += 2) {
        struct stream_pair pair;
        if (!parse_pair(resp_at(fields, i), resp_at(fields, i + 1), &pair)) {
            return ERR_SYNTAX;
        }
        bool is_record = pair.key.len > 0 && memchr(pair.key.ptr, '\0', pair.key.len) != NULL;
        if (is_record && pair.value.len >= REDIS_REPLY_HEAD_LEN) {
            pairs[count++] = pair;
        }
    }
    *ret_count = count;
    *ret_cursor = cursor;
    return ERR_OK;
}

enum err redis_reply_beat_max(const struct resp_reply *reply, uint32_t *ret_lapsed,
                              uint32_t *ret_peers)
{
    if (resp_count(reply) != BEAT_FIELDS) {
        return ERR_SYNTAX;
    }
    *ret_lapsed = resp_count(resp_at(reply, BEAT_LAPSED));
    *ret_peers = resp_count(resp_at(reply, BEAT_LIVE)) / 2;
    return *ret_lapsed > REDIS_REPLY_PEERS_MAX || *ret_peers > REDIS_REPLY_PEERS_MAX ? ERR_SYNTAX
                                                                                     : ERR_OK;
}

static enum err parse_peers(const struct resp_reply *live, struct redis_reply_beat *beat)
{
    for (uint32_t i = 0; i + 1 < resp_count(live); i += 2) {
        uint64_t at = 0;
        if (text_u64_in(resp_text(resp_at(live, i + 1)), 0, INT64_MAX, &at) != ERR_OK) {
            return ERR_SYNTAX;
        }
        int64_t age = beat->server_ms - (int64_t)at;
        beat->peers[beat->peer_count++] =
            (struct stream_peer){.name = resp_text(resp_at(live, i)), .age_ms = age < 0 ? 0 : age};
    }
    return ERR_OK;
}

// The payloads belong to the live names from `first` on, around the end.
static enum err place_payloads(const struct resp_reply *reply, struct redis_reply_beat *beat)
{
    const struct resp_reply *payloads = resp_at(reply, BEAT_PAYLOADS);
    int64_t first = resp_integer(resp_at(reply, BEAT_FIRST));
    uint32_t count = resp_count(payloads);
    if (count > beat->peer_count || first < 0 || first > REDIS_REPLY_PEERS_MAX) {
        return ERR_SYNTAX;
    }
    for (uint32_t i = 0; i < count; i++) {
        beat->peers[((uint32_t)first + i) % beat->peer_count].payload =
            resp_text(resp_at(payloads, i));
    }
    return ERR_OK;
}

enum err redis_reply_beat(const struct resp_reply *reply, struct redis_reply_beat *beat)
{
    uint64_t now = 0;
    uint64_t grace = 0;
    if (resp_count(reply) != BEAT_FIELDS ||
        text_u64_in(resp_text(resp_at(reply, BEAT_NOW)), 0, INT64_MAX, &now) != ERR_OK ||
        text_u64_in(resp_text(resp_at(reply, BEAT_GRACE)), 0, INT64_MAX, &grace) != ERR_OK) {
        return ERR_SYNTAX;
    }
    beat->server_ms = (int64_t)now;
    beat->in_grace = now < grace;
    beat->lapsed_count = 0;
    beat->peer_count = 0;
    const struct resp_reply *lapsed = resp_at(reply, BEAT_LAPSED);
    for (uint32_t i = 0; i < resp_count(lapsed); i++) {
        beat->lapsed[beat->lapsed_count++] = resp_text(resp_at(lapsed, i));
    }
    enum err err = parse_peers(resp_at(reply, BEAT_LIVE), beat);
    return err != ERR_OK ? err : place_payloads(reply, beat);
}
