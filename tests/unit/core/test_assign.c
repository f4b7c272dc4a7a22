// SPDX-License-Identifier: Apache-2.0
// Who observes what: k of n by rendezvous, the same on all nodes, moving only what must move.
#include "replicator/core/assign.h"

#include "base/rendezvous.h"
#include "replicator/core/derive.h"
#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <stdio.h>
#include <string.h>

#define INSTANCES 64

static const char *const nodes[] = {"a", "b", "c", "d", "e", "f"};
#define NODES (sizeof(nodes) / sizeof(nodes[0]))

static const char *instance_name(int i)
{
    static char name[16];
    snprintf(name, sizeof(name), "m%d", i);
    return name;
}

static void policy_of(struct rig *rig, uint32_t observers)
{
    struct policy policy;
    record_policy_default(&policy);
    policy.observers = observers;
    policy.check.type = CHECK_TCP;
    peer_policy(rig, &policy);
}

// Node `self` among those `count` first of `nodes` that are up; the same service everywhere.
static struct rig *rig_as(const char *self, size_t count, uint32_t observers)
{
    struct rig *rig = rig_new();
    rig->core->options.node_id = span_str(self);
    rig_live(rig);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(nodes[i], self) != 0) {
            peer_node(rig, nodes[i], true);
        }
    }
    policy_of(rig, observers);
    for (int i = 0; i < INSTANCES; i++) {
        peer_registers(rig, instance_name(i));
    }
    return rig;
}

static bool probes(struct rig *rig, int i)
{
    struct key_bytes key = keys_instance(instance_name(i));
    const struct instance *instance = derive_instance(rig->core, key_span(&key));
    CHECK(instance != NULL);
    return instance->probing;
}

TEST(every_instance_is_observed_by_k_nodes_and_all_agree_on_them)
{
    uint32_t observers[INSTANCES] = {0};
    for (size_t n = 0; n < 5; n++) {
        struct rig *rig = rig_as(nodes[n], 5, 3);
        CHECK_UEQ(rig->core->live_nodes, 5);
        for (int i = 0; i < INSTANCES; i++) {
            observers[i] += probes(rig, i) ? 1 : 0;
        }
        rig_free(rig);
    }
    for (int i = 0; i < INSTANCES; i++) {
        CHECK_UEQ(observers[i], 3);
    }
}

TEST(who_observes_is_who_has_a_voice_in_the_eyes_of_another)
{
    struct rig *a = rig_as("a", 5, 2);
    struct rig *b = rig_as("b", 5, 2);
    for (int i = 0; i < INSTANCES; i++) {
        struct key_bytes key = keys_instance(instance_name(i));
        const struct observation by_a = {.vantage = VANTAGE_PEER, .via = SPAN_LIT("a")};
        const struct instance *in_b = derive_instance(b->core, key_span(&key));
        CHECK_EQ(assign_has_voice(b->core, in_b, &by_a), probes(a, i));
    }
    rig_free(a);
    rig_free(b);
}

TEST(a_node_that_joins_takes_only_what_is_its_own)
{
    struct rig *rig = rig_as("a", 5, 2);
    bool before[INSTANCES];
    int given = 0;
    for (int i = 0; i < INSTANCES; i++) {
        before[i] = probes(rig, i);
    }
    peer_node(rig, "f", true);
    const struct peer *f =
        keymap_get(&rig->core->nodes, SPAN_LIT("f"), core_hash(rig->core, SPAN_LIT("f")));
    for (int i = 0; i < INSTANCES; i++) {
        struct key_bytes key = keys_instance(instance_name(i));
        bool now = probes(rig, i);
        CHECK(!now || before[i]); // nothing comes to an old node because another joined
        if (before[i] && !now) {
            CHECK(assign_rank(rig->core, rendezvous_hash(key_span(&key)), f) < 2);
            given++;
        }
    }
    CHECK_INT(given, gt, 0);
    peer_node(rig, "f", false); // and it all comes back
    for (int i = 0; i < INSTANCES; i++) {
        CHECK_EQ(probes(rig, i), before[i]);
    }
    rig_free(rig);
}

