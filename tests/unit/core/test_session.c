// SPDX-License-Identifier: Apache-2.0
// The life of a partition, as transcripts (rig.h).
#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <string.h>

TEST(a_cold_start_scans_then_reads_from_the_noted_place)
{
    struct rig *rig = rig_new();
    rig_up(rig);
    CHECK(rig_told(rig, "meta\nbeat"));
    rig_no_meta(rig);
    CHECK(rig_told(rig, "create"));
    rig_meta(rig, 0);
    CHECK(rig_told(rig, "scan 0"));
    rig_scan_end(rig);
    CHECK(rig_told(rig, "meta"));
    rig_meta(rig, 0);
    CHECK(strstr(rig->story, "read 0") != NULL);
    rig_free(rig);
}

TEST(an_entry_is_merged_and_judged)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 9);
    CHECK_EQ(rig_weight(rig, "i1"), 9);
    CHECK_EQ(rig_facts(rig, "i1").version.counter, 4);
    struct core_partition_view view;
    core_get_partition(rig->core, 0, &view);
    CHECK_UEQ(view.position.digest.count, map_digest(rig->map, 0).count);
    CHECK_UEQ(view.position.digest.sum, map_digest(rig->map, 0).sum);
    rig_free(rig);
}

TEST(a_gap_in_the_sequence_is_read_afresh)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig->sequence++; // one that we never see
    rig_entry(rig, "i1", 4, 9);
    CHECK(rig_told(rig, "unread\nmeta"));
    CHECK_EQ(rig_weight(rig, "i1"), 0);
    rig_free(rig);
}

TEST(another_epoch_in_an_entry_is_read_afresh)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    memcpy(rig->epoch, RIG_EPOCH_2, sizeof(rig->epoch));
    rig_entry(rig, "i1", 4, 9);
    CHECK(rig_told(rig, "unread\nmeta"));
    rig_free(rig);
}

TEST(an_unequal_digest_is_read_afresh_once_then_told)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig->log = true;
    rig->digest.sum ^= 1;
    rig_entry(rig, "i1", 4, 9);
    CHECK(strstr(rig->story, "resync digest") != NULL);
    rig_clear(rig);
    rig_meta(rig, rig->sequence);
    rig_scan_end(rig);
    rig_meta(rig, rig->sequence);
    CHECK(strstr(rig->story, "diverged") != NULL);
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_DIVERGED);
    rig_free(rig);
}

TEST(the_timer_notices_a_server_that_went_back)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 9);
    rig_beat(rig, 1, NULL, NULL);
    rig_clear(rig);
    rig_tick(rig, 6500);
    CHECK(strstr(rig->story, "meta") != NULL);
    rig_clear(rig);
    rig_meta(rig, rig->sequence - 1);
    CHECK(rig_told(rig, "unread\nmeta"));
    rig_free(rig);
}

TEST(the_timer_notices_a_tail_that_was_trimmed)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_tick(rig, 6500);
    rig_meta(rig, rig->sequence + 3); // entries that never come
    rig_clear(rig);
    rig_tick(rig, 2500);
    CHECK(strstr(rig->story, "unread\nmeta") != NULL);
    rig_free(rig);
}

TEST(a_strangers_entry_is_skipped_and_told)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig->log = true;
    struct stream_event event = {.type = STREAM_EV_ENTRY, .entry = {.valid = false}};
    const struct core_event core_event = {.type = CORE_EV_STREAM, .stream = &event};
    core_step(rig->core, &core_event, (struct core_time){{rig->now_ms * 1000}, {0}});
    CHECK(rig_told(rig, "rejected garbage"));
    rig_entry(rig, "i1", 4, 9);
    CHECK_EQ(rig_weight(rig, "i1"), 9);
    rig_free(rig);
}

TEST(a_forged_hash_is_kept_out_of_the_map_and_in_the_digest)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig->log = true;
    char value[RECORD_LEN_MAX];
    size_t len = rig_value("i1", 4, 9, value);
    value[VERSION_LEN] ^= 1; // the hash as received no longer fits the body
    struct key_bytes key;
    rig_key("i1", &key);
    const struct stream_pair pair = {.key = key_span(&key), .value = span_of(value, len)};
    uint64_t hash = 0;
    for (size_t i = 0; i < CODEC_HASH_LEN; i++) {
        hash = hash << 8 | (unsigned char)value[VERSION_LEN + i];
    }
    rig->digest.count++;
    rig->digest.sum = (rig->digest.sum + hash) & CODEC_HASH_MASK;
    struct stream_event event = {.type = STREAM_EV_ENTRY};
    event.entry = (struct stream_entry){.id = {++rig->id, 0},
                                        .valid = true,
                                        .sequence = ++rig->sequence,
                                        .digest = rig->digest,
                                        .pairs = &pair,
                                        .count = 1};
    memcpy(event.entry.epoch.text, rig->epoch, sizeof(rig->epoch));
    const struct core_event core_event = {.type = CORE_EV_STREAM, .stream = &event};
    core_step(rig->core, &core_event, (struct core_time){{rig->now_ms * 1000}, {0}});
    CHECK(rig_told(rig, "rejected hash")); // and no resync: the shadow counts it as received
    CHECK_EQ(rig_weight(rig, "i1"), 0);
    rig_free(rig);
}

