// SPDX-License-Identifier: Apache-2.0
// Records as a mesh has them: instances of services with an address, a place and a few labels, and what the
// nodes observed of them.
// Invariant: equal numbers give equal keys; a greater `turn` gives a newer version with another body.
// Plain data, one thread.
#pragma once

#include "localmap/model/codec.h"
#include "localmap/model/key.h"
#include "localmap/model/record.h"

#define SAMPLE_PER_SERVICE 20 // instances
#define SAMPLE_VALUE_MAX 512  // encoded
#define SAMPLE_OBSERVERS 3

struct sample {
    struct key_bytes key;
    uint16_t len;
    char value[SAMPLE_VALUE_MAX]; // version, hash, body
    uint32_t text_len;            // of the key, and of the fields as text: `name=value name=value`
};

enum sample_kind { SAMPLE_REGISTRATION, SAMPLE_OBSERVATION };

struct sample_wish {
    enum sample_kind kind;
    uint32_t instance; // number
    uint32_t observer; // number, of an observation
    uint32_t turn;     // 0: the first value
};

void sample_make(const struct sample_wish *wish, struct sample *ret_sample);
// The record of an observing node, up.
void sample_node(uint32_t observer, struct sample *ret_sample);

static inline struct span sample_value(const struct sample *sample)
{
    return span_of(sample->value, sample->len);
}
// What a put of this value must find: zeros for turn 0.
void sample_expected(const struct sample *before, char ret_version[VERSION_LEN]);
