// SPDX-License-Identifier: Apache-2.0
// What becomes of a wish: conditions, deletes of whole families, scope local, refusals.
#include "replicator/core/write.h"

#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <stdio.h>
#include <string.h>

static const struct record registration = {
    .kind = KEY_REGISTRATION,
    .registration = {.address = {"10.0.0.1", 8}, .port = 80, .weight = 1}};

// A PUT of i1 on a condition; `op` is its weight.
static void put_if(struct rig *rig, uint32_t op, enum core_precondition precondition,
                   struct version version)
{
    struct key_bytes key = keys_instance("i1");
    struct patch patch = {.op = PATCH_PUT, .record = registration};
    patch.record.registration.weight = op;
    const struct core_write write = {.op = op,
                                     .key = key_span(&key),
                                     .patch = &patch,
                                     .precondition = precondition,
                                     .version = version};
    rig_write(rig, &write);
}

static struct rig *rig_with_i1(void)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_put_instance(rig, "i1", 7, false);
    rig_settle(rig);
    rig_clear(rig);
    return rig;
}

// --- conditions

TEST(a_write_on_a_version_goes_to_the_stream_when_the_version_is_held)
{
    struct rig *rig = rig_with_i1();
    struct version held = rig_facts(rig, "i1").version;
    put_if(rig, 9, CORE_IF_MATCH, held);
    CHECK(rig_told(rig, "put i1@1=2"));
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    rig_settle(rig);
    CHECK(rig_told(rig, "done 9 accepted"));
    CHECK_EQ(rig_weight(rig, "i1"), 9);
    put_if(rig, 11, CORE_IF_MATCH, held);
    CHECK(rig_told(rig, "done 11 stale"));
    CHECK_UEQ(core_get_counter(rig->core, CORE_CONFLICTS_API), 1);
    rig_free(rig);
}

TEST(a_write_on_existence_wants_a_record_and_a_write_on_absence_none)
{
    struct rig *rig = rig_with_i1();
    put_if(rig, 9, CORE_IF_ABSENT, (struct version){0, 0});
    CHECK(rig_told(rig, "done 9 stale"));
    put_if(rig, 10, CORE_IF_EXISTS, (struct version){0, 0});
    CHECK(rig_told(rig, "put i1@1=2"));
    rig_settle(rig);
    caller_deletes(rig, 0, keys_instance("i1"));
    rig_settle(rig);
    rig_clear(rig);
    put_if(rig, 11, CORE_IF_EXISTS, (struct version){0, 0});
    CHECK(rig_told(rig, "done 11 stale"));
    put_if(rig, 12, CORE_IF_ABSENT, (struct version){0, 0}); // a tombstone is absence
    CHECK(rig_told(rig, "put i1@65538=65539"));
    rig_settle(rig);
    CHECK_EQ(rig_weight(rig, "i1"), 12);
    rig_free(rig);
}

TEST(of_two_writes_on_absence_one_is_accepted)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    put_if(rig, 5, CORE_IF_ABSENT, (struct version){0, 0});
    put_if(rig, 6, CORE_IF_ABSENT, (struct version){0, 0});
    CHECK(rig_told(rig, "put i1@0=1"));
    rig_settle(rig);
    CHECK(rig_told(rig, "done 5 accepted\ndone 6 stale"));
    CHECK_EQ(rig_weight(rig, "i1"), 5);
    rig_free(rig);
}

TEST(a_conditional_write_that_changes_nothing_is_the_same)
{
    struct rig *rig = rig_with_i1();
    put_if(rig, 7, CORE_IF_MATCH, rig_facts(rig, "i1").version);
    CHECK(rig_told(rig, "done 7 same"));
    rig_free(rig);
}

TEST(a_write_on_a_version_waits_for_our_own_pending_write)
{
    struct rig *rig = rig_with_i1();
    struct version held = rig_facts(rig, "i1").version;
    rig_put_instance(rig, "i1", 8, false);
    rig_clear(rig);
    put_if(rig, 9, CORE_IF_MATCH, held);
    CHECK(rig_told(rig, ""));
    rig_settle(rig);
    CHECK(rig_told(rig, "done 9 stale")); // for ours came first
    rig_free(rig);
}

