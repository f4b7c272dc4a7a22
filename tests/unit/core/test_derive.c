// SPDX-License-Identifier: Apache-2.0
// Health as it is shown: overrides, votes, the guard, and what is announced.
#include "replicator/core/derive.h"

#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <stdio.h>
#include <string.h>

#define MANY (DIRTY_MAX + 20)

// Peers n1, n2 and n3 are up, and every node that is up has a voice.
static struct rig *rig_with_peers(void)
{
    struct rig *rig = rig_new();
    struct policy policy;
    rig_live(rig);
    peer_node(rig, "n1", true);
    peer_node(rig, "n2", true);
    peer_node(rig, "n3", true);
    record_policy_default(&policy);
    policy.observers = OBSERVERS_ALL;
    peer_policy(rig, &policy);
    rig_clear(rig);
    return rig;
}

static const char *const names[] = {"i1", "i2", "i3", "i4"};

TEST(an_override_wins_over_every_vote)
{
    struct rig *rig = rig_with_peers();
    peer_registers(rig, "i1");
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    peer_votes(rig, "i1", "n1", STATUS_UNHEALTHY);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    peer_overrides(rig, "i1", STATUS_HEALTHY);
    CHECK(rig_health_is(rig, "i1", "HEALTHY OperatorDrain overridden"));
    peer_votes(rig, "i1", "n2", STATUS_UNHEALTHY);
    CHECK(rig_health_is(rig, "i1", "HEALTHY OperatorDrain overridden"));
    peer_deletes(rig, keys_override("i1"));
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    rig_free(rig);
}

TEST(the_votes_of_live_nodes_make_the_status)
{
    static const struct {
        enum status n1, n2, n3;
        const char *expected;
    } rows[] = {
        {STATUS_HEALTHY, STATUS_HEALTHY, STATUS_HEALTHY, "HEALTHY CheckPassed"},
        {STATUS_UNHEALTHY, STATUS_HEALTHY, STATUS_HEALTHY, "DEGRADED Minority"},
        {STATUS_UNHEALTHY, STATUS_UNHEALTHY, STATUS_HEALTHY, "UNHEALTHY ConnectRefused"},
        {STATUS_TIMEOUT, STATUS_TIMEOUT, STATUS_TIMEOUT, "TIMEOUT ConnectRefused"},
        {STATUS_UNKNOWN, STATUS_UNKNOWN, STATUS_HEALTHY, "HEALTHY CheckPassed"},
    };
    struct rig *rig = rig_with_peers();
    peer_registers(rig, "i1");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        peer_votes(rig, "i1", "n1", rows[i].n1);
        peer_votes(rig, "i1", "n2", rows[i].n2);
        peer_votes(rig, "i1", "n3", rows[i].n3);
        CHECK(rig_health_is(rig, "i1", rows[i].expected));
    }
    rig_free(rig);
}

TEST(a_node_that_goes_down_loses_its_voice)
{
    struct rig *rig = rig_with_peers();
    peer_registers(rig, "i1");
    peer_votes(rig, "i1", "n1", STATUS_UNHEALTHY);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    peer_node(rig, "n1", false);
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    peer_node(rig, "n1", true);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    rig_free(rig);
}

TEST(a_policy_of_other_observers_gives_voices_to_others)
{
    struct rig *rig = rig_with_peers();
    struct policy policy;
    record_policy_default(&policy);
    policy.observers = OBSERVERS_LOCAL; // a peer's probe from afar has no voice
    peer_registers(rig, "i1");
    peer_votes(rig, "i1", "n1", STATUS_UNHEALTHY);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    peer_policy(rig, &policy);
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    policy.observers = OBSERVERS_ALL;
    peer_policy(rig, &policy);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    rig_free(rig);
}

TEST(the_order_in_which_records_come_is_forgotten)
{
    struct rig *rig = rig_with_peers();
    peer_votes(rig, "i1", "n1", STATUS_UNHEALTHY);
    peer_overrides(rig, "i2", STATUS_DRAINING);
    peer_registers(rig, "i1");
    peer_registers(rig, "i2");
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    CHECK(rig_health_is(rig, "i2", "DRAINING OperatorDrain overridden"));
    rig_free(rig);
}

