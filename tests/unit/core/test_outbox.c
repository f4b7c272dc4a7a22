// SPDX-License-Identifier: Apache-2.0
// The outbox itself: slots are opened, composed, returned and closed by hand on a core that is not connected.
#include "replicator/core/outbox.h"

#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <stdio.h>
#include <string.h>

static struct patch merge_weight(uint32_t weight)
{
    return (struct patch){.op = PATCH_MERGE,
                          .mask = PATCH_WEIGHT,
                          .record = {.kind = KEY_REGISTRATION, .registration = {.weight = weight}}};
}

static struct patch merge_port(uint32_t port)
{
    return (struct patch){.op = PATCH_MERGE,
                          .mask = PATCH_PORT,
                          .record = {.kind = KEY_REGISTRATION, .registration = {.port = port}}};
}

static const struct patch gone = {.op = PATCH_DELETE, .record = {.kind = KEY_REGISTRATION}};

static struct registration shown(struct rig *rig)
{
    static struct map_copy copy;
    struct key_bytes key = keys_instance("i1");
    struct record record;
    CHECK(map_get(rig->map, key_span(&key), &copy));
    CHECK_OK(codec_body_read(KEY_REGISTRATION, map_copy_body(&copy), &record));
    return record.registration;
}

// A core without a connection, so that nothing is sent; i1 with weight 3, port 80 and version 4 is held.
static struct rig *rig_with_base(struct slot **ret_slot)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 3);
    rig_down(rig);
    rig_clear(rig);
    struct key_bytes key = keys_instance("i1");
    *ret_slot = outbox_open(rig->core, key_span(&key), 0);
    CHECK(*ret_slot != NULL);
    return rig;
}

static void add(struct rig *rig, struct slot *slot, struct patch patch, uint64_t op)
{
    CHECK(outbox_add(rig->core, slot, &patch));
    CHECK(op == 0 || outbox_wait(rig->core, slot, op));
    (void)outbox_show(rig->core, slot);
}

TEST(a_slot_starts_from_what_the_map_holds_and_is_opened_once)
{
    struct slot *slot = NULL;
    struct rig *rig = rig_with_base(&slot);
    struct key_bytes key = keys_instance("i1");
    CHECK(outbox_open(rig->core, key_span(&key), 0) == slot);
    CHECK(outbox_get(rig->core, key_span(&key)) == slot);
    CHECK(slot->base_held);
    CHECK_UEQ(slot->base_version.counter, 4);
    CHECK_EQ(core_get_pending(rig->core), 0); // an empty slot holds no patch
    rig_free(rig);
}

TEST(patches_of_one_key_compose)
{
    struct slot *slot = NULL;
    struct rig *rig = rig_with_base(&slot);
    struct outbox_applied applied;
    add(rig, slot, merge_weight(7), 0);
    add(rig, slot, merge_port(81), 0);
    add(rig, slot, merge_weight(8), 0);
    CHECK_EQ(slot->waiting_count, 3);
    CHECK_EQ(core_get_pending(rig->core), 1);
    CHECK_EQ(outbox_offer(slot, &applied), PATCH_CHANGED);
    CHECK_EQ(applied.out.registration.weight, 8);
    CHECK_EQ(applied.out.registration.port, 81);
    CHECK_EQ(shown(rig).weight, 8);
    CHECK_EQ(rig_facts(rig, "i1").pending, 3);
    CHECK_UEQ(rig_facts(rig, "i1").version.counter, 4);
    rig_free(rig);
}

TEST(a_patch_that_changes_nothing_has_nothing_to_say)
{
    struct slot *slot = NULL;
    struct rig *rig = rig_with_base(&slot);
    struct outbox_applied applied;
    add(rig, slot, merge_weight(7), 0);
    add(rig, slot, merge_weight(3), 0); // and back to what the base says
    CHECK_EQ(outbox_offer(slot, &applied), PATCH_SAME);
    CHECK(!outbox_is_orphan(slot));
    rig_free(rig);
}

