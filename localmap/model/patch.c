// SPDX-License-Identifier: Apache-2.0
#include "localmap/model/patch.h"

#include "base/assert.h"
#include "localmap/model/fields_codec.h"

#define LABEL_BITS ((uint32_t)(PATCH_LABELS | PATCH_LABELS_CLEAR))

// --- labels

// Labels being put together: what a base has and what a patch sets, before it is known whether they fit.
struct label_set {
    uint32_t count;
    struct label labels[2 * RECORD_LABELS_MAX];
};

static void label_set_put(struct label_set *set, struct label label)
{
    uint32_t at = set->count;
    while (at > 0 && span_cmp(set->labels[at - 1].name, label.name) >= 0) {
        at--;
    }
    if (at < set->count && span_eq(set->labels[at].name, label.name)) {
        set->labels[at] = label;
        return;
    }
    ASSERT(set->count < 2 * RECORD_LABELS_MAX);
    memmove(&set->labels[at + 1], &set->labels[at], (set->count - at) * sizeof(set->labels[0]));
    set->labels[at] = label;
    set->count++;
}

static void label_set_remove(struct label_set *set, struct span name)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (span_eq(set->labels[i].name, name)) {
            set->count--;
            memmove(&set->labels[i], &set->labels[i + 1],
                    (set->count - i) * sizeof(set->labels[0]));
            return;
        }
    }
}

// What `patch` makes of the labels of `base` (NULL: none).
static void labels_apply(const struct patch *patch, const struct registration *base,
                         struct label_set *ret_set)
{
    const struct registration *wanted = &patch->record.registration;
    ret_set->count = 0;
    for (uint32_t i = 0; base != NULL && i < base->label_count; i++) {
        label_set_put(ret_set, base->labels[i]);
    }
    if ((patch->mask & PATCH_LABELS) == 0) {
        return;
    }
    for (uint32_t i = 0; i < patch->labels_removed_count; i++) {
        label_set_remove(ret_set, patch->labels_removed[i]);
    }
    for (uint32_t i = 0; i < wanted->label_count; i++) {
        label_set_put(ret_set, wanted->labels[i]);
    }
}

static bool labels_store(const struct label_set *set, struct registration *registration)
{
    if (!field_labels_valid(set->labels, set->count)) {
        return false;
    }
    registration->label_count = set->count;
    memcpy(registration->labels, set->labels, set->count * sizeof(set->labels[0]));
    return true;
}

// --- applying

static bool records_differ(const struct record *a, const struct record *b)
{
    struct field_table table = field_table_of(a->kind);
    for (size_t i = 0; i < table.count; i++) {
        if (!table.fields[i].soft && !field_equal(&table.fields[i], a, b)) {
            return true;
        }
    }
    return false;
}

static bool unknown_differ(const struct record *a, const struct record *b)
{
    if (a->unknown_count != b->unknown_count) {
        return true;
    }
    for (uint32_t i = 0; i < a->unknown_count; i++) {
        if (!span_eq(a->unknown[i], b->unknown[i])) {
            return true;
        }
    }
    return false;
}

static void copy_unknown(const struct record *from, struct record *to)
{
    to->unknown_count = from->unknown_count;
    memcpy(to->unknown, from->unknown, from->unknown_count * sizeof(from->unknown[0]));
}

// Sets in `record` the fields that `patch` names.  false: the labels do not fit; nothing of use is left.
static bool merge_into(const struct patch *patch, struct record *record)
{
    struct field_table table = field_table_of(record->kind);
    for (size_t i = 0; i < table.count; i++) {
        const struct field *field = &table.fields[i];
        if (field->type != FIELD_LABELS && (patch->mask & field->patch_bit) != 0) {
            field_copy(field, &patch->record, record);
        }
    }
    if (record->kind != KEY_REGISTRATION || (patch->mask & LABEL_BITS) == 0) {
        return true;
    }
    struct label_set set;
    bool clear = (patch->mask & PATCH_LABELS_CLEAR) != 0;
    labels_apply(patch, clear ? NULL : &record->registration, &set);
    return labels_store(&set, &record->registration);
}

static enum patch_result apply_put(const struct patch *patch, const struct record *base,
                                   struct record *ret_record)
{
    *ret_record = patch->record;
    ret_record->tombstone = false;
    if (base == NULL) {
        return PATCH_CHANGED;
    }
    bool fresh = (patch->mask & PATCH_FRESH) != 0;
    if (!fresh) {
        copy_unknown(base, ret_record);
    }
    return records_differ(base, ret_record) || unknown_differ(base, ret_record) ? PATCH_CHANGED
                                                                                : PATCH_SAME;
}

enum patch_result patch_apply(const struct patch *patch, const struct record *base,
                              struct record *ret_record)
{
    if (base != NULL && base->tombstone) {
        base = NULL;
    }
    ASSERT(base == NULL || base->kind == patch->record.kind);
    switch (patch->op) {
    case PATCH_PUT:
        return apply_put(patch, base, ret_record);
    case PATCH_MERGE:
        if (base == NULL) {
            return PATCH_SAME;
        }
        *ret_record = *base;
        return merge_into(patch, ret_record) && records_differ(base, ret_record) ? PATCH_CHANGED
                                                                                 : PATCH_SAME;
    case PATCH_DELETE:
        if (base == NULL) {
            return PATCH_SAME;
        }
        field_reset(ret_record, patch->record.kind);
        ret_record->tombstone = true;
        return PATCH_CHANGED;
    }
    ASSERT(false);
}

// --- composing

static bool names_hold(const struct span *names, uint32_t count, struct span name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (span_eq(names[i], name)) {
            return true;
        }
    }
    return false;
}

