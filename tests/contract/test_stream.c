// SPDX-License-Identifier: Apache-2.0
// The contract of stream.h: every row runs over each backend of the table.  How: rig.h.
// Strangers stand in test_strangers.c, what only a real server can do in test_redis.c, random calls over all
// backends in test_oracle.c.
#include "tests/contract/rig.h"
#include "tests/lib/suite.h"

#include <stdio.h>

#define ROW(name) static void name(struct rig *rig, struct rig_client *a, struct rig_client *b)

// --- partitions

ROW(create_race)
{
    struct stream_meta none = rig_meta(a, 0);
    CHECK(!none.exists);
    CHECK_EQ(none.last_id.ms, 0);
    struct stream_meta first = rig_create(a, 0, RIG_EPOCH_A);
    struct stream_meta second = rig_create(b, 0, RIG_EPOCH_B);
    (void)rig;
    CHECK(first.exists && second.exists);
    CHECK_STR(first.epoch.text, RIG_EPOCH_A);
    CHECK_STR(second.epoch.text, RIG_EPOCH_A);
    CHECK_EQ(first.partitions, RIG_PARTITIONS);
    CHECK_EQ(first.wire, STREAM_WIRE);
    CHECK_EQ(first.sequence, 0);
    CHECK_EQ(first.floor, 0);
    CHECK_EQ(first.digest.count, 0);
    CHECK(first.born_ms > INT64_C(1700000000000));
    CHECK_EQ(first.born_ms, second.born_ms);
    CHECK(!rig_meta(a, 1).exists);
}

TEST(the_first_creator_of_a_partition_wins)
{
    rig_each(create_race);
}
END_TEST

ROW(flushed)
{
    struct rig_record record;
    rig_create(a, 0, RIG_EPOCH_A);
    rig_record(&record, "i", 0, 1);
    rig_put_ok(a, 0, &record);
    rig->backend->flush(rig);
    struct rig_seen *seen = rig_put(a, 0, RIG_EPOCH_A, &record);
    CHECK_EQ(seen->event.status, STREAM_EPOCH);
    CHECK_STR(seen->event.epoch.text, "");
    rig_seen_free(seen);
    CHECK(!rig_meta(a, 0).exists);
    rig_create(b, 0, RIG_EPOCH_B);
    seen = rig_put(a, 0, RIG_EPOCH_A, &record);
    CHECK_EQ(seen->event.status, STREAM_EPOCH);
    CHECK_STR(seen->event.epoch.text, RIG_EPOCH_B);
    rig_seen_free(seen);
    CHECK_EQ(rig_meta(a, 0).sequence, 0);
}

TEST(a_put_to_a_lost_or_other_epoch_does_nothing_and_names_the_current_one)
{
    rig_each(flushed);
}
END_TEST

// --- put: a table of what is held, what is expected, what is sent

struct put_case {
    uint64_t held, expected, counter, floor;
    enum stream_put_result result;
};

static const struct put_case put_cases[] = {
    {0, 0, 1, 0, STREAM_PUT_ACCEPTED},
    {0, 0, 5, 5, STREAM_PUT_CONFLICT}, // absent is (floor, 0)
    {0, 0, 6, 5, STREAM_PUT_ACCEPTED},
    {0, 3, 4, 0, STREAM_PUT_CONFLICT},
    {3, 3, 4, 0, STREAM_PUT_ACCEPTED},
    {3, 3, 3, 0, STREAM_PUT_DUPLICATE},
    {3, 0, 3, 0, STREAM_PUT_DUPLICATE},
    {3, 3, 2, 0, STREAM_PUT_CONFLICT}, // not greater
    {3, 2, 4, 0, STREAM_PUT_CONFLICT},
    {3, 0, 4, 0, STREAM_PUT_CONFLICT},
    {255, 255, 256, 0,
     STREAM_PUT_ACCEPTED}, // bytes are compared as numbers, not in the locale's order
    {127, 127, 128, 0, STREAM_PUT_ACCEPTED},
    {UINT64_C(1) << 32, UINT64_C(1) << 32, (UINT64_C(1) << 32) + 1, 0, STREAM_PUT_ACCEPTED},
    {(UINT64_C(1) << 53) - 2, (UINT64_C(1) << 53) - 2, (UINT64_C(1) << 53) - 1, 0,
     STREAM_PUT_ACCEPTED},
    {UINT64_C(1) << 33, UINT64_C(1) << 33, UINT64_C(1) << 32, 0, STREAM_PUT_CONFLICT},
    {1, 1, UINT64_C(1) << 53, 0, STREAM_PUT_CONFLICT}, // the server counts in doubles
};

