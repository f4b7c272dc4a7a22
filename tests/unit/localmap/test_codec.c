// SPDX-License-Identifier: Apache-2.0
// Bytes on the wire: a table of records with their exact bytes, random records there and back, and foreign
// bytes of every kind, which may be refused but never read otherwise than they would be written.
#include "localmap/model/codec.h"
#include "localmap/model/field.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/records.h"

#define BYTES(literal)                                                                             \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
#define KINDS 5

static const struct span pay_key = BYTES("default\0pay\0pay-1");

TEST(a_record_has_these_bytes_for_ever)
{
    const struct label labels[] = {{SPAN_LIT("v"), SPAN_LIT("2")}, {SPAN_LIT("x"), SPAN_NONE}};
    struct record rows[] = {
        {.kind = KEY_REGISTRATION,
         .registration = {.address = SPAN_LIT("127.0.0.1"),
                          .port = 8081,
                          .zone = SPAN_LIT("eu"),
                          .weight = 1,
                          .label_count = 2,
                          .labels = {labels[0], labels[1]},
                          .lease_ms = 10000}},
        {.kind = KEY_OVERRIDE, .override = {.status = STATUS_DRAINING, .reason = SPAN_LIT("why")}},
        {.kind = KEY_OBSERVATION,
         .observation = {.status = STATUS_UNHEALTHY,
                         .reason = REASON_CONNECT_REFUSED,
                         .latency_us = 412,
                         .vantage = VANTAGE_PEER,
                         .since_ms = 258,
                         .via = SPAN_LIT("a")}},
        {.kind = KEY_NODE, .node = {.incarnation = 256, .up = true}},
        {.kind = KEY_POLICY, .tombstone = true},
    };
    record_policy_default(&rows[4].policy);
    static const struct span bytes[] = {
        BYTES("\1\2\1\11"
              "127.0.0.1\2\2\x1f\x91\4\2eu\10\7\1v\1"
              "2\1x\0\11\2\x27\x10"),
        BYTES("\1\3\1\1\3\2\3why"),
        BYTES("\1\4\1\1\2\2\1\2\4\2\1\x9c\5\1\1\6\2\1\2\7\1a"),
        BYTES("\1\1\1\2\1\0\2\1\1"),
        BYTES("\1\x80"),
    };
    for (size_t i = 0; i < 5; i++) {
        char body[CODEC_BODY_MAX];
        struct record back;
        size_t len = codec_body_write(&rows[i], body, sizeof(body));
        CHECK_UEQ(len, bytes[i].len);
        CHECK_MEM(body, bytes[i].ptr, len);
        CHECK_OK(codec_body_read(rows[i].kind, bytes[i], &back));
        CHECK(records_equal(&rows[i], &back));
        CHECK(codec_is_tombstone(bytes[i]) == rows[i].tombstone);
    }
}

// What is read of a body alone is what all of it says.
TEST(a_vantage_is_read_without_the_rest)
{
    for (unsigned i = 0; i < VANTAGE_COUNT * 2; i++) {
        struct record record = {.kind = KEY_OBSERVATION};
        char body[CODEC_BODY_MAX];
        enum vantage vantage = VANTAGE_COUNT;
        record.observation.status = i % 2 == 0 ? STATUS_HEALTHY : STATUS_UNHEALTHY;
        record.observation.text = i % 2 == 0 ? SPAN_NONE : SPAN_LIT("a text before it");
        record.observation.vantage = (enum vantage)(i / 2);
        record.observation.since_ms = 7; // and something behind it
        size_t len = codec_body_write(&record, body, sizeof(body));
        CHECK_UEQ(len > 0, true);
        CHECK_OK(codec_body_vantage(span_of(body, len), &vantage));
        CHECK_EQ(vantage, i / 2);
    }
    enum vantage vantage = VANTAGE_COUNT;
    CHECK_OK(codec_body_vantage(SPAN_LIT("\1\4"), &vantage)); // left out
    CHECK_EQ(vantage, VANTAGE_LOCAL);
    CHECK_EQ(codec_body_vantage(SPAN_LIT("\1\4\5\1\4"), &vantage), ERR_SYNTAX); // not one of them
    CHECK_EQ(codec_body_vantage(SPAN_LIT("\1\2"), &vantage), ERR_SYNTAX);       // another kind
    CHECK_EQ(codec_body_vantage(SPAN_LIT("\2\4"), &vantage), ERR_UNSUPPORTED);
    CHECK_EQ(codec_body_vantage(SPAN_LIT("\1"), &vantage), ERR_SYNTAX);
}