// --- absence and equality

TEST(a_merge_or_delete_of_nothing_is_not_found)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    struct key_bytes key = keys_instance("i1");
    const struct patch patch = {.op = PATCH_MERGE, .mask = PATCH_WEIGHT, .record = registration};
    const struct core_write write = {.op = 3, .key = key_span(&key), .patch = &patch};
    rig_write(rig, &write);
    caller_deletes(rig, 4, keys_instance("i1"));
    caller_deletes(rig, 5, keys_override("i1"));
    CHECK(rig_told(rig, "done 3 not_found\ndone 4 not_found\ndone 5 not_found"));
    rig_free(rig);
}

TEST(an_equal_put_of_another_owner_without_a_lease_changes_nothing)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    struct record record = registration;
    record.registration.owner = SPAN_LIT("b");
    peer_shows(rig, keys_instance("i1"), &record);
    record.registration.owner = SPAN_LIT(RIG_SELF);
    caller_puts(rig, 5, keys_instance("i1"), &record);
    CHECK(rig_told(rig, "done 5 same"));
    record.registration.lease_ms = 1000; // a lease has an owner
    caller_puts(rig, 6, keys_instance("i1"), &record);
    CHECK(rig_told(rig, "done 6 applied\nput i1@1=2"));
    rig_free(rig);
}

// --- deletes

TEST(the_delete_of_an_instance_takes_its_override_and_observations_along)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    peer_node(rig, "n1", true);
    peer_registers(rig, "i1");
    peer_overrides(rig, "i1", STATUS_DRAINING);
    peer_votes(rig, "i1", "n1", STATUS_HEALTHY);
    peer_registers(rig, "i10"); // a name of which the other is the beginning
    peer_overrides(rig, "i10", STATUS_DRAINING);
    rig_clear(rig);
    caller_deletes(rig, 5, keys_instance("i1"));
    CHECK(rig_told(rig, "done 5 applied\nput !@1=65537 n1@1=2 i1@1=65537"));
    CHECK(!rig_shows(rig, keys_instance("i1")));
    CHECK(!rig_shows(rig, keys_override("i1")));
    CHECK(!rig_shows(rig, keys_observation("i1", "n1")));
    CHECK(rig_shows(rig, keys_instance("i10")));
    CHECK(rig_shows(rig, keys_override("i10")));
    rig_settle(rig);
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_LIVE);
    rig_free(rig);
}

TEST(the_delete_of_a_service_takes_all_of_it_along)
{
    struct rig *rig = rig_new();
    struct policy policy;
    rig_live(rig);
    record_policy_default(&policy);
    peer_policy(rig, &policy);
    peer_registers(rig, "i1");
    peer_registers(rig, "i2");
    peer_overrides(rig, "i2", STATUS_DRAINING);
    rig_clear(rig);
    caller_deletes(rig, 5, keys_policy());
    CHECK(rig_told(rig, "done 5 applied\nput i1@1=65537 i2@1=65537 !@1=65537 s@1=65537"));
    rig_settle(rig);
    struct key_bytes key = keys_policy();
    struct map_service service;
    CHECK(!map_service_get(rig->map, key_span(&key), &service));
    rig_free(rig);
}

TEST(a_service_without_a_policy_can_be_deleted)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    peer_registers(rig, "i1");
    caller_deletes(rig, 5, keys_policy());
    CHECK(rig_told(rig, "done 5 applied\nput i1@1=65537"));
    rig_settle(rig);
    rig_clear(rig);
    caller_deletes(rig, 6, keys_policy());
    CHECK(rig_told(rig, "done 6 same")); // nothing is left of it
    CHECK(!rig_shows(rig, keys_instance("i1")));
    rig_free(rig);
}

static void delete_waits(struct rig *rig, uint64_t op, struct key_bytes key, enum key_kind kind)
{
    const struct patch patch = {.op = PATCH_DELETE, .record = {.kind = kind}};
    const struct core_write write = {
        .op = op, .key = key_span(&key), .patch = &patch, .ack_stream = true};
    rig_write(rig, &write);
}

