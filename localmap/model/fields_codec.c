// SPDX-License-Identifier: Apache-2.0
#include "localmap/model/fields_codec.h"

#define NUMBER_LEN_MAX 8

void fields_put_bytes(struct fields_out *out, struct span bytes)
{
    if (out->failed || bytes.len > out->cap - out->len) {
        out->failed = true;
        return;
    }
    if (bytes.len > 0) {
        memcpy(out->ptr + out->len, bytes.ptr, bytes.len);
        out->len += bytes.len;
    }
}

void fields_put_byte(struct fields_out *out, unsigned byte)
{
    char c = (char)(unsigned char)byte;
    fields_put_bytes(out, span_of(&c, 1));
}

void fields_put_varint(struct fields_out *out, uint64_t value)
{
    char bytes[CURSOR_VARINT_MAX];
    fields_put_bytes(out, span_of(bytes, cursor_varint_put(value, bytes)));
}

static size_t varint_len(uint64_t value)
{
    char bytes[CURSOR_VARINT_MAX];
    return cursor_varint_put(value, bytes);
}

static void put_number(struct fields_out *out, uint64_t value)
{
    char bytes[NUMBER_LEN_MAX];
    size_t at = sizeof(bytes);
    while (value > 0) {
        bytes[--at] = (char)(unsigned char)(value & 0xff);
        value >>= 8;
    }
    fields_put_varint(out, sizeof(bytes) - at);
    fields_put_bytes(out, span_of(bytes + at, sizeof(bytes) - at));
}

static void put_labels(struct fields_out *out, const struct registration *registration)
{
    size_t len = 0;
    for (uint32_t i = 0; i < registration->label_count; i++) {
        const struct label *label = &registration->labels[i];
        len += varint_len(label->name.len) + label->name.len;
        len += varint_len(label->value.len) + label->value.len;
    }
    fields_put_varint(out, len);
    for (uint32_t i = 0; i < registration->label_count; i++) {
        const struct label *label = &registration->labels[i];
        fields_put_varint(out, label->name.len);
        fields_put_bytes(out, label->name);
        fields_put_varint(out, label->value.len);
        fields_put_bytes(out, label->value);
    }
}

static void put_field(struct fields_out *out, const struct field *field,
                      const struct record *record)
{
    if (!field_is_valid(field, record)) {
        out->failed = true;
        return;
    }
    fields_put_varint(out, field->tag);
    if (field->type == FIELD_LABELS) {
        put_labels(out, &record->registration);
    } else if (field_is_number(field)) {
        put_number(out, field_number(field, record));
    } else {
        struct span text = *field_text_const(field, record);
        fields_put_varint(out, text.len);
        fields_put_bytes(out, text);
    }
}

// The unknown fields whose tags come before `tag`, from number `*next` on.
static void put_unknown_before(struct fields_out *out, const struct record *record, uint64_t tag,
                               uint32_t *next)
{
    while (*next < record->unknown_count) {
        struct cursor cursor = cursor_of(record->unknown[*next]);
        if (cursor_varint(&cursor) >= tag) {
            return;
        }
        fields_put_bytes(out, record->unknown[(*next)++]);
    }
}

void fields_put(struct fields_out *out, const struct record *record, uint32_t bits)
{
    struct field_table table = field_table_of(record->kind);
    uint32_t unknown = 0;
    if (record->tombstone) {
        table.count = 0;
    }
    for (size_t i = 0; i < table.count; i++) {
        const struct field *field = &table.fields[i];
        if (bits == FIELDS_ALL) {
            put_unknown_before(out, record, field->tag, &unknown);
        }
        bool wanted =
            bits == FIELDS_ALL ? !field_is_preset(field, record) : (field->patch_bit & bits) != 0;
        if (wanted) {
            put_field(out, field, record);
        }
    }
    if (bits == FIELDS_ALL) {
        put_unknown_before(out, record, UINT64_MAX, &unknown);
    }
}

static uint64_t number_of(struct span payload)
{
    uint64_t value = 0;
    for (size_t i = 0; i < payload.len; i++) {
        value = value << 8 | (uint8_t)payload.ptr[i];
    }
    return value;
}

