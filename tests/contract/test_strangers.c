// SPDX-License-Identifier: Apache-2.0
// What strangers, older and newer programs, and the server's own operator leave at our keys: every row runs
// over each backend of the table.  How: rig.h.
#include "tests/contract/rig.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

#define ROW(name) static void name(struct rig *rig, struct rig_client *a, struct rig_client *b)

// The record "one" of a partition in its next version.
static void put(struct rig_client *client, uint32_t partition, uint64_t counter)
{
    struct rig_record record;
    rig_record(&record, "one", counter - 1, counter);
    rig_put_ok(client, partition, &record);
}

static void expect_entry(struct rig_client *client, uint32_t partition, uint64_t sequence)
{
    struct rig_seen *seen = rig_wait(client, STREAM_EV_ENTRY);
    CHECK(seen->event.entry.valid);
    CHECK_EQ(seen->event.partition, partition);
    CHECK_UEQ(seen->event.entry.sequence, sequence);
    rig_seen_free(seen);
}

ROW(garbage)
{
    rig_create(a, 1, RIG_EPOCH_A);
    put(a, 1, 1);
    stream_read(b->stream, 1, (struct stream_id){0}, false);
    expect_entry(b, 1, 1);
    rig->backend->garbage_entry(rig, 1, SPAN_LIT("what\0is"), SPAN_LIT("this"));
    struct rig_seen *seen = rig_wait(b, STREAM_EV_ENTRY);
    CHECK(!seen->event.entry.valid);
    CHECK_EQ(seen->event.entry.count, 0);
    rig_seen_free(seen);
    put(a, 1, 2);
    expect_entry(b, 1, 2);
}

TEST(a_strangers_entry_is_marked_and_the_reader_goes_on)
{
    rig_each(garbage);
}
END_TEST

ROW(short_garbage)
{
    struct rig_record record;
    rig_create(a, 1, RIG_EPOCH_A);
    rig_record(&record, "g", 4, 5);
    rig->backend->garbage_record(rig, 1, record.record.key, SPAN_LIT("garbage"));
    struct rig_seen *seen = rig_put(a, 1, RIG_EPOCH_A, &record);
    CHECK_EQ(seen->event.put.rows[0].result, STREAM_PUT_CONFLICT);
    CHECK_EQ(seen->event.put.rows[0].current.len, 0);
    rig_seen_free(seen);
    stream_scan(b->stream, 1, 0);
    seen = rig_wait(b, STREAM_EV_SCAN);
    CHECK_EQ(seen->event.scan.count, 0);
    rig_seen_free(seen);
    rig_record(&record, "g", 0, 5);
    rig_put_ok(a, 1, &record);
    struct stream_meta meta = rig_meta(a, 1);
    CHECK_UEQ(meta.digest.count, 1);
    CHECK_UEQ(meta.digest.sum, rig_hash(record.record.value));
}

TEST(what_is_too_short_for_a_record_counts_as_absent)
{
    rig_each(short_garbage);
}
END_TEST

// --- something else at our keys

static void expect_status(struct rig_client *client, enum stream_event_type type,
                          enum stream_status status)
{
    struct rig_seen *seen = rig_wait(client, type);
    ck_assert_msg(seen->event.status == status, "%s: event %d: status %d",
                  client->rig->backend->name, (int)type, (int)seen->event.status);
    CHECK((seen->event.text.len > 0) == (status == STREAM_MISTYPED));
    rig_seen_free(seen);
}

ROW(mistyped_state)
{
    struct rig_record record;
    const struct stream_epoch epoch = rig_epoch(RIG_EPOCH_A);
    rig_create(a, 1, RIG_EPOCH_A);
    put(a, 1, 1);
    rig->backend->mistype(rig, 1, MEMORY_KEY_STATE);
    rig_record(&record, "one", 1, 2);
    CHECK_EQ(rig_put_status(a, 1, &record), STREAM_MISTYPED);
    stream_meta(a->stream, 1);
    expect_status(a, STREAM_EV_META, STREAM_MISTYPED);
    stream_create(a->stream, 1, &epoch);
    expect_status(a, STREAM_EV_META, STREAM_MISTYPED);
    stream_scan(a->stream, 1, 0);
    expect_status(a, STREAM_EV_SCAN, STREAM_MISTYPED);
    stream_read(b->stream, 1, (struct stream_id){0}, false);
    expect_entry(b, 1, 1); // the log is another key
    rig->backend->mend(rig, 1, MEMORY_KEY_STATE);
    CHECK(!rig_meta(a, 1).exists);
    rig_create(a, 1, RIG_EPOCH_B);
    CHECK(!rig_has(a, STREAM_EV_DOWN) && !rig_has(b, STREAM_EV_DOWN));
}

TEST(a_mistyped_state_is_reported_by_every_call_that_meets_it)
{
    rig_each(mistyped_state);
}
END_TEST