TEST(the_delete_of_a_family_is_acknowledged_when_all_of_it_is)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    peer_registers(rig, "i1");
    peer_registers(rig, "i2");
    rig_clear(rig);
    delete_waits(rig, 5, keys_policy(),
                 KEY_POLICY); // and there is no policy that could be waited for
    CHECK(rig_told(rig, "put i1@1=65537 i2@1=65537"));
    rig_settle(rig);
    CHECK(rig_told(rig, "done 5 accepted"));
    rig_free(rig);
}

TEST(the_delete_of_an_instance_on_its_version_takes_its_family_along)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    peer_registers(rig, "i1");
    peer_overrides(rig, "i1", STATUS_DRAINING);
    rig_clear(rig);
    struct key_bytes key = keys_instance("i1");
    const struct patch patch = {.op = PATCH_DELETE, .record = {.kind = KEY_REGISTRATION}};
    const struct core_write write = {.op = 5,
                                     .key = key_span(&key),
                                     .patch = &patch,
                                     .precondition = CORE_IF_MATCH,
                                     .version = rig_facts(rig, "i1").version};
    rig_write(rig, &write);
    CHECK(rig_told(rig, "put i1@1=65537"));
    rig_settle(rig);
    CHECK(rig_told(rig, "done 5 accepted\nput !@1=65537"));
    CHECK(!rig_shows(rig, keys_override("i1")));
    rig_write(rig, &write);
    CHECK(rig_told(rig, "done 5 stale"));
    rig_free(rig);
}

TEST(a_family_with_a_member_that_cannot_be_read_is_not_deleted)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    peer_registers(rig, "i1");
    peer_overrides(rig, "i1", STATUS_DRAINING);
    static const char body[] = {CODEC_WIRE + 1, 1};
    char value[RECORD_LEN_MAX];
    struct key_bytes key = keys_observation("i1", "n1");
    size_t len = codec_value_write(key_span(&key), (struct version){4, 1},
                                   span_of(body, sizeof(body)), value, sizeof(value));
    const struct stream_pair pair = {.key = key_span(&key), .value = span_of(value, len)};
    peer_bytes(rig, &pair, 0);
    rig_clear(rig);
    caller_deletes(rig, 5, keys_instance("i1"));
    CHECK(rig_told(rig, "done 5 conflict"));
    CHECK(rig_shows(rig, keys_instance("i1")));
    CHECK(rig_shows(rig, keys_override("i1")));
    CHECK_EQ(rig->core->outbox.count, 0);
    rig_free(rig);
}

// Service s with a policy, two instances, an override and an observation; an edit of i2 is pending.
static struct rig *rig_with_family(void)
{
    struct rig *rig = rig_new();
    struct policy policy;
    rig_live(rig);
    record_policy_default(&policy);
    peer_policy(rig, &policy);
    peer_registers(rig, "i1");
    peer_overrides(rig, "i1", STATUS_DRAINING);
    peer_votes(rig, "i1", "n1", STATUS_HEALTHY);
    peer_registers(rig, "i2");
    rig_down(rig); // so that everything waits
    rig_put_instance(rig, "i2", 7, false);
    rig_clear(rig);
    return rig;
}

TEST(a_family_is_deleted_whole_or_not_at_all_however_little_memory_there_is)
{
    uint32_t refused = 0;
    bool applied = false;
    for (size_t room = 0; !applied && room < 16384; room += 32) {
        struct rig *rig = rig_with_family();
        rig_leave_room(rig, room);
        caller_deletes(rig, 5, keys_policy());
        applied = strcmp(rig->story, "done 5 applied") == 0;
        CHECK(applied || strcmp(rig->story, "done 5 refused") == 0);
        refused += !applied;
        CHECK_EQ(rig_shows(rig, keys_policy()), !applied);
        CHECK_EQ(rig_shows(rig, keys_instance("i1")), !applied);
        CHECK_EQ(rig_shows(rig, keys_override("i1")), !applied);
        CHECK_EQ(rig_shows(rig, keys_observation("i1", "n1")), !applied);
        CHECK_EQ(rig_weight(rig, "i2"), applied ? 0 : 7);
        CHECK_EQ(core_get_pending(rig->core), applied ? 5 : 1);
        CHECK_EQ(rig->core->outbox.count, applied ? 5 : 1);
        CHECK_EQ(rig->core->sessions[0].slot_count, applied ? 5 : 1);
        if (!applied) { // and with memory it goes
            rig->core->arena.len += 65536;
            caller_deletes(rig, 6, keys_policy());
            CHECK(rig_said(rig, "done 6 applied"));
            CHECK_EQ(core_get_pending(rig->core), 5);
        }
        rig_free(rig);
    }
    CHECK(applied);
    CHECK_INT(refused, ge, 10);
}