TEST(what_is_in_the_air_stays_apart_from_what_waits)
{
    struct slot *slot = NULL;
    struct rig *rig = rig_with_base(&slot);
    add(rig, slot, merge_weight(7), 1);
    outbox_launch(rig->core, slot);
    add(rig, slot, merge_port(81), 2);
    CHECK_EQ(slot->sent_count, 1);
    CHECK_EQ(slot->waiting_count, 1);
    CHECK_EQ(shown(rig).weight, 7);
    CHECK_EQ(shown(rig).port, 81);
    outbox_accepted(rig->core, slot);
    CHECK(rig_told(rig, "done 1 accepted")); // exactly those that it contained
    CHECK_EQ(slot->sent_count, 0);
    CHECK_EQ(slot->waiting_count, 1);
    CHECK_EQ(core_get_pending(rig->core), 1);
    rig_free(rig);
}

TEST(what_was_returned_stands_before_what_waits)
{
    struct slot *slot = NULL;
    struct rig *rig = rig_with_base(&slot);
    struct outbox_applied applied;
    add(rig, slot, merge_weight(7), 1);
    add(rig, slot, merge_port(81), 2);
    outbox_launch(rig->core, slot);
    add(rig, slot, merge_weight(9), 3);
    outbox_returned(rig->core, slot);
    CHECK(rig_told(rig, "")); // nobody is answered
    CHECK_EQ(slot->sent_count, 0);
    CHECK_EQ(slot->waiting_count, 3);
    CHECK_EQ(outbox_offer(slot, &applied), PATCH_CHANGED);
    CHECK_EQ(applied.out.registration.weight, 9); // the later wish
    CHECK_EQ(applied.out.registration.port, 81);  // and the earlier one
    outbox_launch(rig->core, slot);
    outbox_accepted(rig->core, slot);
    CHECK(rig_said(rig, "done 1 accepted"));
    CHECK(rig_said(rig, "done 2 accepted"));
    CHECK(rig_said(rig, "done 3 accepted"));
    CHECK_EQ(core_get_pending(rig->core), 0);
    rig_free(rig);
}

TEST(a_return_of_nothing_changes_nothing)
{
    struct slot *slot = NULL;
    struct rig *rig = rig_with_base(&slot);
    add(rig, slot, merge_weight(7), 1);
    outbox_returned(rig->core, slot);
    CHECK_EQ(slot->waiting_count, 1);
    CHECK(slot->waiters != NULL);
    rig_free(rig);
}

TEST(closing_answers_all_that_wait_and_shows_the_bare_base)
{
    struct slot *slot = NULL;
    struct rig *rig = rig_with_base(&slot);
    size_t used = core_arena_used(rig->core);
    add(rig, slot, merge_weight(7), 1);
    outbox_launch(rig->core, slot);
    add(rig, slot, merge_weight(8), 2);
    outbox_close(rig->core, slot, CORE_CONFLICT);
    CHECK(rig_told(rig, "done 1 conflict\ndone 2 conflict"));
    CHECK_EQ(shown(rig).weight, 3);
    CHECK_EQ(rig_facts(rig, "i1").pending, 0);
    CHECK_EQ(core_get_pending(rig->core), 0);
    CHECK_EQ(rig->core->outbox.count, 0);
    CHECK(rig->core->sessions[0].first == NULL && rig->core->sessions[0].last == NULL);
    CHECK(core_arena_used(rig->core) < used); // the slot and its bytes are given back
    rig_free(rig);
}

TEST(closing_a_slot_without_a_base_takes_the_key_away)
{
    struct rig *rig = rig_new();
    rig_put_instance(rig, "i1", 7, true);
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    outbox_close_all(rig->core, CORE_FENCED);
    CHECK(rig_told(rig, "done 7 fenced"));
    struct map_facts facts;
    struct key_bytes key = keys_instance("i1");
    CHECK(!map_peek(rig->map, key_span(&key), &facts));
    rig_free(rig);
}

TEST(slots_leave_the_line_from_anywhere)
{
    struct rig *rig = rig_new();
    struct slot *slots[3];
    static const char *const names[] = {"i1", "i2", "i3"};
    static const int order[] = {1, 0, 2}; // the middle one, the first, the last
    for (int i = 0; i < 3; i++) {
        struct key_bytes key = keys_instance(names[i]);
        slots[i] = outbox_open(rig->core, key_span(&key), 0);
    }
    const struct session *session = &rig->core->sessions[0];
    CHECK(session->first == slots[0] && session->last == slots[2]);
    for (int i = 0; i < 3; i++) {
        outbox_close(rig->core, slots[order[i]], CORE_SAME);
        CHECK_EQ(session->slot_count, 2 - i);
        CHECK((session->first == NULL) == (i == 2));
    }
    rig_free(rig);
}

