// SPDX-License-Identifier: Apache-2.0
// Eviction as stories: a service that a peer made goes, is asked for, and comes again out of a scan that the
// test plays.  What the server holds is taken down before anything goes.
#include "replicator/core/evict.h"

#include "replicator/core/derive.h"
#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <stdio.h>
#include <string.h>

#define RECORDS_MAX 16
#define PAIR_MAX (KEY_LEN_MAX + RECORD_LEN_MAX)

// The state of the one partition, as its server holds it.
struct server {
    struct stream_pair pairs[RECORDS_MAX];
    char bytes[RECORDS_MAX][PAIR_MAX];
    uint32_t count;
};
static struct server server;

static bool take_down(void *arg, struct span key, const struct map_copy *copy)
{
    (void)arg;
    char *bytes = server.bytes[server.count];
    CHECK(server.count < RECORDS_MAX);
    memcpy(bytes, key.ptr, key.len);
    size_t len = codec_value_write(key, copy->facts.version, map_copy_body(copy),
                                   bytes + KEY_LEN_MAX, RECORD_LEN_MAX);
    server.pairs[server.count++] = (struct stream_pair){.key = span_of(bytes, key.len),
                                                        .value = span_of(bytes + KEY_LEN_MAX, len)};
    return true;
}

static void remember(struct rig *rig)
{
    server.count = 0;
    map_scan(rig->map, take_down, NULL);
}

// The reply to a scan, with all that the server holds.
static void scanned(struct rig *rig)
{
    const struct stream_event event = {.type = STREAM_EV_SCAN,
                                       .scan = {.pairs = server.pairs, .count = server.count}};
    rig_stream(rig, &event);
}

static struct span service(void)
{
    static struct key_bytes key;
    key = keys_policy();
    return key_span(&key);
}

static void want(struct rig *rig)
{
    const struct core_event event = {.type = CORE_EV_WANT, .service_key = service()};
    rig_step(rig, &event);
}

static uint32_t stubs(struct rig *rig)
{
    struct map_service found = {.evicted = 0};
    (void)map_service_get(rig->map, service(), &found);
    return found.evicted;
}

// i1 is seen down by b and i2 is drained; c looks on.
static struct rig *rig_with_service(void)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    peer_node(rig, "b", true);
    peer_registers(rig, "i1");
    peer_registers(rig, "i2");
    peer_votes(rig, "i1", "b", STATUS_UNHEALTHY);
    peer_overrides(rig, "i2", STATUS_DRAINING);
    rig_tick(rig, 100);
    remember(rig);
    rig_clear(rig);
    return rig;
}

static struct rig *rig_evicted(void)
{
    struct rig *rig = rig_with_service();
    CHECK(core_evict(rig->core, service()) > 0);
    CHECK_UEQ(stubs(rig), 4);
    return rig;
}

static struct map_digest digest(const struct rig *rig)
{
    return map_digest(rig->map, 0);
}

static struct policy checked_by_all(void)
{
    struct policy policy;
    record_policy_default(&policy);
    policy.observers = OBSERVERS_ALL;
    policy.check.type = CHECK_TCP;
    return policy;
}

TEST(a_service_that_is_evicted_is_judged_and_counted_as_before)
{
    struct rig *rig = rig_with_service();
    struct map_digest before = digest(rig);
    CHECK(core_evict(rig->core, service()) > 0);
    CHECK_UEQ(stubs(rig), 4);
    CHECK(rig_told(rig, ""));
    CHECK_UEQ(core_evict(rig->core, service()), 0); // nothing is left to go
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    CHECK(rig_health_is(rig, "i2", "DRAINING OperatorDrain overridden"));
    CHECK(digest(rig).count == before.count && digest(rig).sum == before.sum);
    peer_node(rig, "b", false); // its voice goes, also with those whose bodies are not here
    rig_tick(rig, 100);
    CHECK(rig_health_is(rig, "i1", "UNKNOWN NoObservation"));
    CHECK(rig_health_is(rig, "i2", "DRAINING OperatorDrain overridden"));
    CHECK_UEQ(stubs(rig), 4);
    CHECK_UEQ(core_get_counter(rig->core, CORE_EVICTIONS), 1);
    rig_free(rig);
}

