// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as a value of the wire, the first of them choosing the kind.  What is read must be
// written again as the same bytes, or equal records would have unequal hashes.
#include "base/assert.h"
#include "localmap/model/codec.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const enum key_kind kinds[] = {KEY_POLICY, KEY_NODE, KEY_REGISTRATION, KEY_OVERRIDE,
                                      KEY_OBSERVATION};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

// The one thing that is read otherwise than it stands there: a reason that a newer version has added.
static bool is_foreign_reason(const struct record *record)
{
    return record->kind == KEY_OBSERVATION && !record->tombstone &&
           record->observation.reason == REASON_OTHER;
}

static void read_body(enum key_kind kind, struct span body)
{
    struct record record;
    struct record again;
    char bytes[CODEC_BODY_MAX];
    char bytes_again[CODEC_BODY_MAX];
    const enum err err = codec_body_read(kind, body, &record);
    if (err != ERR_OK) {
        ASSERT(err == ERR_SYNTAX || err == ERR_UNSUPPORTED);
        return;
    }
    ASSERT(record.kind == kind && record.tombstone == codec_is_tombstone(body));
    const struct span written = span_of(bytes, codec_body_write(&record, bytes, sizeof(bytes)));
    ASSERT(written.len > 0);
    ASSERT(span_eq(written, body) || is_foreign_reason(&record));
    // Whatever was written is canonical: read and written once more, it stays.
    ASSERT(codec_body_read(kind, written, &again) == ERR_OK);
    ASSERT(span_eq(
        written, span_of(bytes_again, codec_body_write(&again, bytes_again, sizeof(bytes_again)))));
    ASSERT(codec_body_write(&record, bytes_again, written.len - 1) == 0);
}

static void read_value(struct span bytes, struct codec_value *ret_value)
{
    char written[RECORD_LEN_MAX];
    const struct span key = SPAN_LIT("k");
    const size_t len =
        codec_value_write(key, ret_value->version, ret_value->body, written, sizeof(written));
    struct codec_value again;
    ASSERT(len == bytes.len);
    ASSERT(memcmp(written, bytes.ptr, VERSION_LEN) == 0);
    ASSERT(codec_value_parse(span_of(written, len), &again) == ERR_OK);
    ASSERT(span_eq(again.body, ret_value->body));
    ASSERT(again.hash == codec_hash(key, again.version, again.body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    const enum key_kind kind = kinds[data[0] % KINDS];
    const struct span bytes = span_of((const char *)data + 1, len - 1);
    struct codec_value value;
    const enum err err = codec_value_parse(bytes, &value);
    if (err == ERR_OK) {
        read_value(bytes, &value);
        read_body(kind, value.body);
    } else {
        ASSERT(err == ERR_SYNTAX || err == ERR_TOO_LARGE);
    }
    read_body(kind, bytes); // the same bytes without a head: found sooner
    return 0;
}
