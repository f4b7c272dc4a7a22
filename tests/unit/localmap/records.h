// SPDX-License-Identifier: Apache-2.0
// Random records for the tests of the model: every kind, every field at times left out, texts that live
// in one pool.  Equal seeds give equal records.  One thread.
#pragma once

#include "base/random.h"
#include "localmap/model/patch.h"
#include "localmap/model/record.h"

struct records {
    struct random random;
    char pool[16384]; // of texts made since records_reset
    size_t used;
};

void records_init(struct records *records, uint64_t seed);
// The texts made so far may be overwritten.
void records_reset(struct records *records);

uint64_t records_below(struct records *records, uint64_t bound);
struct span records_text(struct records *records, size_t len_max);
// A valid record of `kind`; unknown fields too when `unknown`.
void records_make(struct records *records, enum key_kind kind, bool unknown,
                  struct record *ret_record);
// A patch of `kind` out of few values, so that patches meet.
void records_patch(struct records *records, enum key_kind kind, struct patch *ret_patch);

// Equal in every field, the unknown ones too.
bool records_equal(const struct record *a, const struct record *b);