ROW(put_table)
{
    rig_create(a, 0, RIG_EPOCH_A);
    (void)b;
    for (size_t i = 0; i < sizeof(put_cases) / sizeof(put_cases[0]); i++) {
        const struct put_case *row = &put_cases[i];
        char name[16];
        struct rig_record held;
        struct rig_record sent;
        snprintf(name, sizeof(name), "i%zu", i);
        rig->backend->floor(rig, 0, 0);
        rig_record(&held, name, 0, row->held);
        rig_record(&sent, name, row->expected, row->counter);
        if (row->held > 0) {
            rig_put_ok(a, 0, &held);
        }
        rig->backend->floor(rig, 0, row->floor);
        struct stream_meta before = rig_meta(a, 0);
        struct rig_seen *seen = rig_put(a, 0, RIG_EPOCH_A, &sent);
        const struct stream_put_row *got = &seen->event.put.rows[0];
        uint64_t step = row->result == STREAM_PUT_ACCEPTED ? 1 : 0;
        ck_assert_msg(got->result == row->result, "%s row %zu: %d", rig->backend->name, i,
                      (int)got->result);
        CHECK_UEQ(seen->event.put.sequence, before.sequence + step);
        CHECK_UEQ(seen->event.put.floor, row->floor);
        bool shows = row->result == STREAM_PUT_CONFLICT && row->held > 0;
        CHECK(span_eq(got->current, shows ? held.record.value : SPAN_NONE));
        CHECK_UEQ(rig_meta(a, 0).sequence, before.sequence + step);
        rig_seen_free(seen);
    }
}

TEST(a_put_is_accepted_only_over_what_it_expects_and_with_a_greater_version)
{
    rig_each(put_table);
}
END_TEST

ROW(many_in_one)
{
    const struct stream_epoch epoch = rig_epoch(RIG_EPOCH_A);
    struct rig_record records[STREAM_PUT_RECORDS_MAX];
    struct stream_record sent[STREAM_PUT_RECORDS_MAX];
    uint64_t sum = 0;
    rig_create(a, 2, RIG_EPOCH_A);
    rig_record(&records[0], "r7", 0, 9);
    rig_put_ok(a, 2, &records[0]);
    sum = rig_hash(records[0].record.value);
    stream_read(b->stream, 2, (struct stream_id){0}, false);
    rig_skip(b, STREAM_EV_ENTRY);
    for (uint32_t i = 0; i < STREAM_PUT_RECORDS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "r%u", i);
        rig_record(&records[i], name, 0, i + 1);
        sent[i] = records[i].record;
        sum += i == 7 ? 0 : rig_hash(sent[i].value);
    }
    (void)rig;
    stream_put(a->stream, 2, &epoch, sent, STREAM_PUT_RECORDS_MAX);
    struct rig_seen *put = rig_wait(a, STREAM_EV_PUT);
    CHECK_EQ(put->event.put.count, STREAM_PUT_RECORDS_MAX);
    for (uint32_t i = 0; i < STREAM_PUT_RECORDS_MAX; i++) {
        CHECK_EQ(put->event.put.rows[i].result, i == 7 ? STREAM_PUT_CONFLICT : STREAM_PUT_ACCEPTED);
    }
    struct rig_seen *seen = rig_wait(b, STREAM_EV_ENTRY);
    const struct stream_entry *entry = &seen->event.entry;
    CHECK(entry->valid);
    CHECK_STR(entry->epoch.text, RIG_EPOCH_A);
    CHECK_UEQ(entry->sequence, 2);
    CHECK_EQ(entry->count, STREAM_PUT_RECORDS_MAX - 1);
    CHECK_UEQ(entry->digest.count, STREAM_PUT_RECORDS_MAX);
    CHECK_UEQ(entry->digest.sum, sum & ((UINT64_C(1) << 48) - 1));
    CHECK(span_eq(entry->pairs[7].key, sent[8].key));
    CHECK(span_eq(entry->pairs[7].value, sent[8].value));
    struct stream_meta meta = rig_meta(b, 2);
    CHECK_UEQ(meta.digest.sum, entry->digest.sum);
    CHECK_EQ(stream_id_cmp(meta.last_id, entry->id), 0);
    CHECK(meta.mean > 1 && meta.mean < 128);
    rig_seen_free(seen);
    rig_seen_free(put);
}