TEST(the_guard_shows_all_bad_instances_degraded_and_lets_go_again)
{
    struct rig *rig = rig_with_peers();
    for (int i = 0; i < 4; i++) {
        peer_registers(rig, names[i]);
        peer_votes(rig, names[i], "n1", i < 2 ? STATUS_UNHEALTHY : STATUS_HEALTHY);
    }
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused")); // half is not more than half
    peer_votes(rig, "i3", "n1", STATUS_UNHEALTHY);
    CHECK(rig_health_is(rig, "i1", "DEGRADED Guarded guarded"));
    CHECK(rig_health_is(rig, "i2", "DEGRADED Guarded guarded"));
    CHECK(rig_health_is(rig, "i3", "DEGRADED Guarded guarded"));
    CHECK(rig_health_is(rig, "i4", "HEALTHY CheckPassed"));
    CHECK_EQ(rig_facts(rig, "i1").health.health.raw_status, STATUS_UNHEALTHY);
    peer_votes(rig, "i2", "n1", STATUS_HEALTHY);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    CHECK(rig_health_is(rig, "i2", "HEALTHY CheckPassed"));
    CHECK(rig_health_is(rig, "i3", "UNHEALTHY ConnectRefused"));
    rig_free(rig);
}

TEST(three_instances_are_not_guarded_and_the_fourth_brings_the_guard)
{
    struct rig *rig = rig_with_peers();
    for (int i = 0; i < 3; i++) {
        peer_registers(rig, names[i]);
        peer_votes(rig, names[i], "n1", STATUS_UNHEALTHY);
        CHECK(rig_health_is(rig, names[i], "UNHEALTHY ConnectRefused"));
    }
    peer_registers(rig, "i4");
    CHECK(rig_health_is(rig, "i1", "DEGRADED Guarded guarded"));
    peer_deletes(rig, keys_instance("i4"));
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    rig_free(rig);
}

TEST(an_override_is_never_guarded)
{
    struct rig *rig = rig_with_peers();
    for (int i = 0; i < 4; i++) {
        peer_registers(rig, names[i]);
        peer_votes(rig, names[i], "n1", STATUS_UNHEALTHY);
    }
    peer_overrides(rig, "i1", STATUS_UNHEALTHY);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY OperatorDrain overridden"));
    CHECK(rig_health_is(rig, "i2", "DEGRADED Guarded guarded"));
    rig_free(rig);
}

TEST(a_policy_that_allows_more_lets_the_guard_go)
{
    struct rig *rig = rig_with_peers();
    struct policy policy;
    for (int i = 0; i < 4; i++) {
        peer_registers(rig, names[i]);
        peer_votes(rig, names[i], "n1", STATUS_UNHEALTHY);
    }
    CHECK(rig_health_is(rig, "i4", "DEGRADED Guarded guarded"));
    record_policy_default(&policy);
    policy.observers = OBSERVERS_ALL;
    policy.max_unhealthy_percent = 100;
    peer_policy(rig, &policy);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    CHECK(rig_health_is(rig, "i4", "UNHEALTHY ConnectRefused"));
    rig_free(rig);
}

TEST(only_a_change_of_what_is_shown_is_announced)
{
    struct rig *rig = rig_with_peers();
    peer_registers(rig, "i1");
    uint64_t index = map_index(rig->map);
    peer_votes(rig, "i1", "n1", STATUS_HEALTHY);
    CHECK_UEQ(map_index(rig->map), index + 1);
    peer_votes(rig, "i1", "n1", STATUS_HEALTHY); // a new version, a new since
    peer_votes(rig, "i1", "n2", STATUS_HEALTHY); // another vote for the same
    CHECK_UEQ(map_index(rig->map), index + 1);
    peer_registers(rig, "i1"); // the same content under a greater version
    CHECK_UEQ(map_index(rig->map), index + 1);
    rig_entry(rig, "i1", 40, 9); // another weight
    CHECK_UEQ(map_index(rig->map), index + 2);
    rig_free(rig);
}

