// SPDX-License-Identifier: Apache-2.0
// What foreign bytes become: records of a future wire version, oversized ones, purges, garbage.
#include "replicator/core/hold.h"

#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <string.h>

#define WEIGHT 9

static struct span future_value(uint64_t counter, char buf[RECORD_LEN_MAX])
{
    return future_of(keys_instance("i1"), counter, buf);
}

static void says(struct rig *rig, struct span value, bool oversized)
{
    struct key_bytes key = keys_instance("i1");
    const struct stream_pair pair = {.key = key_span(&key), .value = value, .oversized = oversized};
    peer_bytes(rig, &pair, 0);
}

static void purge(struct rig *rig, const char *instance, uint64_t floor)
{
    struct key_bytes key = keys_instance(instance);
    const struct stream_pair pair = {.key = key_span(&key)};
    peer_bytes(rig, &pair, floor);
}

// Digest, sequence and session are in order: nothing is read afresh.
static bool in_step(struct rig *rig)
{
    struct core_partition_view view;
    core_get_partition(rig->core, 0, &view);
    return view.state == CORE_PARTITION_LIVE && view.resyncs == 0 &&
           view.position.digest.count == rig->digest.count &&
           view.position.digest.sum == rig->digest.sum;
}

// The server lost everything and lives under another epoch; it is scanned again.
static void lose_everything(struct rig *rig)
{
    rig_down(rig);
    rig->digest = (struct stream_digest){0, 0};
    rig->sequence = 0;
    memcpy(rig->epoch, RIG_EPOCH_2, sizeof(rig->epoch));
    rig_up(rig);
    rig_meta(rig, 0); // of the probe
    rig_meta(rig, 0);
    rig_scan_end(rig);
    rig_meta(rig, 0);
}

TEST(a_record_of_a_future_wire_version_is_kept_and_not_shown)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    rig->log = true;
    says(rig, future_value(4, value), false);
    CHECK(rig_told(rig, "rejected wire_version"));
    CHECK(in_step(rig));
    CHECK_EQ(rig_facts(rig, "i1").version.counter, 4);
    CHECK_EQ(rig_facts(rig, "i1").flags, MAP_OPAQUE);
    CHECK(!rig_shows(rig, keys_instance("i1")));
    struct key_bytes policy = keys_policy();
    struct map_service service;
    CHECK(!map_service_get(rig->map, key_span(&policy), &service) || service.instances == 0);
    rig_entry(rig, "i1", 5, WEIGHT); // and a later one that can be read replaces it
    CHECK_EQ(rig_weight(rig, "i1"), WEIGHT);
    CHECK(in_step(rig));
    rig_free(rig);
}

TEST(a_record_of_a_future_wire_version_is_repaired_with_identical_bytes)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    struct span future = future_value(4, value);
    says(rig, future, false);
    lose_everything(rig);
    rig_tick(rig, 500);
    CHECK(rig_said(rig, "i1@0=4"));
    bool found = false;
    for (uint32_t i = 0; i < rig->put_count; i++) {
        found = found || span_eq(span_of(rig->put[i].value, rig->put[i].value_len), future);
    }
    CHECK(found);
    rig_free(rig);
}

TEST(a_future_record_leaves_the_one_that_can_be_read_in_its_place)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    rig_entry(rig, "i1", 3, WEIGHT);
    says(rig, future_value(4, value), false);
    CHECK_EQ(rig_weight(rig, "i1"), WEIGHT);
    CHECK_EQ(rig_facts(rig, "i1").version.counter, 3);
    CHECK(in_step(rig)); // the shadow knows what the server holds
    rig_tick(rig, 500);
    CHECK(!rig->put_open); // and the older one is not put back over it
    rig_free(rig);
}

TEST(a_write_to_what_cannot_be_read_is_a_conflict)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, true);
    rig_clear(rig);
    rig_refuse(rig, future_value(4, value));
    CHECK(rig_told(rig, "done 7 conflict"));
    CHECK_EQ(rig_facts(rig, "i1").flags, MAP_OPAQUE); // and not our merge of a part of it
    CHECK_EQ(core_get_pending(rig->core), 0);
    rig_free(rig);
}

