// SPDX-License-Identifier: Apache-2.0
// What ends by itself: leases, reports with a ttl, overrides with an end.
#include "replicator/core/timed.h"

#include "base/rendezvous.h"
#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <string.h>

#define SERVER_MS 5000000 // of the played server's clock

static void put_leased(struct rig *rig, const char *instance, uint64_t lease_ms)
{
    const struct record record = {.kind = KEY_REGISTRATION,
                                  .registration = {.address = SPAN_LIT("10.0.0.1"),
                                                   .port = 80,
                                                   .weight = 1,
                                                   .lease_ms = lease_ms,
                                                   .owner = SPAN_LIT(RIG_SELF)}};
    caller_puts(rig, lease_ms, keys_instance(instance), &record);
    rig_settle(rig);
}

static struct rig *rig_with_lease(void)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    put_leased(rig, "i1", 1000);
    rig_clear(rig);
    return rig;
}

TEST(a_lease_that_is_not_renewed_makes_the_instance_unhealthy)
{
    struct rig *rig = rig_with_lease();
    rig->log = true;
    rig_tick(rig, 900);
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    rig_tick(rig, 400);
    CHECK(rig_said(rig, "lease i1"));
    CHECK(rig_said(rig, "put " TIMED_LEASE_OBSERVER "@0=1"));
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY LeaseExpired"));
    rig_settle(rig);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY LeaseExpired"));
    rig_free(rig);
}

TEST(a_lease_runs_out_once_until_it_is_renewed)
{
    struct rig *rig = rig_with_lease();
    rig_tick(rig, 1300);
    rig_settle(rig);
    rig_clear(rig);
    rig_tick(rig, 3000);
    CHECK(!rig->put_open);
    rig_free(rig);
}

TEST(a_renewal_withdraws_the_expiry)
{
    struct rig *rig = rig_with_lease();
    rig_tick(rig, 1300);
    rig_settle(rig);
    rig_clear(rig);
    put_leased(rig, "i1", 1000);
    CHECK(rig_said(rig, "done 1000 same"));
    CHECK(rig_said(rig, "put " TIMED_LEASE_OBSERVER "@1=2"));
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    CHECK(!rig_shows(rig, keys_observation("i1", TIMED_LEASE_OBSERVER)));
    rig_tick(rig, 1300);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY LeaseExpired")); // and so it can run out again
    rig_free(rig);
}

TEST(an_equal_put_renews_without_publishing)
{
    struct rig *rig = rig_with_lease();
    for (int i = 0; i < 5; i++) {
        rig_tick(rig, 700);
        rig_clear(rig);
        put_leased(rig, "i1", 1000);
        CHECK(rig_told(rig, "done 1000 same"));
    }
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    CHECK_EQ(rig_facts(rig, "i1").version.counter, 1);
    rig_free(rig);
}

TEST(a_lease_of_another_owner_is_left_to_it)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    peer_node(rig, "b", true);
    const struct record record = {.kind = KEY_REGISTRATION,
                                  .registration = {.address = SPAN_LIT("10.0.0.1"),
                                                   .port = 80,
                                                   .weight = 1,
                                                   .lease_ms = 1000,
                                                   .owner = SPAN_LIT("b")}};
    peer_shows(rig, keys_instance("i1"), &record);
    rig_tick(rig, 2500);
    CHECK(!rig->put_open);
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    // The owner goes down: we are the first live node, and give it one full lease.
    peer_node(rig, "b", false);
    rig_clear(rig);
    rig_tick(rig, 300);
    CHECK(rig_said(rig, "put i1@1=2"));
    rig_settle(rig);
    rig_tick(rig, 600);
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    rig_tick(rig, 700);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY LeaseExpired"));
    rig_free(rig);
}

TEST(a_lease_that_is_taken_off_never_runs_out)
{
    struct rig *rig = rig_with_lease();
    put_leased(rig, "i1", 0);
    rig_tick(rig, 3000);
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    rig_free(rig);
}

