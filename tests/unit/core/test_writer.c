// SPDX-License-Identifier: Apache-2.0
// The life of a put, as transcripts (rig.h).
#include "replicator/core/repair.h"
#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <stdio.h>
#include <string.h>

TEST(a_write_is_shown_at_once_and_sent)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, false);
    CHECK(rig_told(rig, "done 7 applied\nput i1@0=1"));
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    CHECK_EQ(rig_facts(rig, "i1").pending, 1);
    CHECK(version_is_none(rig_facts(rig, "i1").version));
    rig_free(rig);
}

TEST(the_reply_answers_who_waits_and_the_echo_changes_nothing)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, true);
    CHECK(rig_told(rig, "put i1@0=1"));
    rig_accept(rig);
    CHECK(rig_told(rig, "done 7 accepted"));
    CHECK_EQ(rig_facts(rig, "i1").pending, 0);
    CHECK_EQ(rig_facts(rig, "i1").version.counter, 1);
    uint64_t index = map_index(rig->map);
    rig_echo(rig);
    CHECK(rig_told(rig, ""));
    CHECK_UEQ(map_index(rig->map), index);
    rig_free(rig);
}

TEST(the_echo_before_the_reply_acknowledges)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, true);
    rig_clear(rig);
    rig->sequence++;
    rig->id++;
    rig->digest.count = map_digest(rig->map, 0).count; // compared by hand below
    rig->digest.sum = map_digest(rig->map, 0).sum;
    struct codec_value value;
    CHECK_OK(codec_value_parse(span_of(rig->put[0].value, rig->put[0].value_len), &value));
    rig->digest.count++;
    rig->digest.sum = (rig->digest.sum + value.hash) & CODEC_HASH_MASK;
    rig_echo(rig);
    CHECK(rig_told(rig, "done 7 accepted"));
    CHECK_EQ(rig_facts(rig, "i1").pending, 0);
    rig_free(rig);
}

TEST(patches_made_while_one_is_in_the_air_compose_and_go_next)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, false);
    rig_put_instance(rig, "i1", 8, false);
    rig_put_instance(rig, "i1", 9, true);
    CHECK(rig_told(rig, "done 7 applied\nput i1@0=1\ndone 8 applied"));
    CHECK_EQ(rig_weight(rig, "i1"), 9);
    CHECK_EQ(rig_facts(rig, "i1").pending, 3);
    rig_accept(rig);
    CHECK(rig_told(rig, "put i1@1=2"));
    CHECK_EQ(rig_weight(rig, "i1"), 9);
    CHECK_EQ(rig_facts(rig, "i1").pending, 2);
    rig_free(rig);
}

TEST(an_equal_write_publishes_nothing)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, false);
    rig_accept(rig);
    rig_echo(rig);
    rig_clear(rig);
    rig_put_instance(rig, "i1", 7, false);
    CHECK(rig_told(rig, "done 7 same"));
    rig_free(rig);
}

TEST(an_equal_write_that_wants_the_streams_word_waits_for_it)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, false);
    rig_clear(rig);
    rig_put_instance(rig, "i1", 7, true);
    CHECK(rig_told(rig, ""));
    rig_accept(rig);
    CHECK(rig_told(rig, "done 7 accepted"));
    rig_free(rig);
}

TEST(a_conflict_is_merged_and_composed_again)
{
    struct rig *rig = rig_new();
    char current[RECORD_LEN_MAX];
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, true);
    rig_clear(rig);
    size_t len = rig_value("i1", 5, 3, current);
    rig_refuse(rig, span_of(current, len));
    CHECK(rig_told(rig, "put i1@5=6"));
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    CHECK_EQ(rig_facts(rig, "i1").version.counter, 5);
    rig_accept(rig);
    CHECK(rig_told(rig, "done 7 accepted"));
    rig_free(rig);
}

TEST(a_lost_reply_is_asked_again_with_the_same_bytes)
{
    struct rig *rig = rig_new();
    char first[RECORD_LEN_MAX];
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, true);
    memcpy(first, rig->put[0].value, rig->put[0].value_len);
    size_t first_len = rig->put[0].value_len;
    rig_clear(rig);
    rig_down(rig);
    rig_tick(rig, 200);
    rig_put_instance(rig, "i1", 8, false);
    rig_up(rig);
    rig_meta(rig, 1);
    CHECK(rig_told(rig, "done 8 applied\nmeta\nprobe 1"));
    rig_probe(rig, true);
    CHECK(rig_told(rig, "read 1\nput i1@0=1"));
    CHECK_EQ(rig->put[0].value_len, first_len);
    CHECK_MEM(rig->put[0].value, first, first_len);
    CHECK_EQ(rig_weight(rig, "i1"), 8);
    rig_free(rig);
}