static bool add_removed(const struct patch *from, struct patch *to)
{
    for (uint32_t i = 0; i < from->labels_removed_count; i++) {
        struct span name = from->labels_removed[i];
        if (names_hold(to->labels_removed, to->labels_removed_count, name)) {
            continue;
        }
        if (to->labels_removed_count == RECORD_LABELS_MAX) {
            return false;
        }
        to->labels_removed[to->labels_removed_count++] = name;
    }
    return true;
}

// The labels of two merges.  What `b` clears makes what `a` said of labels void.
static bool compose_labels(const struct patch *a, const struct patch *b, struct patch *ret_patch)
{
    const struct patch *first = (b->mask & PATCH_LABELS_CLEAR) != 0 ? NULL : a;
    struct label_set set;
    const struct registration *sets =
        first != NULL && (first->mask & PATCH_LABELS) != 0 ? &first->record.registration : NULL;
    labels_apply(b, sets, &set);
    ret_patch->mask = (ret_patch->mask & ~LABEL_BITS) | (b->mask & LABEL_BITS);
    ret_patch->labels_removed_count = 0;
    if (first != NULL) {
        ret_patch->mask |= first->mask & LABEL_BITS;
    }
    bool fits = labels_store(&set, &ret_patch->record.registration);
    if ((ret_patch->mask & PATCH_LABELS_CLEAR) != 0) {
        return fits; // there is nothing left to remove
    }
    if (first != NULL && (first->mask & PATCH_LABELS) != 0) {
        fits = add_removed(first, ret_patch) && fits;
    }
    if ((b->mask & PATCH_LABELS) != 0) {
        fits = add_removed(b, ret_patch) && fits;
    }
    return fits;
}

static bool compose_merges(const struct patch *a, const struct patch *b, struct patch *ret_patch)
{
    struct field_table table = field_table_of(a->record.kind);
    *ret_patch = *a;
    for (size_t i = 0; i < table.count; i++) {
        const struct field *field = &table.fields[i];
        if (field->type != FIELD_LABELS && (b->mask & field->patch_bit) != 0) {
            field_copy(field, &b->record, &ret_patch->record);
            ret_patch->mask |= field->patch_bit;
        }
    }
    bool labels = a->record.kind == KEY_REGISTRATION && ((a->mask | b->mask) & LABEL_BITS) != 0;
    return !labels || compose_labels(a, b, ret_patch);
}

enum err patch_compose(const struct patch *a, const struct patch *b, struct patch *ret_patch)
{
    struct patch patch;
    bool fits = true;
    ASSERT(a->record.kind == b->record.kind);
    if (b->op != PATCH_MERGE) {
        patch = *b;
        bool fresh = a->op == PATCH_DELETE || (a->op == PATCH_PUT && (a->mask & PATCH_FRESH) != 0);
        if (b->op == PATCH_PUT && fresh) {
            patch.mask |= PATCH_FRESH;
        }
    } else if (a->op == PATCH_MERGE) {
        fits = compose_merges(a, b, &patch);
    } else {
        patch = *a; // a merge after a delete finds nothing
        fits = a->op == PATCH_DELETE || merge_into(b, &patch.record);
    }
    if (!fits) {
        return ERR_TOO_LARGE;
    }
    *ret_patch = patch;
    return ERR_OK;
}

// --- bytes
//
//     op | kind | mask varint | count of names varint | (length varint | name)* | fields
//
// A PUT has the fields of a body, a MERGE those of its mask, a DELETE none.

size_t patch_write(const struct patch *patch, char *buf, size_t cap)
{
    struct fields_out out = {.ptr = buf, .cap = cap};
    fields_put_byte(&out, (unsigned)patch->op);
    fields_put_byte(&out, (unsigned)patch->record.kind);
    fields_put_varint(&out, patch->mask);
    fields_put_varint(&out, patch->labels_removed_count);
    for (uint32_t i = 0; i < patch->labels_removed_count; i++) {
        fields_put_varint(&out, patch->labels_removed[i].len);
        fields_put_bytes(&out, patch->labels_removed[i]);
    }
    if (patch->op == PATCH_PUT) {
        fields_put(&out, &patch->record, FIELDS_ALL);
        out.failed = out.failed || !fields_valid(&patch->record);
    } else if (patch->op == PATCH_MERGE) {
        fields_put(&out, &patch->record, patch->mask);
    }
    return out.failed ? 0 : out.len;
}

enum err patch_read(struct span bytes, struct patch *ret_patch)
{
    struct patch patch;
    struct cursor cursor = cursor_of(bytes);
    uint8_t op = cursor_u8(&cursor);
    uint8_t kind = cursor_u8(&cursor);
    uint64_t mask = cursor_varint(&cursor);
    uint64_t removed = cursor_varint(&cursor);
    if (!cursor_ok(&cursor) || op > PATCH_DELETE || kind > KEY_OBSERVATION || mask >= FIELDS_ALL ||
        removed > RECORD_LABELS_MAX) {
        return ERR_SYNTAX;
    }
    patch.op = (enum patch_op)op;
    patch.mask = (uint32_t)mask;
    patch.labels_removed_count = (uint32_t)removed;
    for (uint32_t i = 0; i < patch.labels_removed_count; i++) {
        patch.labels_removed[i] = cursor_bytes(&cursor, cursor_varint(&cursor));
    }
    field_reset(&patch.record, (enum key_kind)kind);
    if (fields_get(&cursor, false, &patch.record) != ERR_OK) {
        return ERR_SYNTAX;
    }
    *ret_patch = patch;
    return ERR_OK;
}