TEST(who_wants_it_makes_the_partition_be_scanned_and_it_is_whole)
{
    struct rig *rig = rig_evicted();
    struct map_digest before = digest(rig);
    want(rig);
    want(rig); // somebody else, meanwhile
    CHECK(rig_told(rig, "scan 0"));
    scanned(rig);
    CHECK_UEQ(stubs(rig), 0);
    CHECK_UEQ(rig_weight(rig, "i1"), 1);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    CHECK(digest(rig).sum == before.sum && core_get_counter(rig->core, CORE_RELOADS) == 1);
    want(rig); // it is there
    rig_tick(rig, 3000);
    CHECK(rig_told(rig, ""));
    rig_free(rig);
}

TEST(a_scan_of_several_parts_is_read_to_its_end)
{
    struct rig *rig = rig_evicted();
    want(rig);
    CHECK(rig_told(rig, "scan 0"));
    struct stream_event event = {.type = STREAM_EV_SCAN,
                                 .scan = {.pairs = server.pairs, .count = 2, .cursor = 7}};
    rig_stream(rig, &event);
    CHECK(rig_told(rig, "scan 7"));
    event.scan.pairs = server.pairs + 2;
    event.scan.count = server.count - 2;
    event.scan.cursor = 0;
    rig_stream(rig, &event);
    CHECK_UEQ(stubs(rig), 0);
    rig_free(rig);
}

TEST(others_of_the_partition_stay_evicted)
{
    struct rig *rig = rig_with_service();
    struct key_bytes other;
    struct key_bytes other_service;
    struct map_facts facts;
    const struct record record = {
        .kind = KEY_REGISTRATION,
        .registration = {.address = SPAN_LIT("10.0.0.2"), .port = 80, .weight = 1}};
    key_registration(SPAN_LIT("default"), SPAN_LIT("other"), SPAN_LIT("x"), &other);
    key_policy(SPAN_LIT("default"), SPAN_LIT("other"), &other_service);
    rig_record(rig, key_span(&other), 1, &record);
    remember(rig);
    CHECK(core_evict(rig->core, service()) > 0);
    CHECK(core_evict(rig->core, key_span(&other_service)) > 0);
    want(rig);
    scanned(rig);
    CHECK_UEQ(stubs(rig), 0);
    CHECK(map_peek(rig->map, key_span(&other), &facts));
    CHECK_UEQ(facts.flags, MAP_EVICTED);
    rig_free(rig);
}

TEST(an_entry_takes_the_place_of_a_stub_and_the_rest_waits)
{
    struct rig *rig = rig_evicted();
    peer_registers(rig, "i1"); // anew, so of another version
    CHECK_UEQ(stubs(rig), 3);
    peer_votes(rig, "i1", "b", STATUS_HEALTHY);
    CHECK(rig_health_is(rig, "i1", "HEALTHY CheckPassed"));
    peer_deletes(rig, keys_override("i2"));
    CHECK_UEQ(stubs(rig), 1);
    want(rig);
    scanned(rig); // older than what the log has brought since
    CHECK_UEQ(stubs(rig), 0);
    CHECK(rig_health_is(rig, "i1", "HEALTHY CheckPassed"));
    CHECK(rig_health_is(rig, "i2", "UNKNOWN NoObservation"));
    rig_free(rig);
}

TEST(writes_are_refused_until_the_bodies_are_there)
{
    struct rig *rig = rig_evicted();
    rig_put_instance(rig, "i1", 7, false);
    caller_deletes(rig, 8, keys_instance("i2"));
    CHECK(rig_told(rig, "done 7 not_ready\nscan 0\ndone 8 not_ready"));
    rig_put_instance(rig, "new", 9, false); // its service is not all here
    CHECK(rig_told(rig, "done 9 not_ready"));
    scanned(rig);
    rig_put_instance(rig, "i1", 7, false);
    CHECK(rig_said(rig, "done 7 applied"));
    CHECK_UEQ(rig_weight(rig, "i1"), 7);
    rig_settle(rig);
    rig_clear(rig);
    caller_deletes(rig, 8, keys_instance("i2"));
    CHECK(rig_said(rig, "done 8 applied"));
    CHECK(!rig_shows(rig, keys_override("i2")));
    rig_free(rig);
}

// --- who stays

static bool stays(struct rig *rig)
{
    return core_evict(rig->core, service()) == 0 && stubs(rig) == 0;
}

TEST(what_is_observed_here_stays)
{
    struct rig *rig = rig_with_service();
    const struct policy policy = checked_by_all();
    peer_policy(rig, &policy);
    CHECK(rig_said(rig, "probe i1"));
    CHECK(stays(rig));
    rig_free(rig);
}

TEST(what_is_pending_here_stays_until_the_stream_has_it)
{
    struct rig *rig = rig_with_service();
    rig_put_instance(rig, "i1", 7, false);
    CHECK(stays(rig));
    rig_accept(rig);
    CHECK(stays(rig)); // not read back yet
    rig_echo(rig);
    CHECK(core_evict(rig->core, service()) > 0);
    rig_free(rig);
}

