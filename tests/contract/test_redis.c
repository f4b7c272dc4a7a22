// SPDX-License-Identifier: Apache-2.0
// What only a real server can do to the Redis backend once it is connected.  How: rig.h.
#include "base/clock.h"
#include "tests/contract/rig.h"
#include "tests/lib/suite.h"

#include <stdio.h>

// --- meta fields of strangers

TEST(malformed_meta_fields_are_reported_as_mistyped)
{
    static const char *const broken[] = {"HSET {mp:0}s ! nonsense", "HSET {mp:0}s # 5",
                                         "HSET {mp:0}s % 1:2", "HSET {mp:0}s ^ -1"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct rig rig = {0};
        struct rig_record record;
        rig_open(&rig, &rig_redis);
        struct rig_client *a = rig_client(&rig);
        rig_create(a, 0, RIG_EPOCH_A);
        rig_run(&rig, broken[i]);
        stream_meta(a->stream, 0);
        struct rig_seen *seen = rig_wait(a, STREAM_EV_META);
        CHECK_EQ(seen->event.status, STREAM_MISTYPED);
        rig_seen_free(seen);
        rig_record(&record, "i", 0, 1);
        enum stream_status status = rig_put_status(a, 0, &record);
        CHECK_EQ(status, i == 0 ? STREAM_EPOCH : STREAM_MISTYPED);
        rig_close(&rig);
    }
}
END_TEST

// --- the server fails

TEST(a_killed_server_is_found_again_after_its_restart)
{
    struct rig rig = {0};
    rig_open(&rig, &rig_redis);
    struct rig_client *a = rig_client(&rig);
    rig_create(a, 0, RIG_EPOCH_A);
    redis_server_kill(&rig.redis);
    rig_skip(a, STREAM_EV_DOWN);
    rig_skip(a, STREAM_EV_DOWN); // an attempt that failed
    redis_server_restart(&rig.redis);
    rig_skip(a, STREAM_EV_UP);
    CHECK(!rig_meta(a, 0).exists); // it came back empty
    rig_create(a, 0, RIG_EPOCH_B);
    rig_close(&rig);
}
END_TEST

TEST(a_server_that_came_back_older_is_seen_by_meta_and_probe)
{
    static const char *const args[] = {"--dbfilename", "dump.rdb", NULL};
    struct rig rig = {.redis_args = args};
    struct rig_record record;
    rig_open(&rig, &rig_redis);
    struct rig_client *a = rig_client(&rig);
    rig_create(a, 0, RIG_EPOCH_A);
    rig_record(&record, "i", 0, 1);
    rig_put_ok(a, 0, &record);
    rig_run(&rig, "SAVE");
    rig_record(&record, "i", 1, 2);
    rig_put_ok(a, 0, &record);
    struct stream_meta before = rig_meta(a, 0);
    redis_server_kill(&rig.redis);
    redis_server_restart(&rig.redis);
    rig_skip(a, STREAM_EV_UP);
    struct stream_meta after = rig_meta(a, 0);
    CHECK_STR(after.epoch.text, before.epoch.text);
    CHECK_UEQ(after.sequence, before.sequence - 1);
    stream_probe(a->stream, 0, before.last_id);
    struct rig_seen *seen = rig_wait(a, STREAM_EV_PROBE);
    CHECK(!seen->event.probe.found);
    rig_seen_free(seen);
    rig_close(&rig);
}
END_TEST

TEST(a_server_that_stands_still_is_given_up_at_the_deadline)
{
    struct rig rig = {.reply_timeout_ms = 300};
    rig_open(&rig, &rig_redis);
    struct rig_client *a = rig_client(&rig);
    rig_create(a, 0, RIG_EPOCH_A);
    redis_server_pause(&rig.redis);
    struct mono start = clock_mono();
    stream_meta(a->stream, 0);
    rig_expect_down(a, STREAM_RETRY, "deadline");
    CHECK(mono_ms_between(start, clock_mono()) < 3000);
    rig_expect_down(a, STREAM_RETRY,
                    ""); // a stopped server still accepts connections: the greeting has a deadline
    redis_server_resume(&rig.redis);
    rig_skip(a, STREAM_EV_UP);
    CHECK(rig_meta(a, 0).exists);
    rig_close(&rig);
}
END_TEST