TEST(a_delete_is_shown_as_a_tombstone_and_a_later_put_starts_afresh)
{
    struct slot *slot = NULL;
    struct rig *rig = rig_with_base(&slot);
    add(rig, slot, gone, 0);
    CHECK(!rig_shows(rig, keys_instance("i1")));
    struct outbox_applied applied;
    CHECK_EQ(outbox_offer(slot, &applied), PATCH_CHANGED);
    CHECK(applied.out.tombstone);
    const struct patch put = {
        .op = PATCH_PUT,
        .record = {.kind = KEY_REGISTRATION,
                   .registration = {.address = SPAN_LIT("10.0.0.2"), .port = 1, .weight = 5}}};
    add(rig, slot, put, 0);
    CHECK_EQ(shown(rig).weight, 5);
    rig_free(rig);
}

TEST(a_merge_into_what_is_gone_is_an_orphan_and_a_delete_of_it_is_not)
{
    struct slot *slot = NULL;
    struct rig *rig = rig_with_base(&slot);
    add(rig, slot, merge_weight(7), 0);
    CHECK(!outbox_is_orphan(slot));
    outbox_unbase(rig->core, slot); // purged
    CHECK(outbox_is_orphan(slot));
    struct patch patch = gone;
    add(rig, slot, patch, 0);
    CHECK(!outbox_is_orphan(slot));
    rig_free(rig);
}

TEST(a_base_that_moved_keeps_the_patches_on_top)
{
    struct slot *slot = NULL;
    struct rig *rig = rig_with_base(&slot);
    char value[RECORD_LEN_MAX];
    struct codec_value parsed;
    add(rig, slot, merge_weight(7), 0);
    CHECK_OK(codec_value_parse(span_of(value, rig_value("i1", 9, 5, value)), &parsed));
    CHECK(outbox_rebase(rig->core, slot, &parsed, 0));
    CHECK_UEQ(slot->base_version.counter, 9);
    (void)outbox_show(rig->core, slot);
    CHECK_EQ(shown(rig).weight, 7);
    outbox_close(rig->core, slot, CORE_SAME);
    CHECK_EQ(shown(rig).weight, 5);
    rig_free(rig);
}

TEST(without_memory_every_step_says_so_and_changes_nothing)
{
    struct slot *slot = NULL;
    struct rig *rig = rig_with_base(&slot);
    struct patch patch = merge_weight(7);
    struct key_bytes other = keys_instance("i2");
    rig_fill_arena(rig);
    CHECK(!outbox_add(rig->core, slot, &patch));
    CHECK(!outbox_wait(rig->core, slot, 1));
    CHECK(outbox_open(rig->core, key_span(&other), 0) == NULL);
    CHECK_EQ(slot->waiting_count, 0);
    CHECK_EQ(core_get_pending(rig->core), 0);
    CHECK_EQ(shown(rig).weight, 3);
    rig_free(rig);
}

SUITE("core/outbox", T(a_slot_starts_from_what_the_map_holds_and_is_opened_once),
      T(patches_of_one_key_compose), T(a_patch_that_changes_nothing_has_nothing_to_say),
      T(what_is_in_the_air_stays_apart_from_what_waits),
      T(what_was_returned_stands_before_what_waits), T(a_return_of_nothing_changes_nothing),
      T(closing_answers_all_that_wait_and_shows_the_bare_base),
      T(closing_a_slot_without_a_base_takes_the_key_away), T(slots_leave_the_line_from_anywhere),
      T(a_delete_is_shown_as_a_tombstone_and_a_later_put_starts_afresh),
      T(a_merge_into_what_is_gone_is_an_orphan_and_a_delete_of_it_is_not),
      T(a_base_that_moved_keeps_the_patches_on_top),
      T(without_memory_every_step_says_so_and_changes_nothing));
