// SPDX-License-Identifier: Apache-2.0
// What the driver reads between steps.
#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <string.h>

static enum core_partition_state partition_state(struct rig *rig)
{
    struct core_partition_view view;
    core_get_partition(rig->core, 0, &view);
    return view.state;
}

TEST(a_partition_goes_from_connecting_over_snapshot_and_tail_to_live)
{
    struct rig *rig = rig_new();
    CHECK_EQ(partition_state(rig), CORE_PARTITION_CONNECTING);
    rig_up(rig);
    CHECK_EQ(partition_state(rig), CORE_PARTITION_SNAPSHOT);
    rig_no_meta(rig);
    rig_meta(rig, 0);
    rig_scan_end(rig);
    CHECK_EQ(partition_state(rig), CORE_PARTITION_SNAPSHOT);
    rig_meta(rig, 1); // one entry came while it was scanned
    CHECK_EQ(partition_state(rig), CORE_PARTITION_TAIL);
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_SNAPSHOT);
    rig_entry(rig, "i1", 1, 5);
    CHECK_EQ(partition_state(rig), CORE_PARTITION_LIVE);
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_LIVE);
    rig_tick(rig, 100); // ready
    rig_down(rig);
    CHECK_EQ(partition_state(rig), CORE_PARTITION_STALE);
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_STALE);
    rig_free(rig);
}

TEST(a_partition_tells_its_place_and_what_is_pending)
{
    struct rig *rig = rig_new();
    struct core_partition_view view;
    rig_live(rig);
    rig_entry(rig, "i1", 1, 5);
    rig_put_instance(rig, "i2", 7, false);
    core_get_partition(rig->core, 0, &view);
    CHECK_UEQ(view.position.sequence, 2);
    CHECK_UEQ(view.position.id.ms, 2);
    CHECK_STR(view.position.epoch.text, rig->epoch);
    CHECK_UEQ(view.position.digest.count, 2);
    CHECK_UEQ(view.position.digest.sum, rig->digest.sum);
    CHECK_UEQ(view.pending, 1);
    CHECK_UEQ(core_get_pending(rig->core), 1);
    rig_settle(rig);
    core_get_partition(rig->core, 0, &view);
    CHECK_UEQ(view.pending, 0);
    CHECK_UEQ(core_get_pending(rig->core), 0);
    rig_free(rig);
}

TEST(nodes_are_told_by_record_and_by_heartbeat)
{
    struct rig *rig = rig_new();
    struct core_node_view nodes[4];
    rig_live(rig);
    peer_node(rig, "b", true);
    rig->payload = SPAN_LIT("v=1;i=4;r=1.2;z=west;s=live;l=17;d=3-abc;");
    rig_beat(rig, 1000, NULL, "c"); // beats, and has no record
    rig_tick(rig, 200);
    CHECK_UEQ(core_get_nodes(rig->core, nodes, 1), 1);
    size_t count = core_get_nodes(rig->core, nodes, 4);
    CHECK_UEQ(count, 3);
    for (size_t i = 0; i < count; i++) {
        const struct core_node_view *node = &nodes[i];
        if (strcmp(node->id, "a") == 0) {
            CHECK(node->up);
            CHECK_UEQ(node->incarnation, 1);
            CHECK_EQ(node->beat_age_ms, 200);
        } else if (strcmp(node->id, "b") == 0) {
            CHECK(node->up);
            CHECK_EQ(node->beat_age_ms, -1);
            CHECK_EQ(node->lag_ms, -1);
        } else {
            CHECK_STR(node->id, "c");
            CHECK(!node->up);
            CHECK_STR(node->zone, "west");
            CHECK_STR(node->release, "1.2");
            CHECK_STR(node->state, "live");
            CHECK_STR(node->digest, "3-abc");
            CHECK_EQ(node->lag_ms, 17);
            CHECK(node->agrees);
        }
    }
    CHECK(core_knows_node(rig->core, SPAN_LIT("a")));
    CHECK(core_knows_node(rig->core, SPAN_LIT("c")));
    CHECK(!core_knows_node(rig->core, SPAN_LIT("d")));
    rig_free(rig);
}

TEST(counters_tell_what_was_published_and_read)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    CHECK_UEQ(core_get_counter(rig->core, CORE_PUBLISHED), 1); // our joining
    CHECK_UEQ(core_get_counter(rig->core, CORE_CONSUMED), 0);
    rig_entry(rig, "i1", 4, 9);
    CHECK_UEQ(core_get_counter(rig->core, CORE_CONSUMED), 1);
    rig_put_instance(rig, "i1", 7, false);
    rig_settle(rig);
    CHECK_UEQ(core_get_counter(rig->core, CORE_PUBLISHED), 2);
    CHECK_UEQ(core_get_counter(rig->core, CORE_CONSUMED), 1); // our own echo is none
    rig_entry(rig, "i1", 2, 3);
    CHECK_UEQ(core_get_counter(rig->core, CORE_STALE_ENTRIES), 1);
    rig_free(rig);
}

SUITE("core/view", T(a_partition_goes_from_connecting_over_snapshot_and_tail_to_live),
      T(a_partition_tells_its_place_and_what_is_pending),
      T(nodes_are_told_by_record_and_by_heartbeat), T(counters_tell_what_was_published_and_read));
