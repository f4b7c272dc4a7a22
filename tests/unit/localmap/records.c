// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/localmap/records.h"

#include "base/assert.h"
#include "base/cursor.h"
#include "localmap/model/field.h"

#define UNKNOWN_TAG_MIN 40

void records_init(struct records *records, uint64_t seed)
{
    random_seed(&records->random, seed);
    records->used = 0;
}

void records_reset(struct records *records)
{
    records->used = 0;
}

uint64_t records_below(struct records *records, uint64_t bound)
{
    return random_below(&records->random, bound);
}

static char *take(struct records *records, size_t len)
{
    ASSERT(records->used + len <= sizeof(records->pool));
    char *at = records->pool + records->used;
    records->used += len;
    return at;
}

struct span records_text(struct records *records, size_t len_max)
{
    static const char *const letters[] = {"a", "b", "Z", "0", "-", "\xc3\xa4", "\xe2\x82\xac", "|"};
    size_t len = (size_t)records_below(records, len_max + 1);
    char *text = take(records, len);
    size_t at = 0;
    while (at < len) {
        const char *letter = letters[records_below(records, 8)];
        size_t letter_len = strlen(letter);
        if (at + letter_len > len) {
            letter = "x";
            letter_len = 1;
        }
        memcpy(text + at, letter, letter_len);
        at += letter_len;
    }
    return span_of(text, len);
}

static void make_labels(struct records *records, struct registration *registration)
{
    uint32_t count = (uint32_t)records_below(records, 6);
    for (uint32_t i = 0; i < count; i++) {
        char *name = take(records, 2);
        name[0] = (char)('a' + i);
        name[1] = (char)('0' + records_below(records, 10));
        registration->labels[i].name = span_of(name, 1 + (size_t)records_below(records, 2));
        registration->labels[i].value = records_text(records, 12);
    }
    registration->label_count = count;
}

static void make_field(struct records *records, const struct field *field, struct record *record)
{
    static const char *const addresses[] = {"127.0.0.1", "10.0.0.255", "::1", "2001:db8::1:2",
                                            "::ffff:1.2.3.4"};
    if (field->type == FIELD_LABELS) {
        make_labels(records, &record->registration);
    } else if (field->type == FIELD_ADDRESS) {
        *field_text(field, record) = span_str(addresses[records_below(records, 5)]);
    } else if (!field_is_number(field)) {
        *field_text(field, record) = records_text(records, field->max < 20 ? field->max : 20);
    } else {
        uint64_t width = field->max - field->min;
        uint64_t value =
            width == UINT64_MAX ? random_next(&records->random) : records_below(records, width + 1);
        if (records_below(records, 2) == 0 && width > 300) {
            value = records_below(records, 300);
        }
        field_set_number(field, record, field->min + value);
    }
}

static void make_unknown(struct records *records, struct record *record)
{
    uint64_t tag = UNKNOWN_TAG_MIN;
    record->unknown_count = (uint32_t)records_below(records, 4);
    for (uint32_t i = 0; i < record->unknown_count; i++) {
        char bytes[2 * CURSOR_VARINT_MAX];
        tag += 1 + records_below(records, 200);
        struct span payload = records_text(records, 9);
        size_t len = cursor_varint_put(tag, bytes);
        len += cursor_varint_put(payload.len, bytes + len);
        char *field = take(records, len + payload.len);
        memcpy(field, bytes, len);
        memcpy(field + len, payload.ptr, payload.len);
        record->unknown[i] = span_of(field, len + payload.len);
    }
}

void records_make(struct records *records, enum key_kind kind, bool unknown,
                  struct record *ret_record)
{
    struct field_table table = field_table_of(kind);
    field_reset(ret_record, kind);
    for (size_t i = 0; i < table.count; i++) {
        const struct field *field = &table.fields[i];
        if (!field_is_valid(field, ret_record) || records_below(records, 3) > 0) {
            make_field(records, field, ret_record);
        }
    }
    if (unknown) {
        make_unknown(records, ret_record);
    }
}

static void patch_labels(struct records *records, struct patch *patch)
{
    patch->mask |= PATCH_LABELS;
    make_labels(records, &patch->record.registration);
    patch->labels_removed_count = (uint32_t)records_below(records, 3);
    for (uint32_t i = 0; i < patch->labels_removed_count; i++) {
        char *name = take(records, 2);
        name[0] = (char)('a' + 2 * i + records_below(records, 2));
        name[1] = (char)('0' + records_below(records, 10));
        patch->labels_removed[i] = span_of(name, 1 + (size_t)records_below(records, 2));
    }
}

void records_patch(struct records *records, enum key_kind kind, struct patch *ret_patch)
{
    struct field_table table = field_table_of(kind);
    bool mergeable = kind == KEY_REGISTRATION || kind == KEY_NODE;
    uint64_t draw = records_below(records, mergeable ? 8 : 3);
    memset(ret_patch, 0, sizeof(*ret_patch));
    ret_patch->op = draw == 0 ? PATCH_DELETE : draw < 3 ? PATCH_PUT : PATCH_MERGE;
    records_make(records, kind, false, &ret_patch->record);
    if (ret_patch->op != PATCH_MERGE) {
        return;
    }
    for (size_t i = 0; i < table.count; i++) {
        if (table.fields[i].type != FIELD_LABELS && records_below(records, 4) == 0) {
            ret_patch->mask |= table.fields[i].patch_bit;
        }
    }
    ret_patch->record.kind = kind;
    if (kind != KEY_REGISTRATION) {
        return;
    }
    ret_patch->record.registration.label_count = 0;
    if (records_below(records, 2) == 0) {
        patch_labels(records, ret_patch);
    }
    if (records_below(records, 6) == 0) {
        ret_patch->mask |= PATCH_LABELS_CLEAR;
    }
}

bool records_equal(const struct record *a, const struct record *b)
{
    struct field_table table = field_table_of(a->kind);
    if (a->kind != b->kind || a->tombstone != b->tombstone ||
        a->unknown_count != b->unknown_count) {
        return false;
    }
    for (size_t i = 0; i < table.count && !a->tombstone; i++) {
        if (!field_equal(&table.fields[i], a, b)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < a->unknown_count; i++) {
        if (!span_eq(a->unknown[i], b->unknown[i])) {
            return false;
        }
    }
    return true;
}