TEST(the_accepted_records_of_a_put_are_one_entry)
{
    rig_each(many_in_one);
}
END_TEST

// --- reading

// Expects entries of sequence first..last of partition 1, in order, with growing ids.
static struct stream_id expect_entries(struct rig_client *client, uint64_t first, uint64_t last)
{
    struct stream_id id = {0};
    for (uint64_t sequence = first; sequence <= last; sequence++) {
        struct rig_seen *seen = rig_wait(client, STREAM_EV_ENTRY);
        CHECK(seen->event.entry.valid);
        CHECK_EQ(seen->event.partition, 1);
        CHECK_UEQ(seen->event.entry.sequence, sequence);
        CHECK(stream_id_cmp(seen->event.entry.id, id) > 0);
        id = seen->event.entry.id;
        rig_seen_free(seen);
    }
    return id;
}

static void put_many(struct rig_client *client, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i <= last; i++) {
        struct rig_record record;
        rig_record(&record, "one", i - 1, i);
        rig_put_ok(client, 1, &record);
    }
}

ROW(read_all)
{
    (void)rig;
    rig_create(a, 1, RIG_EPOCH_A);
    put_many(a, 1, 60);
    stream_read(b->stream, 1, (struct stream_id){0}, true);
    expect_entries(b, 1, 60);
    rig_skip(b, STREAM_EV_DRAINED);
    put_many(a, 61, 70);
    expect_entries(b, 61, 70);
}

TEST(a_subscription_gives_every_entry_in_the_order_of_the_log)
{
    rig_each(read_all);
}
END_TEST

ROW(read_moved)
{
    rig_create(a, 0, RIG_EPOCH_A);
    rig_create(a, 1, RIG_EPOCH_A);
    put_many(a, 1, 5);
    stream_read(b->stream, 1, (struct stream_id){0}, false);
    struct stream_id end = expect_entries(b, 1, 5);
    // An idle reader that is moved back gets it all again, one that is moved on gets only what is new.
    rig->backend->wait_ms(rig, 30);
    stream_read(b->stream, 1, (struct stream_id){0}, false);
    expect_entries(b, 1, 5);
    stream_read(b->stream, 1, end, false);
    stream_read(b->stream, 0, (struct stream_id){0}, false);
    put_many(a, 6, 6);
    expect_entries(b, 6, 6);
    stream_unread(b->stream, 1);
    put_many(a, 7, 7);
    rig->backend->wait_ms(rig, 50);
    CHECK(!rig_has(b, STREAM_EV_ENTRY));
    struct rig_record record;
    rig_record(&record, "zero", 0, 1);
    rig_put_ok(a, 0, &record);
    struct rig_seen *seen = rig_wait(b, STREAM_EV_ENTRY);
    CHECK_EQ(seen->event.partition, 0);
    rig_seen_free(seen);
}

TEST(a_subscription_moves_and_ends_at_once)
{
    rig_each(read_moved);
}
END_TEST

ROW(read_trimmed)
{
    rig_create(a, 1, RIG_EPOCH_A);
    put_many(a, 1, 10);
    rig->backend->trim(rig, 1, 2);
    stream_read(b->stream, 1, (struct stream_id){0}, false);
    expect_entries(b, 9, 10); // the gap shows in the sequence alone
    rig->backend->trim(rig, 1, 0);
    struct stream_meta meta = rig_meta(a, 1);
    CHECK_UEQ(meta.sequence, 10);
    CHECK_EQ(stream_id_cmp(meta.last_id, (struct stream_id){0}), 0); // the log is empty
    put_many(a, 11, 11);
    expect_entries(b, 11, 11);
    rig->backend->lose_last(rig, 1);
    put_many(a, 12, 12);
    expect_entries(b, 12, 12);
}

