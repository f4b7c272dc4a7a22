// SPDX-License-Identifier: Apache-2.0
// The fields of the five kinds of record, described once by codec.def and walked by codec.c and patch.c.
// Invariant: the rows of one kind stand together, tags ascending.  Private to model; pure, any thread.
#pragma once

#include "base/err.h"
#include "localmap/model/patch.h"
#include "localmap/model/record.h"
#include "localmap/model/version.h"

enum field_type { FIELD_U32, FIELD_U64, FIELD_I64, FIELD_BOOL, FIELD_SPAN, FIELD_LABELS };

struct field {
    enum key_kind kind;
    uint8_t tag;
    enum field_type type;
    uint16_t offset; // of the member in struct record
    uint64_t min, max, fallback;
    uint32_t mask;
};

// The rows of `kind`; returns how many.
size_t fields_of(enum key_kind kind, const struct field **ret_rows);

// The value of a field; SPAN and LABELS have none (0).
uint64_t field_number(const struct field *field, const struct record *record);
bool field_set_number(const struct field *field, struct record *record, uint64_t value); // false: range
struct span *field_span(const struct field *field, struct record *record);
const struct span *field_span_const(const struct field *field, const struct record *record);
bool field_is_default(const struct field *field, const struct record *record);
bool field_equal(const struct field *field, const struct record *a, const struct record *b);
void field_copy(const struct field *field, const struct record *from, struct record *to);

// All fields of a kind at their defaults.
void fields_default(enum key_kind kind, struct record *ret_record);

// Decodes fields without asking for those that a whole record must have: patches are partial.
enum err fields_read(enum key_kind kind, struct span bytes, struct record *ret_record) MUST_USE;
// Returns the length, SIZE_MAX when it does not fit.
size_t fields_write(const struct record *record, char *buf, size_t cap);