ROW(mistyped_log)
{
    struct rig_record record;
    for (uint32_t p = 0; p < 3; p++) {
        rig_create(a, p, RIG_EPOCH_A);
        put(a, p, 1);
    }
    rig->backend->mistype(rig, 1, MEMORY_KEY_LOG);
    for (uint32_t p = 0; p < 3; p++) {
        stream_read(b->stream, p, (struct stream_id){0}, false);
    }
    rig_record(&record, "one", 1, 2);
    CHECK_EQ(rig_put_status(a, 1, &record), STREAM_MISTYPED);
    stream_meta(a->stream, 1);
    expect_status(a, STREAM_EV_META, STREAM_MISTYPED);
    stream_probe(a->stream, 1, (struct stream_id){5, 0});
    expect_status(a, STREAM_EV_PROBE, STREAM_MISTYPED);
    // The log is written first: nothing of the put stayed in the state.
    rig_record(&record, "one", 0, 1);
    struct rig_seen *seen = rig_put(a, 1, RIG_EPOCH_A, &record);
    CHECK_EQ(seen->event.status, STREAM_OK);
    CHECK_EQ(seen->event.put.rows[0].result, STREAM_PUT_DUPLICATE);
    CHECK_UEQ(seen->event.put.sequence, 1);
    rig_seen_free(seen);
    for (uint32_t p = 0; p < 3; p += 2) { // the other partitions go on
        struct rig_seen *entry = rig_wait(b, STREAM_EV_ENTRY);
        CHECK_UEQ(entry->event.entry.sequence, 1);
        CHECK(entry->event.partition != 1);
        rig_seen_free(entry);
    }
    put(a, 2, 2);
    expect_entry(b, 2, 2);
    rig->backend->mend(rig, 1, MEMORY_KEY_LOG);
    put(a, 1, 2);
    expect_entry(b, 1, 2); // it is read again, without being asked for again
    CHECK(!rig_has(a, STREAM_EV_DOWN) && !rig_has(b, STREAM_EV_DOWN));
}

TEST(a_mistyped_log_is_reported_harms_no_other_partition_and_is_read_once_mended)
{
    rig_each(mistyped_log);
}
END_TEST

// --- too large

enum { BIG = 300000 };

ROW(oversized)
{
    struct rig_record record;
    char *big = malloc(BIG);
    memset(big, 'x', BIG);
    rig_create(a, 0, RIG_EPOCH_A);
    rig_record(&record, "i", 0, 1);
    memcpy(big, record.value, 22);
    const struct stream_pair pair = {record.record.key, span_of(big, BIG), false};
    struct stream_entry foreign = {.valid = true,
                                   .epoch = rig_epoch(RIG_EPOCH_A),
                                   .sequence = 1,
                                   .digest = {1, 0x0123456789ab},
                                   .floor = 0,
                                   .pairs = &pair,
                                   .count = 1};
    rig->backend->foreign_entry(rig, 0, &foreign);
    rig->backend->garbage_record(rig, 0, pair.key, pair.value);
    stream_read(b->stream, 0, (struct stream_id){0}, false);
    struct rig_seen *seen = rig_wait(b, STREAM_EV_ENTRY);
    const struct stream_entry *entry = &seen->event.entry;
    CHECK(entry->valid);
    CHECK_UEQ(entry->sequence, 1);
    CHECK_UEQ(entry->digest.sum, 0x0123456789ab);
    CHECK_EQ(entry->count, 1);
    CHECK(entry->pairs[0].oversized);
    CHECK(span_eq(entry->pairs[0].key, record.record.key));
    CHECK_EQ(entry->pairs[0].value.len, STREAM_CUT_KEPT);
    CHECK_MEM(entry->pairs[0].value.ptr, record.value, 22);
    rig_seen_free(seen);
    stream_scan(a->stream, 0, 0);
    seen = rig_wait(a, STREAM_EV_SCAN);
    CHECK_EQ(seen->event.scan.count, 1);
    CHECK(seen->event.scan.pairs[0].oversized);
    rig_seen_free(seen);
    rig_record(&record, "i", 0, 2);
    seen = rig_put(a, 0, RIG_EPOCH_A, &record);
    CHECK_EQ(seen->event.put.rows[0].result, STREAM_PUT_CONFLICT);
    CHECK_EQ(seen->event.put.rows[0].current.len, STREAM_CUT_KEPT);
    rig_seen_free(seen);
    rig_record(&record, "i", 1, 2); // its version can be told, so it can be replaced
    rig_put_ok(a, 0, &record);
    free(big);
}

TEST(an_oversized_record_is_cut_and_its_entry_kept)
{
    rig_each(oversized);
}
END_TEST

// --- other programs of ours

ROW(claims)
{
    rig_create(a, 2, RIG_EPOCH_A);
    put(a, 2, 1);
    rig->backend->claim(rig, 2, RIG_PARTITIONS * 2, STREAM_WIRE + 1);
    struct stream_meta meta = rig_meta(b, 2);
    CHECK(meta.exists);
    CHECK_EQ(meta.partitions, RIG_PARTITIONS * 2);
    CHECK_EQ(meta.wire, STREAM_WIRE + 1);
    CHECK_STR(meta.epoch.text, RIG_EPOCH_A);
    CHECK_UEQ(meta.sequence, 1);
}

TEST(a_prefix_of_another_number_of_partitions_or_wire_version_is_told_as_it_is)
{
    rig_each(claims);
}
END_TEST

ROW(forgotten)
{
    struct rig_record record;
    rig_create(a, 0, RIG_EPOCH_A);
    rig->backend->forget_scripts(rig);
    rig_record(&record, "one", 0, 1);
    CHECK_EQ(rig_put_status(a, 0, &record), STREAM_AGAIN);
    rig_put_ok(a, 0, &record);
    CHECK_UEQ(rig_meta(b, 0).sequence, 1);
    CHECK(!rig_has(a, STREAM_EV_DOWN));
}

TEST(a_put_that_met_forgotten_scripts_is_made_again_and_counted_once)
{
    rig_each(forgotten);
}
END_TEST

SUITE("contract/strangers", T(a_strangers_entry_is_marked_and_the_reader_goes_on),
      T(what_is_too_short_for_a_record_counts_as_absent),
      T(a_mistyped_state_is_reported_by_every_call_that_meets_it),
      T(a_mistyped_log_is_reported_harms_no_other_partition_and_is_read_once_mended),
      T(an_oversized_record_is_cut_and_its_entry_kept),
      T(a_prefix_of_another_number_of_partitions_or_wire_version_is_told_as_it_is),
      T(a_put_that_met_forgotten_scripts_is_made_again_and_counted_once));