TEST(the_ranks_of_the_live_nodes_are_a_permutation_that_base_computes_too)
{
    struct rig *rig = rig_as("a", NODES, 3);
    struct span names[NODES];
    for (size_t n = 0; n < NODES; n++) {
        names[n] = span_str(nodes[n]);
    }
    for (int i = 0; i < INSTANCES; i++) {
        struct key_bytes key = keys_instance(instance_name(i));
        for (size_t n = 0; n < NODES; n++) {
            const struct peer *peer =
                keymap_get(&rig->core->nodes, names[n], core_hash(rig->core, names[n]));
            CHECK_UEQ(assign_rank(rig->core, rendezvous_hash(key_span(&key)), peer),
                      rendezvous_rank(key_span(&key), names, NODES, n));
        }
    }
    rig_free(rig);
}

TEST(all_or_fewer_nodes_than_observers_means_everybody)
{
    struct rig *all = rig_as("a", 5, OBSERVERS_ALL);
    struct rig *few = rig_as("a", 2, 3);
    for (int i = 0; i < INSTANCES; i++) {
        CHECK(probes(all, i));
        CHECK(probes(few, i));
    }
    rig_free(all);
    rig_free(few);
}

TEST(local_means_the_addresses_of_this_host_only)
{
    struct rig *rig = rig_as("a", 2, OBSERVERS_LOCAL);
    const struct record here = {
        .kind = KEY_REGISTRATION,
        .registration = {.address = SPAN_LIT("127.0.0.1"), .port = 80, .weight = 1}};
    CHECK(!probes(rig, 0)); // 10.0.0.1
    peer_shows(rig, keys_instance("m0"), &here);
    CHECK(probes(rig, 0));
    struct key_bytes key = keys_instance("m0");
    const struct instance *instance = derive_instance(rig->core, key_span(&key));
    struct observation observation = {.vantage = VANTAGE_PEER, .via = SPAN_LIT("b")};
    CHECK(!assign_has_voice(rig->core, instance, &observation));
    observation.vantage = VANTAGE_LOCAL;
    CHECK(assign_has_voice(rig->core, instance, &observation));
    rig_free(rig);
}

TEST(who_stops_looking_takes_its_observation_back)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    policy_of(rig, 3);
    peer_registers(rig, "i1");
    CHECK(rig_said(rig, "probe i1"));
    const struct record record = {.kind = KEY_OBSERVATION,
                                  .observation = {.status = STATUS_HEALTHY,
                                                  .reason = REASON_CHECK_PASSED,
                                                  .vantage = VANTAGE_PEER,
                                                  .via = SPAN_LIT(RIG_SELF)}};
    caller_puts(rig, 1, keys_observation("i1", RIG_SELF), &record);
    rig_settle(rig);
    rig_clear(rig);
    policy_of(rig, OBSERVERS_LOCAL);
    CHECK(rig_told(rig, "unprobe i1\nput a@1=2"));
    CHECK(!rig_shows(rig, keys_observation("i1", RIG_SELF)));
    rig_free(rig);
}

TEST(new_terms_are_told_to_the_checker_and_the_same_ones_are_not)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    policy_of(rig, 3);
    peer_registers(rig, "i1");
    CHECK(rig_told(rig, "probe i1"));
    peer_registers(rig, "i1"); // the same under another version
    CHECK(rig_told(rig, ""));
    rig_entry(rig, "i1", 20, 5); // another weight: told again, for the terms may have changed
    CHECK(rig_told(rig, "probe i1"));
    policy_of(rig, 2);
    CHECK(rig_told(rig, "probe i1"));
    peer_deletes(rig, keys_instance("i1"));
    CHECK(rig_told(rig, "unprobe i1"));
    rig_free(rig);
}

SUITE("core/assign", T(every_instance_is_observed_by_k_nodes_and_all_agree_on_them),
      T(who_observes_is_who_has_a_voice_in_the_eyes_of_another),
      T(a_node_that_joins_takes_only_what_is_its_own),
      T(the_ranks_of_the_live_nodes_are_a_permutation_that_base_computes_too),
      T(all_or_fewer_nodes_than_observers_means_everybody),
      T(local_means_the_addresses_of_this_host_only),
      T(who_stops_looking_takes_its_observation_back),
      T(new_terms_are_told_to_the_checker_and_the_same_ones_are_not));