// The codec finds a row of the table by its tag, and notes in 32 bits which ones it has met.
TEST(the_tags_of_a_kind_count_from_one)
{
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct field_table table = field_table_of((enum key_kind)kind);
        CHECK_INT(table.count, lt, 32);
        for (size_t i = 0; i < table.count; i++) {
            CHECK_UEQ(table.fields[i].tag, i + 1);
        }
    }
}

// A body is refused for what it lacks as for what it says.
TEST(a_field_that_must_be_there_is_missed)
{
    struct record record;
    CHECK_OK(codec_body_read(KEY_REGISTRATION,
                             SPAN_LIT("\1\2\1\7"
                                      "1.2.3.4"
                                      "\2\1\7"),
                             &record));
    CHECK_UEQ(record.registration.weight, 1);
    CHECK_EQ(codec_body_read(KEY_REGISTRATION,
                             SPAN_LIT("\1\2\1\7"
                                      "1.2.3.4"),
                             &record),
             ERR_SYNTAX);
    CHECK_EQ(codec_body_read(KEY_REGISTRATION, SPAN_LIT("\1\2\2\1\7"), &record), ERR_SYNTAX);
    CHECK_EQ(codec_body_read(KEY_OVERRIDE, SPAN_LIT("\1\3"), &record), ERR_SYNTAX);
    CHECK_OK(codec_body_read(KEY_OBSERVATION, SPAN_LIT("\1\4"), &record));
    CHECK_OK(
        codec_body_read(KEY_REGISTRATION, SPAN_LIT("\1\x82"), &record)); // a tombstone says nothing
}

// Computed apart, by another SipHash-1-3 with a zero key over: u16 length of the key, key, version, body.
TEST(the_hash_of_a_value_never_changes)
{
    const struct version version = {7, UINT64_C(0xa1b2c3d4e5f601)};
    CHECK_UEQ(codec_hash(pay_key, version, SPAN_LIT("\1\x82")), UINT64_C(0x60fd4b893a47));
}

TEST(random_records_come_back_equal_and_their_bytes_too)
{
    static struct records records;
    records_init(&records, 1);
    for (size_t i = 0; i < 20000; i++) {
        struct record record;
        struct record back;
        char body[CODEC_BODY_MAX];
        char again[CODEC_BODY_MAX];
        records_reset(&records);
        records_make(&records, (enum key_kind)(i % KINDS), i % 3 == 0, &record);
        size_t len = codec_body_write(&record, body, sizeof(body));
        CHECK_INT(len, gt, 0);
        CHECK_OK(codec_body_read(record.kind, span_of(body, len), &back));
        CHECK(records_equal(&record, &back));
        CHECK_UEQ(codec_body_write(&back, again, sizeof(again)), len);
        CHECK_MEM(again, body, len);
        CHECK_EQ(codec_body_read((enum key_kind)((i + 1) % KINDS), span_of(body, len), &back),
                 ERR_SYNTAX);
    }
}

// Reads `body` as each kind from memory of exactly that size, so that the sanitizer sees a byte too far.
static void read_exactly(struct span body)
{
    char *copy = malloc(body.len + 1);
    memcpy(copy + 1, body.ptr, body.len);
    struct span exact = span_of(copy + 1, body.len);
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct record record;
        char again[CODEC_BODY_MAX];
        enum err err = codec_body_read((enum key_kind)kind, exact, &record);
        if (err != ERR_OK) {
            CHECK(err == ERR_SYNTAX || err == ERR_UNSUPPORTED);
            continue;
        }
        // An unknown reason is the one thing that is not written as it was read.
        bool other = kind == KEY_OBSERVATION && record.observation.reason == REASON_OTHER;
        size_t len = codec_body_write(&record, again, sizeof(again));
        CHECK(other || (len == body.len && memcmp(again, body.ptr, len) == 0));
        CHECK(codec_is_tombstone(exact) == record.tombstone);
    }
    free(copy);
}

TEST(bytes_changed_at_random_are_refused_or_read_as_they_stand)
{
    static struct records records;
    records_init(&records, 2);
    for (size_t i = 0; i < 30000; i++) {
        struct record record;
        char body[CODEC_BODY_MAX];
        records_reset(&records);
        records_make(&records, (enum key_kind)(i % KINDS), i % 2 == 0, &record);
        size_t len = codec_body_write(&record, body, sizeof(body));
        for (uint64_t n = 1 + records_below(&records, 3); n > 0; n--) {
            body[records_below(&records, len)] = (char)records_below(&records, 256);
        }
        read_exactly(span_of(body, records_below(&records, 4) == 0
                                       ? (size_t)records_below(&records, len + 1)
                                       : len));
    }
}