// --- scope local

static struct rig *rig_with_local_service(void)
{
    struct rig *rig = rig_new();
    struct record policy = {.kind = KEY_POLICY};
    rig_live(rig);
    record_policy_default(&policy.policy);
    policy.policy.scope = SCOPE_LOCAL;
    caller_puts(rig, 1, keys_policy(), &policy);
    CHECK(rig_told(rig, "done 1 accepted"));
    return rig;
}

TEST(a_local_service_is_never_published_and_has_no_digest)
{
    struct rig *rig = rig_with_local_service();
    struct map_digest before = map_digest(rig->map, 0);
    rig_put_instance(rig, "i1", 7, true);
    CHECK(rig_told(rig, "done 7 accepted"));
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    CHECK_EQ(rig_facts(rig, "i1").flags & MAP_LOCAL, MAP_LOCAL);
    CHECK_UEQ(map_digest(rig->map, 0).count, before.count);
    CHECK_UEQ(map_digest(rig->map, 0).sum, before.sum);
    rig_put_instance(rig, "i1", 8, false);
    CHECK_EQ(rig_facts(rig, "i1").version.counter, 2);
    rig_tick(rig, 1000);
    CHECK(!rig->put_open);
    CHECK_EQ(core_get_pending(rig->core), 0);
    rig_free(rig);
}

TEST(a_local_record_is_judged_and_deleted_like_any_other)
{
    struct rig *rig = rig_with_local_service();
    rig_put_instance(rig, "i1", 7, false);
    const struct record drain = {.kind = KEY_OVERRIDE, .override = {.status = STATUS_DRAINING}};
    caller_puts(rig, 2, keys_override("i1"), &drain);
    CHECK(rig_health_is(rig, "i1", "DRAINING OperatorDrain overridden"));
    caller_deletes(rig, 3, keys_instance("i1"));
    CHECK(!rig_shows(rig, keys_instance("i1")));
    CHECK(!rig_shows(rig, keys_override("i1")));
    CHECK(!rig->put_open);
    rig_free(rig);
}

TEST(a_condition_on_a_local_record_is_decided_here)
{
    struct rig *rig = rig_with_local_service();
    rig_down(rig); // no stream is needed
    put_if(rig, 5, CORE_IF_EXISTS, (struct version){0, 0});
    put_if(rig, 6, CORE_IF_ABSENT, (struct version){0, 0});
    struct version held = rig_facts(rig, "i1").version;
    put_if(rig, 7, CORE_IF_MATCH, (struct version){99, 1});
    put_if(rig, 8, CORE_IF_MATCH, held);
    CHECK(rig_told(rig, "done 5 stale\ndone 6 accepted\ndone 7 stale\ndone 8 accepted"));
    CHECK_EQ(rig_weight(rig, "i1"), 8);
    rig_free(rig);
}

TEST(what_a_peer_says_of_a_local_record_is_kept_out)
{
    struct rig *rig = rig_with_local_service();
    rig_put_instance(rig, "i1", 7, false);
    rig_entry(rig, "i1", 40, 9);
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    rig_free(rig);
}

// --- judgements of our own checks

static void judged(struct rig *rig, enum status status)
{
    struct key_bytes key = keys_instance("i1");
    struct core_event event = {.type = CORE_EV_JUDGED};
    event.judged = (struct core_judged){.key = key_span(&key),
                                        .status = status,
                                        .reason = status == STATUS_HEALTHY ? REASON_CHECK_PASSED
                                                                           : REASON_CONNECT_REFUSED,
                                        .latency_us = 120};
    rig_step(rig, &event);
}

