// SPDX-License-Identifier: Apache-2.0
// Joining, lapses, fencing, and when a node is ready.
#include "replicator/core/presence.h"

#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <string.h>

static struct node node_of(struct rig *rig, const char *name)
{
    static struct map_copy copy;
    struct key_bytes key = keys_node(name);
    struct record record;
    CHECK(map_get(rig->map, key_span(&key), &copy));
    CHECK_OK(codec_body_read(KEY_NODE, map_copy_body(&copy), &record));
    CHECK_UEQ(record.node.incarnation == 0, false);
    return record.node;
}

// A record of our own name, as another process of that name would write it.
static void twin(struct rig *rig, uint64_t incarnation)
{
    const struct record record = {.kind = KEY_NODE,
                                  .node = {.incarnation = incarnation, .up = true}};
    struct key_bytes key = keys_node(RIG_SELF);
    rig_record(rig, key_span(&key), incarnation, &record);
}

// Live with a peer b that is up and beats.
static struct rig *rig_with_b(void)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    peer_node(rig, "b", true);
    rig_beat(rig, 1000, NULL, "b");
    rig_clear(rig);
    return rig;
}

static void leave(struct rig *rig)
{
    const struct core_event event = {.type = CORE_EV_LEAVE};
    rig_step(rig, &event);
}

// --- joining

TEST(the_incarnation_of_a_joined_node_is_its_records_counter)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    CHECK(rig->core->joined);
    CHECK_UEQ(rig->core->incarnation, 1);
    CHECK_UEQ(node_of(rig, RIG_SELF).incarnation, 1);
    CHECK(node_of(rig, RIG_SELF).up);
    rig_free(rig);
}

TEST(a_node_that_comes_back_joins_above_its_earlier_life)
{
    struct rig *rig = rig_new();
    rig_connect(rig);
    twin(rig, 7); // of the life before: the first try to join did not know of it
    rig_refuse(rig, SPAN_NONE);
    rig_clear(rig);
    rig_tick(rig, 300);
    CHECK(rig_said(rig, "put a@7=8"));
    rig_settle(rig);
    CHECK_UEQ(rig->core->incarnation, 8);
    CHECK_UEQ(node_of(rig, RIG_SELF).incarnation, 8);
    CHECK(!rig->core->fenced);
    rig_free(rig);
}

TEST(a_refused_joining_is_tried_again)
{
    struct rig *rig = rig_new();
    rig_connect(rig);
    rig_tick(rig, 100);
    CHECK(rig_said(rig, "put a@0=1"));
    rig_refuse(rig, SPAN_NONE);
    CHECK(!rig->core->joined);
    CHECK(!rig->put_open);
    rig_tick(rig, 300);
    CHECK(rig->put_open);
    rig_settle(rig);
    CHECK(rig->core->joined);
    rig_free(rig);
}

// --- fencing

TEST(a_greater_incarnation_of_the_own_name_fences)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig->log = true;
    twin(rig, 9);
    CHECK(rig_told(rig, "fenced by 9"));
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_FENCED);
    rig_put_instance(rig, "i1", 7, false);
    CHECK(rig_told(rig, "done 7 fenced"));
    CHECK_EQ(rig_weight(rig, "i1"), 0);
    rig_free(rig);
}

TEST(whatever_is_pending_is_answered_by_a_fence)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, true); // in the air
    rig_put_instance(rig, "i1", 8, true); // waits behind it
    rig_put_instance(rig, "i2", 9, true); // waits for the next call
    rig_clear(rig);
    twin(rig, 9);
    CHECK(rig_said(rig, "done 7 fenced"));
    CHECK(rig_said(rig, "done 8 fenced"));
    CHECK(rig_said(rig, "done 9 fenced"));
    CHECK_EQ(core_get_pending(rig->core), 0);
    CHECK_EQ(rig_weight(rig, "i1"), 0); // nothing is shown that the stream does not hold
    rig_clear(rig);
    rig_accept(rig); // the reply of the call that was in the air
    rig_tick(rig, 5000);
    CHECK(strstr(rig->story, "put") == NULL);
    rig_free(rig);
}