// One write of i1 of each sort, each on its own; op is its place + 1.
static void write_all(struct rig *rig)
{
    static const struct {
        enum patch_op op;
        enum core_precondition precondition;
    } rows[] = {{PATCH_PUT, CORE_ANY},          {PATCH_MERGE, CORE_ANY},
                {PATCH_DELETE, CORE_ANY},       {PATCH_PUT, CORE_IF_MATCH},
                {PATCH_MERGE, CORE_IF_EXISTS},  {PATCH_PUT, CORE_IF_ABSENT},
                {PATCH_DELETE, CORE_IF_EXISTS}, {PATCH_MERGE, CORE_IF_MATCH}};
    struct key_bytes key = keys_instance("i1");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct patch patch = {
            .op = rows[i].op,
            .mask = rows[i].op == PATCH_MERGE ? PATCH_WEIGHT : 0,
            .record = {.kind = KEY_REGISTRATION,
                       .registration = {.address = SPAN_LIT("10.0.0.1"), .port = 80, .weight = 7}}};
        const struct core_write write = {.op = i + 1,
                                         .key = key_span(&key),
                                         .patch = &patch,
                                         .precondition = rows[i].precondition,
                                         .version = rig_facts(rig, "i1").version};
        rig_write(rig, &write);
    }
}

static const char all_conflict[] =
    "done 1 conflict\ndone 2 conflict\ndone 3 conflict\ndone 4 conflict\n"
    "done 5 conflict\ndone 6 conflict\ndone 7 conflict\ndone 8 conflict";

TEST(no_write_of_any_sort_goes_over_what_cannot_be_read)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    says(rig, future_value(4, value), false);
    rig_clear(rig);
    write_all(rig);
    CHECK(rig_told(rig, all_conflict));
    rig_tick(rig, 100);
    CHECK(!rig->put_open);
    CHECK_EQ(core_get_pending(rig->core), 0);
    CHECK_EQ(rig_facts(rig, "i1").flags, MAP_OPAQUE);
    rig->log = true;
    rig_put_instance(rig, "i1", 7, false);
    CHECK(rig_told(rig, "opaque i1\ndone 7 conflict"));
    rig_free(rig);
}

TEST(no_write_goes_over_what_cannot_be_read_and_stands_only_at_the_server)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    rig_entry(rig, "i1", 3, WEIGHT);
    says(rig, future_value(4, value), false);
    rig_clear(rig);
    write_all(rig);
    CHECK(rig_told(rig, all_conflict));
    rig_tick(rig, 100);
    CHECK(!rig->put_open);
    CHECK_EQ(rig_weight(rig, "i1"), WEIGHT); // readers go on seeing the last one that can be read
    CHECK(in_step(rig));
    // Somebody who can read it makes one that we can read.
    says(rig, span_of(value, rig_value("i1", 5, 3, value)), false);
    rig_put_instance(rig, "i1", 7, false);
    CHECK(rig_told(rig, "done 7 applied\nput i1@5=6"));
    rig_free(rig);
}

TEST(a_pending_write_is_dropped_when_what_cannot_be_read_comes_under_it)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    rig->core->sessions[0].barrier = mono_add_ms(rig->core->now.mono, 1000);
    rig_put_instance(rig, "i1", 7, true);
    CHECK(rig_told(rig, ""));
    says(rig, future_value(4, value), false);
    rig->log = true;
    rig_tick(rig, 1100);
    CHECK(rig_told(rig, "opaque i1\ndone 7 conflict"));
    CHECK_EQ(rig_facts(rig, "i1").flags, MAP_OPAQUE);
    CHECK_EQ(rig_facts(rig, "i1").pending, 0);
    CHECK_EQ(core_get_pending(rig->core), 0);
    CHECK_EQ(rig->core->outbox.count, 0);
    rig_free(rig);
}

TEST(a_repair_of_what_cannot_be_read_goes_on_when_a_write_of_it_is_dropped)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    rig_down(rig); // nothing is sent
    rig_put_instance(rig, "i1", 7, false);
    rig_up(rig);
    rig_meta(rig, 1);
    struct span future = future_value(4, value);
    rig->core->sessions[0].barrier = mono_add_ms(rig->core->now.mono, 1000);
    rig_probe(rig, true);
    says(rig, future, false);
    struct key_bytes key = keys_instance("i1");
    const struct stream_pair gone = {.key = key_span(&key)};
    rig_clear(rig);
    peer_bytes(rig, &gone, 3); // the server loses it
    CHECK(rig_told(rig, "put i1@0=4"));
    CHECK_EQ(rig->put[0].value_len, future.len);
    CHECK_MEM(rig->put[0].value, future.ptr, future.len);
    CHECK_EQ(core_get_pending(rig->core), 0);
    rig_free(rig);
}

