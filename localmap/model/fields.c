// SPDX-License-Identifier: Apache-2.0
#include "localmap/model/fields.h"

#include "base/assert.h"
#include "base/cursor.h"
#include "base/utf8.h"

static const struct field rows[] = {
#define FIELD(kind, tag, type, member, min, max, fallback, mask)                                   \
    {KEY_##kind, tag, FIELD_##type, offsetof(struct record, member), min, max, fallback, mask},
#include "localmap/model/codec.def"
#undef FIELD
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

size_t fields_of(enum key_kind kind, const struct field **ret_rows)
{
    size_t first = 0;
    while (first < ROW_COUNT && rows[first].kind != kind) {
        first++;
    }
    size_t count = 0;
    while (first + count < ROW_COUNT && rows[first + count].kind == kind) {
        count++;
    }
    *ret_rows = &rows[first];
    return count;
}

static void *member(const struct field *field, struct record *record)
{
    return (char *)record + field->offset;
}

static const void *member_const(const struct field *field, const struct record *record)
{
    return (const char *)record + field->offset;
}

struct span *field_span(const struct field *field, struct record *record)
{
    ASSERT(field->type == FIELD_SPAN);
    return member(field, record);
}

const struct span *field_span_const(const struct field *field, const struct record *record)
{
    ASSERT(field->type == FIELD_SPAN);
    return member_const(field, record);
}

uint64_t field_number(const struct field *field, const struct record *record)
{
    const void *at = member_const(field, record);
    uint32_t narrow = 0;
    uint64_t wide = 0;
    bool flag = false;
    switch (field->type) {
    case FIELD_U32:
        memcpy(&narrow, at, sizeof(narrow)); // enums too: an int each
        return narrow;
    case FIELD_U64:
    case FIELD_I64:
        memcpy(&wide, at, sizeof(wide));
        return wide;
    case FIELD_BOOL:
        memcpy(&flag, at, sizeof(flag));
        return flag ? 1 : 0;
    case FIELD_SPAN:
    case FIELD_LABELS:
    default:
        return 0;
    }
}

bool field_set_number(const struct field *field, struct record *record, uint64_t value)
{
    void *at = member(field, record);
    uint32_t narrow = (uint32_t)value;
    bool flag = value == 1;
    if (field->type != FIELD_I64 && (value < field->min || value > field->max)) {
        return false;
    }
    switch (field->type) {
    case FIELD_U32:
        memcpy(at, &narrow, sizeof(narrow));
        return true;
    case FIELD_U64:
    case FIELD_I64:
        memcpy(at, &value, sizeof(value));
        return value <= INT64_MAX;
    case FIELD_BOOL:
        memcpy(at, &flag, sizeof(flag));
        return true;
    case FIELD_SPAN:
    case FIELD_LABELS:
    default:
        return false;
    }
}

bool field_is_default(const struct field *field, const struct record *record)
{
    if (field->type == FIELD_SPAN) {
        return field_span_const(field, record)->len == 0;
    }
    if (field->type == FIELD_LABELS) {
        return record->registration.label_count == 0;
    }
    return field_number(field, record) == field->fallback;
}

static bool labels_equal(const struct registration *a, const struct registration *b)
{
    if (a->label_count != b->label_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->label_count; i++) {
        if (!span_eq(a->labels[i].name, b->labels[i].name) ||
            !span_eq(a->labels[i].value, b->labels[i].value)) {
            return false;
        }
    }
    return true;
}

bool field_equal(const struct field *field, const struct record *a, const struct record *b)
{
    if (field->type == FIELD_SPAN) {
        return span_eq(*field_span_const(field, a), *field_span_const(field, b));
    }
    if (field->type == FIELD_LABELS) {
        return labels_equal(&a->registration, &b->registration);
    }
    return field_number(field, a) == field_number(field, b);
}

void field_copy(const struct field *field, const struct record *from, struct record *to)
{
    if (field->type == FIELD_SPAN) {
        *field_span(field, to) = *field_span_const(field, from);
    } else if (field->type == FIELD_LABELS) {
        to->registration.label_count = from->registration.label_count;
        memcpy(to->registration.labels, from->registration.labels,
               from->registration.label_count * sizeof(struct label));
    } else {
        (void)field_set_number(field, to, field_number(field, from));
    }
}

void fields_default(enum key_kind kind, struct record *ret_record)
{
    const struct field *row = NULL;
    size_t count = fields_of(kind, &row);
    memset(ret_record, 0, sizeof(*ret_record));
    ret_record->kind = kind;
    for (size_t i = 0; i < count; i++) {
        if (row[i].type != FIELD_SPAN && row[i].type != FIELD_LABELS) {
            (void)field_set_number(&row[i], ret_record, row[i].fallback);
        }
    }
}

// --- reading

static bool is_text(struct span text)
{
    while (text.len > 0) {
        uint32_t code = 0;
        size_t len = utf8_next(text, &code);
        if (len == 0 || code == 0) {
            return false;
        }
        text = span_of(text.ptr + len, text.len - len);
    }
    return true;
}

static bool read_labels(struct span payload, struct registration *ret)
{
    struct cursor cursor = cursor_of(payload);
    size_t len = 0;
    ret->label_count = 0;
    while (cursor.left > 0) {
        if (ret->label_count == RECORD_LABELS_MAX) {
            return false;
        }
        struct label *label = &ret->labels[ret->label_count];
        label->name = cursor_bytes(&cursor, cursor_u8(&cursor));
        label->value = cursor_bytes(&cursor, cursor_u8(&cursor));
        len += label->name.len + label->value.len;
        bool ordered = ret->label_count == 0 ||
                       span_cmp(ret->labels[ret->label_count - 1].name, label->name) < 0;
        if (!cursor_ok(&cursor) || !ordered || label->name.len == 0 ||
            label->name.len > RECORD_LABEL_NAME_MAX || len > RECORD_LABELS_LEN_MAX ||
            !is_text(label->name) || !is_text(label->value)) {
            return false;
        }
        ret->label_count++;
    }
    return ret->label_count > 0; // none at all is left out
}

static bool read_field(const struct field *field, struct span payload, struct record *record)
{
    if (field->type == FIELD_LABELS) {
        return read_labels(payload, &record->registration);
    }
    if (field->type == FIELD_SPAN) {
        *field_span(field, record) = payload;
        return payload.len >= 1 && payload.len <= field->max && is_text(payload);
    }
    struct cursor cursor = cursor_of(payload);
    uint64_t value = cursor_varint(&cursor);
    // Reasons are a list that grows: a word of a newer release is another reason, not an error.
    if (field->offset == offsetof(struct record, observation.reason) &&
        field->kind == KEY_OBSERVATION && value >= REASON_COUNT && value <= field->max) {
        value = REASON_OTHER;
    }
    return cursor_done(&cursor) && value != field->fallback &&
           field_set_number(field, record, value);
}

static enum err keep_unknown(struct record *record, struct span whole)
{
    struct span *last =
        record->unknown_count > 0 ? &record->unknown[record->unknown_count - 1] : NULL;
    if (last != NULL && last->ptr + last->len == whole.ptr) {
        last->len += whole.len; // a run of neighbours is one
        return ERR_OK;
    }
    if (record->unknown_count == RECORD_UNKNOWN_MAX) {
        return ERR_UNSUPPORTED;
    }
    record->unknown[record->unknown_count++] = whole;
    return ERR_OK;
}

enum err fields_read(enum key_kind kind, struct span bytes, struct record *ret_record)
{
    const struct field *row = NULL;
    size_t count = fields_of(kind, &row);
    struct cursor cursor = cursor_of(bytes);
    uint64_t before = 0;
    size_t at = 0;
    fields_default(kind, ret_record);
    while (cursor.left > 0) {
        const char *start = cursor.ptr;
        uint64_t tag = cursor_varint(&cursor);
        struct span payload = cursor_bytes(&cursor, cursor_varint(&cursor));
        if (!cursor_ok(&cursor) || tag <= before) {
            return ERR_SYNTAX;
        }
        before = tag;
        while (at < count && row[at].tag < tag) {
            at++;
        }
        if (at < count && row[at].tag == tag) {
            if (!read_field(&row[at], payload, ret_record)) {
                return ERR_SYNTAX;
            }
        } else if (keep_unknown(ret_record, span_of(start, (size_t)(cursor.ptr - start))) !=
                   ERR_OK) {
            return ERR_UNSUPPORTED;
        }
    }
    return cursor_ok(&cursor) ? ERR_OK : ERR_SYNTAX;
}

// --- writing: a sticky cursor over the caller's buffer

struct sink {
    char *at;
    char *end;
    bool full;
};

static void put(struct sink *sink, const void *bytes, size_t len)
{
    if (sink->full || (size_t)(sink->end - sink->at) < len) {
        sink->full = true;
        return;
    }
    if (len > 0) {
        memcpy(sink->at, bytes, len);
        sink->at += len;
    }
}

static void put_varint(struct sink *sink, uint64_t value)
{
    char bytes[CURSOR_VARINT_MAX];
    put(sink, bytes, cursor_varint_put(value, bytes));
}

static void put_labels(struct sink *sink, const struct registration *r)
{
    size_t len = 0;
    for (uint32_t i = 0; i < r->label_count; i++) {
        len += 2 + r->labels[i].name.len + r->labels[i].value.len;
    }
    put_varint(sink, len);
    for (uint32_t i = 0; i < r->label_count; i++) {
        uint8_t name_len = (uint8_t)r->labels[i].name.len;
        uint8_t value_len = (uint8_t)r->labels[i].value.len;
        put(sink, &name_len, 1);
        put(sink, r->labels[i].name.ptr, name_len);
        put(sink, &value_len, 1);
        put(sink, r->labels[i].value.ptr, value_len);
    }
}

static void put_field(struct sink *sink, const struct field *field, const struct record *record)
{
    put_varint(sink, field->tag);
    if (field->type == FIELD_LABELS) {
        put_labels(sink, &record->registration);
        return;
    }
    if (field->type == FIELD_SPAN) {
        const struct span *span = field_span_const(field, record);
        put_varint(sink, span->len);
        put(sink, span->ptr, span->len);
        return;
    }
    char bytes[CURSOR_VARINT_MAX];
    size_t len = cursor_varint_put(field_number(field, record), bytes);
    put_varint(sink, len);
    put(sink, bytes, len);
}

// The tag at the start of a run of unknown fields.
static uint64_t first_tag(struct span run)
{
    struct cursor cursor = cursor_of(run);
    return cursor_varint(&cursor);
}

size_t fields_write(const struct record *record, char *buf, size_t cap)
{
    const struct field *row = NULL;
    size_t count = fields_of(record->kind, &row);
    struct sink sink = {buf, buf + cap, false};
    uint32_t unknown = 0;
    for (size_t i = 0; i <= count; i++) {
        while (unknown < record->unknown_count &&
               (i == count || first_tag(record->unknown[unknown]) < row[i].tag)) {
            put(&sink, record->unknown[unknown].ptr, record->unknown[unknown].len);
            unknown++;
        }
        if (i < count && !field_is_default(&row[i], record)) {
            put_field(&sink, &row[i], record);
        }
    }
    return sink.full ? SIZE_MAX : (size_t)(sink.at - buf);
}