TEST(a_conditional_write_in_the_air_is_unknown_to_a_fenced_node)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    struct key_bytes key = keys_instance("i1");
    const struct patch patch = {
        .op = PATCH_PUT,
        .record = {.kind = KEY_REGISTRATION,
                   .registration = {.address = SPAN_LIT("10.0.0.1"), .port = 80, .weight = 1}}};
    const struct core_write write = {
        .op = 5, .key = key_span(&key), .patch = &patch, .precondition = CORE_IF_ABSENT};
    rig_write(rig, &write);
    rig_clear(rig);
    twin(rig, 9);
    CHECK(rig_told(rig, "done 5 unknown"));
    rig_free(rig);
}

TEST(a_fenced_node_does_not_beat)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_beat(rig, 1000, NULL, NULL);
    twin(rig, 9);
    rig_clear(rig);
    rig_tick(rig, 4000);
    CHECK(strstr(rig->story, "beat") == NULL);
    rig_free(rig);
}

// The first heartbeat of a connection is sent before anything was read.
TEST(a_node_that_has_gone_live_again_says_so_without_waiting_for_its_next_heartbeat)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_down(rig);
    rig_up(rig);
    rig_clear(rig);
    rig_tick(rig, 20);
    CHECK(rig_told(rig, "beat"));
    rig_beat(rig, 1000, NULL, NULL);
    rig_tick(rig, 200);
    CHECK(rig_told(rig, ""));
    rig_meta(rig, rig->sequence);
    rig_probe(rig, true);
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_LIVE);
    rig_clear(rig);
    rig_tick(rig, 20);
    CHECK(rig_told(rig, "beat"));
    rig_beat(rig, 1100, NULL, NULL);
    rig_tick(rig, 200);
    CHECK(rig_told(rig, "")); // it is said
    rig_free(rig);
}

// Whether it fences cannot be read.
TEST(a_node_whose_own_record_becomes_unreadable_publishes_nothing_more)
{
    struct rig *rig = rig_new();
    char value[RECORD_LEN_MAX];
    struct key_bytes key = keys_node(RIG_SELF);
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, true); // in the air
    struct key_bytes instance = keys_instance("i1");
    const struct patch patch = {.op = PATCH_DELETE, .record = {.kind = KEY_REGISTRATION}};
    const struct core_write write = {
        .op = 5, .key = key_span(&instance), .patch = &patch, .precondition = CORE_IF_EXISTS};
    rig_write(rig, &write); // waits for it
    rig->log = true;
    rig_clear(rig);
    const struct stream_pair pair = {.key = key_span(&key), .value = future_of(key, 4, value)};
    peer_bytes(rig, &pair, 0);
    CHECK(rig_told(rig, "misconfigured\nrejected wire_version\ndone 5 unavailable"));
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_MISCONFIGURED);
    rig_accept(rig);
    CHECK(rig_said(rig, "done 7 accepted"));
    rig_echo(rig);
    rig_clear(rig);
    rig_put_instance(rig, "i2", 8, false);
    CHECK(rig_told(rig, "done 8 applied")); // and is not put
    rig_tick(rig, 2000);
    CHECK(strstr(rig->story, "beat") == NULL);
    rig_free(rig);
}

TEST(the_same_incarnation_does_not_fence)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    twin(rig, 1); // our own record again
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_LIVE);
    rig_free(rig);
}

TEST(a_node_that_a_peer_thought_gone_rises_again)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    const struct record down = {.kind = KEY_NODE, .node = {.incarnation = 1, .up = false}};
    peer_shows(rig, keys_node(RIG_SELF), &down);
    rig_tick(rig, 100);
    rig_settle(rig);
    CHECK(node_of(rig, RIG_SELF).up);
    CHECK_UEQ(node_of(rig, RIG_SELF).incarnation, 1);
    CHECK(!rig->core->fenced);
    rig_free(rig);
}

// --- lapses

TEST(a_peer_that_lapsed_is_written_down_once_and_its_entry_forgotten)
{
    struct rig *rig = rig_with_b();
    rig_beat(rig, 5000, "b", NULL);
    CHECK(rig_told(rig, "forget b\nput b@1=2"));
    CHECK(!node_of(rig, "b").up);
    rig_settle(rig);
    rig_clear(rig);
    rig_beat(rig, 6000, "b", NULL);
    CHECK(rig_told(rig, "forget b"));
    rig_free(rig);
}