// The walk over the instances waits for the earliest lease, which need not be the first or the last that began.
TEST(every_lease_runs_out_in_its_own_time)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    put_leased(rig, "i1", 3000);
    put_leased(rig, "i2", 1000);
    put_leased(rig, "i3", 2000);
    const char *shown[][3] = {
        {"UNKNOWN NoObservation", "UNHEALTHY LeaseExpired", "UNKNOWN NoObservation"},
        {"UNKNOWN NoObservation", "UNHEALTHY LeaseExpired", "UNHEALTHY LeaseExpired"},
        {"UNHEALTHY LeaseExpired", "UNHEALTHY LeaseExpired", "UNHEALTHY LeaseExpired"}};
    rig_tick(rig, 300);
    for (size_t second = 0; second < 3; second++) {
        rig_tick(rig, 1000);
        rig_settle(rig);
        CHECK(rig_health_is(rig, "i1", shown[second][0]));
        CHECK(rig_health_is(rig, "i2", shown[second][1]));
        CHECK(rig_health_is(rig, "i3", shown[second][2]));
    }
    rig_free(rig);
}

// --- reports with a ttl

static void report(struct rig *rig, uint64_t ttl_ms)
{
    const struct record record = {.kind = KEY_OBSERVATION,
                                  .observation = {.status = STATUS_UNHEALTHY,
                                                  .reason = REASON_REPORTED,
                                                  .vantage = VANTAGE_EXTERNAL,
                                                  .via = SPAN_LIT(RIG_SELF),
                                                  .ttl_ms = ttl_ms}};
    caller_puts(rig, 5, keys_observation("i1", "probe"), &record);
    rig_settle(rig);
}

static struct rig *rig_with_report(uint64_t ttl_ms)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    peer_registers(rig, "i1");
    report(rig, ttl_ms);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY Reported"));
    rig_clear(rig);
    return rig;
}

TEST(a_report_is_withdrawn_when_its_ttl_ends)
{
    struct rig *rig = rig_with_report(1000);
    rig_tick(rig, 900);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY Reported"));
    rig_tick(rig, 400);
    CHECK(rig_said(rig, "put probe@1=2"));
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    CHECK_EQ(rig->core->timed.count, 0);
    rig_free(rig);
}

TEST(an_equal_report_starts_its_ttl_anew)
{
    struct rig *rig = rig_with_report(1000);
    for (int i = 0; i < 4; i++) {
        rig_tick(rig, 700);
        rig_clear(rig);
        report(rig, 1000);
        CHECK(rig_told(rig, "done 5 same"));
    }
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY Reported"));
    rig_free(rig);
}

TEST(a_report_without_a_ttl_stays)
{
    struct rig *rig = rig_with_report(1000);
    report(rig, 0);
    CHECK_EQ(rig->core->timed.count, 0);
    rig_tick(rig, 3000);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY Reported"));
    rig_free(rig);
}

TEST(a_report_that_was_deleted_by_hand_is_forgotten)
{
    struct rig *rig = rig_with_report(1000);
    caller_deletes(rig, 6, keys_observation("i1", "probe"));
    CHECK_EQ(rig->core->timed.count, 0);
    rig_settle(rig);
    rig_clear(rig);
    rig_tick(rig, 2000);
    CHECK(!rig->put_open);
    rig_free(rig);
}

TEST(a_report_whose_withdrawal_is_refused_is_withdrawn_when_there_is_memory)
{
    struct rig *rig = rig_with_report(1000);
    rig_down(rig);
    size_t end = rig->core->arena.len;
    rig_leave_room(rig, 0);
    rig_clear(rig);
    caller_deletes(rig, 6, keys_observation("i1", "probe"));
    CHECK(rig_told(rig, "done 6 refused"));
    rig_tick(rig, 2000); // its ttl ends, and that is refused, too
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY Reported"));
    rig->core->arena.len = end;
    rig_tick(rig, 600);
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    CHECK_EQ(rig->core->timed.count, 0);
    rig_free(rig);
}

// --- overrides with an end

static void drain_until(struct rig *rig, int64_t until_ms)
{
    const struct record record = {
        .kind = KEY_OVERRIDE,
        .override = {.status = STATUS_DRAINING, .actor = SPAN_LIT("anna"), .until_ms = until_ms}};
    peer_shows(rig, keys_override("i1"), &record);
}

// Drained by a peer until a second after the server's time now.
static struct rig *rig_with_drain(void)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    peer_registers(rig, "i1");
    rig_beat(rig, SERVER_MS, NULL, NULL);
    drain_until(rig, SERVER_MS + 1000);
    rig_clear(rig);
    return rig;
}

TEST(an_override_ends_by_the_servers_clock)
{
    struct rig *rig = rig_with_drain();
    rig_tick(rig, 900);
    CHECK(!rig->put_open);
    rig_beat(rig, SERVER_MS + 500, NULL, NULL); // its clock goes slower than ours
    rig_tick(rig, 400);
    CHECK(!rig->put_open);
    rig_tick(rig, 400);
    CHECK(rig_said(rig, "put !@1=65537"));
    CHECK(rig_health_is(rig, "i1", "DRAINING OperatorDrain overridden")); // the stream decides
    rig_settle(rig);
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    CHECK_EQ(rig->core->timed.count, 0);
    rig_free(rig);
}

