// SPDX-License-Identifier: Apache-2.0
// What is put back, what is not, when, and by whom first.
#include "replicator/core/repair.h"

#include "base/rendezvous.h"
#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <string.h>

// The server lost everything above `floor`; it lives on under another epoch and is scanned again.
static void lose_everything(struct rig *rig, uint64_t floor)
{
    rig_down(rig);
    rig->digest = (struct stream_digest){0, 0};
    rig->sequence = 0;
    memcpy(rig->epoch, RIG_EPOCH_2, sizeof(rig->epoch));
    rig_up(rig);
    rig_meta(rig, 0); // of the probe
    struct stream_event event = {.type = STREAM_EV_META};
    event.meta = (struct stream_meta){.exists = true,
                                      .partitions = 1,
                                      .wire = STREAM_WIRE,
                                      .mean = 1,
                                      .floor = floor,
                                      .last_id = {rig->id, 0}};
    memcpy(event.meta.epoch.text, rig->epoch, sizeof(rig->epoch));
    rig_stream(rig, &event);
    rig_scan_end(rig);
    rig_clear(rig);
    rig_stream(rig, &event);
}

TEST(what_the_server_lost_is_put_back_by_who_holds_it)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 9);
    rig->log = true;
    lose_everything(rig, 0);
    CHECK(rig_said(rig, "repair i1 scan"));
    CHECK(rig_said(rig, "i1@0=4"));
    struct core_partition_view view;
    core_get_partition(rig->core, 0, &view);
    CHECK_UEQ(view.repairs, 2); // our node record and i1
    rig_settle(rig);
    rig_clear(rig);
    rig_tick(rig, 3000);
    CHECK(!rig->put_open);
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_LIVE);
    rig_free(rig);
}

TEST(after_a_resync_repairs_go_before_what_is_new)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 9);
    rig_down(rig);
    rig_put_instance(rig, "i2", 7, false);
    lose_everything(rig, 0);
    CHECK(rig_said(rig, "i1@0=4"));
    CHECK(strstr(rig->story, "i2@") == NULL);
    rig_settle(rig);
    rig_tick(rig, REPAIR_BARRIER_MS - 50);
    CHECK(strstr(rig->story, "i2@") == NULL);
    rig_tick(rig, 50);
    CHECK(rig_said(rig, "put i2@0=1"));
    rig_free(rig);
}

TEST(what_the_server_holds_again_meanwhile_is_not_put_back)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 9);
    struct key_bytes key = keys_instance("i1");
    rig->log = true;
    repair_plan(rig->core, key_span(&key), "test");
    CHECK_EQ(rig->core->repairs.count, 1);
    rig_clear(rig);
    repair_run(rig->core);
    CHECK_EQ(rig->core->repairs.count, 0);
    CHECK(rig_told(rig, "")); // the server holds exactly this
    rig_free(rig);
}

TEST(a_key_is_planned_once)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    struct key_bytes key = keys_instance("i1");
    repair_plan(rig->core, key_span(&key), "one");
    repair_plan(rig->core, key_span(&key), "two");
    CHECK_EQ(rig->core->repairs.count, 1);
    rig_free(rig);
}

TEST(what_was_purged_while_we_were_away_is_dropped)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 9);
    rig_entry(rig, "i2", 6, 9);
    lose_everything(rig, 4);
    CHECK(rig_said(rig, "i2@0=6"));
    CHECK(strstr(rig->story, "i1@") == NULL);
    CHECK_EQ(rig_weight(rig, "i1"), 0);
    CHECK_EQ(rig_facts(rig, "i1").version.counter, 0);
    CHECK_EQ(rig_weight(rig, "i2"), 9);
    rig_free(rig);
}

TEST(a_tombstone_is_put_back_too)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 9);
    peer_deletes(rig, keys_instance("i1"));
    lose_everything(rig, 0);
    CHECK(rig_said(rig, "i1@0=5"));
    rig_free(rig);
}

TEST(a_repair_waits_for_those_before_us_in_the_order_of_its_key)
{
    static const char *const peers[] = {"b", "c", "d", "e", "f"};
    struct rig *rig = rig_new();
    struct key_bytes key = keys_instance("i1");
    uint32_t rank = 0;
    rig_live(rig);
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        peer_node(rig, peers[i], true);
        const uint64_t theirs = rendezvous_weight(key_span(&key), span_str(peers[i]));
        rank += theirs > rendezvous_weight(key_span(&key), SPAN_LIT(RIG_SELF)) ? 1 : 0;
    }
    CHECK(rank > 0);
    repair_plan(rig->core, key_span(&key), "test");
    uint32_t index = 0;
    const struct repair *repair = keymap_at(&rig->core->repairs, &index);
    CHECK(repair != NULL);
    CHECK_EQ(mono_ms_between(rig->core->now.mono, repair->due),
             (int64_t)rank * REPAIR_RANK_STEP_MS);
    rig_free(rig);
}

TEST(a_repair_waits_until_the_partition_is_live)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 9);
    struct key_bytes key = keys_instance("i1");
    rig_down(rig);
    repair_plan(rig->core, key_span(&key), "test");
    rig_tick(rig, 5000);
    CHECK_EQ(rig->core->repairs.count, 1);
    rig_free(rig);
}

TEST(a_local_record_is_never_put_into_the_stream)
{
    struct rig *rig = rig_new();
    struct record policy = {.kind = KEY_POLICY};
    rig_live(rig);
    record_policy_default(&policy.policy);
    policy.policy.scope = SCOPE_LOCAL;
    caller_puts(rig, 1, keys_policy(), &policy);
    rig_put_instance(rig, "i1", 7, false);
    lose_everything(rig, 0);
    CHECK(rig_said(rig, "a@0=1"));
    CHECK(strstr(rig->story, "i1@") == NULL);
    CHECK(strstr(rig->story, " s@") == NULL);
    rig_free(rig);
}

TEST(a_fenced_node_repairs_nothing)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    struct key_bytes key = keys_instance("i1");
    rig->core->fenced = true;
    repair_plan(rig->core, key_span(&key), "test");
    CHECK_EQ(rig->core->repairs.count, 0);
    rig_free(rig);
}

SUITE("core/repair", T(what_the_server_lost_is_put_back_by_who_holds_it),
      T(after_a_resync_repairs_go_before_what_is_new),
      T(what_the_server_holds_again_meanwhile_is_not_put_back), T(a_key_is_planned_once),
      T(what_was_purged_while_we_were_away_is_dropped), T(a_tombstone_is_put_back_too),
      T(a_repair_waits_for_those_before_us_in_the_order_of_its_key),
      T(a_repair_waits_until_the_partition_is_live), T(a_local_record_is_never_put_into_the_stream),
      T(a_fenced_node_repairs_nothing));