TEST(a_refused_resend_waits_for_the_reader_and_is_accepted_when_it_was_seen)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, true);
    rig_down(rig);
    rig_up(rig);
    rig_meta(rig, 1);
    rig_probe(rig, true);
    rig_clear(rig);
    // It had been applied; a peer has written upon it since, so the resend is refused.
    char peers[RECORD_LEN_MAX];
    size_t len = rig_value("i1", 2, 3, peers);
    rig->sequence = 3;
    rig_refuse(rig, span_of(peers, len));
    CHECK(rig_told(rig, "")); // in doubt: the reader is at 1
    rig->sequence = 1;
    rig_apply_lost(rig);
    rig_echo(rig);
    rig_entry(rig, "i1", 2, 3);
    CHECK(rig_told(rig, "done 7 accepted"));
    CHECK_EQ(rig_weight(rig, "i1"), 3);
    rig_free(rig);
}

TEST(a_refusal_of_the_server_is_tried_later)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, true);
    rig_clear(rig);
    rig_status(rig, STREAM_RETRY);
    CHECK(rig_told(rig, ""));
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    rig_tick(rig, 5200);
    CHECK(strstr(rig->story, "put i1@0=1") != NULL);
    rig_free(rig);
}

// One version must not name two bodies, and more patches may have been composed into it since.
TEST(what_is_composed_anew_is_another_attempt)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, false);
    const struct version first = version_get(rig->put[0].value);
    rig_status(rig, STREAM_RETRY);
    rig_put_instance(rig, "i1", 8, false);
    rig_clear(rig);
    rig_tick(rig, 5200);
    CHECK(rig_said(rig, "put i1@0=1"));
    const struct version second = version_get(rig->put[0].value);
    CHECK_UEQ(second.counter, first.counter);
    CHECK(second.writer != first.writer);
    CHECK_UEQ(second.writer >> 24, first.writer >> 24); // of the same node
    rig_free(rig);
}

TEST(what_the_server_only_missed_the_script_for_is_sent_again_at_once)
{
    struct rig *rig = rig_new();
    char first[RECORD_LEN_MAX];
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, true);
    size_t len = rig->put[0].value_len;
    memcpy(first, rig->put[0].value, len);
    rig_put_instance(rig, "i1", 8, false); // composed while the first is in the air: goes after it
    rig_clear(rig);
    rig_status(rig, STREAM_AGAIN);
    CHECK(rig_told(rig, "put i1@0=1"));
    CHECK_EQ(rig->put[0].value_len, len);
    CHECK_MEM(rig->put[0].value, first, len);
    rig_accept(rig);
    CHECK(rig_told(rig, "done 7 accepted\nput i1@1=2"));
    rig_free(rig);
}

TEST(another_epoch_reads_afresh_and_keeps_the_patch)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, false);
    rig_clear(rig);
    rig_status(rig, STREAM_EPOCH);
    CHECK(rig_told(rig, "unread\nmeta"));
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    CHECK_EQ(core_get_pending(rig->core), 1);
    rig_free(rig);
}

static void conditional(struct rig *rig, uint64_t op, struct version version)
{
    struct key_bytes key;
    rig_key("i1", &key);
    const struct patch patch = {
        .op = PATCH_MERGE,
        .mask = PATCH_WEIGHT,
        .record = {.kind = KEY_REGISTRATION, .registration = {.weight = (uint32_t)op}}};
    const struct core_write write = {.op = op,
                                     .key = key_span(&key),
                                     .patch = &patch,
                                     .precondition = CORE_IF_MATCH,
                                     .version = version};
    rig_write(rig, &write);
}