TEST(a_conflict_with_what_cannot_be_read_is_one_for_conditional_writes_too)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    struct key_bytes key = keys_instance("i1");
    const struct patch patch = {
        .op = PATCH_PUT,
        .record = {.kind = KEY_REGISTRATION,
                   .registration = {.address = SPAN_LIT("10.0.0.1"), .port = 80, .weight = 7}}};
    const struct core_write write = {
        .op = 5, .key = key_span(&key), .patch = &patch, .precondition = CORE_IF_ABSENT};
    rig_write(rig, &write);
    CHECK(rig_told(rig, "put i1@0=1"));
    rig_refuse(rig, future_value(4, value));
    CHECK(rig_told(rig, "done 5 conflict"));
    rig_free(rig);
}

TEST(what_cannot_be_read_and_is_older_than_what_is_held_is_put_right)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    rig_entry(rig, "i1", 9, WEIGHT);
    rig_clear(rig);
    says(rig, future_value(4, value), false); // the server went back
    CHECK_EQ(rig_weight(rig, "i1"), WEIGHT);
    CHECK(rig_told(rig, "put i1@4=9"));
    rig_put_instance(rig, "i1", 7, false); // what we hold is the newer one, and can be changed
    CHECK(rig_told(rig, "done 7 applied"));
    rig_free(rig);
}

TEST(a_node_whose_own_record_cannot_be_read_does_not_join)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    struct key_bytes key = keys_node(RIG_SELF);
    const struct stream_pair pair = {.key = key_span(&key), .value = future_of(key, 4, value)};
    struct codec_value parsed;
    CHECK_OK(codec_value_parse(pair.value, &parsed));
    rig->digest = (struct stream_digest){1, parsed.hash};
    rig->sequence = 1;
    rig->log = true;
    rig_up(rig);
    rig_meta(rig, 1);
    struct stream_event scanned = {.type = STREAM_EV_SCAN};
    scanned.scan.pairs = &pair;
    scanned.scan.count = 1;
    rig_stream(rig, &scanned);
    rig_meta(rig, 1);
    CHECK(rig_said(rig, "opaque a\nmisconfigured"));
    rig_clear(rig);
    rig_tick(rig, 2000);
    CHECK(rig_told(rig, "")); // said once, and not even a heartbeat
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_MISCONFIGURED);
    struct key_bytes instance = keys_instance("i1");
    const struct patch patch = {.op = PATCH_PUT, .record = {.kind = KEY_REGISTRATION}};
    const struct core_write write = {
        .op = 5, .key = key_span(&instance), .patch = &patch, .precondition = CORE_IF_ABSENT};
    rig_write(rig, &write);
    CHECK(rig_told(rig, "done 5 unavailable")); // it would wait for ever
    rig_free(rig);
}

TEST(a_node_that_meets_its_own_unreadable_record_while_it_joins_does_not_join)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_connect(rig);
    CHECK(rig->put_open); // joining
    rig_refuse(rig, future_of(keys_node(RIG_SELF), 4, value));
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_MISCONFIGURED);
    rig_clear(rig);
    rig_tick(rig, 2000);
    CHECK(!rig->put_open);
    rig_free(rig);
}

TEST(what_is_no_record_at_all_is_overwritten)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    rig_entry(rig, "i1", 3, WEIGHT);
    size_t len = rig_value("i1", 6, 2, value);
    value[len - 1] ^= 1; // its hash is wrong
    says(rig, span_of(value, len), false);
    CHECK_EQ(rig_weight(rig, "i1"), WEIGHT);
    struct key_bytes key = keys_instance("i1");
    struct patch patch = {.op = PATCH_MERGE,
                          .mask = PATCH_WEIGHT,
                          .record = {.kind = KEY_REGISTRATION, .registration = {.weight = 8}}};
    struct core_write write = {.op = 5,
                               .key = key_span(&key),
                               .patch = &patch,
                               .precondition = CORE_IF_MATCH,
                               .version = rig_facts(rig, "i1").version};
    rig_clear(rig);
    rig_write(rig, &write);
    CHECK(rig_told(rig, "done 5 stale")); // that version is not what stands there
    write.precondition = CORE_IF_EXISTS;
    rig_write(rig, &write);
    CHECK(rig_told(rig, "put i1@6=7"));
    rig_refuse(rig, span_of(value, len)); // and as a conflict
    CHECK(rig_told(rig, "done 5 stale"));
    rig_put_instance(rig, "i1", 8, true);
    CHECK(rig_told(rig, "put i1@6=7"));
    rig_refuse(rig, span_of(value, len));
    CHECK(rig_told(rig, "put i1@6=7"));
    rig_accept(rig);
    CHECK(rig_told(rig, "done 8 accepted"));
    CHECK_EQ(rig_weight(rig, "i1"), 8);
    rig_free(rig);
}