TEST(a_full_server_refuses_puts_but_answers_everything_else)
{
    struct rig rig = {0};
    struct rig_record record;
    rig_open(&rig, &rig_redis);
    struct rig_client *a = rig_client(&rig);
    rig_create(a, 0, RIG_EPOCH_A);
    rig_record(&record, "i", 0, 1);
    rig_put_ok(a, 0, &record);
    rig_run(&rig, "CONFIG SET maxmemory 1000");
    rig_record(&record, "j", 0, 1);
    struct rig_seen *seen = rig_put(a, 0, RIG_EPOCH_A, &record);
    CHECK_EQ(seen->event.status, STREAM_RETRY);
    CHECK(rig_contains(seen->event.text, "OOM"));
    rig_seen_free(seen);
    stream_read(a->stream, 0, (struct stream_id){0}, false);
    rig_skip(a, STREAM_EV_ENTRY);
    CHECK_UEQ(rig_meta(a, 0).sequence, 1);
    stream_beat(a->stream, SPAN_LIT("a"), SPAN_NONE, 1000);
    seen = rig_wait(a, STREAM_EV_BEAT);
    CHECK_EQ(seen->event.status, STREAM_OK);
    rig_seen_free(seen);
    rig_run(&rig, "CONFIG SET maxmemory 0");
    rig_put_ok(a, 0, &record);
    rig_close(&rig);
}
END_TEST

// A put in the air in every partition, each followed by the next version of its record as soon as it is
// accepted, or by itself when the scripts were missing.
struct load {
    uint64_t sent[RIG_PARTITIONS];
    uint32_t again;
};

static void load_send(struct rig_client *client, struct load *load, uint32_t partition)
{
    const struct stream_epoch epoch = rig_epoch(RIG_EPOCH_A);
    struct rig_record record;
    rig_record(&record, "i", load->sent[partition] - 1, load->sent[partition]);
    stream_put(client->stream, partition, &epoch, &record.record, 1);
}

// Takes one answer.
static void load_answer(struct rig_client *client, struct load *load, uint64_t last)
{
    struct rig_seen *seen = rig_wait(client, STREAM_EV_PUT);
    uint32_t partition = seen->event.partition;
    if (seen->event.status == STREAM_AGAIN) {
        load->again++;
        load_send(client, load, partition);
    } else {
        CHECK_EQ(seen->event.status, STREAM_OK);
        CHECK_EQ(seen->event.put.rows[0].result, STREAM_PUT_ACCEPTED);
        CHECK_UEQ(seen->event.put.sequence, load->sent[partition]);
        if (load->sent[partition]++ < last) {
            load_send(client, load, partition);
        }
    }
    rig_seen_free(seen);
}

static bool load_is_done(const struct load *load, uint64_t last)
{
    for (uint32_t p = 0; p < RIG_PARTITIONS; p++) {
        if (load->sent[p] <= last) {
            return false;
        }
    }
    return true;
}

TEST(scripts_that_the_server_forgot_under_load_cost_nothing_but_the_moment)
{
    enum { LAST = 200 };
    struct rig rig = {0};
    struct load load = {0};
    rig_open(&rig, &rig_redis);
    struct rig_client *a = rig_client(&rig);
    for (uint32_t p = 0; p < RIG_PARTITIONS; p++) {
        rig_create(a, p, RIG_EPOCH_A);
        stream_read(a->stream, p, (struct stream_id){0}, false);
        load.sent[p] = 1;
        load_send(a, &load, p);
    }
    for (uint32_t answers = 0; !load_is_done(&load, LAST); answers++) {
        if (answers % (2 * LAST) == LAST) {
            rig_run(&rig, "SCRIPT FLUSH"); // with a put in the air in each partition
        }
        load_answer(a, &load, LAST);
    }
    CHECK(load.again > 0);
    uint64_t sequences[RIG_PARTITIONS] = {0};
    for (uint32_t i = 0; i < RIG_PARTITIONS * LAST; i++) {
        struct rig_seen *seen = rig_wait(a, STREAM_EV_ENTRY);
        CHECK_UEQ(seen->event.entry.sequence, ++sequences[seen->event.partition]);
        rig_seen_free(seen);
    }
    CHECK(!rig_has(a, STREAM_EV_DOWN));
    rig_close(&rig);
}
END_TEST