TEST(no_lapse_is_believed_in_the_grace)
{
    struct rig *rig = rig_with_b();
    rig->in_grace = true;
    rig_beat(rig, 5000, "b", NULL);
    CHECK(rig_told(rig, ""));
    CHECK(node_of(rig, "b").up);
    rig_free(rig);
}

TEST(no_lapse_is_believed_of_a_peer_that_beats)
{
    struct rig *rig = rig_with_b();
    rig_beat(rig, 5000, "b", "b"); // it came back at this moment
    CHECK(rig_told(rig, ""));
    CHECK(node_of(rig, "b").up);
    rig_free(rig);
}

TEST(our_own_lapse_is_not_ours_to_write)
{
    struct rig *rig = rig_with_b();
    rig_beat(rig, 5000, RIG_SELF, "b");
    CHECK(rig_told(rig, ""));
    CHECK(node_of(rig, RIG_SELF).up);
    rig_free(rig);
}

TEST(a_peer_without_an_entry_is_down_after_one_lease)
{
    struct rig *rig = rig_with_b();
    for (int64_t server_ms = 2000; server_ms <= 4000; server_ms += 1000) {
        rig_beat(rig, server_ms, NULL, NULL); // neither there nor said to have lapsed
        rig_tick(rig, 1000);
        CHECK(node_of(rig, "b").up);
    }
    rig_beat(rig, 5000, NULL, NULL);
    CHECK(!node_of(rig, "b").up);
    rig_free(rig);
}

TEST(a_peer_whose_entry_returns_in_time_stays_up)
{
    struct rig *rig = rig_with_b();
    for (int64_t server_ms = 2000; server_ms <= 20000; server_ms += 1000) {
        rig_beat(rig, server_ms, NULL, server_ms % 3000 == 0 ? "b" : NULL);
        rig_tick(rig, 1000);
    }
    CHECK(node_of(rig, "b").up);
    rig_free(rig);
}

TEST(the_servers_clock_goes_on_between_heartbeats)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    CHECK_EQ(presence_server_now(rig->core), 0);
    rig_beat(rig, 70000, NULL, NULL);
    CHECK_EQ(presence_server_now(rig->core), 70000);
    rig_tick(rig, 500);
    CHECK_EQ(presence_server_now(rig->core), 70500);
    rig_free(rig);
}

// --- leaving

TEST(a_node_that_leaves_writes_itself_down_and_forgets_its_entry)
{
    struct rig *rig = rig_with_b();
    leave(rig);
    CHECK(rig_told(rig, "forget a\nput a@1=2"));
    rig_settle(rig);
    CHECK(!node_of(rig, RIG_SELF).up);
    rig_clear(rig);
    leave(rig); // again changes nothing
    rig_tick(rig, 2000);
    CHECK(strstr(rig->story, "beat") == NULL);
    CHECK(!rig->put_open);
    CHECK(!node_of(rig, RIG_SELF).up); // and it does not rise again
    rig_free(rig);
}

// --- ready

TEST(a_node_without_a_server_is_ready_and_stale_after_the_given_time)
{
    struct rig *rig = rig_new();
    rig->log = true;
    rig_tick(rig, 1900);
    CHECK(!core_is_ready(rig->core));
    rig_tick(rig, 300);
    CHECK(core_is_ready(rig->core));
    CHECK(core_was_stale_start(rig->core));
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_STALE);
    rig_put_instance(rig, "i1", 7, false);
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    rig_connect(rig); // the server appears
    rig_tick(rig, 100);
    rig_settle(rig);
    CHECK(!core_was_stale_start(rig->core));
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_LIVE);
    rig_free(rig);
}

TEST(a_node_that_may_not_start_alone_waits_for_its_server)
{
    struct rig *rig = rig_new();
    rig->core->options.start_without_ms = 0;
    rig_tick(rig, 20000);
    CHECK(!core_is_ready(rig->core));
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_CONNECTING);
    rig_free(rig);
}

