// SPDX-License-Identifier: Apache-2.0
#include "localmap/model/codec.h"

#include "base/siphash.h"
#include "localmap/model/fields.h"

#define TOMBSTONE_BIT 0x80

static uint64_t get_hash(const char *bytes)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < CODEC_HASH_LEN; i++) {
        hash = hash << 8 | (unsigned char)bytes[i];
    }
    return hash;
}

enum err codec_value_parse(struct span bytes, struct codec_value *ret_value)
{
    if (bytes.len > RECORD_LEN_MAX) {
        return ERR_TOO_LARGE;
    }
    if (bytes.len < CODEC_HEAD_LEN + 2) {
        return ERR_SYNTAX;
    }
    struct version version = version_get(bytes.ptr);
    if (version.counter == 0 || version.counter > VERSION_COUNTER_MAX) {
        return ERR_SYNTAX;
    }
    *ret_value =
        (struct codec_value){.version = version,
                             .hash = get_hash(bytes.ptr + VERSION_LEN),
                             .body = span_of(bytes.ptr + CODEC_HEAD_LEN, bytes.len - CODEC_HEAD_LEN)};
    return ERR_OK;
}

// Three hashes chained, so that nothing has to be copied together: H(key) -> H(version, it) -> H(body) mixed.
uint64_t codec_hash(struct span key, struct version version, struct span body)
{
    char head[VERSION_LEN + 16];
    uint64_t parts[2] = {siphash13(siphash_zero_key, key.ptr, key.len),
                         siphash13(siphash_zero_key, body.ptr, body.len)};
    version_put(version, head);
    for (size_t i = 0; i < 16; i++) {
        head[VERSION_LEN + i] = (char)(parts[i / 8] >> (56 - i % 8 * 8));
    }
    return siphash13(siphash_zero_key, head, sizeof(head)) & CODEC_HASH_MASK;
}

size_t codec_value_write(struct span key, struct version version, struct span body, char *buf,
                         size_t cap)
{
    if (body.len + CODEC_HEAD_LEN > cap || body.len + CODEC_HEAD_LEN > RECORD_LEN_MAX) {
        return 0;
    }
    uint64_t hash = codec_hash(key, version, body);
    version_put(version, buf);
    for (size_t i = 0; i < CODEC_HASH_LEN; i++) {
        buf[VERSION_LEN + i] = (char)(hash >> (40 - i * 8));
    }
    memcpy(buf + CODEC_HEAD_LEN, body.ptr, body.len);
    return body.len + CODEC_HEAD_LEN;
}

size_t codec_body_write(const struct record *record, char *buf, size_t cap)
{
    if (cap < 2) {
        return 0;
    }
    buf[0] = CODEC_WIRE;
    buf[1] = (char)((unsigned)record->kind | (record->tombstone ? TOMBSTONE_BIT : 0));
    if (record->tombstone) {
        return 2;
    }
    size_t len = fields_write(record, buf + 2, cap - 2);
    return len == SIZE_MAX ? 0 : len + 2;
}

bool codec_is_tombstone(struct span body)
{
    return body.len >= 2 && body.ptr[0] == CODEC_WIRE &&
           ((unsigned char)body.ptr[1] & TOMBSTONE_BIT) != 0;
}

// What a whole record must have.
static bool is_whole(const struct record *record)
{
    switch (record->kind) {
    case KEY_REGISTRATION:
        return record->registration.address.len > 0 && record->registration.port > 0;
    case KEY_POLICY:
        return record->policy.check.expect_min <= record->policy.check.expect_max;
    case KEY_NODE:
    case KEY_OVERRIDE:
    case KEY_OBSERVATION:
    default:
        return true;
    }
}

enum err codec_body_read(enum key_kind kind, struct span body, struct record *ret_record)
{
    if (body.len < 2) {
        return ERR_SYNTAX;
    }
    if (body.ptr[0] != CODEC_WIRE) {
        return ERR_UNSUPPORTED;
    }
    unsigned said = (unsigned char)body.ptr[1];
    if ((said & ~(unsigned)TOMBSTONE_BIT) != (unsigned)kind) {
        return ERR_SYNTAX;
    }
    if ((said & TOMBSTONE_BIT) != 0) {
        fields_default(kind, ret_record);
        ret_record->tombstone = true;
        return ERR_OK;
    }
    enum err err = fields_read(kind, span_of(body.ptr + 2, body.len - 2), ret_record);
    if (err != ERR_OK) {
        return err;
    }
    return is_whole(ret_record) ? ERR_OK : ERR_SYNTAX;
}