static bool get_number(struct span payload, const struct field *field, struct record *record)
{
    if (payload.len > NUMBER_LEN_MAX || (payload.len > 0 && payload.ptr[0] == 0)) {
        return false; // too many bytes, or fewer would do
    }
    uint64_t value = number_of(payload);
    if (field->type == FIELD_REASON && value >= REASON_COUNT) {
        value = REASON_OTHER;
    }
    if (value < field->min || value > field->max) {
        return false;
    }
    field_set_number(field, record, value);
    return true;
}

static bool get_labels(struct span payload, struct registration *registration)
{
    struct cursor cursor = cursor_of(payload);
    while (cursor_ok(&cursor) && cursor.left > 0) {
        if (registration->label_count == RECORD_LABELS_MAX) {
            return false;
        }
        struct label *label = &registration->labels[registration->label_count++];
        label->name = cursor_bytes(&cursor, cursor_varint(&cursor));
        label->value = cursor_bytes(&cursor, cursor_varint(&cursor));
    }
    return cursor_ok(&cursor);
}

// `canonical`: it must also be valid, and say something else than leaving it out would.
static bool get_field(struct span payload, const struct field *field, bool canonical,
                      struct record *record)
{
    bool known_valid = false;
    if (field->type == FIELD_LABELS) {
        if (!get_labels(payload, &record->registration)) {
            return false;
        }
    } else if (field_is_number(field)) {
        if (!get_number(payload, field, record)) {
            return false;
        }
        known_valid = true; // its range is all that there is to it
    } else {
        *field_text(field, record) = payload;
    }
    return !canonical ||
           (!field_is_preset(field, record) && (known_valid || field_is_valid(field, record)));
}

// May all fields but those in `seen` (bit n: tag n) be left out?
static bool rest_may_be_absent(struct field_table table, uint32_t seen)
{
    for (size_t i = 0; i < table.count; i++) {
        if ((seen >> table.fields[i].tag & 1) == 0 && !field_may_be_absent(&table.fields[i])) {
            return false;
        }
    }
    return true;
}

static void keep_unknown(struct record *record, struct span field, bool *crowded)
{
    if (record->unknown_count == RECORD_UNKNOWN_MAX) {
        *crowded = true;
    } else {
        record->unknown[record->unknown_count++] = field;
    }
}

enum err fields_get(struct cursor *cursor, bool canonical, struct record *ret_record)
{
    struct field_table table = field_table_of(ret_record->kind);
    uint64_t last = 0;
    uint32_t seen = 0;
    bool crowded = false;
    if (ret_record->tombstone) {
        table.count = 0;
    }
    while (cursor_ok(cursor) && cursor->left > 0) {
        const char *start = cursor->ptr;
        uint64_t tag = cursor_varint(cursor);
        struct span payload = cursor_bytes(cursor, cursor_varint(cursor));
        if (!cursor_ok(cursor) || tag <= last || tag == UINT64_MAX) {
            return ERR_SYNTAX;
        }
        last = tag;
        if (tag > table.count) {
            keep_unknown(ret_record, span_of(start, (size_t)(cursor->ptr - start)), &crowded);
            continue;
        }
        if (!get_field(payload, &table.fields[tag - 1], canonical, ret_record)) {
            return ERR_SYNTAX;
        }
        seen |= UINT32_C(1) << tag;
    }
    if (!cursor_ok(cursor) || (canonical && !rest_may_be_absent(table, seen))) {
        return ERR_SYNTAX;
    }
    return crowded ? ERR_UNSUPPORTED : ERR_OK;
}

uint64_t fields_find_number(struct cursor *cursor, uint64_t tag)
{
    while (cursor_ok(cursor) && cursor->left > 0) {
        uint64_t found = cursor_varint(cursor);
        struct span payload = cursor_bytes(cursor, cursor_varint(cursor));
        if (found >= tag) { // they ascend
            return found == tag && payload.len <= NUMBER_LEN_MAX ? number_of(payload) : 0;
        }
    }
    return 0;
}

bool fields_valid(const struct record *record)
{
    struct field_table table = field_table_of(record->kind);
    for (size_t i = 0; i < table.count && !record->tombstone; i++) {
        if (!field_is_valid(&table.fields[i], record)) {
            return false;
        }
    }
    return true;
}
