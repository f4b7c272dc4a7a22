// SPDX-License-Identifier: Apache-2.0
// Asking the server where it is: when, which answers count, and what each answer means.
#include "replicator/core/session_check.h"

#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <string.h>

// Live at sequence 2, with nothing to do but the check, which is asked for and open.
static struct rig *rig_asked(void)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 9);
    rig->core->next_beat = mono_add_ms(rig->core->now.mono, 1000000);
    rig_clear(rig);
    rig_tick(rig, 6100);
    CHECK(rig_told(rig, "meta"));
    rig->log = true;
    return rig;
}

TEST(an_idle_partition_is_checked_every_five_seconds_give_or_take_a_fifth)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    int64_t least = INT64_MAX;
    int64_t most = 0;
    for (int i = 0; i < 200; i++) {
        session_schedule_check(rig->core, &rig->core->sessions[0]);
        int64_t wait = mono_ms_between(rig->core->now.mono, rig->core->sessions[0].next_check);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    CHECK_INT(least, ge, 4000);
    CHECK_INT(most, le, 6000);
    CHECK_INT(most - least, gt, 1000); // replicas do not ask in step
    rig_free(rig);
}

TEST(an_answer_that_agrees_is_silent_and_asked_again_later)
{
    struct rig *rig = rig_asked();
    rig_meta(rig, 2);
    CHECK(rig_told(rig, ""));
    rig_tick(rig, 6100);
    CHECK(rig_told(rig, "meta"));
    rig_free(rig);
}

TEST(a_question_that_is_open_is_not_asked_again)
{
    struct rig *rig = rig_asked();
    rig_tick(rig, 20000);
    CHECK(rig_told(rig, ""));
    rig_free(rig);
}