TEST(every_call_survives_that_its_script_was_forgotten)
{
    struct rig rig = {0};
    struct rig_record record;
    rig_open(&rig, &rig_redis);
    struct rig_client *a = rig_client(&rig);
    rig_run(&rig, "SCRIPT FLUSH");
    CHECK_STR(rig_create(a, 0, RIG_EPOCH_A).epoch.text, RIG_EPOCH_A);
    CHECK(rig_meta(a, 0).exists);
    for (int i = 0; i < 2; i++) {
        stream_beat(a->stream, SPAN_LIT("name"), SPAN_LIT("payload"), 1000);
        struct rig_seen *seen = rig_wait(a, STREAM_EV_BEAT);
        CHECK_EQ(seen->event.status, STREAM_OK);
        CHECK(span_eq_str(seen->event.beat.peers[0].name, "name"));
        CHECK(span_eq_str(seen->event.beat.peers[0].payload, "payload"));
        rig_seen_free(seen);
    }
    rig_record(&record, "i", 0, 1);
    CHECK_EQ(rig_put_status(a, 0, &record), STREAM_AGAIN);
    rig_put_ok(a, 0, &record);
    CHECK(!rig_has(a, STREAM_EV_DOWN));
    rig_close(&rig);
}
END_TEST

TEST(a_server_that_does_not_keep_scripts_is_not_asked_in_a_circle)
{
    struct rig rig = {0};
    struct rig_record record;
    rig_open(&rig, &rig_redis);
    struct rig_client *a = rig_client(&rig);
    rig_create(a, 0, RIG_EPOCH_A);
    rig_record(&record, "i", 0, 1);
    enum stream_status status = STREAM_AGAIN;
    for (int i = 0; status == STREAM_AGAIN;
         i++) { // a slow machine may need some, to be fast enough once
        ck_assert_msg(i < 50, "each time at once");
        rig_run(&rig, "SCRIPT FLUSH");
        status = rig_put_status(a, 0, &record);
        rig_meta(a, 0); // comes back after the load
    }
    CHECK_EQ(status, STREAM_RETRY);
    rig_redis.wait_ms(&rig, 120);
    CHECK_EQ(rig_put_status(a, 0, &record), STREAM_AGAIN);
    rig_put_ok(a, 0, &record);
    rig_close(&rig);
}
END_TEST

TEST(a_server_that_became_a_replica_is_left)
{
    struct rig rig = {0};
    struct rig_record record;
    rig_open(&rig, &rig_redis);
    struct rig_client *a = rig_client(&rig);
    rig_create(a, 0, RIG_EPOCH_A);
    rig_run(&rig, "REPLICAOF 127.0.0.1 1");
    rig_record(&record, "i", 0, 1);
    const struct stream_epoch epoch = rig_epoch(RIG_EPOCH_A);
    stream_put(a->stream, 0, &epoch, &record.record, 1);
    rig_skip(a, STREAM_EV_DOWN);
    rig_expect_down(a, STREAM_RETRY, "replica");
    rig_run(&rig, "REPLICAOF NO ONE");
    rig_skip(a, STREAM_EV_UP);
    rig_put_ok(a, 0, &record);
    rig_close(&rig);
}
END_TEST

// --- what the server says of itself

// "redis " or "valkey ", as the tests' server was called (tools/valkey.sh).
static const char *servers_name(void)
{
    const char *program = getenv("REDIS_SERVER");
    return program != NULL && strstr(program, "valkey-server") != NULL ? "valkey " : "redis ";
}

TEST(a_server_that_may_evict_is_not_written_to_unless_allowed)
{
    static const char *const args[] = {"--maxmemory-policy", "allkeys-lru", NULL};
    for (int allowed = 0; allowed < 2; allowed++) {
        struct rig rig = {.redis_args = args};
        struct rig_record record;
        struct stream_info info;
        rig_open(&rig, &rig_redis);
        rig.allow_eviction = allowed == 1;
        struct rig_client *a = rig_client(&rig);
        rig_create(a, 0, RIG_EPOCH_A);
        rig_record(&record, "i", 0, 1);
        CHECK_EQ(rig_put_status(a, 0, &record), allowed == 1 ? STREAM_OK : STREAM_CONFIG);
        stream_info(a->stream, &info);
        CHECK_EQ(info.publishing_refused, allowed == 0);
        CHECK(rig_contains(info.server, servers_name()));
        rig_close(&rig);
    }
}
END_TEST

