// SPDX-License-Identifier: Apache-2.0
// Records to bytes and back.
//
//     value  = version 16 B | hash 6 B big-endian | body            (an empty value means: purged)
//     body   = wire 1 B (CODEC_WIRE) | kind 1 B, bit 7 = tombstone | field*
//     field  = tag varint | length varint | bytes                   ascending tags, each at most once
//
// Invariant: decode(encode(r)) == r; encode is canonical (defaults are left out), so equal records have
// equal bytes; unknown tags survive decode + encode.  Foreign bytes never crash: every malformed input
// is ERR_SYNTAX.  Pure, any thread.  Read next: record.h, merge.h.
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "localmap/model/record.h"
#include "localmap/model/version.h"

#define CODEC_WIRE 1
#define CODEC_HASH_LEN 6
#define CODEC_HEAD_LEN (VERSION_LEN + CODEC_HASH_LEN)
#define CODEC_HASH_MASK ((UINT64_C(1) << 48) - 1)
#define CODEC_BODY_MAX (RECORD_LEN_MAX - CODEC_HEAD_LEN)

// A value taken apart; borrows.
struct codec_value {
    struct version version;
    uint64_t hash; // as received
    struct span body;
};

// ERR_SYNTAX: shorter than a head plus two bytes, or counter out of range or 0.  ERR_TOO_LARGE: over
// RECORD_LEN_MAX.  Does not look into the body and does not verify the hash.
enum err codec_value_parse(struct span bytes, struct codec_value *ret_value) MUST_USE;

// The 48-bit hash of (key, version, body): SipHash-1-3 with a fixed key; part of the wire.
uint64_t codec_hash(struct span key, struct version version, struct span body);

// Writes a whole value (head and body) into `buf` of `cap` bytes.  The hash is computed here.
// Returns its length; 0 when it does not fit.
size_t codec_value_write(struct span key, struct version version, struct span body, char *buf,
                         size_t cap);

// The body of `record` into `buf`.  Returns its length; 0 when it does not fit into `cap`.
size_t codec_body_write(const struct record *record, char *buf, size_t cap);

// ERR_UNSUPPORTED: another wire version (an opaque record).  ERR_SYNTAX: malformed, or not of `kind`.
enum err codec_body_read(enum key_kind kind, struct span body, struct record *ret_record) MUST_USE;

// The vantage of an observation whose body was read as a whole before, without reading it once more.
// ERR_UNSUPPORTED, ERR_SYNTAX: as codec_body_read says of the first two bytes, or no such vantage.
enum err codec_body_vantage(struct span body, enum vantage *ret_vantage) MUST_USE;

// True when the body is a tombstone of this wire version.
bool codec_is_tombstone(struct span body);
