// SPDX-License-Identifier: Apache-2.0
// The table of fields: for each kind of record which fields it has, where they lie in `struct record`, what
// they may hold, what stands for them when they are left out, and which bit of a patch names them.
// The codec, the patches and the comparisons walk this one table, so a new field is one new row.
//
//     tag  type  place in the record  min..max  preset  bit of a patch  soft
//
// Invariant: tags of a kind are 1, 2, 3 ... in this order, which finds a row by its tag, and are part of the
// wire: never change one, only append.
// Private to localmap/model.  Pure, any thread.  Read next: codec.c, patch.c.
#pragma once

#include "localmap/model/patch.h"
#include "localmap/model/record.h"

#include <stddef.h>

enum field_type {
    FIELD_TEXT,    // UTF-8; min and max are lengths
    FIELD_ADDRESS, // an IP literal
    FIELD_U32,     // numbers; enums and bool too
    FIELD_U64,
    FIELD_BOOL,
    FIELD_REASON, // a number of the open list: one that this version does not know reads as REASON_OTHER
    FIELD_LABELS
};

// The one that is read without the rest of its record.
#define FIELD_TAG_VANTAGE 5

struct field {
    uint32_t tag;
    enum field_type type;
    size_t offset; // in struct record
    uint64_t min, max;
    uint64_t preset;    // of a number that is left out; a text that is left out is empty
    uint32_t patch_bit; // 0: a patch cannot name it
    bool soft;          // a difference in it alone is no change worth publishing
};

struct field_table {
    const struct field *fields;
    size_t count;
    size_t plain_len; // of the kind's part of struct record, without the labels
};

struct field_table field_table_of(enum key_kind kind);

// A live record of `kind` whose every field is left out.  The room for labels and unknown fields, most of a
// record, is not touched: their counts say that there are none.
void field_reset(struct record *record, enum key_kind kind);
// *to = *from, without that room where it is not used.
void field_move(const struct record *from, struct record *to);

uint64_t field_number(const struct field *field, const struct record *record);
void field_set_number(const struct field *field, struct record *record, uint64_t value);
struct span *field_text(const struct field *field, struct record *record);
const struct span *field_text_const(const struct field *field, const struct record *record);

bool field_is_number(const struct field *field);
bool field_is_preset(const struct field *field, const struct record *record);
bool field_may_be_absent(const struct field *field); // what leaving it out says is valid
bool field_is_valid(const struct field *field, const struct record *record);
bool field_equal(const struct field *field, const struct record *a, const struct record *b);
void field_copy(const struct field *field, const struct record *from, struct record *to);

// At most RECORD_LABELS_MAX, ascending names without duplicates, all within their ceilings.
bool field_labels_valid(const struct label *labels, uint32_t count);