TEST(a_policy_that_changes_while_we_are_connected_is_noticed)
{
    static const struct {
        const char *command;
        bool refused;
    } rows[] = {{"CONFIG SET maxmemory-policy allkeys-lru", true},
                {"CONFIG SET maxmemory-policy volatile-ttl", true},
                {"CONFIG SET maxmemory-policy noeviction", false}};
    struct rig rig = {0};
    struct rig_record record;
    struct stream_info info;
    rig_open(&rig, &rig_redis);
    rig.watch_ms = 30;
    struct rig_client *a = rig_client(&rig);
    rig_create(a, 0, RIG_EPOCH_A);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rig_run(&rig, rows[i].command);
        for (int waits = 0; waits < 400; waits++) {
            stream_info(a->stream, &info);
            if (info.publishing_refused == rows[i].refused && waits > 20) {
                break;
            }
            rig_redis.wait_ms(&rig, 5);
        }
        CHECK_EQ(info.publishing_refused, rows[i].refused);
        rig_record(&record, "i", 0, 1);
        CHECK_EQ(rig_put_status(a, 0, &record), rows[i].refused ? STREAM_CONFIG : STREAM_OK);
    }
    CHECK(!rig_has(a, STREAM_EV_DOWN));
    rig_close(&rig);
}
END_TEST

// --- the fleet

TEST(many_peers_share_their_payloads_in_turns)
{
    enum { PEERS = 100 };
    struct rig rig = {0};
    bool seen_payload[PEERS] = {0};
    rig_open(&rig, &rig_redis);
    struct rig_client *a = rig_client(&rig);
    for (int i = 0; i < PEERS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "peer%d", i);
        stream_beat(a->stream, span_str(name), span_str(name), 60000);
        rig_skip(a, STREAM_EV_BEAT);
    }
    for (int turn = 0; turn < 2; turn++) {
        stream_beat(a->stream, SPAN_LIT("peer0"), SPAN_LIT("peer0"), 60000);
        struct rig_seen *seen = rig_wait(a, STREAM_EV_BEAT);
        CHECK_EQ(seen->event.beat.peer_count, PEERS);
        for (uint32_t i = 0; i < PEERS; i++) {
            const struct stream_peer *peer = &seen->event.beat.peers[i];
            int number = (int)strtol(peer->name.ptr + 4, NULL, 10);
            CHECK(peer->payload.len == 0 || span_eq(peer->payload, peer->name));
            seen_payload[number] = seen_payload[number] || peer->payload.len > 0;
        }
        rig_seen_free(seen);
    }
    for (int i = 0; i < PEERS; i++) {
        ck_assert_msg(seen_payload[i], "the payload of peer%d never came", i);
    }
    rig_close(&rig);
}
END_TEST

TEST(a_new_subscription_does_not_wait_for_a_blocked_read)
{
    struct rig rig = {0};
    struct rig_record record;
    rig_open(&rig, &rig_redis);
    struct rig_client *a = rig_client(&rig);
    rig_create(a, 0, RIG_EPOCH_A);
    rig_record(&record, "i", 0, 1);
    rig_put_ok(a, 0, &record);
    stream_read(a->stream, 1, (struct stream_id){0}, false);
    rig_redis.wait_ms(&rig, 50); // now it is blocked, for five seconds
    struct mono start = clock_mono();
    stream_read(a->stream, 0, (struct stream_id){0}, false);
    rig_skip(a, STREAM_EV_ENTRY);
    int64_t took_ms = mono_ms_between(start, clock_mono());
    ck_assert_msg(took_ms < 1000, "it took %lld ms", (long long)took_ms);
    rig_close(&rig);
}
END_TEST

SUITE("contract/redis", T(malformed_meta_fields_are_reported_as_mistyped),
      T(a_killed_server_is_found_again_after_its_restart),
      T(a_server_that_came_back_older_is_seen_by_meta_and_probe),
      T(a_server_that_stands_still_is_given_up_at_the_deadline),
      T(a_full_server_refuses_puts_but_answers_everything_else),
      T(scripts_that_the_server_forgot_under_load_cost_nothing_but_the_moment),
      T(every_call_survives_that_its_script_was_forgotten),
      T(a_server_that_does_not_keep_scripts_is_not_asked_in_a_circle),
      T(a_server_that_became_a_replica_is_left),
      T(a_server_that_may_evict_is_not_written_to_unless_allowed),
      T(a_policy_that_changes_while_we_are_connected_is_noticed),
      T(many_peers_share_their_payloads_in_turns),
      T(a_new_subscription_does_not_wait_for_a_blocked_read));