TEST(another_number_of_partitions_is_a_misconfiguration)
{
    struct rig *rig = rig_new();
    rig_up(rig);
    struct stream_event event = {.type = STREAM_EV_META};
    event.meta = (struct stream_meta){.exists = true, .partitions = 16, .wire = STREAM_WIRE};
    memcpy(event.meta.epoch.text, rig->epoch, sizeof(rig->epoch));
    const struct core_event core_event = {.type = CORE_EV_STREAM, .stream = &event};
    core_step(rig->core, &core_event, (struct core_time){{rig->now_ms * 1000}, {0}});
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_MISCONFIGURED);
    rig_free(rig);
}

TEST(what_the_server_lost_is_put_back_with_identical_bytes)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 9);
    struct map_facts before = rig_facts(rig, "i1");
    memcpy(rig->epoch, RIG_EPOCH_2, sizeof(rig->epoch));
    rig->digest = (struct stream_digest){0, 0};
    rig->sequence = 0;
    rig_entry(rig, "i2", 1, 5); // of another epoch: read afresh
    rig->digest = (struct stream_digest){0, 0};
    rig_meta(rig, 0);
    rig_scan_end(rig);
    rig_clear(rig);
    rig_meta(rig, 0);
    rig_tick(rig, 500);
    CHECK(strstr(rig->story, "i1@0=4") != NULL);
    struct codec_value value;
    bool found = false;
    for (uint32_t i = 0; i < rig->put_count; i++) {
        CHECK_OK(codec_value_parse(span_of(rig->put[i].value, rig->put[i].value_len), &value));
        found = found || (value.hash == before.hash && value.version.counter == 4);
    }
    CHECK(found);
    rig_free(rig);
}

TEST(an_older_entry_read_after_a_reconnect_is_put_right)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 9);
    rig_down(rig);
    rig_up(rig);
    rig_meta(rig, 4); // two entries came meanwhile
    rig_probe(rig, true);
    rig->log = true;
    rig_clear(rig);
    rig_entry(rig, "i1", 2, 3); // a peer that had not seen ours: the server had gone back
    CHECK(rig_told(rig, "superseded i1 4:9 over 2:3"));
    rig_entry(rig, "i2", 1, 9);
    CHECK(rig_said(rig, "repair i1 behind\nput i1@2=4"));
    CHECK_UEQ(core_get_counter(rig->core, CORE_STALE_ENTRIES), 1);
    rig_free(rig);
}

// The scan shows what was written after the place where the log is read from.
TEST(an_entry_that_is_older_than_what_the_scan_showed_is_nothing_to_repair)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    char older[RECORD_LEN_MAX];
    struct key_bytes key;
    rig_key("i1", &key);
    const struct stream_pair newest = {.key = key_span(&key),
                                       .value = span_of(value, rig_value("i1", 5, 9, value))};
    const struct stream_pair former = {.key = key_span(&key),
                                       .value = span_of(older, rig_value("i1", 4, 9, older))};
    rig->log = true;
    rig_up(rig);
    rig_meta(rig, 0);
    struct stream_event scanned = {.type = STREAM_EV_SCAN};
    scanned.scan.pairs = &newest;
    scanned.scan.count = 1;
    rig_stream(rig, &scanned);
    rig_meta(rig, 2);
    rig->digest = rig->core->sessions[0].shadow;
    peer_bytes(rig, &former, 0);
    CHECK_UEQ(core_get_counter(rig->core, CORE_STALE_ENTRIES), 0);
    CHECK_EQ(rig->core->repairs.count, 0);
    peer_bytes(rig, &newest, 0);
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_LIVE);
    CHECK(strstr(rig->story, "repair") == NULL);
    rig_free(rig);
}

SUITE("core/session", T(a_cold_start_scans_then_reads_from_the_noted_place),
      T(an_entry_is_merged_and_judged), T(a_gap_in_the_sequence_is_read_afresh),
      T(another_epoch_in_an_entry_is_read_afresh),
      T(an_unequal_digest_is_read_afresh_once_then_told),
      T(the_timer_notices_a_server_that_went_back), T(the_timer_notices_a_tail_that_was_trimmed),
      T(a_strangers_entry_is_skipped_and_told),
      T(a_forged_hash_is_kept_out_of_the_map_and_in_the_digest),
      T(another_number_of_partitions_is_a_misconfiguration),
      T(what_the_server_lost_is_put_back_with_identical_bytes),
      T(an_older_entry_read_after_a_reconnect_is_put_right),
      T(an_entry_that_is_older_than_what_the_scan_showed_is_nothing_to_repair));