TEST(our_own_echo_is_not_announced)
{
    struct rig *rig = rig_with_peers();
    rig_put_instance(rig, "i1", 7, false);
    uint64_t index = map_index(rig->map);
    rig_settle(rig);
    CHECK_EQ(rig_facts(rig, "i1").version.counter, 1);
    CHECK_UEQ(map_index(rig->map), index);
    rig_free(rig);
}

TEST(an_announced_change_stands_in_the_feed_by_its_key)
{
    struct rig *rig = rig_with_peers();
    struct map_change change;
    peer_registers(rig, "i1");
    uint64_t index = map_index(rig->map);
    peer_deletes(rig, keys_instance("i1"));
    CHECK_EQ(map_feed_next(rig->map, index, &change), FEED_OK);
    struct key_bytes key = keys_instance("i1");
    CHECK(span_eq(key_span(&change.key), key_span(&key)));
    CHECK_UEQ(change.index, map_index(rig->map));
    rig_free(rig);
}

TEST(what_is_deleted_and_registered_again_starts_anew)
{
    struct rig *rig = rig_with_peers();
    rig->log = true;
    peer_registers(rig, "i1");
    peer_votes(rig, "i1", "n1", STATUS_HEALTHY);
    int64_t since = rig_facts(rig, "i1").health.since_ms;
    peer_deletes(rig, keys_observation("i1", "n1"));
    peer_deletes(rig, keys_instance("i1"));
    CHECK(derive_instance(rig->core, SPAN_LIT("default\0s\0i1")) == NULL);
    rig_tick(rig, 1000);
    rig_clear(rig);
    uint64_t index = map_index(rig->map);
    peer_registers(rig, "i1");
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    CHECK_UEQ(map_index(rig->map), index + 1);
    CHECK_INT(rig_facts(rig, "i1").health.since_ms, ge, since + 1000);
    peer_votes(rig, "i1", "n1", STATUS_HEALTHY);
    CHECK(rig_told(rig, "health i1 UNKNOWN->HEALTHY CheckPassed"));
    rig_free(rig);
}

// One entry deletes and registers: both are merged before the instance is judged.
TEST(what_went_and_came_within_one_step_is_announced_as_new)
{
    struct rig *rig = rig_with_peers();
    static char value[RECORD_LEN_MAX];
    peer_registers(rig, "i1");
    peer_votes(rig, "i1", "n1", STATUS_HEALTHY);
    struct key_bytes key = keys_instance("i1");
    uint64_t index = map_index(rig->map);
    static struct map_copy copy;
    CHECK(map_get(rig->map, key_span(&key), &copy));
    size_t len = codec_value_write(key_span(&key), (struct version){2, 1}, map_copy_body(&copy),
                                   value, sizeof(value));
    struct codec_value parsed;
    CHECK_OK(codec_value_parse(span_of(value, len), &parsed));
    const struct stream_pair pairs[] = {{.key = key_span(&key)},
                                        {.key = key_span(&key), .value = span_of(value, len)}};
    struct stream_event event = {.type = STREAM_EV_ENTRY};
    rig->digest.sum = (rig->digest.sum - copy.facts.hash + parsed.hash) & CODEC_HASH_MASK;
    event.entry = (struct stream_entry){.id = {++rig->id, 0},
                                        .valid = true,
                                        .sequence = ++rig->sequence,
                                        .digest = rig->digest,
                                        .floor = 1,
                                        .pairs = pairs,
                                        .count = 2};
    memcpy(event.entry.epoch.text, rig->epoch, sizeof(rig->epoch));
    rig_stream(rig, &event);
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_LIVE);
    CHECK(rig_health_is(rig, "i1", "HEALTHY CheckPassed"));
    CHECK_INT(map_index(rig->map), gt, index);
    rig_free(rig);
}