TEST(what_has_a_lease_here_stays)
{
    struct rig *rig = rig_with_service();
    const struct record record = {.kind = KEY_REGISTRATION,
                                  .registration = {.address = SPAN_LIT("10.0.0.1"),
                                                   .port = 80,
                                                   .weight = 1,
                                                   .lease_ms = 10000,
                                                   .owner = SPAN_LIT(RIG_SELF)}};
    caller_puts(rig, 1, keys_instance("i1"), &record);
    rig_settle(rig);
    rig_tick(rig, 100);
    CHECK(stays(rig));
    rig_free(rig);
}

TEST(what_ends_by_a_clock_of_ours_stays)
{
    struct rig *rig = rig_with_service();
    const struct record record = {
        .kind = KEY_OVERRIDE,
        .override = {.status = STATUS_DRAINING, .until_ms = INT64_C(1800000000000)}};
    peer_shows(rig, keys_override("i1"), &record);
    CHECK(stays(rig));
    rig_free(rig);
}

TEST(what_is_local_stays)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    struct policy policy;
    record_policy_default(&policy);
    policy.scope = SCOPE_LOCAL;
    const struct record record = {.kind = KEY_POLICY, .policy = policy};
    caller_puts(rig, 1, keys_policy(), &record);
    rig_put_instance(rig, "i1", 7, false);
    CHECK((rig_facts(rig, "i1").flags & MAP_LOCAL) != 0);
    CHECK(stays(rig));
    rig_free(rig);
}

TEST(what_a_conditional_write_waits_for_stays)
{
    struct rig *rig = rig_with_service();
    struct key_bytes key = keys_instance("i1");
    const struct patch gone = {.op = PATCH_DELETE, .record = {.kind = KEY_REGISTRATION}};
    const struct core_write write = {.op = 3,
                                     .key = key_span(&key),
                                     .patch = &gone,
                                     .precondition = CORE_IF_MATCH,
                                     .version = rig_facts(rig, "i1").version};
    rig_write(rig, &write);
    CHECK(stays(rig));
    rig_settle(rig);
    CHECK(!rig_shows(rig, key));
    rig_free(rig);
}

TEST(what_is_followed_stays)
{
    struct rig *rig = rig_with_service();
    const struct map_filter filter = {SPAN_LIT("default"), SPAN_LIT("s")};
    CHECK_OK(map_follow(rig->map, &filter));
    CHECK(stays(rig));
    map_unfollow(rig->map, &filter);
    CHECK(!stays(rig));
    rig_free(rig);
}

TEST(without_the_stream_nothing_goes)
{
    struct rig *rig = rig_with_service();
    rig_down(rig);
    CHECK(stays(rig)); // it could not be read again
    rig_free(rig);
}

TEST(what_the_server_holds_otherwise_stays)
{
    struct rig *rig = rig_with_service();
    char buf[RECORD_LEN_MAX];
    struct key_bytes key = keys_instance("i1");
    const struct stream_pair pair = {.key = key_span(&key), .value = future_of(key, 9, buf)};
    peer_bytes(rig, &pair, 0);
    CHECK(stays(rig));
    rig_free(rig);
}

// --- what happens meanwhile

TEST(a_resync_leaves_stubs_and_the_digest_holds)
{
    struct rig *rig = rig_evicted();
    rig->log = true;
    rig_down(rig);
    rig_up(rig);
    rig_meta(rig, rig->sequence);
    rig_probe(rig, false);
    CHECK(rig_said(rig, "resync trim"));
    rig_meta(rig, rig->sequence);
    scanned(rig);
    rig_meta(rig, rig->sequence);
    CHECK_UEQ(stubs(rig), 4);
    rig_clear(rig);
    peer_registers(rig, "i3"); // the next entry's digest is compared
    rig_tick(rig, 4000);
    CHECK(strstr(rig->story, "resync") == NULL && strstr(rig->story, "repair") == NULL);
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    rig_free(rig);
}

TEST(a_resync_fills_what_is_wanted)
{
    struct rig *rig = rig_evicted();
    rig_down(rig);
    want(rig);
    rig_up(rig);
    rig_meta(rig, rig->sequence);
    rig_probe(rig, false);
    rig_meta(rig, rig->sequence);
    scanned(rig);
    CHECK_UEQ(stubs(rig), 0);
    rig_meta(rig, rig->sequence);
    rig_tick(rig, 200);
    CHECK_UEQ(core_get_counter(rig->core, CORE_RELOADS), 1);
    rig_free(rig);
}

