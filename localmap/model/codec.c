// SPDX-License-Identifier: Apache-2.0
#include "localmap/model/codec.h"

#include "base/assert.h"
#include "base/siphash.h"
#include "localmap/model/fields_codec.h"

#define TOMBSTONE_BIT 0x80u
#define HEAD_LEN 2 // wire and kind

// The kinds on the wire; those of `enum key_kind` may be put into another order, these may not.
static const uint8_t wire_kinds[] = {
    [KEY_POLICY] = 0,   [KEY_NODE] = 1,        [KEY_REGISTRATION] = 2,
    [KEY_OVERRIDE] = 3, [KEY_OBSERVATION] = 4,
};
#define WIRE_KIND_MAX 4

static uint64_t hash_get(const char *bytes)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < CODEC_HASH_LEN; i++) {
        hash = hash << 8 | (unsigned char)bytes[i];
    }
    return hash;
}

static void hash_put(uint64_t hash, char *bytes)
{
    for (size_t i = 0; i < CODEC_HASH_LEN; i++) {
        bytes[i] = (char)(unsigned char)(hash >> (8 * (CODEC_HASH_LEN - 1 - i)));
    }
}

enum err codec_value_parse(struct span bytes, struct codec_value *ret_value)
{
    if (bytes.len > RECORD_LEN_MAX) {
        return ERR_TOO_LARGE;
    }
    if (bytes.len < CODEC_HEAD_LEN + HEAD_LEN) {
        return ERR_SYNTAX;
    }
    struct version version = version_get(bytes.ptr);
    if (version.counter == 0 || version.counter > VERSION_COUNTER_MAX) {
        return ERR_SYNTAX;
    }
    *ret_value = (struct codec_value){
        .version = version,
        .hash = hash_get(bytes.ptr + VERSION_LEN),
        .body = span_of(bytes.ptr + CODEC_HEAD_LEN, bytes.len - CODEC_HEAD_LEN)};
    return ERR_OK;
}

uint64_t codec_hash(struct span key, struct version version, struct span body)
{
    // The length of the key comes first, so that no byte can move between key and body unseen.
    char bytes[2 + KEY_LEN_MAX + VERSION_LEN + RECORD_LEN_MAX];
    ASSERT(key.len > 0 && key.len <= KEY_LEN_MAX && body.len <= RECORD_LEN_MAX);
    bytes[0] = (char)(unsigned char)(key.len >> 8);
    bytes[1] = (char)(unsigned char)(key.len & 0xff);
    memcpy(bytes + 2, key.ptr, key.len);
    version_put(version, bytes + 2 + key.len);
    size_t len = 2 + key.len + VERSION_LEN;
    if (body.len > 0) {
        memcpy(bytes + len, body.ptr, body.len);
    }
    return siphash13(siphash_zero_key, bytes, len + body.len) & CODEC_HASH_MASK;
}

size_t codec_value_write(struct span key, struct version version, struct span body, char *buf,
                         size_t cap)
{
    size_t len = CODEC_HEAD_LEN + body.len;
    if (len > cap || len > RECORD_LEN_MAX) {
        return 0;
    }
    version_put(version, buf);
    hash_put(codec_hash(key, version, body), buf + VERSION_LEN);
    if (body.len > 0) {
        memcpy(buf + CODEC_HEAD_LEN, body.ptr, body.len);
    }
    return len;
}

size_t codec_body_write(const struct record *record, char *buf, size_t cap)
{
    struct fields_out out = {.ptr = buf, .cap = cap < CODEC_BODY_MAX ? cap : CODEC_BODY_MAX};
    fields_put_byte(&out, CODEC_WIRE);
    fields_put_byte(&out, wire_kinds[record->kind] | (record->tombstone ? TOMBSTONE_BIT : 0));
    fields_put(&out, record, FIELDS_ALL);
    return out.failed || !fields_valid(record) ? 0 : out.len;
}

// The two bytes before the fields, read.
static enum err get_head(enum key_kind kind, struct cursor *cursor, bool *ret_tombstone)
{
    if (cursor->left < HEAD_LEN || cursor->left > CODEC_BODY_MAX) {
        return ERR_SYNTAX;
    }
    if (cursor_u8(cursor) != CODEC_WIRE) {
        return ERR_UNSUPPORTED;
    }
    uint8_t head = cursor_u8(cursor);
    *ret_tombstone = (head & TOMBSTONE_BIT) != 0;
    return (head & ~TOMBSTONE_BIT) == wire_kinds[kind] ? ERR_OK : ERR_SYNTAX;
}

enum err codec_body_read(enum key_kind kind, struct span body, struct record *ret_record)
{
    struct cursor cursor = cursor_of(body);
    struct record record;
    bool tombstone = false;
    enum err err = get_head(kind, &cursor, &tombstone);
    if (err != ERR_OK) {
        return err;
    }
    field_reset(&record, kind);
    record.tombstone = tombstone;
    err = fields_get(&cursor, true, &record);
    if (err == ERR_OK) {
        field_move(&record, ret_record);
    }
    return err;
}

enum err codec_body_vantage(struct span body, enum vantage *ret_vantage)
{
    struct cursor cursor = cursor_of(body);
    bool tombstone = false;
    enum err err = get_head(KEY_OBSERVATION, &cursor, &tombstone);
    if (err != ERR_OK) {
        return err;
    }
    uint64_t vantage = fields_find_number(&cursor, FIELD_TAG_VANTAGE);
    if (vantage >= VANTAGE_COUNT) {
        return ERR_SYNTAX;
    }
    *ret_vantage = (enum vantage)vantage;
    return ERR_OK;
}

bool codec_is_tombstone(struct span body)
{
    if (body.len < HEAD_LEN || (unsigned char)body.ptr[0] != CODEC_WIRE) {
        return false;
    }
    unsigned head = (unsigned char)body.ptr[1];
    return (head & TOMBSTONE_BIT) != 0 && (head & ~TOMBSTONE_BIT) <= WIRE_KIND_MAX;
}
