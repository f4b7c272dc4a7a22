// SPDX-License-Identifier: Apache-2.0
// The fields of a record to bytes and back, by the table of field.h: what codec.h (whole bodies, on the
// wire) and patch.h (some fields, in memory) have in common.
//
//     field = tag varint | length varint | bytes        numbers big-endian in as few bytes as they need
//     labels = (length varint | name | length varint | value)*
//
// Invariant: a writer that ran out of room stays failed and has written nothing beyond its end.
// Private to localmap/model.  Pure, any thread.
#pragma once

#include "base/cursor.h"
#include "localmap/model/field.h"

#define FIELDS_ALL UINT32_MAX // for `bits`: every field, but not those that are preset

struct fields_out {
    char *ptr;
    size_t cap;
    size_t len;
    bool failed; // no room, or a field out of its range
};

void fields_put_byte(struct fields_out *out, unsigned byte);
void fields_put_varint(struct fields_out *out, uint64_t value);
void fields_put_bytes(struct fields_out *out, struct span bytes);

// Writes the fields whose patch bit is in `bits`, whatever they hold; or with FIELDS_ALL those that are not
// preset, and the unknown ones, each at its place.
void fields_put(struct fields_out *out, const struct record *record, uint32_t bits);

// Reads all that is left.  `ret_record` has been reset and is then partly filled on an error.
// `canonical`: it is a whole body.  A field that says what leaving it out says is malformed, because equal
// records would have unequal bytes, and so is one that is not valid, there or left out.
// ERR_SYNTAX; ERR_UNSUPPORTED: well-formed, with more unknown fields than a record carries.
enum err fields_get(struct cursor *cursor, bool canonical, struct record *ret_record) MUST_USE;

// The number of one field; 0: it was left out, or it is longer than 8 bytes.  For bodies that were read as a whole
// before: looks at nothing else.
uint64_t fields_find_number(struct cursor *cursor, uint64_t tag);

// All that a body must hold: each field valid.
bool fields_valid(const struct record *record);
