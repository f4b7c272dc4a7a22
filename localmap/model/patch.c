// SPDX-License-Identifier: Apache-2.0
#include "localmap/model/patch.h"

#include "base/cursor.h"
#include "localmap/model/fields.h"

// --- labels

static void labels_insert(struct registration *r, const struct label *label, bool *ok)
{
    uint32_t at = 0;
    while (at < r->label_count && span_cmp(r->labels[at].name, label->name) < 0) {
        at++;
    }
    if (at < r->label_count && span_eq(r->labels[at].name, label->name)) {
        r->labels[at].value = label->value;
        return;
    }
    if (r->label_count == RECORD_LABELS_MAX) {
        *ok = false;
        return;
    }
    memmove(&r->labels[at + 1], &r->labels[at], (r->label_count - at) * sizeof(struct label));
    r->labels[at] = *label;
    r->label_count++;
}

static void labels_remove(struct registration *r, struct span name)
{
    for (uint32_t i = 0; i < r->label_count; i++) {
        if (span_eq(r->labels[i].name, name)) {
            memmove(&r->labels[i], &r->labels[i + 1],
                    (r->label_count - i - 1) * sizeof(struct label));
            r->label_count--;
            return;
        }
    }
}

static bool merge_labels(const struct patch *patch, struct registration *to)
{
    bool ok = true;
    if ((patch->mask & PATCH_LABELS_CLEAR) != 0) {
        to->label_count = 0;
    }
    for (uint32_t i = 0; i < patch->labels_removed_count; i++) {
        labels_remove(to, patch->labels_removed[i]);
    }
    if ((patch->mask & PATCH_LABELS) != 0) {
        for (uint32_t i = 0; i < patch->record.registration.label_count; i++) {
            labels_insert(to, &patch->record.registration.labels[i], &ok);
        }
    }
    return ok;
}

// --- applying

static void merge_fields(const struct patch *patch, struct record *to)
{
    const struct field *row = NULL;
    size_t count = fields_of(to->kind, &row);
    for (size_t i = 0; i < count; i++) {
        if (row[i].mask != 0 && (patch->mask & row[i].mask) != 0) {
            field_copy(&row[i], &patch->record, to);
        }
    }
    if (to->kind == KEY_REGISTRATION) {
        (void)merge_labels(patch, &to->registration); // too many: the greatest names are left out
    }
}

// Fields whose difference alone is no news: how long a probe took, when it began, who published a policy.
static bool is_incidental(const struct field *field)
{
    if (field->kind == KEY_OBSERVATION) {
        return field->offset == offsetof(struct record, observation.latency_us) ||
               field->offset == offsetof(struct record, observation.text) ||
               field->offset == offsetof(struct record, observation.since_ms);
    }
    return field->kind == KEY_POLICY && field->offset == offsetof(struct record, policy.by);
}

static bool differs(const struct record *a, const struct record *b)
{
    const struct field *row = NULL;
    size_t count = fields_of(a->kind, &row);
    for (size_t i = 0; i < count; i++) {
        if (!is_incidental(&row[i]) && !field_equal(&row[i], a, b)) {
            return true;
        }
    }
    return false;
}

static void keep_unknown(const struct record *base, struct record *to)
{
    to->unknown_count = base != NULL ? base->unknown_count : 0;
    if (base != NULL) {
        memcpy(to->unknown, base->unknown, sizeof(to->unknown));
    }
}

enum patch_result patch_apply(const struct patch *patch, const struct record *base,
                              struct record *ret_record)
{
    if (base != NULL && base->tombstone) {
        base = NULL;
    }
    if (patch->op == PATCH_DELETE) {
        if (base == NULL) {
            return PATCH_SAME;
        }
        enum key_kind kind = base->kind;
        fields_default(kind, ret_record);
        ret_record->tombstone = true;
        return PATCH_CHANGED;
    }
    if (patch->op == PATCH_PUT) {
        *ret_record = patch->record;
        ret_record->tombstone = false;
        keep_unknown(base, ret_record);
    } else if (base == NULL) {
        return PATCH_SAME;
    } else {
        *ret_record = *base;
        merge_fields(patch, ret_record);
    }
    return base == NULL || differs(base, ret_record) ? PATCH_CHANGED : PATCH_SAME;
}

// --- composing

static bool names(const struct patch *patch, struct span name)
{
    for (uint32_t i = 0; i < patch->labels_removed_count; i++) {
        if (span_eq(patch->labels_removed[i], name)) {
            return true;
        }
    }
    return false;
}