TEST(a_lost_connection_begins_the_scan_anew)
{
    struct rig *rig = rig_evicted();
    want(rig);
    rig_down(rig);
    rig_up(rig);
    rig_meta(rig, rig->sequence);
    rig_clear(rig);
    rig_probe(rig, true);
    rig_tick(rig, 1200);
    CHECK(rig_said(rig, "scan 0"));
    scanned(rig);
    CHECK_UEQ(stubs(rig), 0);
    rig_free(rig);
}

TEST(a_scan_that_a_resync_overtakes_is_not_taken_for_its_own)
{
    struct rig *rig = rig_evicted();
    want(rig);
    CHECK(rig_told(rig, "scan 0"));
    rig->sequence += 2; // a gap
    rig->id += 2;
    rig_entry(rig, "i9", 1, 1);
    CHECK(rig_told(rig, "unread\nmeta"));
    rig_meta(rig, rig->sequence);
    CHECK(rig_told(rig, "")); // the reply to the first scan is still to come
    const struct stream_event part = {.type = STREAM_EV_SCAN, .scan = {.cursor = 7}};
    rig_stream(rig, &part);
    CHECK(rig_told(rig, "scan 0"));
    scanned(rig);
    CHECK_UEQ(stubs(rig), 0);
    rig_free(rig);
}

TEST(a_scan_that_is_refused_is_made_again)
{
    struct rig *rig = rig_evicted();
    want(rig);
    const struct stream_event failed = {.type = STREAM_EV_SCAN, .status = STREAM_MISTYPED};
    rig_stream(rig, &failed);
    rig_clear(rig);
    rig_tick(rig, 1100);
    CHECK(rig_said(rig, "scan 0"));
    scanned(rig);
    CHECK_UEQ(stubs(rig), 0);
    rig_free(rig);
}

TEST(who_is_to_observe_it_now_waits_for_the_bodies)
{
    struct rig *rig = rig_evicted();
    const struct policy policy = checked_by_all();
    peer_policy(rig, &policy);
    CHECK(rig_told(rig, "scan 0"));
    scanned(rig);
    CHECK(rig_said(rig, "probe i1"));
    CHECK(rig_said(rig, "probe i2"));
    rig_free(rig);
}

TEST(a_lease_whose_owner_is_gone_is_adopted_when_its_body_has_come)
{
    struct rig *rig = rig_with_service();
    const struct record record = {.kind = KEY_REGISTRATION,
                                  .registration = {.address = SPAN_LIT("10.0.0.1"),
                                                   .port = 80,
                                                   .weight = 1,
                                                   .lease_ms = 10000,
                                                   .owner = SPAN_LIT("b")}};
    peer_shows(rig, keys_instance("i1"), &record);
    remember(rig);
    CHECK(core_evict(rig->core, service()) > 0);
    rig_clear(rig);
    peer_node(rig, "b", false);
    rig_tick(rig, 500);
    CHECK(rig_said(rig, "scan 0"));
    scanned(rig);
    rig_tick(rig, 500);
    CHECK(rig_said(rig, "put i1@"));
    rig_free(rig);
}

TEST(what_cannot_be_read_takes_the_place_of_a_stub)
{
    struct rig *rig = rig_evicted();
    char buf[RECORD_LEN_MAX];
    struct key_bytes key = keys_instance("i1");
    const struct stream_pair pair = {.key = key_span(&key), .value = future_of(key, 9, buf)};
    peer_bytes(rig, &pair, 0);
    CHECK_UEQ(rig_facts(rig, "i1").flags, MAP_OPAQUE);
    want(rig);
    scanned(rig);
    CHECK_UEQ(stubs(rig), 0);
    rig_free(rig);
}

TEST(a_body_of_another_version_does_not_fill_a_stub)
{
    struct rig *rig = rig_evicted();
    char value[RECORD_LEN_MAX];
    struct key_bytes key = keys_instance("i1");
    for (uint32_t i = 0; i < server.count; i++) {
        if (span_eq(server.pairs[i].key, key_span(&key))) {
            server.pairs[i].value = span_of(value, rig_value("i1", 77, 5, value));
        }
    }
    want(rig);
    scanned(rig);
    CHECK_UEQ(stubs(rig), 1);
    CHECK((rig_facts(rig, "i1").flags & MAP_EVICTED) != 0); // its entry is on the way
    rig_entry(rig, "i1", 77, 5);
    CHECK_UEQ(stubs(rig), 0);
    CHECK_UEQ(rig_weight(rig, "i1"), 5);
    rig_free(rig);
}