TEST(a_conditional_write_touches_no_map_before_the_stream_decides)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, false);
    rig_accept(rig);
    rig_echo(rig);
    rig_clear(rig);
    conditional(rig, 9, rig_facts(rig, "i1").version);
    CHECK(rig_told(rig, "put i1@1=2"));
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    rig_accept(rig);
    CHECK(rig_told(rig, "done 9 accepted"));
    CHECK_EQ(rig_weight(rig, "i1"), 9);
    rig_free(rig);
}

TEST(a_stale_condition_is_refused_without_a_call)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, false);
    rig_accept(rig);
    rig_echo(rig);
    rig_clear(rig);
    const struct version wrong = {77, 1};
    conditional(rig, 9, wrong);
    CHECK(rig_told(rig, "done 9 stale"));
    CHECK_UEQ(core_get_counter(rig->core, CORE_CONFLICTS_API), 1);
    rig_free(rig);
}

TEST(a_conditional_write_without_a_connection_is_unavailable)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, false);
    rig_accept(rig);
    rig_echo(rig);
    rig_down(rig);
    rig_clear(rig);
    conditional(rig, 9, rig_facts(rig, "i1").version);
    CHECK(rig_told(rig, "done 9 unavailable"));
    rig_free(rig);
}

TEST(a_conditional_write_whose_outcome_is_lost_in_a_resync_is_unknown)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, false);
    rig_accept(rig);
    rig_echo(rig);
    rig_clear(rig);
    conditional(rig, 9, rig_facts(rig, "i1").version);
    rig_down(rig);
    rig_up(rig);
    memcpy(rig->epoch, RIG_EPOCH_2, sizeof(rig->epoch));
    rig_clear(rig);
    rig_meta(rig, 0);
    CHECK(rig_told(rig, "unread\ndone 9 unknown\nmeta"));
    rig_free(rig);
}

// A condition in the air whose reply is lost; the server refuses the same bytes, sent again, at sequence 4.
static struct rig *rig_with_doubt(void)
{
    struct rig *rig = rig_new();
    char peers[RECORD_LEN_MAX];
    rig_live(rig);
    rig_entry(rig, "i1", 4, 7);
    conditional(rig, 9, rig_facts(rig, "i1").version);
    rig_down(rig);
    rig_up(rig);
    rig_meta(rig, 2);
    rig_clear(rig);
    rig_probe(rig, true);
    CHECK(rig_told(rig, "read 2\nput i1@4=5"));
    size_t len = rig_value("i1", 6, 3, peers);
    rig->sequence = 4;
    rig_refuse(rig, span_of(peers, len));
    CHECK(rig_told(rig, "")); // in doubt: the reader is at 2
    rig->sequence = 2;
    return rig;
}

TEST(a_refused_resend_of_a_condition_is_accepted_when_the_reader_sees_it)
{
    struct rig *rig = rig_with_doubt();
    rig_apply_lost(rig);
    rig_echo(rig);
    CHECK(rig_told(rig, ""));
    rig_entry(rig, "i1", 6, 3); // a peer had written upon it
    CHECK(rig_told(rig, "done 9 accepted"));
    CHECK_EQ(rig_weight(rig, "i1"), 3);
    rig_free(rig);
}

TEST(a_refused_resend_of_a_condition_is_stale_when_the_reader_does_not_see_it)
{
    struct rig *rig = rig_with_doubt();
    rig_entry(rig, "i1", 5, 2);
    CHECK(rig_told(rig, ""));
    rig_entry(rig, "i1", 6, 3);
    CHECK(rig_told(rig, "done 9 stale"));
    rig_free(rig);
}

// The server went back to `sequence` and what it held then; others write on until the reader is at `to`.
static void server_goes_back(struct rig *rig, uint64_t sequence, uint64_t to)
{
    rig->log = true;
    rig->sequence = sequence;
    rig_clear(rig);
    while (rig->sequence < to) {
        rig_entry(rig, "other", rig->sequence, 1);
    }
}

TEST(what_a_conflict_told_is_put_back_when_the_reader_does_not_find_it)
{
    struct rig *rig = rig_new();
    char current[RECORD_LEN_MAX];
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, true);
    rig_clear(rig);
    size_t len = rig_value("i1", 5, 7, current); // of another, and it says the same
    rig->sequence = 3;
    rig_refuse(rig, span_of(current, len));
    CHECK(rig_told(rig, "done 7 same"));
    server_goes_back(rig, 1, 2);
    CHECK(rig_told(rig, "")); // it may still come
    server_goes_back(rig, 2, 3);
    CHECK(rig_told(rig, "repair i1 echo\nput i1@0=5"));
    rig_free(rig);
}

