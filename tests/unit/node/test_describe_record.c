// SPDX-License-Identifier: Apache-2.0
// Records in, short texts out; then what strangers could do to such a text.
#include "replicator/describe_record.h"

#include "localmap/model/codec.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>

static const char *told(const struct record *record)
{
    static char text[DESCRIBE_RECORD_LEN];
    char body[CODEC_BODY_MAX];
    size_t len = codec_body_write(record, body, sizeof(body));
    CHECK(len != 0);
    CHECK_UEQ(describe_record(record->kind, span_of(body, len), text, sizeof(text)), strlen(text));
    return text;
}

TEST(each_kind_has_its_text)
{
    const struct record registration = {
        .kind = KEY_REGISTRATION,
        .registration = {.address = SPAN_LIT("10.0.0.1"),
                         .port = 80,
                         .weight = 7,
                         .priority = 2,
                         .region = SPAN_LIT("eu"),
                         .zone = SPAN_LIT("eu-1"),
                         .owner = SPAN_LIT("a"),
                         .lease_ms = 5000,
                         .label_count = 2,
                         .labels = {{{"tier", 4}, {"gold", 4}}, {{"v", 1}, {"1=2", 3}}}}};
    CHECK_STR(told(&registration), "10.0.0.1:80 weight=7 priority=2 zone=eu/eu-1 owner=a lease=5s "
                                   "labels=tier:gold,v:1%3D2");
    const struct record bare = {
        .kind = KEY_REGISTRATION,
        .registration = {.address = SPAN_LIT("::1"), .port = 80, .weight = 1}};
    CHECK_STR(told(&bare), "::1:80 weight=1");
    const struct record drain = {
        .kind = KEY_OVERRIDE,
        .override = {.status = STATUS_DRAINING, .actor = SPAN_LIT("anna"), .until_ms = 1000}};
    CHECK_STR(told(&drain), "DRAINING actor=anna until=1970-01-01T00:00:01.000Z");
    const struct record seen = {.kind = KEY_OBSERVATION,
                                .observation = {.status = STATUS_UNHEALTHY,
                                                .reason = REASON_CONNECT_REFUSED,
                                                .vantage = VANTAGE_PEER,
                                                .via = SPAN_LIT("a"),
                                                .ttl_ms = 1500}};
    CHECK_STR(told(&seen), "UNHEALTHY reason=ConnectRefused vantage=peer via=a ttl=1500ms");
    struct record policy = {.kind = KEY_POLICY};
    record_policy_default(&policy.policy);
    CHECK(strstr(told(&policy), " observers=3 max_unhealthy_percent=50 damping=true scope=mesh") !=
          NULL);
    policy.policy.observers = OBSERVERS_ALL;
    policy.policy.scope = SCOPE_LOCAL;
    policy.policy.by = SPAN_LIT("a");
    CHECK(strstr(told(&policy), " observers=all ") != NULL);
    CHECK(strstr(told(&policy), " scope=local by=a") != NULL);
    policy.policy.observers = OBSERVERS_LOCAL;
    CHECK(strstr(told(&policy), " observers=local ") != NULL);
    const struct record node = {.kind = KEY_NODE,
                                .node = {.incarnation = 5, .zone = SPAN_LIT("z")}};
    CHECK_STR(told(&node), "down incarnation=5 zone=/z");
    const struct record gone = {.kind = KEY_NODE, .tombstone = true};
    CHECK_STR(told(&gone), "deleted");
}

TEST(what_does_not_decode_is_named_by_its_wire_version_and_length)
{
    char text[DESCRIBE_RECORD_LEN];
    (void)describe_record(KEY_NODE, SPAN_LIT("\x02\x01xyz"), text, sizeof(text));
    CHECK_STR(text, "unreadable wire=2 len=5");
    (void)describe_record(KEY_NODE, SPAN_NONE, text, sizeof(text));
    CHECK_STR(text, "unreadable wire=0 len=0");
}

TEST(a_text_is_cut_between_its_pieces_wherever_the_room_ends)
{
    const struct record record = {.kind = KEY_OVERRIDE,
                                  .override = {.status = STATUS_DRAINING,
                                               .actor = SPAN_LIT("\xe4\xbd\xa0 = you"),
                                               .reason = SPAN_LIT("\x7f\"\\")}};
    char body[CODEC_BODY_MAX];
    size_t len = codec_body_write(&record, body, sizeof(body));
    char whole[DESCRIBE_RECORD_LEN];
    size_t whole_len = describe_record(KEY_OVERRIDE, span_of(body, len), whole, sizeof(whole));
    CHECK_STR(whole, "DRAINING reason=%7F%22%5C actor=%E4%BD%A0%20%3D%20you");
    for (size_t cap = 5; cap < whole_len + 8; cap++) {
        char *text = malloc(cap); // so that a sanitizer sees one byte too many
        CHECK(text != NULL);
        size_t text_len = describe_record(KEY_OVERRIDE, span_of(body, len), text, cap);
        CHECK(text_len < cap && text[text_len] == '\0');
        bool cut = strcmp(text, whole) != 0;
        CHECK_EQ(cut, cap < whole_len + 4);
        if (cut) {
            CHECK_STR(text + text_len - 3, "...");
            CHECK_MEM(text, whole, text_len - 3);
        }
        free(text);
    }
}

TEST(the_largest_record_fits_its_line)
{
    static char long_text[RECORD_LABEL_VALUE_MAX];
    memset(long_text, '=', sizeof(long_text)); // thrice as long when it is encoded
    struct record record = {
        .kind = KEY_REGISTRATION,
        .registration = {
            .address = SPAN_LIT("10.0.0.1"), .port = 80, .weight = 1, .label_count = 7}};
    static const char names[] = "abcdefg";
    for (uint32_t i = 0; i < 7; i++) {
        record.registration.labels[i] =
            (struct label){span_of(&names[i], 1), span_of(long_text, sizeof(long_text))};
    }
    const char *text = told(&record);
    CHECK_INT(strlen(text), lt, DESCRIBE_RECORD_LEN);
    CHECK_STR(text + strlen(text) - 3, "...");
}

SUITE("node/describe_record", T(each_kind_has_its_text),
      T(what_does_not_decode_is_named_by_its_wire_version_and_length),
      T(a_text_is_cut_between_its_pieces_wherever_the_room_ends),
      T(the_largest_record_fits_its_line));