TEST(a_node_whose_server_was_there_once_is_not_ready_by_waiting)
{
    struct rig *rig = rig_new();
    rig_up(rig);
    rig_down(rig);
    rig_tick(rig, 20000);
    CHECK(!core_is_ready(rig->core));
    rig_free(rig);
}

static struct rig *rig_at_a_shared_empty_server(void)
{
    struct rig *rig = rig_new();
    rig->core->options.private_stream = false;
    rig_connect(rig);
    rig->core->sessions[0].born_ms = 100000; // made a moment ago
    rig_tick(rig, 100);
    CHECK(!core_is_ready(rig->core));
    return rig;
}

TEST(at_a_young_server_a_node_waits_for_those_that_may_hold_what_it_lost)
{
    struct rig *rig = rig_at_a_shared_empty_server();
    rig_beat(rig, 101900, NULL, NULL); // a third of a lease and a second have not passed
    rig_tick(rig, 50);
    CHECK(!core_is_ready(rig->core));
    rig_beat(rig, 102000, NULL, NULL);
    rig_tick(rig, 50);
    CHECK(core_is_ready(rig->core));
    rig_free(rig);
}

TEST(a_peer_that_is_ahead_of_the_server_keeps_a_node_from_being_ready_for_two_leases)
{
    struct rig *rig = rig_at_a_shared_empty_server();
    rig->payload = SPAN_LIT("v=1;i=1;s=live;p=7:3-abc:01234567;");
    for (int i = 0; i < 5; i++) {
        rig_beat(rig, 110000 + i * 1000, NULL, "b");
        rig_tick(rig, 1000);
        CHECK(!core_is_ready(rig->core));
    }
    rig_tick(rig, 1200);
    CHECK(core_is_ready(rig->core));
    rig_free(rig);
}

TEST(a_conditional_write_before_that_is_told_not_ready)
{
    struct rig *rig = rig_at_a_shared_empty_server();
    struct key_bytes key = keys_instance("i1");
    const struct patch patch = {.op = PATCH_DELETE, .record = {.kind = KEY_REGISTRATION}};
    const struct core_write write = {
        .op = 3, .key = key_span(&key), .patch = &patch, .precondition = CORE_IF_EXISTS};
    rig_clear(rig);
    rig_write(rig, &write);
    CHECK(rig_told(rig, "done 3 not_ready"));
    rig_put_instance(rig, "i1", 7, false); // an unconditional one is taken, and kept until then
    CHECK(rig_told(rig, "done 7 applied"));
    rig_free(rig);
}

SUITE("core/presence", T(the_incarnation_of_a_joined_node_is_its_records_counter),
      T(a_node_that_comes_back_joins_above_its_earlier_life), T(a_refused_joining_is_tried_again),
      T(a_greater_incarnation_of_the_own_name_fences),
      T(whatever_is_pending_is_answered_by_a_fence),
      T(a_conditional_write_in_the_air_is_unknown_to_a_fenced_node), T(a_fenced_node_does_not_beat),
      T(a_node_that_has_gone_live_again_says_so_without_waiting_for_its_next_heartbeat),
      T(a_node_whose_own_record_becomes_unreadable_publishes_nothing_more),
      T(the_same_incarnation_does_not_fence), T(a_node_that_a_peer_thought_gone_rises_again),
      T(a_peer_that_lapsed_is_written_down_once_and_its_entry_forgotten),
      T(no_lapse_is_believed_in_the_grace), T(no_lapse_is_believed_of_a_peer_that_beats),
      T(our_own_lapse_is_not_ours_to_write), T(a_peer_without_an_entry_is_down_after_one_lease),
      T(a_peer_whose_entry_returns_in_time_stays_up),
      T(the_servers_clock_goes_on_between_heartbeats),
      T(a_node_that_leaves_writes_itself_down_and_forgets_its_entry),
      T(a_node_without_a_server_is_ready_and_stale_after_the_given_time),
      T(a_node_that_may_not_start_alone_waits_for_its_server),
      T(a_node_whose_server_was_there_once_is_not_ready_by_waiting),
      T(at_a_young_server_a_node_waits_for_those_that_may_hold_what_it_lost),
      T(a_peer_that_is_ahead_of_the_server_keeps_a_node_from_being_ready_for_two_leases),
      T(a_conditional_write_before_that_is_told_not_ready));