TEST(a_trimmed_or_lost_entry_is_passed_over_in_silence)
{
    rig_each(read_trimmed);
}
END_TEST

ROW(probe)
{
    rig_create(a, 1, RIG_EPOCH_A);
    put_many(a, 1, 3);
    struct stream_id id = rig_meta(a, 1).last_id;
    stream_probe(b->stream, 1, id);
    struct rig_seen *seen = rig_wait(b, STREAM_EV_PROBE);
    CHECK(seen->event.probe.found);
    CHECK_UEQ(seen->event.probe.entry.sequence, 3);
    CHECK_UEQ(seen->event.probe.entry.digest.count, 1);
    CHECK_EQ(stream_id_cmp(seen->event.probe.entry.id, id), 0);
    rig_seen_free(seen);
    stream_probe(b->stream, 1, (struct stream_id){id.ms, id.seq + 1});
    seen = rig_wait(b, STREAM_EV_PROBE);
    CHECK(!seen->event.probe.found);
    rig_seen_free(seen);
    rig->backend->trim(rig, 1, 0);
    stream_probe(b->stream, 1, id);
    seen = rig_wait(b, STREAM_EV_PROBE);
    CHECK(!seen->event.probe.found);
    rig_seen_free(seen);
}

TEST(a_probe_finds_exactly_one_entry_or_none)
{
    rig_each(probe);
}
END_TEST

// --- scanning

#define SCANNED 700

ROW(scan_while_writing)
{
    bool found[SCANNED] = {0};
    uint64_t cursor = 0;
    uint32_t added = 0;
    (void)rig;
    rig_create(a, 3, RIG_EPOCH_A);
    for (uint32_t i = 0; i < SCANNED; i++) {
        struct rig_record record;
        char name[16];
        snprintf(name, sizeof(name), "i%u", i);
        rig_record(&record, name, 0, 1);
        rig_put_ok(a, 3, &record);
    }
    do {
        struct rig_record record;
        char name[16];
        stream_scan(b->stream, 3, cursor);
        struct rig_seen *seen = rig_wait(b, STREAM_EV_SCAN);
        for (uint32_t i = 0; i < seen->event.scan.count; i++) {
            struct span key = seen->event.scan.pairs[i].key;
            unsigned number = SCANNED;
            CHECK(seen->event.scan.pairs[i].value.len > 22);
            if (sscanf(key.ptr + 4, "i%u", &number) == 1 && number < SCANNED) {
                found[number] = true;
            }
        }
        cursor = seen->event.scan.cursor;
        rig_seen_free(seen);
        snprintf(name, sizeof(name), "new%u", added++);
        rig_record(&record, name, 0, 1);
        rig_put_ok(a, 3, &record);
    } while (cursor != 0);
    CHECK(added > 1);
    for (uint32_t i = 0; i < SCANNED; i++) {
        ck_assert_msg(found[i], "%s: i%u is missing", rig->backend->name, i);
    }
}

TEST(a_scan_misses_nothing_that_stood_there_all_the_time)
{
    rig_each(scan_while_writing);
}
END_TEST

ROW(scan_nothing)
{
    (void)a;
    (void)rig;
    stream_scan(b->stream, 3, 0);
    struct rig_seen *seen = rig_wait(b, STREAM_EV_SCAN);
    CHECK_EQ(seen->event.scan.count, 0);
    CHECK_UEQ(seen->event.scan.cursor, 0);
    rig_seen_free(seen);
}

TEST(a_scan_of_nothing_is_complete_at_once)
{
    rig_each(scan_nothing);
}
END_TEST

// --- presence

static struct rig_seen *beat(struct rig_client *client, const char *name, const char *payload)
{
    stream_beat(client->stream, span_str(name), span_str(payload), 600);
    struct rig_seen *seen = rig_wait(client, STREAM_EV_BEAT);
    CHECK_EQ(seen->event.status, STREAM_OK);
    return seen;
}