TEST(every_cut_of_a_body_is_read_within_its_bounds)
{
    static struct records records;
    records_init(&records, 3);
    for (size_t i = 0; i < 200; i++) {
        struct record record;
        char body[CODEC_BODY_MAX];
        records_reset(&records);
        records_make(&records, (enum key_kind)(i % KINDS), true, &record);
        size_t len = codec_body_write(&record, body, sizeof(body));
        for (size_t cut = 0; cut < len; cut++) {
            read_exactly(span_of(body, cut));
        }
    }
}

TEST(a_malformed_body_is_refused)
{
    static const struct {
        enum key_kind kind;
        struct span body;
        enum err err;
    } rows[] = {
        {KEY_NODE, BYTES(""), ERR_SYNTAX},
        {KEY_NODE, BYTES("\1"), ERR_SYNTAX},
        {KEY_NODE, BYTES("\2\1"), ERR_UNSUPPORTED},                   // another wire
        {KEY_NODE, BYTES("\1\2"), ERR_SYNTAX},                        // another kind
        {KEY_NODE, BYTES("\1\1\2\1"), ERR_SYNTAX},                    // cut short
        {KEY_NODE, BYTES("\1\1\2\1\0"), ERR_SYNTAX},                  // a zero has no bytes
        {KEY_NODE, BYTES("\1\1\2\0"), ERR_SYNTAX},                    // and is left out
        {KEY_NODE, BYTES("\1\1\2\1\2"), ERR_SYNTAX},                  // no bool
        {KEY_NODE, BYTES("\1\1\2\1\1\1\1\1"), ERR_SYNTAX},            // tags go up
        {KEY_NODE, BYTES("\1\1\2\1\1\2\1\1"), ERR_SYNTAX},            // once each
        {KEY_NODE, BYTES("\1\1\0\1\1"), ERR_SYNTAX},                  // from 1
        {KEY_NODE, BYTES("\1\1\x82\0\1\1"), ERR_SYNTAX},              // a varint longer than needed
        {KEY_NODE, BYTES("\1\1\1\11\1\1\1\1\1\1\1\1\1"), ERR_SYNTAX}, // nine bytes
        {KEY_NODE, BYTES("\1\1\3\2\xc3("), ERR_SYNTAX},               // no UTF-8
        {KEY_OBSERVATION, BYTES("\1\4\1\1\6"), ERR_SYNTAX},           // no such status
        {KEY_OBSERVATION, BYTES("\1\4\5\1\4"), ERR_SYNTAX},           // no such vantage
        {KEY_OVERRIDE, BYTES("\1\3"), ERR_SYNTAX},                    // no status
        {KEY_OVERRIDE, BYTES("\1\3\1\1\5"), ERR_SYNTAX},              // not of an override
        {KEY_REGISTRATION, BYTES("\1\2\2\1\1"), ERR_SYNTAX},          // no address
        {KEY_REGISTRATION, BYTES("\1\2\1\3::1"), ERR_SYNTAX},         // no port
        {KEY_REGISTRATION, BYTES("\1\2\1\3::g\2\1\1"), ERR_SYNTAX},
        {KEY_REGISTRATION, BYTES("\1\2\1\3::1\2\3\1\0\0"), ERR_SYNTAX}, // port 65536
        {KEY_REGISTRATION, BYTES("\1\2\1\3::1\2\1\1\6\1\1"),
         ERR_SYNTAX}, // the weight that is meant anyway
        {KEY_REGISTRATION, BYTES("\1\2\1\3::1\2\1\1\6\0"), ERR_SYNTAX},            // weight 0
        {KEY_REGISTRATION, BYTES("\1\2\1\3::1\2\1\1\7\1\x80"), ERR_SYNTAX},        // priority 128
        {KEY_REGISTRATION, BYTES("\1\2\1\3::1\2\1\1\10\6\1b\0\1a\0"), ERR_SYNTAX}, // not sorted
        {KEY_REGISTRATION, BYTES("\1\2\1\3::1\2\1\1\10\6\1a\0\1a\0"), ERR_SYNTAX}, // twice
        {KEY_REGISTRATION, BYTES("\1\2\1\3::1\2\1\1\10\2\0\0"), ERR_SYNTAX},       // no name
        {KEY_REGISTRATION, BYTES("\1\2\1\3::1\2\1\1\10\3\1a\1"), ERR_SYNTAX},      // cut short
        {KEY_REGISTRATION, BYTES("\1\2\1\3::1\2\1\1\10\0"), ERR_SYNTAX}, // none are left out
        {KEY_REGISTRATION, BYTES("\1\2\1\3::1\2\1\1"), ERR_OK},
        {KEY_NODE, BYTES("\1\1\2\1\1\50\1x\51\0"), ERR_OK}, // unknown tags
        {KEY_NODE, BYTES("\1\x81\50\1x"), ERR_OK},          // on a tombstone too
        {KEY_NODE, BYTES("\1\x81\50"), ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct record record;
        ck_assert_msg(codec_body_read(rows[i].kind, rows[i].body, &record) == rows[i].err,
                      "row %zu", i);
        read_exactly(rows[i].body);
    }
}

TEST(a_reason_of_a_newer_release_reads_as_other)
{
    static const struct span body = BYTES("\1\4\1\1\2\2\2\x12\x34");
    struct record record;
    char again[CODEC_BODY_MAX];
    CHECK_OK(codec_body_read(KEY_OBSERVATION, body, &record));
    CHECK_EQ(record.observation.reason, REASON_OTHER);
    CHECK_UEQ(codec_body_write(&record, again, sizeof(again)), 8);
}

// `count` unknown fields behind a node that is up.
static size_t crowd(char *body, unsigned count)
{
    size_t len = 0;
    memcpy(body, "\1\1\2\1\1", 5);
    for (len = 5; count > 0; count--) {
        body[len] = (char)(100 - count);
        body[len + 1] = 1;
        body[len + 2] = 'x';
        len += 3;
    }
    return len;
}

TEST(unknown_fields_are_kept_up_to_a_ceiling)
{
    char body[256];
    char again[CODEC_BODY_MAX];
    struct record record;
    size_t len = crowd(body, RECORD_UNKNOWN_MAX);
    CHECK_OK(codec_body_read(KEY_NODE, span_of(body, len), &record));
    CHECK_EQ(record.unknown_count, RECORD_UNKNOWN_MAX);
    CHECK_UEQ(codec_body_write(&record, again, sizeof(again)), len);
    CHECK_MEM(again, body, len);
    len = crowd(body, RECORD_UNKNOWN_MAX + 1);
    CHECK_EQ(codec_body_read(KEY_NODE, span_of(body, len), &record), ERR_UNSUPPORTED);
    body[len - 2] = 9; // and malformed on top
    CHECK_EQ(codec_body_read(KEY_NODE, span_of(body, len), &record), ERR_SYNTAX);
}

TEST(an_unknown_field_stands_before_a_known_one_that_comes_later)
{
    // As a release with a retired tag would see it: tag 1 put in by hand as unknown.
    struct record record = {.kind = KEY_NODE, .node = {.up = true}, .unknown_count = 1};
    record.unknown[0] = (struct span)BYTES("\1\1x");
    char body[CODEC_BODY_MAX];
    CHECK_UEQ(codec_body_write(&record, body, sizeof(body)), 8);
    CHECK_MEM(body, "\1\1\1\1x\2\1\1", 8);
}

TEST(what_would_not_be_read_is_not_written)
{
    char body[CODEC_BODY_MAX];
    struct record record = {.kind = KEY_REGISTRATION,
                            .registration = {.address = SPAN_LIT("::1"), .port = 1, .weight = 1}};
    CHECK_UEQ(codec_body_write(&record, body, sizeof(body)), 10);
    CHECK_UEQ(codec_body_write(&record, body, 10), 10);
    for (size_t cap = 0; cap < 10; cap++) {
        CHECK_UEQ(codec_body_write(&record, body, cap), 0);
    }
    record.registration.port = 65536;
    CHECK_UEQ(codec_body_write(&record, body, sizeof(body)), 0);
    record.registration.port = 1;
    record.registration.address = SPAN_LIT("pay.svc");
    CHECK_UEQ(codec_body_write(&record, body, sizeof(body)), 0);
    record.registration.address = SPAN_LIT("::1");
    record.registration.label_count = 2;
    record.registration.labels[0].name = SPAN_LIT("b");
    record.registration.labels[1].name = SPAN_LIT("a");
    CHECK_UEQ(codec_body_write(&record, body, sizeof(body)), 0);
}

TEST(a_value_is_a_head_and_a_body)
{
    static const struct span body = BYTES("\1\x82");
    const struct version version = {7, 9};
    char value[RECORD_LEN_MAX];
    struct codec_value back;
    size_t len = codec_value_write(pay_key, version, body, value, sizeof(value));
    CHECK_UEQ(len, CODEC_HEAD_LEN + 2);
    CHECK_OK(codec_value_parse(span_of(value, len), &back));
    CHECK_EQ(version_cmp(back.version, version), 0);
    CHECK_UEQ(back.hash, codec_hash(pay_key, version, body));
    CHECK_INT(back.hash, le, CODEC_HASH_MASK);
    CHECK(span_eq(back.body, body));
    CHECK_UEQ(codec_value_write(pay_key, version, body, value, len - 1), 0);
    CHECK_EQ(codec_value_parse(span_of(value, len - 1), &back), ERR_SYNTAX);
    CHECK_EQ(codec_value_parse(span_of(value, RECORD_LEN_MAX + 1), &back), ERR_TOO_LARGE);
    memset(value, 0, 8);
    CHECK_EQ(codec_value_parse(span_of(value, len), &back), ERR_SYNTAX); // counter 0
    value[1] = 0x20;
    CHECK_EQ(codec_value_parse(span_of(value, len), &back), ERR_SYNTAX); // counter 2^53
}

TEST(every_part_of_a_value_counts_in_its_hash)
{
    const struct version version = {7, 9};
    uint64_t hash = codec_hash(pay_key, version, SPAN_LIT("ab"));
    CHECK(hash != codec_hash(pay_key, version, SPAN_LIT("ac")));
    CHECK(hash != codec_hash(pay_key, (struct version){8, 9}, SPAN_LIT("ab")));
    CHECK(hash != codec_hash(pay_key, (struct version){7, 8}, SPAN_LIT("ab")));
    CHECK(hash != codec_hash(SPAN_LIT("default\0pay\0pay-2"), version, SPAN_LIT("ab")));
    CHECK(codec_hash(SPAN_LIT("k"), (struct version){0, 0}, SPAN_LIT("a")) !=
          codec_hash(SPAN_LIT("k\0"), (struct version){0, 0}, SPAN_LIT("a")));
}

// The largest kind of traffic by far: at most 1.3 times its key and its fields written as text.
TEST(an_observation_is_compact)
{
    static const struct span key = BYTES("default\0pay\0pay-1\0node-a");
    static const char text[] = "defaultpaypay-1node-aUNHEALTHYConnectRefused412local"
                               "2026-11-24T10:00:00.123Znode-a";
    const struct record record = {.kind = KEY_OBSERVATION,
                                  .observation = {.status = STATUS_UNHEALTHY,
                                                  .reason = REASON_CONNECT_REFUSED,
                                                  .latency_us = 412,
                                                  .vantage = VANTAGE_LOCAL,
                                                  .since_ms = INT64_C(1795514400123),
                                                  .via = SPAN_LIT("node-a")}};
    char body[CODEC_BODY_MAX];
    char value[RECORD_LEN_MAX];
    size_t body_len = codec_body_write(&record, body, sizeof(body));
    size_t len = codec_value_write(key, (struct version){1, 1}, span_of(body, body_len), value,
                                   sizeof(value));
    CHECK_INT(body_len, gt, 0);
    CHECK_INT(10 * (key.len + len), le, 13 * (sizeof(text) - 1));
}

SUITE("localmap/model/codec", T(a_record_has_these_bytes_for_ever),
      T(a_vantage_is_read_without_the_rest), T(the_tags_of_a_kind_count_from_one),
      T(a_field_that_must_be_there_is_missed), T(the_hash_of_a_value_never_changes),
      T(random_records_come_back_equal_and_their_bytes_too),
      T(bytes_changed_at_random_are_refused_or_read_as_they_stand),
      T(every_cut_of_a_body_is_read_within_its_bounds), T(a_malformed_body_is_refused),
      T(a_reason_of_a_newer_release_reads_as_other), T(unknown_fields_are_kept_up_to_a_ceiling),
      T(an_unknown_field_stands_before_a_known_one_that_comes_later),
      T(what_would_not_be_read_is_not_written), T(a_value_is_a_head_and_a_body),
      T(every_part_of_a_value_counts_in_its_hash), T(an_observation_is_compact));
