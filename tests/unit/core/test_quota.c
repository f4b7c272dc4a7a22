// SPDX-License-Identifier: Apache-2.0
// The quota where writes enter: what core refuses and what it never refuses, and that a refused write leaves nothing
// behind.  The tenant is `default`, whose instances rig.h and records.h write.
#include "replicator/core/write.h"

#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT SPAN_LIT(KEY_TENANT_DEFAULT)

static const struct record registration = {
    .kind = KEY_REGISTRATION,
    .registration = {.address = {"10.0.0.1", 8}, .port = 80, .weight = 1}};

static struct record report(uint64_t ttl_ms)
{
    return (struct record){.kind = KEY_OBSERVATION,
                           .observation = {.status = STATUS_UNHEALTHY,
                                           .reason = REASON_REPORTED,
                                           .vantage = VANTAGE_EXTERNAL,
                                           .since_ms = 1,
                                           .via = SPAN_LIT(RIG_SELF),
                                           .ttl_ms = ttl_ms}};
}

static struct rig *rig_with_quota(uint32_t limit)
{
    struct rig *rig = rig_new();
    CHECK_OK(map_set_quota(rig->map, DEFAULT, limit));
    rig_live(rig);
    return rig;
}

static uint64_t used(const struct rig *rig)
{
    struct map_tenant tenant;
    CHECK(map_tenant(rig->map, DEFAULT, &tenant));
    return tenant.used;
}

static void put_if_absent(struct rig *rig, uint64_t op, const char *instance)
{
    struct key_bytes key = keys_instance(instance);
    const struct patch patch = {.op = PATCH_PUT, .record = registration};
    const struct core_write write = {
        .op = op, .key = key_span(&key), .patch = &patch, .precondition = CORE_IF_ABSENT};
    rig_write(rig, &write);
}

TEST(the_record_over_the_quota_is_refused_and_told_and_the_rest_goes_on)
{
    struct rig *rig = rig_with_quota(2);
    rig->log = true;
    (void)rig_put_instance(rig, "i1", 1, false);
    (void)rig_put_instance(rig, "i2", 1, false);
    CHECK_UEQ(used(rig), 2); // pending ones
    rig_settle(rig);
    rig_tick(rig, 200);
    CHECK_UEQ(used(rig), 2);
    CHECK(!rig_said(rig, "quota default")); // to be at the quota is no news
    rig_clear(rig);
    caller_puts(rig, 5, keys_instance("i3"), &registration);
    CHECK(rig_told(rig, "over quota i3\ndone 5 over_quota"));
    caller_puts(rig, 6, keys_instance("i4"), &registration);
    CHECK(rig_told(rig, "over quota i4\ndone 6 over_quota"));
    rig_tick(rig, 200);
    CHECK(rig_said(rig, "quota default level 1: 2 of 2"));
    rig_clear(rig);
    rig->log = false;
    CHECK(!rig_shows(rig, keys_instance("i3")));
    (void)rig_put_instance(rig, "i1", 9, false); // a change
    CHECK_EQ(rig_weight(rig, "i1"), 9);
    caller_deletes(rig, 7, keys_instance("i1"));
    caller_puts(rig, 8, keys_instance("i3"), &registration); // in its place
    CHECK(rig_shows(rig, keys_instance("i3")));
    rig_settle(rig);
    CHECK(rig_shows(rig, keys_instance("i3")));
    CHECK_UEQ(used(rig), 2);
    rig_free(rig);
}

TEST(drains_and_verdicts_and_deletes_are_never_refused)
{
    struct rig *rig = rig_with_quota(1);
    (void)rig_put_instance(rig, "i1", 1, false);
    rig_settle(rig);
    const struct record drain = {.kind = KEY_OVERRIDE,
                                 .override = {.status = STATUS_DRAINING,
                                              .reason = SPAN_LIT("deploy"),
                                              .actor = SPAN_LIT("ops")}};
    struct record verdict = report(0);
    verdict.observation.vantage = VANTAGE_PEER;
    caller_puts(rig, 2, keys_override("i1"), &drain);
    caller_puts(rig, 3, keys_observation("i1", RIG_SELF), &verdict);
    CHECK(rig_shows(rig, keys_override("i1")));
    CHECK(rig_shows(rig, keys_observation("i1", RIG_SELF)));
    struct record theirs = report(0);
    rig_clear(rig);
    caller_puts(rig, 4, keys_observation("i1", "me"), &theirs); // a client's own does count
    CHECK(rig_said(rig, "done 4 over_quota"));
    CHECK_UEQ(used(rig), 1);
    caller_deletes(rig, 5, keys_instance("i1"));
    rig_settle(rig);
    CHECK_UEQ(used(rig), 0);
    rig_free(rig);
}

