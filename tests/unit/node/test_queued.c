// SPDX-License-Identifier: Apache-2.0
// There and back: what is read is what was written, with every member set to something of its own.
#include "replicator/queued.h"

#include "tests/lib/suite.h"
#include "tests/unit/node/fixture.h"

#include <string.h>

TEST(a_write_travels_whole)
{
    struct queued_bytes bytes;
    struct queued queued;
    struct key_bytes key = fixture_key("p1");
    struct patch patch = fixture_patch(81);
    const struct core_write write = {.op = 7,
                                     .key = key_span(&key),
                                     .patch = &patch,
                                     .precondition = CORE_IF_MATCH,
                                     .version = {.counter = 5, .writer = 6},
                                     .ack_stream = true};
    CHECK_OK(queued_from_write(&write, &bytes));
    queued_read(span_of(bytes.ptr, bytes.len), &queued);
    CHECK_EQ(queued.kind, QUEUED_WRITE);
    CHECK(span_eq(queued.write.key, write.key));
    CHECK(queued.write.patch == &queued.patch);
    CHECK_EQ(queued.patch.op, patch.op);
    CHECK_EQ(queued.patch.record.registration.port, 81);
    CHECK_EQ(queued.write.precondition, CORE_IF_MATCH);
    CHECK_EQ(version_cmp(queued.write.version, write.version), 0);
    CHECK(queued.write.ack_stream);
    CHECK_UEQ(queued.write.op, 0); // the driver's own
}

TEST(a_judgement_travels_whole)
{
    struct queued_bytes bytes;
    struct queued queued;
    struct key_bytes key = fixture_key("p1");
    const struct check_judgement judgement = {.registration_key = key_span(&key),
                                              .status = STATUS_TIMEOUT,
                                              .reason = REASON_CONNECT_TIMEOUT,
                                              .text = SPAN_LIT("after 500 ms"),
                                              .latency_us = UINT64_C(1) << 40,
                                              .ticket = UINT64_C(3) << 33,
                                              .news = true};
    queued_from_judgement(&judgement, &bytes);
    queued_read(span_of(bytes.ptr, bytes.len), &queued);
    CHECK_EQ(queued.kind, QUEUED_JUDGEMENT);
    CHECK(span_eq(queued.judgement.registration_key, judgement.registration_key));
    CHECK_EQ(queued.judgement.status, STATUS_TIMEOUT);
    CHECK_EQ(queued.judgement.reason, REASON_CONNECT_TIMEOUT);
    CHECK(span_eq_str(queued.judgement.text, "after 500 ms"));
    CHECK_UEQ(queued.judgement.latency_us, judgement.latency_us);
    CHECK_UEQ(queued.judgement.ticket, judgement.ticket);
    CHECK(queued.judgement.news);
}

// The longest key, and as many bytes of labels as there may be.
TEST(the_longest_fits_and_what_cannot_be_a_record_is_refused)
{
    static const char names[] = "abcdefgh";
    char name[KEY_LEN_MAX];
    char value[256];
    struct queued_bytes bytes;
    struct queued queued;
    memset(name, 'n', sizeof(name));
    memset(value, 'v', sizeof(value));
    struct patch patch = fixture_patch(80);
    struct registration *registration = &patch.record.registration;
    struct core_write write = {.key = span_of(name, sizeof(name)), .patch = &patch};
    registration->label_count = RECORD_LABELS_LEN_MAX / sizeof(value);
    for (uint32_t i = 0; i < registration->label_count; i++) {
        registration->labels[i] = (struct label){span_of(names + i, 1), span_of(value, 255)};
    }
    CHECK_OK(queued_from_write(&write, &bytes));
    queued_read(span_of(bytes.ptr, bytes.len), &queued);
    CHECK(span_eq(queued.write.key, write.key));
    CHECK_UEQ(queued.patch.record.registration.label_count, sizeof(names) - 1);
    CHECK(span_eq(queued.patch.record.registration.labels[7].value, span_of(value, 255)));
    registration->labels[7].value = span_of(value, 256);
    CHECK_EQ(queued_from_write(&write, &bytes), ERR_TOO_LARGE);
}

SUITE("node/queued", T(a_write_travels_whole), T(a_judgement_travels_whole),
      T(the_longest_fits_and_what_cannot_be_a_record_is_refused));