// The server forgot everything but the node records, and nobody has the rest.
static void forget_service(struct rig *rig)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < server.count; i++) {
        if (span_eq(key_service_prefix(server.pairs[i].key), service())) {
            struct codec_value value;
            CHECK_OK(codec_value_parse(server.pairs[i].value, &value));
            rig->digest.count--;
            rig->digest.sum = (rig->digest.sum - value.hash) & CODEC_HASH_MASK;
        } else {
            server.pairs[kept++] = server.pairs[i];
        }
    }
    server.count = kept;
}

// Answers whatever is asked for `ms`.
static void serve(struct rig *rig, int64_t ms)
{
    for (int64_t left = ms; left > 0; left -= 100) {
        rig_tick(rig, 100);
        if (rig->meta_open) {
            rig_meta(rig, rig->sequence);
        }
        if (rig->scan_open) {
            scanned(rig);
        }
        rig_settle(rig);
    }
}

TEST(what_the_server_and_all_others_have_lost_is_absent_in_the_end)
{
    struct rig *rig = rig_evicted();
    rig->log = true;
    forget_service(rig);
    want(rig);
    scanned(rig);
    CHECK_UEQ(stubs(rig), 4);
    serve(rig, 30000);
    CHECK(rig_said(rig, "resync evicted"));
    CHECK(rig_said(rig, "lost i1"));
    CHECK(!rig_shows(rig, keys_instance("i1")));
    CHECK(!map_has_evicted(rig->map));
    CHECK_UEQ(digest(rig).sum, rig->digest.sum);
    rig_free(rig);
}

TEST(what_another_holder_puts_back_is_filled)
{
    struct rig *rig = rig_evicted();
    struct server before = server;
    forget_service(rig);
    want(rig);
    scanned(rig);
    serve(rig, 8000); // the resync has shown that they are gone
    for (uint32_t i = 0; i < before.count; i++) {
        if (span_eq(key_service_prefix(before.pairs[i].key), service())) {
            peer_bytes(rig, &before.pairs[i], 0);
        }
    }
    serve(rig, 3000);
    CHECK_UEQ(stubs(rig), 0);
    CHECK(rig_shows(rig, keys_instance("i1")));
    CHECK(rig_health_is(rig, "i1", "UNHEALTHY ConnectRefused"));
    rig_free(rig);
}

TEST(without_memory_to_note_it_who_wants_it_asks_again)
{
    struct rig *rig = rig_evicted();
    rig_leave_room(rig, 0);
    want(rig);
    CHECK(rig_told(rig, ""));
    rig_put_instance(rig, "i1", 7, false);
    CHECK(rig_told(rig, "done 7 not_ready"));
    rig->core->arena.len += 4096;
    want(rig);
    CHECK(rig_told(rig, "scan 0"));
    rig_free(rig);
}

SUITE("core/evict", T(a_service_that_is_evicted_is_judged_and_counted_as_before),
      T(who_wants_it_makes_the_partition_be_scanned_and_it_is_whole),
      T(a_scan_of_several_parts_is_read_to_its_end), T(others_of_the_partition_stay_evicted),
      T(an_entry_takes_the_place_of_a_stub_and_the_rest_waits),
      T(writes_are_refused_until_the_bodies_are_there), T(what_is_observed_here_stays),
      T(what_is_pending_here_stays_until_the_stream_has_it), T(what_has_a_lease_here_stays),
      T(what_ends_by_a_clock_of_ours_stays), T(what_is_local_stays),
      T(what_a_conditional_write_waits_for_stays), T(what_is_followed_stays),
      T(without_the_stream_nothing_goes), T(what_the_server_holds_otherwise_stays),
      T(a_resync_leaves_stubs_and_the_digest_holds), T(a_resync_fills_what_is_wanted),
      T(a_lost_connection_begins_the_scan_anew),
      T(a_scan_that_a_resync_overtakes_is_not_taken_for_its_own),
      T(a_scan_that_is_refused_is_made_again), T(who_is_to_observe_it_now_waits_for_the_bodies),
      T(a_lease_whose_owner_is_gone_is_adopted_when_its_body_has_come),
      T(what_cannot_be_read_takes_the_place_of_a_stub),
      T(a_body_of_another_version_does_not_fill_a_stub),
      T(what_the_server_and_all_others_have_lost_is_absent_in_the_end),
      T(what_another_holder_puts_back_is_filled),
      T(without_memory_to_note_it_who_wants_it_asks_again));