TEST(an_oversized_record_is_skipped_and_counted_in_the_digest)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    rig->log = true;
    says(rig, span_of(value, rig_value("i1", 4, WEIGHT, value)), true);
    CHECK(rig_told(rig, "rejected oversized"));
    CHECK_EQ(rig_weight(rig, "i1"), 0);
    CHECK(in_step(rig));
    rig_entry(rig, "i2", 1, WEIGHT);
    CHECK_EQ(rig_weight(rig, "i2"), WEIGHT);
    CHECK(in_step(rig));
    rig_free(rig);
}

TEST(a_value_that_is_cut_short_is_told_and_stops_nothing)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig->log = true;
    says(rig, SPAN_LIT("x"), false);
    CHECK(rig_told(rig, "rejected truncated"));
    CHECK_EQ(rig_weight(rig, "i1"), 0);
    rig_entry(rig, "i2", 1, WEIGHT);
    CHECK_EQ(rig_weight(rig, "i2"), WEIGHT);
    rig_free(rig);
}

TEST(a_key_that_is_none_is_told_and_counted_in_the_digest)
{
    static const struct span keys[] = {
        {"default", 7}, {"a\0b\0c\0d\0e", 9}, {"default\0\0i", 10}, {"default\0s\0\n", 11}};
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    rig->log = true;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct version version = {4, 1};
        size_t len =
            codec_value_write(keys[i], version, SPAN_LIT("\x01\x02"), value, sizeof(value));
        const struct stream_pair pair = {.key = keys[i], .value = span_of(value, len)};
        peer_bytes(rig, &pair, 0);
        CHECK(rig_told(rig, "rejected key"));
        CHECK(in_step(rig));
    }
    rig_free(rig);
}

TEST(a_purge_drops_what_is_at_or_below_the_floor)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, WEIGHT);
    rig_entry(rig, "i2", 4, WEIGHT);
    uint64_t index = map_index(rig->map);
    purge(rig, "i1", 4);
    CHECK_EQ(rig_facts(rig, "i1").version.counter, 0);
    CHECK_EQ(rig_weight(rig, "i1"), 0);
    CHECK_EQ(rig_weight(rig, "i2"), WEIGHT);
    CHECK_UEQ(map_index(rig->map), index + 1); // readers are told
    CHECK(in_step(rig));
    rig_tick(rig, 500);
    CHECK(!rig->put_open); // what was purged is not repaired
    rig_free(rig);
}

TEST(a_purge_below_what_is_held_does_not_take_it_and_it_is_put_back)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, WEIGHT);
    rig->log = true;
    rig_clear(rig);
    purge(rig, "i1", 3); // the server purged an older one: it had gone back
    CHECK_EQ(rig_weight(rig, "i1"), WEIGHT);
    CHECK(in_step(rig));
    CHECK(rig_told(rig, "repair i1 behind\nput i1@0=4"));
    CHECK_UEQ(core_get_counter(rig->core, CORE_STALE_ENTRIES), 1);
    CHECK_UEQ(core_get_counter(rig->core, CORE_SUPERSEDED), 0); // nobody's write was lost
    rig_accept(rig);
    rig_echo(rig);
    CHECK_EQ(rig_weight(rig, "i1"), WEIGHT);
    CHECK(rig_told(rig, ""));
    rig_free(rig);
}

TEST(a_purge_below_a_record_with_a_pending_write_goes_on_with_both)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, WEIGHT);
    rig_put_instance(rig, "i1", 7, false);
    rig_clear(rig);
    purge(rig, "i1", 3);
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    rig_refuse(rig, SPAN_NONE);         // the call named a version that is gone
    CHECK(rig_told(rig, "put i1@0=5")); // greater than what was lost, so that need not come back
    rig_settle(rig);
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    CHECK(!rig->put_open);
    rig_free(rig);
}

TEST(a_purge_takes_the_base_and_leaves_what_is_pending)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, WEIGHT);
    rig_put_instance(rig, "i1", 7, false);
    rig_clear(rig);
    purge(rig, "i1", 4);
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    rig_refuse(rig, SPAN_NONE); // the call named a version that is gone
    CHECK(rig_told(rig, "put i1@0=5"));
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    rig_settle(rig);
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    CHECK(in_step(rig));
    rig_free(rig);
}

TEST(a_change_of_what_was_purged_is_not_found)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, WEIGHT);
    struct key_bytes key = keys_instance("i1");
    const struct patch patch = {
        .op = PATCH_MERGE,
        .mask = PATCH_WEIGHT,
        .record = {.kind = KEY_REGISTRATION, .registration = {.weight = 7}}};
    const struct core_write write = {
        .op = 7, .key = key_span(&key), .patch = &patch, .ack_stream = true};
    rig_write(rig, &write);
    rig_clear(rig);
    purge(rig, "i1", 4);
    CHECK_EQ(rig_weight(rig, "i1"), 0);
    rig_refuse(rig, SPAN_NONE);
    CHECK(rig_told(rig, "done 7 not_found"));
    CHECK_EQ(core_get_pending(rig->core), 0);
    struct map_facts facts;
    CHECK(!map_peek(rig->map, key_span(&key), &facts));
    rig_free(rig);
}