// Observations and overrides may come first: a scan brings records in any order.
TEST(what_is_said_before_a_registration_comes_counts_when_it_does)
{
    struct rig *rig = rig_with_peers();
    uint64_t index = map_index(rig->map);
    peer_votes(rig, "i1", "n1", STATUS_UNHEALTHY);
    peer_votes(rig, "i1", "n2", STATUS_HEALTHY);
    peer_overrides(rig, "i2", STATUS_DRAINING);
    CHECK_UEQ(map_index(rig->map), index); // of nobody there is nothing to tell
    CHECK_EQ(rig->core->instances.count, 2);
    peer_node(rig, "n1", false);
    peer_node(rig, "n1", true); // all are judged again, also those that nobody registered
    CHECK_EQ(rig->core->instances.count, 2);
    peer_registers(rig, "i1");
    peer_registers(rig, "i2");
    CHECK(rig_health_is(rig, "i1", "DEGRADED Minority"));
    CHECK(rig_health_is(rig, "i2", "DRAINING OperatorDrain overridden"));
    rig_free(rig);
}

TEST(what_was_said_is_kept_while_nobody_is_registered_and_then_forgotten)
{
    struct rig *rig = rig_with_peers();
    struct map_change change;
    peer_registers(rig, "i1");
    peer_votes(rig, "i1", "n1", STATUS_UNHEALTHY);
    peer_overrides(rig, "i1", STATUS_DRAINING);
    uint64_t index = map_index(rig->map);
    peer_deletes(rig, keys_instance("i1"));
    CHECK_EQ(map_feed_next(rig->map, index, &change), FEED_OK);
    CHECK_UEQ(change.index, map_index(rig->map)); // told once
    peer_registers(rig, "i1");
    CHECK(rig_health_is(rig, "i1", "DRAINING OperatorDrain overridden"));
    peer_deletes(rig, keys_override("i1"));
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    peer_deletes(rig, keys_instance("i1"));
    CHECK_EQ(rig->core->instances.count, 1);
    peer_deletes(rig, keys_observation("i1", "n1"));
    CHECK_EQ(rig->core->instances.count, 0);
    rig_free(rig);
}

TEST(more_instances_than_the_list_of_one_step_holds_are_all_judged)
{
    struct rig *rig = rig_with_peers();
    struct policy policy;
    char name[16];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "m%d", i);
        peer_registers(rig, name);
        peer_votes(rig, name, "n1", STATUS_UNHEALTHY);
        CHECK(rig_health_is(rig, name,
                            i < 3 ? "UNHEALTHY ConnectRefused" : "DEGRADED Guarded guarded"));
    }
    record_policy_default(&policy);
    policy.max_unhealthy_percent = 100;
    policy.observers = OBSERVERS_LOCAL; // n1 is not local: no voice any more
    peer_policy(rig, &policy);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "m%d", i);
        CHECK(rig_health_is(rig, name, "UNKNOWN NoObservation"));
    }
    rig_free(rig);
}

TEST(a_service_without_instances_and_policy_is_forgotten)
{
    struct rig *rig = rig_with_peers();
    peer_registers(rig, "i1");
    CHECK_EQ(rig->core->services.count, 1);
    peer_deletes(rig, keys_policy());
    CHECK_EQ(rig->core->services.count, 1);
    peer_deletes(rig, keys_instance("i1"));
    CHECK_EQ(rig->core->services.count, 0);
    CHECK_EQ(rig->core->instances.count, 0);
    rig_free(rig);
}

SUITE("core/derive", T(an_override_wins_over_every_vote),
      T(the_votes_of_live_nodes_make_the_status), T(a_node_that_goes_down_loses_its_voice),
      T(a_policy_of_other_observers_gives_voices_to_others),
      T(the_order_in_which_records_come_is_forgotten),
      T(the_guard_shows_all_bad_instances_degraded_and_lets_go_again),
      T(three_instances_are_not_guarded_and_the_fourth_brings_the_guard),
      T(an_override_is_never_guarded), T(a_policy_that_allows_more_lets_the_guard_go),
      T(only_a_change_of_what_is_shown_is_announced), T(our_own_echo_is_not_announced),
      T(an_announced_change_stands_in_the_feed_by_its_key),
      T(what_is_deleted_and_registered_again_starts_anew),
      T(what_went_and_came_within_one_step_is_announced_as_new),
      T(what_is_said_before_a_registration_comes_counts_when_it_does),
      T(what_was_said_is_kept_while_nobody_is_registered_and_then_forgotten),
      T(more_instances_than_the_list_of_one_step_holds_are_all_judged),
      T(a_service_without_instances_and_policy_is_forgotten));
