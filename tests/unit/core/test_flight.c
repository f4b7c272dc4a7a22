// SPDX-License-Identifier: Apache-2.0
// Composing one put: ceilings, one key once, and the versions that are given.
#include "replicator/core/flight.h"

#include "replicator/core/outbox.h"
#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <stdio.h>
#include <string.h>

// Writes `count` instances while the server is out of reach, each with `label_len` bytes of a label, and
// connects again: all of them want into one call.
static struct rig *rig_with_waiting(int count, size_t labels)
{
    static char text[RECORD_LABEL_VALUE_MAX];
    static const char *const names[] = {"l0", "l1", "l2", "l3", "l4", "l5", "l6"};
    memset(text, 'x', sizeof(text));
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_down(rig);
    struct record record = {
        .kind = KEY_REGISTRATION,
        .registration = {.address = SPAN_LIT("10.0.0.1"), .port = 80, .weight = 1}};
    record.registration.label_count = (uint32_t)labels;
    for (size_t i = 0; i < labels; i++) {
        record.registration.labels[i] =
            (struct label){.name = span_str(names[i]), .value = span_of(text, sizeof(text))};
    }
    for (int i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%03d", i);
        caller_puts(rig, 0, keys_instance(name), &record);
    }
    rig_up(rig);
    rig_meta(rig, 1);
    rig_clear(rig);
    rig_probe(rig, true);
    return rig;
}

static size_t bytes_in_the_air(const struct rig *rig)
{
    size_t len = 0;
    for (uint32_t i = 0; i < rig->put_count; i++) {
        len += rig->put[i].key_len + rig->put[i].value_len;
    }
    return len;
}

TEST(a_call_carries_128_records_at_most)
{
    struct rig *rig = rig_with_waiting(300, 0);
    CHECK_EQ(rig->put_count, STREAM_PUT_RECORDS_MAX);
    CHECK(strncmp(rig->put[0].key + sizeof("default\0s"), "m000", 4) ==
          0); // first come, first sent
    rig_accept(rig);
    CHECK_EQ(rig->put_count, STREAM_PUT_RECORDS_MAX);
    rig_accept(rig);
    CHECK_EQ(rig->put_count, 300 - 2 * STREAM_PUT_RECORDS_MAX);
    rig_accept(rig);
    CHECK(!rig->put_open);
    CHECK_EQ(core_get_pending(rig->core), 0);
    rig_free(rig);
}

TEST(a_call_carries_64_kib_at_most)
{
    struct rig *rig = rig_with_waiting(100, 7);
    uint32_t sent = 0;
    int calls = 0;
    while (rig->put_open) {
        CHECK_INT(rig->put_count, lt, STREAM_PUT_RECORDS_MAX);
        CHECK_INT(bytes_in_the_air(rig), le, STREAM_PUT_LEN_MAX);
        sent += rig->put_count;
        calls++;
        rig_accept(rig);
    }
    CHECK_UEQ(sent, 100);
    CHECK_INT(calls, ge, 3); // about 1.8 KB each
    rig_free(rig);
}

TEST(a_key_stands_in_a_call_once)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    struct key_bytes key = keys_instance("i1");
    rig_put_instance(rig, "i2", 7, false); // in the air, so that the others gather
    for (uint32_t i = 0; i < 3; i++) {
        const struct patch patch = {
            .op = PATCH_PUT,
            .record = {
                .kind = KEY_REGISTRATION,
                .registration = {.address = SPAN_LIT("10.0.0.1"), .port = 80, .weight = i + 1}}};
        const struct core_write write = {
            .op = 10 + i, .key = key_span(&key), .patch = &patch, .precondition = CORE_IF_ABSENT};
        rig_write(rig, &write);
    }
    rig_clear(rig);
    rig_accept(rig);
    CHECK(rig_told(rig, "put i1@0=1"));
    rig_settle(rig);
    CHECK_EQ(rig_weight(rig, "i1"), 1);
    rig_free(rig);
}

TEST(a_conditional_write_and_a_pending_one_of_a_key_never_share_a_call)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 5);
    struct key_bytes key = keys_instance("i1");
    const struct patch patch = {.op = PATCH_DELETE, .record = {.kind = KEY_REGISTRATION}};
    rig_put_instance(rig, "i2", 7, false);
    rig_put_instance(rig, "i1", 8, false);
    const struct core_write write = {
        .op = 9, .key = key_span(&key), .patch = &patch, .precondition = CORE_IF_EXISTS};
    rig_write(rig, &write);
    rig_clear(rig);
    rig_accept(rig);
    CHECK(rig_told(rig, "put i1@4=5"));
    rig_free(rig);
}

TEST(a_tombstone_jumps_so_that_it_beats_edits_that_never_saw_it)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    peer_node(rig, "n1", true);
    rig_entry(rig, "i1", 4, 5);
    peer_votes(rig, "i1", "n1", STATUS_HEALTHY);
    rig_clear(rig);
    caller_deletes(rig, 0, keys_instance("i1"));
    // A withdrawn observation has one writer only: no jump.
    CHECK(rig_told(rig, "put n1@1=2 i1@4=65540"));
    rig_free(rig);
}

TEST(a_version_is_above_the_floor_of_what_was_purged)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 70, 5);
    struct key_bytes key = keys_instance("i1");
    const struct stream_pair purged = {.key = key_span(&key)};
    peer_bytes(rig, &purged, 70);
    rig_clear(rig);
    rig_put_instance(rig, "i1", 7, false);
    CHECK(rig_told(rig, "done 7 applied\nput i1@0=71"));
    rig_free(rig);
}

TEST(what_has_nothing_left_to_say_is_answered_and_stays_out)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 5);
    rig_down(rig);
    rig_put_instance(rig, "i1", 7, true);
    rig_clear(rig);
    rig_up(rig);
    rig_meta(rig, 3); // a peer wrote meanwhile what we want to write
    rig_probe(rig, true);
    rig_clear(rig);
    rig_entry(rig, "i1", 5, 7);
    CHECK(rig_said(rig, "done 7 "));
    CHECK_EQ(core_get_pending(rig->core), 0);
    CHECK(!rig->put_open);
    rig_free(rig);
}

TEST(without_memory_for_the_buffers_nothing_flies_and_nothing_is_lost)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    struct flight *flight = &rig->core->sessions[0].flight;
    char *buffer = flight->buffer;
    rig_fill_arena(rig);
    flight->buffer = NULL;
    flight_build(rig->core, 0);
    CHECK(!flight->active);
    flight->buffer = buffer;
    rig_free(rig);
}

SUITE("core/flight", T(a_call_carries_128_records_at_most), T(a_call_carries_64_kib_at_most),
      T(a_key_stands_in_a_call_once),
      T(a_conditional_write_and_a_pending_one_of_a_key_never_share_a_call),
      T(a_tombstone_jumps_so_that_it_beats_edits_that_never_saw_it),
      T(a_version_is_above_the_floor_of_what_was_purged),
      T(what_has_nothing_left_to_say_is_answered_and_stays_out),
      T(without_memory_for_the_buffers_nothing_flies_and_nothing_is_lost));