TEST(what_a_refused_condition_told_is_put_back_when_the_reader_does_not_find_it)
{
    struct rig *rig = rig_new();
    char current[RECORD_LEN_MAX];
    rig_live(rig);
    rig_entry(rig, "i1", 4, 7);
    rig_clear(rig);
    conditional(rig, 9, rig_facts(rig, "i1").version);
    CHECK(rig_told(rig, "put i1@4=5"));
    size_t len = rig_value("i1", 6, 3, current);
    rig->sequence = 4;
    rig_refuse(rig, span_of(current, len));
    CHECK(rig_told(rig, "done 9 stale"));
    CHECK_EQ(rig_weight(rig, "i1"), 3);
    server_goes_back(rig, 2, 4);
    CHECK(rig_told(rig, "repair i1 echo\nput i1@4=6"));
    rig_free(rig);
}

// Nothing is awaited by its name when there is no memory for names, or when they are too many.
TEST(whatever_many_echoes_are_awaited_none_is_forgotten)
{
    struct rig *rig = rig_new();
    char name[32];
    rig_live(rig);
    const struct stream_digest before = rig->digest;
    for (uint32_t i = 0; i < WAITING_MAX + 3; i++) {
        snprintf(name, sizeof(name), "i%u", (unsigned)i);
        rig_put_instance(rig, name, 7, false);
    }
    while (rig->put_open) {
        rig_accept(rig);
    }
    uint64_t accepted = rig->sequence;
    CHECK_UEQ(rig->core->sessions[0].awaited_count, WAITING_MAX);
    CHECK_UEQ(core_get_pending(rig->core), 0);
    rig->digest = before;
    server_goes_back(rig, 1, accepted);
    for (uint32_t i = 0; i < WAITING_MAX + 3; i++) {
        snprintf(name, sizeof(name), "repair i%u echo", (unsigned)i);
        CHECK(rig_said(rig, name));
    }
    rig_free(rig);
}

TEST(an_echo_that_is_on_the_way_is_waited_for_before_anything_is_put_back)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, true);
    rig_accept(rig);
    rig->log = true;
    rig_clear(rig);
    repair_plan_all(rig->core, 0, "test");
    CHECK_EQ(rig->core->repairs.count, 1);
    rig_tick(rig, 50);
    CHECK(rig_told(rig, ""));
    CHECK_EQ(rig->core->repairs.count, 0);
    rig_free(rig);
}

SUITE("core/writer", T(a_write_is_shown_at_once_and_sent),
      T(the_reply_answers_who_waits_and_the_echo_changes_nothing),
      T(the_echo_before_the_reply_acknowledges),
      T(patches_made_while_one_is_in_the_air_compose_and_go_next),
      T(an_equal_write_publishes_nothing),
      T(an_equal_write_that_wants_the_streams_word_waits_for_it),
      T(a_conflict_is_merged_and_composed_again),
      T(a_lost_reply_is_asked_again_with_the_same_bytes),
      T(a_refused_resend_waits_for_the_reader_and_is_accepted_when_it_was_seen),
      T(a_refusal_of_the_server_is_tried_later),
      T(what_the_server_only_missed_the_script_for_is_sent_again_at_once),
      T(another_epoch_reads_afresh_and_keeps_the_patch),
      T(a_conditional_write_touches_no_map_before_the_stream_decides),
      T(a_stale_condition_is_refused_without_a_call),
      T(a_conditional_write_without_a_connection_is_unavailable),
      T(a_conditional_write_whose_outcome_is_lost_in_a_resync_is_unknown),
      T(what_is_composed_anew_is_another_attempt),
      T(a_refused_resend_of_a_condition_is_accepted_when_the_reader_sees_it),
      T(a_refused_resend_of_a_condition_is_stale_when_the_reader_does_not_see_it),
      T(what_a_conflict_told_is_put_back_when_the_reader_does_not_find_it),
      T(what_a_refused_condition_told_is_put_back_when_the_reader_does_not_find_it),
      T(whatever_many_echoes_are_awaited_none_is_forgotten),
      T(an_echo_that_is_on_the_way_is_waited_for_before_anything_is_put_back));