TEST(each_answer_that_differs_is_read_afresh_for_its_own_cause)
{
    static const struct {
        uint64_t sequence;
        bool other_epoch, other_digest;
        const char *told;
    } rows[] = {
        {2, true, false, "resync epoch\nunread\nmeta"},
        {1, false, false, "resync rollback\nunread\nmeta"},
        {0, false, false, "resync rollback\nunread\nmeta"},
        {2, false, true, "resync digest\nunread\nmeta"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *rig = rig_asked();
        if (rows[i].other_epoch) {
            memcpy(rig->epoch, RIG_EPOCH_2, sizeof(rig->epoch));
        }
        rig->digest.sum ^= rows[i].other_digest ? 1 : 0;
        rig_meta(rig, rows[i].sequence);
        CHECK(rig_told(rig, rows[i].told));
        rig_free(rig);
    }
}

TEST(a_partition_that_is_gone_is_read_afresh)
{
    struct rig *rig = rig_asked();
    rig_no_meta(rig);
    CHECK(rig_told(rig, "resync epoch\nunread\nmeta"));
    rig_free(rig);
}

TEST(the_reader_may_go_on_while_a_question_is_open)
{
    struct rig *rig = rig_asked();
    rig_entry(rig, "i2", 1, 5); // at 3 now; the answer tells of the moment of the question
    rig_meta(rig, 2);
    CHECK(strstr(rig->story, "resync") == NULL);
    rig_free(rig);
}

TEST(entries_ahead_that_come_in_time_are_nothing_to_tell)
{
    struct rig *rig = rig_asked();
    rig_meta(rig, 3);
    rig_tick(rig, 1500);
    rig_entry(rig, "i2", 1, 5);
    rig_clear(rig);
    rig_tick(rig, 1500);
    CHECK(strstr(rig->story, "resync") == NULL);
    rig_free(rig);
}

TEST(entries_ahead_that_do_not_come_were_trimmed)
{
    struct rig *rig = rig_asked();
    rig_meta(rig, 3);
    rig_tick(rig, SESSION_PATIENCE_MS - 100);
    CHECK(rig_told(rig, ""));
    rig_tick(rig, 300);
    CHECK(rig_told(rig, "resync trim\nunread\nmeta"));
    rig_free(rig);
}

TEST(a_digest_is_compared_at_the_same_sequence_only)
{
    struct rig *rig = rig_asked();
    rig->digest.sum ^= 1;
    rig_meta(rig, 3); // ahead of us: whatever its digest
    CHECK(rig_told(rig, ""));
    rig_free(rig);
}

TEST(a_second_unequal_digest_within_the_time_is_told_and_not_read_afresh)
{
    struct rig *rig = rig_asked();
    const struct stream_digest equal = rig->core->sessions[0].shadow;
    const struct stream_digest other = {equal.count, equal.sum ^ 1};
    session_compare_digest(rig->core, 0, &other);
    CHECK_EQ(rig->core->sessions[0].resyncs, 1);
    session_compare_digest(rig->core, 0, &other);
    session_compare_digest(rig->core, 0, &other);
    CHECK_EQ(rig->core->sessions[0].resyncs, 1);
    CHECK(rig->core->sessions[0].diverged);
    CHECK(rig_told(rig, "resync digest\nunread\ndiverged")); // said once
    session_compare_digest(rig->core, 0, &equal);
    CHECK(!rig->core->sessions[0].diverged);
    rig_free(rig);
}

TEST(an_older_answer_is_not_taken_for_a_newer_question_which_is_asked_after_it)
{
    struct rig *rig = rig_asked();
    rig->sequence = 7;
    rig_entry(rig, "i2", 1, 5); // a gap, while the check is open
    CHECK(rig_told(rig, "resync gap\nunread"));
    rig_meta(rig, 2); // of the moment before
    CHECK(rig_told(rig, "meta"));
    rig_meta(rig, 8);
    CHECK(rig_told(rig, "scan 0"));
    rig_free(rig);
}

TEST(an_older_answer_that_fails_is_not_taken_for_a_newer_question)
{
    struct rig *rig = rig_asked();
    const struct stream_event refused = {.type = STREAM_EV_META, .status = STREAM_RETRY};
    rig->sequence = 7;
    rig_entry(rig, "i2", 1, 5);
    rig_clear(rig);
    rig_stream(rig, &refused);
    CHECK(rig_told(rig, "meta"));
    rig_free(rig);
}

TEST(a_lost_connection_ends_the_questions)
{
    struct rig *rig = rig_asked();
    rig->sequence = 7;
    rig_entry(rig, "i2", 1, 5);
    rig_down(rig);
    rig_clear(rig);
    rig_up(rig);
    CHECK(rig_told(rig, "meta"));
    rig_meta(rig, 8);
    CHECK(rig_told(rig, "scan 0")); // none of before is waited for
    rig_free(rig);
}

TEST(a_refused_probe_is_forgotten_with_its_connection)
{
    struct rig *rig = rig_asked();
    const struct stream_event refused = {.type = STREAM_EV_PROBE, .status = STREAM_RETRY};
    rig_down(rig);
    rig_up(rig);
    rig_meta(rig, 2);
    rig_stream(rig, &refused); // to be asked again in a second or two
    rig_down(rig);
    rig_up(rig);
    rig_meta(rig, 2);
    rig_clear(rig);
    rig_tick(rig, 3000); // and the probe of the new connection is still open
    CHECK(!rig->meta_open);
    rig_free(rig);
}

TEST(a_question_that_fails_is_asked_again)
{
    struct rig *rig = rig_asked();
    const struct stream_event event = {.type = STREAM_EV_META, .status = STREAM_RETRY};
    rig_stream(rig, &event);
    CHECK(rig_told(rig, ""));
    rig_tick(rig, 6100);
    CHECK(rig_said(rig, "meta"));
    rig_free(rig);
}

SUITE("core/session_check", T(an_idle_partition_is_checked_every_five_seconds_give_or_take_a_fifth),
      T(an_answer_that_agrees_is_silent_and_asked_again_later),
      T(a_question_that_is_open_is_not_asked_again),
      T(each_answer_that_differs_is_read_afresh_for_its_own_cause),
      T(a_partition_that_is_gone_is_read_afresh), T(the_reader_may_go_on_while_a_question_is_open),
      T(entries_ahead_that_come_in_time_are_nothing_to_tell),
      T(entries_ahead_that_do_not_come_were_trimmed),
      T(a_digest_is_compared_at_the_same_sequence_only),
      T(a_second_unequal_digest_within_the_time_is_told_and_not_read_afresh),
      T(an_older_answer_is_not_taken_for_a_newer_question_which_is_asked_after_it),
      T(an_older_answer_that_fails_is_not_taken_for_a_newer_question),
      T(a_lost_connection_ends_the_questions), T(a_refused_probe_is_forgotten_with_its_connection),
      T(a_question_that_fails_is_asked_again));