TEST(a_refused_write_leaves_nothing_in_core)
{
    struct rig *rig = rig_with_quota(1);
    (void)rig_put_instance(rig, "i1", 1, false);
    rig_settle(rig);
    struct record brief = report(3600000);
    size_t before = core_arena_used(rig->core);
    for (uint64_t i = 0; i < 200; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "o%u", (unsigned)i);
        rig_clear(rig);
        caller_puts(rig, 10 + i, keys_observation("i1", name), &brief);
        caller_puts(rig, 1000 + i, keys_instance(name), &registration);
        put_if_absent(rig, 2000 + i, name);
        CHECK(rig_said(rig, "over_quota"));
    }
    CHECK_UEQ(core_arena_used(rig->core), before);
    CHECK_UEQ(core_get_pending(rig->core), 0);
    rig_free(rig);
}

TEST(a_conditional_write_holds_its_place_until_it_is_decided)
{
    struct rig *rig = rig_with_quota(2);
    (void)rig_put_instance(rig, "i1", 1, false);
    rig_settle(rig);
    rig_clear(rig);
    put_if_absent(rig, 2, "i2");
    CHECK(rig_told(rig, "put i2@0=1"));
    CHECK_UEQ(used(rig), 2);
    put_if_absent(rig, 3, "i3");
    CHECK(rig_told(rig, "done 3 over_quota"));
    caller_puts(rig, 4, keys_instance("i4"), &registration);
    CHECK(rig_told(rig, "done 4 over_quota"));
    rig_status(rig, STREAM_RETRY); // not done: nothing was executed
    CHECK(rig_said(rig, "done 2 unavailable"));
    CHECK_UEQ(used(rig), 1);
    rig_tick(rig, 6000);
    rig_clear(rig);
    put_if_absent(rig, 5, "i5");
    rig_settle(rig);
    CHECK(rig_said(rig, "done 5 accepted"));
    CHECK_UEQ(used(rig), 2);
    rig_free(rig);
}

TEST(what_others_let_in_is_held_and_alarmed_at_110_per_cent)
{
    struct rig *rig = rig_with_quota(10);
    for (int i = 0; i < 10; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "i%d", i);
        peer_registers(rig, name);
    }
    rig_tick(rig, 100);
    rig_clear(rig);
    rig->log = true;
    rig_tick(rig, 100);
    CHECK(!rig_said(rig, "quota default"));
    peer_registers(rig, "more");
    CHECK(rig_shows(rig, keys_instance("more")));
    rig_tick(rig, 100);
    CHECK(rig_said(rig, "quota default level 2: 11 of 10"));
    rig_clear(rig);
    peer_registers(rig, "still-more");
    rig_tick(rig, 100);
    CHECK(!rig_said(rig, "quota default")); // once
    CHECK_UEQ(used(rig), 12);
    rig_free(rig);
}

TEST(a_local_service_has_the_same_quota)
{
    struct rig *rig = rig_with_quota(1);
    struct policy policy;
    record_policy_default(&policy);
    policy.scope = SCOPE_LOCAL;
    const struct record record = {.kind = KEY_POLICY, .policy = policy};
    caller_puts(rig, 1, keys_policy(), &record);
    caller_puts(rig, 2, keys_instance("i1"), &registration);
    rig_clear(rig);
    caller_puts(rig, 3, keys_instance("i2"), &registration);
    CHECK(rig_said(rig, "done 3 over_quota"));
    put_if_absent(rig, 4, "i2");
    CHECK(rig_said(rig, "done 4 over_quota"));
    caller_deletes(rig, 5, keys_instance("i1"));
    put_if_absent(rig, 6, "i2");
    CHECK(rig_said(rig, "done 6 accepted"));
    CHECK_UEQ(used(rig), 1);
    rig_free(rig);
}

SUITE("core/quota", T(the_record_over_the_quota_is_refused_and_told_and_the_rest_goes_on),
      T(drains_and_verdicts_and_deletes_are_never_refused),
      T(a_refused_write_leaves_nothing_in_core),
      T(a_conditional_write_holds_its_place_until_it_is_decided),
      T(what_others_let_in_is_held_and_alarmed_at_110_per_cent),
      T(a_local_service_has_the_same_quota));
