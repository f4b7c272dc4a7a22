// SPDX-License-Identifier: Apache-2.0
// Voices come, change and go; they stand in the order of their observers and give their memory back.
#include "replicator/core/voices.h"

#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <stdio.h>
#include <string.h>

static struct instance *instance_of(struct rig *rig)
{
    peer_registers(rig, "i1");
    struct key_bytes key = keys_instance("i1");
    struct span bytes = key_span(&key);
    return keymap_get(&rig->core->instances, bytes, core_hash(rig->core, bytes));
}

static bool says(struct rig *rig, struct instance *instance, const char *observer,
                 enum status status)
{
    const struct observation observation = {.status = status,
                                            .reason = REASON_CHECK_PASSED,
                                            .vantage = VANTAGE_PEER,
                                            .via = span_str(observer)};
    return voices_set(rig->core, instance, span_str(observer), &observation);
}

// "n1 HEALTHY, n2 UNHEALTHY"
static bool told(struct rig *rig, const struct instance *instance, const char *expected)
{
    char text[256] = "";
    size_t count = voices_inputs(rig->core, instance);
    for (size_t i = 0; i < count; i++) {
        const struct observation *o = rig->core->inputs[i].observation;
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, "%s%.*s %s", i > 0 ? ", " : "", (int)o->via.len,
                 o->via.ptr, status_name(o->status));
    }
    return strcmp(text, expected) == 0;
}

TEST(each_observer_has_one_voice_in_the_order_of_their_names)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    struct instance *instance = instance_of(rig);
    size_t used = rig->core->arena.used;
    CHECK(told(rig, instance, ""));
    CHECK(says(rig, instance, "n2", STATUS_HEALTHY));
    CHECK(says(rig, instance, "n3", STATUS_HEALTHY));
    CHECK(says(rig, instance, "n1", STATUS_HEALTHY));
    CHECK(says(rig, instance, "n2", STATUS_UNHEALTHY));
    CHECK(told(rig, instance, "n1 HEALTHY, n2 UNHEALTHY, n3 HEALTHY"));
    CHECK(voices_set(rig->core, instance, SPAN_LIT("n2"), NULL));
    CHECK(voices_set(rig->core, instance, SPAN_LIT("n2"), NULL)); // nothing to take back
    CHECK(told(rig, instance, "n1 HEALTHY, n3 HEALTHY"));
    CHECK(voices_set(rig->core, instance, SPAN_LIT("n3"), NULL));
    CHECK(voices_set(rig->core, instance, SPAN_LIT("n1"), NULL));
    CHECK(told(rig, instance, ""));
    CHECK_UEQ(rig->core->arena.used, used);
    rig_free(rig);
}

TEST(an_observation_taken_by_another_node_is_another_voice)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    struct instance *instance = instance_of(rig);
    const struct observation observation = {
        .status = STATUS_TIMEOUT, .vantage = VANTAGE_EXTERNAL, .via = SPAN_LIT("another")};
    CHECK(says(rig, instance, "n1", STATUS_HEALTHY));
    CHECK(voices_set(rig->core, instance, SPAN_LIT("n1"), &observation));
    CHECK(told(rig, instance, "another TIMEOUT"));
    CHECK(!rig->core->inputs[0].assigned);
    rig_free(rig);
}

TEST(no_more_are_heard_than_have_a_place_and_those_first_in_order)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    struct instance *instance = instance_of(rig);
    for (int i = HEALTH_INPUTS_MAX + 9; i >= 0; i--) {
        char name[16];
        snprintf(name, sizeof(name), "n%04d", i);
        CHECK(says(rig, instance, name, STATUS_HEALTHY));
    }
    CHECK_UEQ(voices_inputs(rig->core, instance), HEALTH_INPUTS_MAX);
    CHECK(span_eq_str(rig->core->inputs[HEALTH_INPUTS_MAX - 1].observation->via, "n0255"));
    rig_free(rig);
}

TEST(without_memory_a_voice_is_not_heard_and_the_others_stay)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    struct instance *instance = instance_of(rig);
    CHECK(says(rig, instance, "n1", STATUS_HEALTHY));
    rig_fill_arena(rig);
    CHECK(!says(rig, instance, "n2", STATUS_HEALTHY));
    CHECK(says(rig, instance, "n1", STATUS_TIMEOUT)); // needs none
    CHECK(told(rig, instance, "n1 TIMEOUT"));
    rig_free(rig);
}

SUITE("core/voices", T(each_observer_has_one_voice_in_the_order_of_their_names),
      T(an_observation_taken_by_another_node_is_another_voice),
      T(no_more_are_heard_than_have_a_place_and_those_first_in_order),
      T(without_memory_a_voice_is_not_heard_and_the_others_stay));