static const struct stream_peer *peer_of(const struct rig_seen *seen, const char *name)
{
    for (uint32_t i = 0; i < seen->event.beat.peer_count; i++) {
        if (span_eq_str(seen->event.beat.peers[i].name, name)) {
            return &seen->event.beat.peers[i];
        }
    }
    return NULL;
}

// b is silent for more than a lease, a is not.  A machine that stood still for half a lease is a gap for the server:
// then the grace begins anew.
static struct rig_seen *beat_until_out_of_grace(struct rig *rig, struct rig_client *a)
{
    struct rig_seen *seen = NULL;
    for (int beats = 0; beats < 100; beats++) {
        rig->backend->wait_ms(rig, 100);
        seen = beat(a, "a", "second payload");
        if (!seen->event.beat.in_grace && seen->event.beat.lapsed_count > 0) {
            return seen;
        }
        rig_seen_free(seen);
    }
    ck_abort_msg("a grace has no end, or a silent node does not lapse");
    return NULL;
}

ROW(beats)
{
    struct rig_seen *seen = beat(a, "a", "payload of a");
    CHECK(seen->event.beat.in_grace); // nobody beat before
    CHECK_EQ(seen->event.beat.peer_count, 1);
    CHECK(span_eq_str(peer_of(seen, "a")->payload, "payload of a"));
    CHECK(seen->event.beat.server_ms > INT64_C(1700000000000));
    rig_seen_free(seen);
    rig_seen_free(beat(b, "b", "payload of b"));
    seen = beat_until_out_of_grace(rig, a);
    CHECK_EQ(seen->event.beat.lapsed_count, 1);
    CHECK(span_eq_str(seen->event.beat.lapsed[0], "b"));
    CHECK(peer_of(seen, "b") == NULL);
    CHECK(span_eq_str(peer_of(seen, "a")->payload, "second payload"));
    rig_seen_free(seen);
    stream_forget(a->stream, SPAN_LIT("b"));
    seen = beat(a, "a", "");
    CHECK_EQ(seen->event.beat.lapsed_count, 0);
    rig_seen_free(seen);
    rig->backend->wait_ms(rig, 400); // more than half a lease: a gap
    seen = beat(a, "a", "");
    CHECK(seen->event.beat.in_grace);
    rig_seen_free(seen);
}

TEST(a_silent_node_lapses_until_it_is_forgotten_and_a_gap_of_all_gives_grace)
{
    rig_each(beats);
}
END_TEST

// --- losing the connection

ROW(reconnect)
{
    struct stream_info info;
    rig_create(a, 1, RIG_EPOCH_A);
    put_many(a, 1, 2);
    rig->backend->cut(rig, 0);
    rig_skip(a, STREAM_EV_DOWN);
    rig_skip(a, STREAM_EV_UP);
    (void)b;
    CHECK_UEQ(rig_meta(a, 1).sequence, 2);
    put_many(a, 3, 3);
    stream_info(a->stream, &info);
    CHECK(info.connected);
    CHECK_UEQ(info.connects, 2);
}

TEST(a_client_comes_back_after_its_connection_was_lost)
{
    rig_each(reconnect);
}
END_TEST

SUITE("contract/stream", T(the_first_creator_of_a_partition_wins),
      T(a_put_to_a_lost_or_other_epoch_does_nothing_and_names_the_current_one),
      T(a_put_is_accepted_only_over_what_it_expects_and_with_a_greater_version),
      T(the_accepted_records_of_a_put_are_one_entry),
      T(a_subscription_gives_every_entry_in_the_order_of_the_log),
      T(a_subscription_moves_and_ends_at_once),
      T(a_trimmed_or_lost_entry_is_passed_over_in_silence),
      T(a_probe_finds_exactly_one_entry_or_none),
      T(a_scan_misses_nothing_that_stood_there_all_the_time),
      T(a_scan_of_nothing_is_complete_at_once),
      T(a_silent_node_lapses_until_it_is_forgotten_and_a_gap_of_all_gives_grace),
      T(a_client_comes_back_after_its_connection_was_lost));