TEST(a_judgement_becomes_our_observation_once)
{
    struct rig *rig = rig_new();
    struct policy policy;
    rig_live(rig);
    record_policy_default(&policy);
    policy.check.type = CHECK_TCP;
    peer_policy(rig, &policy);
    peer_registers(rig, "i1");
    CHECK(rig_told(rig, "probe i1"));
    judged(rig, STATUS_HEALTHY);
    CHECK(rig_told(rig, "put a@0=1"));
    CHECK(rig_health_is(rig, "i1", "HEALTHY CheckPassed"));
    rig_settle(rig);
    judged(rig, STATUS_HEALTHY);
    CHECK(!rig->put_open);
    judged(rig, STATUS_UNHEALTHY);
    CHECK(rig_told(rig, "put a@1=2"));
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    rig_free(rig);
}

TEST(a_judgement_of_what_we_do_not_probe_is_dropped)
{
    struct rig *rig = rig_with_i1(); // no policy, no check
    judged(rig, STATUS_UNHEALTHY);
    CHECK(rig_told(rig, ""));
    CHECK(!rig_shows(rig, keys_observation("i1", RIG_SELF)));
    rig_free(rig);
}

// --- memory

TEST(a_write_is_refused_when_the_arena_is_full)
{
    struct rig *rig = rig_with_i1();
    rig_fill_arena(rig);
    rig_put_instance(rig, "i2", 5, true);
    CHECK(rig_told(rig, "done 5 refused"));
    CHECK_EQ(rig_weight(rig, "i2"), 0);
    CHECK_EQ(rig_weight(rig, "i1"), 7);
    CHECK_EQ(core_get_pending(rig->core), 0);
    put_if(rig, 6, CORE_IF_EXISTS, (struct version){0, 0});
    CHECK(rig_told(rig, "done 6 unavailable"));
    rig_free(rig);
}

TEST(writes_are_refused_one_by_one_as_the_arena_fills_and_none_is_half_done)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_down(rig); // so that all of them wait
    rig_clear(rig);
    char name[16];
    uint32_t applied = 0;
    while (applied < 200) { // room for some, then for none
        if (applied == 100) {
            rig_fill_arena(rig);
        }
        snprintf(name, sizeof(name), "m%u", applied);
        rig_clear(rig);
        rig_put_instance(rig, name, 7, false);
        if (strcmp(rig->story, "done 7 applied") != 0) {
            break;
        }
        applied++;
    }
    CHECK(rig_told(rig, "done 7 refused"));
    CHECK_UEQ(core_get_pending(rig->core), applied);
    CHECK_EQ(rig_weight(rig, name), 0);
    CHECK_EQ(rig_weight(rig, "m99"), 7);
    rig_free(rig);
}

SUITE("core/write", T(a_write_on_a_version_goes_to_the_stream_when_the_version_is_held),
      T(a_write_on_existence_wants_a_record_and_a_write_on_absence_none),
      T(of_two_writes_on_absence_one_is_accepted),
      T(a_conditional_write_that_changes_nothing_is_the_same),
      T(a_write_on_a_version_waits_for_our_own_pending_write),
      T(a_merge_or_delete_of_nothing_is_not_found),
      T(an_equal_put_of_another_owner_without_a_lease_changes_nothing),
      T(the_delete_of_an_instance_takes_its_override_and_observations_along),
      T(the_delete_of_a_service_takes_all_of_it_along),
      T(a_service_without_a_policy_can_be_deleted),
      T(the_delete_of_a_family_is_acknowledged_when_all_of_it_is),
      T(the_delete_of_an_instance_on_its_version_takes_its_family_along),
      T(a_family_with_a_member_that_cannot_be_read_is_not_deleted),
      T(a_family_is_deleted_whole_or_not_at_all_however_little_memory_there_is),
      T(a_local_service_is_never_published_and_has_no_digest),
      T(a_local_record_is_judged_and_deleted_like_any_other),
      T(a_condition_on_a_local_record_is_decided_here),
      T(what_a_peer_says_of_a_local_record_is_kept_out),
      T(a_judgement_becomes_our_observation_once),
      T(a_judgement_of_what_we_do_not_probe_is_dropped),
      T(a_write_is_refused_when_the_arena_is_full),
      T(writes_are_refused_one_by_one_as_the_arena_fills_and_none_is_half_done));