TEST(an_override_ends_not_while_the_server_is_out_of_reach)
{
    struct rig *rig = rig_with_drain();
    rig_down(rig);
    rig_tick(rig, 5000);
    CHECK(!rig->put_open);
    CHECK(rig_health_is(rig, "i1", "DRAINING OperatorDrain overridden"));
    rig_up(rig);
    rig_meta(rig, rig->sequence);
    rig_probe(rig, true);
    rig_tick(rig, 2500);
    rig_settle(rig);
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    rig_free(rig);
}

TEST(an_override_without_a_servers_clock_does_not_end)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    peer_registers(rig, "i1");
    drain_until(rig, 1);
    rig_tick(rig, 3000);
    CHECK(!rig->put_open);
    CHECK(rig_health_is(rig, "i1", "DRAINING OperatorDrain overridden"));
    rig_free(rig);
}

TEST(an_override_that_was_changed_meanwhile_is_left_alone)
{
    struct rig *rig = rig_with_drain();
    char current[RECORD_LEN_MAX];
    rig_tick(rig, 1300);
    CHECK(rig_said(rig, "put !@1=65537"));
    drain_until(rig, SERVER_MS + 60000); // arrives while our end of it is in the air
    struct map_copy copy;
    struct key_bytes key = keys_override("i1");
    CHECK(map_get(rig->map, key_span(&key), &copy));
    size_t len = codec_value_write(key_span(&key), copy.facts.version, map_copy_body(&copy),
                                   current, sizeof(current));
    rig_clear(rig);
    rig_refuse(rig, span_of(current, len));
    rig_tick(rig, 5000);
    CHECK(!rig->put_open);
    CHECK(rig_health_is(rig, "i1", "DRAINING OperatorDrain overridden"));
    rig_free(rig);
}

TEST(an_override_that_lost_its_end_stays)
{
    struct rig *rig = rig_with_drain();
    drain_until(rig, 0);
    CHECK_EQ(rig->core->timed.count, 0);
    rig_tick(rig, 5000);
    CHECK(!rig->put_open);
    rig_free(rig);
}

TEST(a_later_node_in_the_order_gives_the_first_its_time)
{
    struct rig *rig = rig_with_drain();
    // Peers up to the point where one of them stands before us in the order of this key.
    struct key_bytes key = keys_override("i1");
    static const char *const peers[] = {"b", "c", "d", "e", "f"};
    rig_clear(rig);
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        peer_node(rig, peers[i], true);
    }
    size_t rank = 0;
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        const uint64_t theirs = rendezvous_weight(key_span(&key), span_str(peers[i]));
        rank += theirs > rendezvous_weight(key_span(&key), SPAN_LIT(RIG_SELF)) ? 1 : 0;
    }
    CHECK_UEQ(rank > 0, true);
    rig_tick(rig, 1000 + (int64_t)rank * 2000 - 200);
    CHECK(!rig->put_open);
    rig_tick(rig, 600);
    CHECK(rig->put_open);
    rig_free(rig);
}

SUITE("core/timed", T(a_lease_that_is_not_renewed_makes_the_instance_unhealthy),
      T(a_lease_runs_out_once_until_it_is_renewed), T(a_renewal_withdraws_the_expiry),
      T(an_equal_put_renews_without_publishing), T(a_lease_of_another_owner_is_left_to_it),
      T(a_lease_that_is_taken_off_never_runs_out), T(every_lease_runs_out_in_its_own_time),
      T(a_report_is_withdrawn_when_its_ttl_ends), T(an_equal_report_starts_its_ttl_anew),
      T(a_report_without_a_ttl_stays), T(a_report_that_was_deleted_by_hand_is_forgotten),
      T(a_report_whose_withdrawal_is_refused_is_withdrawn_when_there_is_memory),
      T(an_override_ends_by_the_servers_clock),
      T(an_override_ends_not_while_the_server_is_out_of_reach),
      T(an_override_without_a_servers_clock_does_not_end),
      T(an_override_that_was_changed_meanwhile_is_left_alone),
      T(an_override_that_lost_its_end_stays),
      T(a_later_node_in_the_order_gives_the_first_its_time));