// Labels of `a` then `b`: what b sets it sets, what b removes it removes, the rest is a's.
static enum err compose_labels(const struct patch *a, const struct patch *b, struct patch *ret)
{
    if ((b->mask & PATCH_LABELS_CLEAR) != 0) {
        ret->labels_removed_count = 0;
        ret->record.registration.label_count = 0;
    }
    for (uint32_t i = 0; i < b->labels_removed_count; i++) {
        labels_remove(&ret->record.registration, b->labels_removed[i]);
        if (names(ret, b->labels_removed[i])) {
            continue;
        }
        if (ret->labels_removed_count == RECORD_LABELS_MAX) {
            return ERR_TOO_LARGE;
        }
        ret->labels_removed[ret->labels_removed_count++] = b->labels_removed[i];
    }
    bool ok = true;
    if ((b->mask & PATCH_LABELS) != 0) {
        for (uint32_t i = 0; i < b->record.registration.label_count; i++) {
            labels_insert(&ret->record.registration, &b->record.registration.labels[i], &ok);
        }
    }
    (void)a;
    return ok ? ERR_OK : ERR_TOO_LARGE;
}

enum err patch_compose(const struct patch *a, const struct patch *b, struct patch *ret_patch)
{
    struct patch out = *b;
    if (b->op != PATCH_MERGE || a->op == PATCH_DELETE) {
        // A merge upon a delete meets nothing and does nothing: the delete stays.
        *ret_patch = b->op != PATCH_MERGE ? *b : *a;
        return ERR_OK;
    }
    out = *a;
    if (a->op == PATCH_PUT) {
        merge_fields(b, &out.record);
        *ret_patch = out;
        return ERR_OK;
    }
    const struct field *row = NULL;
    size_t count = fields_of(b->record.kind, &row);
    for (size_t i = 0; i < count; i++) {
        if (row[i].mask != 0 && (b->mask & row[i].mask) != 0) {
            field_copy(&row[i], &b->record, &out.record);
        }
    }
    out.mask = a->mask | b->mask;
    if (b->record.kind == KEY_REGISTRATION) {
        enum err err = compose_labels(a, b, &out);
        if (err != ERR_OK) {
            return err;
        }
        if (out.record.registration.label_count > 0) {
            out.mask |= PATCH_LABELS;
        }
    }
    *ret_patch = out;
    return ERR_OK;
}

// --- bytes:  op 1 B | kind 1 B | mask varint | fields length varint | fields | (name length 1 B | name)*

size_t patch_write(const struct patch *patch, char *buf, size_t cap)
{
    char fields[RECORD_LEN_MAX];
    size_t fields_len = 0;
    if (patch->op != PATCH_DELETE) {
        fields_len = fields_write(&patch->record, fields, sizeof(fields));
    }
    size_t need = 2 + 2 * CURSOR_VARINT_MAX + fields_len;
    for (uint32_t i = 0; fields_len != SIZE_MAX && i < patch->labels_removed_count; i++) {
        need += 1 + patch->labels_removed[i].len;
    }
    if (fields_len == SIZE_MAX || need > cap) {
        return 0;
    }
    size_t len = 0;
    buf[len++] = (char)patch->op;
    buf[len++] = (char)patch->record.kind;
    len += cursor_varint_put(patch->mask, buf + len);
    len += cursor_varint_put(fields_len, buf + len);
    memcpy(buf + len, fields, fields_len);
    len += fields_len;
    for (uint32_t i = 0; i < patch->labels_removed_count; i++) {
        struct span name = patch->labels_removed[i];
        buf[len++] = (char)name.len;
        memcpy(buf + len, name.ptr, name.len);
        len += name.len;
    }
    return len;
}

enum err patch_read(struct span bytes, struct patch *ret_patch)
{
    struct cursor cursor = cursor_of(bytes);
    unsigned op = cursor_u8(&cursor);
    unsigned kind = cursor_u8(&cursor);
    uint64_t mask = cursor_varint(&cursor);
    struct span fields = cursor_bytes(&cursor, cursor_varint(&cursor));
    if (!cursor_ok(&cursor) || op > PATCH_DELETE || kind > KEY_OBSERVATION || mask > UINT32_MAX) {
        return ERR_SYNTAX;
    }
    ret_patch->op = (enum patch_op)op;
    ret_patch->mask = (uint32_t)mask;
    ret_patch->labels_removed_count = 0;
    enum err err = fields_read((enum key_kind)kind, fields, &ret_patch->record);
    while (err == ERR_OK && cursor.left > 0) {
        struct span name = cursor_bytes(&cursor, cursor_u8(&cursor));
        if (!cursor_ok(&cursor) || ret_patch->labels_removed_count == RECORD_LABELS_MAX) {
            return ERR_SYNTAX;
        }
        ret_patch->labels_removed[ret_patch->labels_removed_count++] = name;
    }
    return err;
}