TEST(one_version_with_two_bodies_is_told_and_the_greater_hash_wins_everywhere)
{
    struct rig *rig = rig_new();
    char one[RECORD_LEN_MAX];
    char two[RECORD_LEN_MAX];
    size_t one_len = rig_value("i1", 4, 5, one);
    size_t two_len = rig_value("i1", 4, 6, two);
    bool two_wins = memcmp(two + VERSION_LEN, one + VERSION_LEN, CODEC_HASH_LEN) > 0;
    rig_live(rig);
    says(rig, span_of(one, one_len), false);
    says(rig, span_of(two, two_len), false);
    CHECK_EQ(rig_weight(rig, "i1"), two_wins ? 6 : 5);
    CHECK_UEQ(core_get_counter(rig->core, CORE_EQUIVOCATIONS), 1);
    says(rig, span_of(one, one_len), false); // the other order
    CHECK_EQ(rig_weight(rig, "i1"), two_wins ? 6 : 5);
    CHECK(in_step(rig));
    rig_free(rig);
}

TEST(an_older_entry_changes_nothing_and_the_newer_record_is_put_back)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    rig_entry(rig, "i1", 9, WEIGHT);
    rig_clear(rig);
    rig->log = true;
    says(rig, span_of(value, rig_value("i1", 5, 3, value)), false);
    CHECK_EQ(rig_weight(rig, "i1"), WEIGHT);
    CHECK(in_step(rig));
    CHECK(rig_told(rig, "superseded i1 9:9 over 5:3\nrepair i1 behind\nput i1@5=9"));
    CHECK_UEQ(core_get_counter(rig->core, CORE_SUPERSEDED), 1);
    rig_free(rig);
}

TEST(what_supersedes_is_what_the_stream_had_and_not_what_is_pending_upon_it)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    rig_live(rig);
    rig_entry(rig, "i1", 9, WEIGHT);
    rig_put_instance(rig, "i1", 7, false);
    rig_clear(rig);
    rig->log = true;
    says(rig, span_of(value, rig_value("i1", 5, 3, value)), false);
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    CHECK(rig_told(rig, "superseded i1 9:9 over 5:3\nrepair i1 behind"));
    rig_free(rig);
}

SUITE("core/hold", T(a_record_of_a_future_wire_version_is_kept_and_not_shown),
      T(a_record_of_a_future_wire_version_is_repaired_with_identical_bytes),
      T(a_future_record_leaves_the_one_that_can_be_read_in_its_place),
      T(a_write_to_what_cannot_be_read_is_a_conflict),
      T(no_write_of_any_sort_goes_over_what_cannot_be_read),
      T(no_write_goes_over_what_cannot_be_read_and_stands_only_at_the_server),
      T(a_pending_write_is_dropped_when_what_cannot_be_read_comes_under_it),
      T(a_repair_of_what_cannot_be_read_goes_on_when_a_write_of_it_is_dropped),
      T(a_conflict_with_what_cannot_be_read_is_one_for_conditional_writes_too),
      T(what_cannot_be_read_and_is_older_than_what_is_held_is_put_right),
      T(a_node_whose_own_record_cannot_be_read_does_not_join),
      T(a_node_that_meets_its_own_unreadable_record_while_it_joins_does_not_join),
      T(what_is_no_record_at_all_is_overwritten),
      T(an_oversized_record_is_skipped_and_counted_in_the_digest),
      T(a_value_that_is_cut_short_is_told_and_stops_nothing),
      T(a_key_that_is_none_is_told_and_counted_in_the_digest),
      T(a_purge_drops_what_is_at_or_below_the_floor),
      T(a_purge_below_what_is_held_does_not_take_it_and_it_is_put_back),
      T(a_purge_below_a_record_with_a_pending_write_goes_on_with_both),
      T(a_purge_takes_the_base_and_leaves_what_is_pending),
      T(a_change_of_what_was_purged_is_not_found),
      T(one_version_with_two_bodies_is_told_and_the_greater_hash_wins_everywhere),
      T(an_older_entry_changes_nothing_and_the_newer_record_is_put_back),
      T(what_supersedes_is_what_the_stream_had_and_not_what_is_pending_upon_it));
