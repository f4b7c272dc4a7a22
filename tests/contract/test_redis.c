// SPDX-License-Identifier: Apache-2.0
// What only a real server (or one that pretends) can do to the Redis backend.  How: rig.h; a pretended
// server is a child that sends fixed bytes to whoever asks it anything.
#include "base/clock.h"
#include "tests/contract/certificates.h"
#include "tests/contract/rig.h"
#include "tests/lib/suite.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void run(struct rig *rig, const char *command)
{
    char answer[256];
    redis_server_run(&rig->redis, command, answer, sizeof(answer));
    ck_assert_msg(answer[0] != '-' && answer[0] != '\0', "%s: %s", command, answer);
}

static enum stream_status put_status(struct rig_client *client, uint32_t partition,
                                     const struct rig_record *record)
{
    struct rig_seen *seen = rig_put(client, partition, RIG_EPOCH_A, record);
    enum stream_status status = seen->event.status;
    rig_seen_free(seen);
    return status;
}

static bool contains(struct span text, const char *part)
{
    return text.len > 0 && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

// Waits for a DOWN of that status whose text holds `part`.
static void expect_down(struct rig_client *client, enum stream_status status, const char *part)
{
    struct rig_seen *seen = rig_wait(client, STREAM_EV_DOWN);
    ck_assert_msg(seen->event.status == status && contains(seen->event.text, part),
                  "status %d: %.*s", (int)seen->event.status, (int)seen->event.text.len,
                  seen->event.text.ptr);
    rig_seen_free(seen);
}

// --- keys of strangers

TEST(a_mistyped_key_is_reported_and_harms_no_other_partition)
{
    struct rig rig = {0};
    struct rig_record record;
    rig_open(&rig, &rig_redis);
    struct rig_client *a = rig_client(&rig);
    rig_create(a, 0, RIG_EPOCH_A);
    rig_create(a, 1, RIG_EPOCH_A);
    rig_create(a, 2, RIG_EPOCH_A);
    run(&rig, "DEL {mp:1}e");
    run(&rig, "SET {mp:1}e stranger");
    run(&rig, "SET {mp:3}s stranger");
    rig_record(&record, "i", 0, 1);
    CHECK_EQ(put_status(a, 1, &record), STREAM_MISTYPED);
    CHECK_EQ(put_status(a, 3, &record), STREAM_MISTYPED);
    stream_scan(a->stream, 1, 0);
    struct rig_seen *seen = rig_wait(a, STREAM_EV_SCAN);
    CHECK_EQ(seen->event.scan.count, 0); // the log is written first: nothing of the put stayed
    rig_seen_free(seen);
    stream_meta(a->stream, 3);
    seen = rig_wait(a, STREAM_EV_META);
    CHECK_EQ(seen->event.status, STREAM_MISTYPED);
    rig_seen_free(seen);
    for (uint32_t p = 0; p < 3; p++) {
        stream_read(a->stream, p, (struct stream_id){0}, false);
    }
    rig_put_ok(a, 0, &record);
    rig_skip(a, STREAM_EV_ENTRY);
    rig_put_ok(a, 2, &record);
    rig_skip(a, STREAM_EV_ENTRY);
    run(&rig, "DEL {mp:1}e"); // mended: it is read again
    rig_put_ok(a, 1, &record);
    seen = rig_wait(a, STREAM_EV_ENTRY);
    CHECK_EQ(seen->event.partition, 1);
    CHECK(!rig_has(a, STREAM_EV_DOWN));
    rig_seen_free(seen);
    rig_close(&rig);
}
END_TEST

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
        run(&rig, broken[i]);
        stream_meta(a->stream, 0);
        struct rig_seen *seen = rig_wait(a, STREAM_EV_META);
        CHECK_EQ(seen->event.status, STREAM_MISTYPED);
        rig_seen_free(seen);
        rig_record(&record, "i", 0, 1);
        enum stream_status status = put_status(a, 0, &record);
        CHECK_EQ(status, i == 0 ? STREAM_EPOCH : STREAM_MISTYPED);
        rig_close(&rig);
    }
}
END_TEST

TEST(an_oversized_record_is_cut_and_its_entry_kept)
{
    enum { LEN = 300000 };
    struct rig rig = {0};
    struct rig_record record;
    char *big = malloc(LEN);
    memset(big, 'x', LEN);
    rig_open(&rig, &rig_redis);
    struct rig_client *a = rig_client(&rig);
    rig_create(a, 0, RIG_EPOCH_A);
    rig_record(&record, "i", 0, 1);
    memcpy(big, record.value, 22);
    const struct span entry[] = {SPAN_LIT("XADD"),
                                 SPAN_LIT("{mp:0}e"),
                                 SPAN_LIT("*"),
                                 SPAN_LIT("#"),
                                 SPAN_LIT(RIG_EPOCH_A ":1:1-0123456789ab:0"),
                                 record.record.key,
                                 span_of(big, LEN)};
    redis_server_send(&rig.redis, entry, 7);
    const struct span field[] = {SPAN_LIT("HSET"), SPAN_LIT("{mp:0}s"), record.record.key,
                                 span_of(big, LEN)};
    redis_server_send(&rig.redis, field, 4);
    stream_read(a->stream, 0, (struct stream_id){0}, false);
    struct rig_seen *seen = rig_wait(a, STREAM_EV_ENTRY);
    CHECK(seen->event.entry.valid);
    CHECK_UEQ(seen->event.entry.sequence, 1);
    CHECK_UEQ(seen->event.entry.digest.sum, 0x0123456789ab);
    CHECK_EQ(seen->event.entry.count, 1);
    CHECK(seen->event.entry.pairs[0].oversized);
    CHECK(span_eq(seen->event.entry.pairs[0].key, record.record.key));
    CHECK(seen->event.entry.pairs[0].value.len >= 22 && seen->event.entry.pairs[0].value.len < 100);
    CHECK_MEM(seen->event.entry.pairs[0].value.ptr, record.value, 22);
    rig_seen_free(seen);
    stream_scan(a->stream, 0, 0);
    seen = rig_wait(a, STREAM_EV_SCAN);
    CHECK_EQ(seen->event.scan.count, 1);
    CHECK(seen->event.scan.pairs[0].oversized);
    rig_seen_free(seen);
    rig_close(&rig);
    free(big);
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
    run(&rig, "SAVE");
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
    expect_down(a, STREAM_RETRY, "deadline");
    CHECK(mono_ms_between(start, clock_mono()) < 3000);
    expect_down(a, STREAM_RETRY,
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
    run(&rig, "CONFIG SET maxmemory 1000");
    rig_record(&record, "j", 0, 1);
    struct rig_seen *seen = rig_put(a, 0, RIG_EPOCH_A, &record);
    CHECK_EQ(seen->event.status, STREAM_RETRY);
    CHECK(contains(seen->event.text, "OOM"));
    rig_seen_free(seen);
    stream_read(a->stream, 0, (struct stream_id){0}, false);
    rig_skip(a, STREAM_EV_ENTRY);
    CHECK_UEQ(rig_meta(a, 0).sequence, 1);
    stream_beat(a->stream, SPAN_LIT("a"), SPAN_NONE, 1000);
    seen = rig_wait(a, STREAM_EV_BEAT);
    CHECK_EQ(seen->event.status, STREAM_OK);
    rig_seen_free(seen);
    run(&rig, "CONFIG SET maxmemory 0");
    rig_put_ok(a, 0, &record);
    rig_close(&rig);
}
END_TEST

TEST(scripts_that_the_server_forgot_are_loaded_again)
{
    struct rig rig = {0};
    struct rig_record record;
    rig_open(&rig, &rig_redis);
    struct rig_client *a = rig_client(&rig);
    rig_create(a, 0, RIG_EPOCH_A);
    run(&rig, "SCRIPT FLUSH");
    rig_record(&record, "i", 0, 1);
    CHECK_EQ(put_status(a, 0, &record), STREAM_RETRY);
    rig_put_ok(a, 0, &record);
    CHECK(!rig_has(a, STREAM_EV_DOWN));
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
    run(&rig, "REPLICAOF 127.0.0.1 1");
    rig_record(&record, "i", 0, 1);
    const struct stream_epoch epoch = rig_epoch(RIG_EPOCH_A);
    stream_put(a->stream, 0, &epoch, &record.record, 1);
    rig_skip(a, STREAM_EV_DOWN);
    expect_down(a, STREAM_RETRY, "replica");
    run(&rig, "REPLICAOF NO ONE");
    rig_skip(a, STREAM_EV_UP);
    rig_put_ok(a, 0, &record);
    rig_close(&rig);
}
END_TEST

// --- what the server says of itself

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
        CHECK_EQ(put_status(a, 0, &record), allowed == 1 ? STREAM_OK : STREAM_CONFIG);
        stream_info(a->stream, &info);
        CHECK_EQ(info.publishing_refused, allowed == 0);
        CHECK(contains(info.server, "redis "));
        rig_close(&rig);
    }
}
END_TEST

// A child that answers whatever it is asked, on each connection, with `bytes`.
static pid_t pretend(const char *path, const char *bytes)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CHECK(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path));
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_EQ(listen(listener, 16), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            char asked[4096];
            int fd = accept(listener, NULL, NULL);
            if (read(fd, asked, sizeof(asked)) > 0 && write(fd, bytes, strlen(bytes)) < 0) {
                _exit(1);
            }
        }
    }
    close(listener);
    return pid;
}

struct pretence {
    const char *bytes;
    enum stream_status status;
    const char *text;
};

// In the order of the greeting: CLIENT SETNAME, ROLE, INFO server ...
static const struct pretence pretences[] = {
    {"+OK\r\n*1\r\n$6\r\nmaster\r\n$30\r\n# Server\r\nredis_version:6.2.14\r\n", STREAM_CONFIG,
     "redis 6.2.14 is too old"},
    {"+OK\r\n*1\r\n$5\r\nslave\r\n", STREAM_RETRY, "replica"},
    {"HTTP/1.1 400 Bad Request\r\n\r\n", STREAM_RETRY, "RESP2"},
    {"+OK\r\n%1\r\n", STREAM_RETRY, "RESP2"},
    {"-NOAUTH Authentication required.\r\n", STREAM_CONFIG, "NOAUTH"},
    {"-LOADING Redis is loading the dataset in memory\r\n", STREAM_RETRY, "LOADING"},
    {"-ERR max number of clients reached\r\n", STREAM_RETRY, "max number"},
    {"*2147483647\r\n", STREAM_RETRY, "too large"},
};

TEST(a_server_that_we_cannot_use_is_refused_with_its_reason)
{
    for (size_t i = 0; i < sizeof(pretences) / sizeof(pretences[0]); i++) {
        struct rig rig = {0};
        char path[128];
        char url[160];
        rig_open(&rig, &rig_redis);
        snprintf(path, sizeof(path), "%s/pretended", rig.redis.dir);
        snprintf(url, sizeof(url), "unix://%s", path);
        rig.url = url;
        pid_t pid = pretend(path, pretences[i].bytes);
        struct rig_client *a = rig_client_unstarted(&rig);
        stream_start(a->stream);
        expect_down(a, pretences[i].status, pretences[i].text);
        CHECK(!rig_has(a, STREAM_EV_UP));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        unlink(path);
        rig_close(&rig);
    }
}
END_TEST

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    CHECK(file != NULL);
    fputs(text, file);
    fclose(file);
}

// The rights that docs/configuration.md asks for, and no more.
#define RIGHTS                                                                                     \
    "resetkeys resetchannels -@all %RW~{mp:* +auth +ping +client|setname +client|id "              \
    "+client|unblock +info +role +script|load +evalsha +hmget +hget +hset +hscan +hdel +xadd "     \
    "+xread +xrange +xrevrange +zadd +zrem +zrangebyscore +zrevrange +time"

TEST(the_documented_rights_are_enough_and_a_wrong_password_is_named)
{
    struct rig rig = {0};
    struct rig_record record;
    char path[128];
    rig_open(&rig, &rig_redis);
    snprintf(path, sizeof(path), "%s/password", rig.redis.dir);
    run(&rig, "ACL SETUSER meshpulse reset on >right " RIGHTS);
    write_file(path, "wrong\n");
    rig.user = "meshpulse";
    rig.password_file = path;
    struct rig_client *a = rig_client_unstarted(&rig);
    stream_start(a->stream);
    expect_down(a, STREAM_CONFIG, "WRONGPASS");
    write_file(path, "right\n"); // read again at each attempt
    rig_skip(a, STREAM_EV_UP);
    rig_create(a, 0, RIG_EPOCH_A);
    stream_read(a->stream, 0, (struct stream_id){0}, false);
    stream_scan(a->stream, 0, 0);
    rig_skip(a, STREAM_EV_SCAN);
    rig_record(&record, "i", 0, 1);
    rig_put_ok(a, 0, &record);
    struct rig_seen *seen = rig_wait(a, STREAM_EV_ENTRY);
    stream_probe(a->stream, 0, seen->event.entry.id);
    rig_seen_free(seen);
    rig_skip(a, STREAM_EV_PROBE);
    stream_beat(a->stream, SPAN_LIT("a"), SPAN_LIT("payload"), 1000);
    seen = rig_wait(a, STREAM_EV_BEAT);
    CHECK_EQ(seen->event.status, STREAM_OK);
    rig_seen_free(seen);
    stream_forget(a->stream, SPAN_LIT("a"));
    CHECK(rig_meta(a, 0).exists);
    run(&rig, "ACL SETUSER meshpulse -evalsha");
    rig_record(&record, "i", 1, 2);
    CHECK_EQ(put_status(a, 0, &record), STREAM_CONFIG);
    rig_close(&rig);
}
END_TEST

TEST(a_password_file_that_cannot_be_read_is_named)
{
    struct rig rig = {0};
    rig_open(&rig, &rig_redis);
    rig.password_file = "/nonexistent/password";
    struct rig_client *a = rig_client_unstarted(&rig);
    stream_start(a->stream);
    expect_down(a, STREAM_CONFIG, "password_file");
    rig_close(&rig);
}
END_TEST

// --- over TCP and TLS

// A port that nobody listens on at this moment.
static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

// Puts, reads back, and counts in another database than 0.
static void use(struct rig *rig)
{
    struct rig_record record;
    struct rig_client *a = rig_client(rig);
    rig_create(a, 0, RIG_EPOCH_A);
    stream_read(a->stream, 0, (struct stream_id){0}, false);
    rig_record(&record, "i", 0, 1);
    rig_put_ok(a, 0, &record);
    rig_skip(a, STREAM_EV_ENTRY);
}

TEST(a_server_is_reached_by_name_over_tcp_and_a_database_is_selected)
{
    char port[16];
    char url[64];
    char answer[64];
    const char *const args[] = {"--port", port, "--bind", "127.0.0.1", NULL};
    struct rig rig = {.redis_args = args};
    snprintf(port, sizeof(port), "%u", free_port());
    snprintf(url, sizeof(url), "redis://localhost:%s/3", port);
    rig_open(&rig, &rig_redis);
    rig.url = url;
    use(&rig);
    redis_server_run(&rig.redis, "EVAL \"redis.call('SELECT', 3) return redis.call('DBSIZE')\" 0",
                     answer, sizeof(answer));
    CHECK_STR(answer, ":2"); // state and log of one partition
    rig_close(&rig);
}
END_TEST

TEST(a_server_is_verified_over_tls)
{
    struct certificates certificates;
    char port[16];
    char url[64];
    certificates_make(&certificates);
    const char *const args[] = {"--tls-port",
                                port,
                                "--bind",
                                "127.0.0.1",
                                "--tls-cert-file",
                                certificates.server,
                                "--tls-key-file",
                                certificates.server,
                                "--tls-ca-cert-file",
                                certificates.ca,
                                "--tls-auth-clients",
                                "yes",
                                NULL};
    snprintf(port, sizeof(port), "%u", free_port());
    snprintf(url, sizeof(url), "rediss://127.0.0.1:%s", port);
    struct rig rig = {.redis_args = args};
    rig_open(&rig, &rig_redis);
    rig.url = url;
    rig.ca_file = certificates.ca;
    rig.cert_file = certificates.client;
    rig.key_file = certificates.client;
    use(&rig);
    rig.ca_file = certificates.stranger;
    struct rig_client *other_ca = rig_client_unstarted(&rig);
    stream_start(other_ca->stream);
    rig_skip(other_ca, STREAM_EV_DOWN);
    rig.ca_file = "/nonexistent";
    struct rig_client *no_ca = rig_client_unstarted(&rig);
    stream_start(no_ca->stream);
    expect_down(no_ca, STREAM_CONFIG, "/nonexistent");
    rig.ca_file = certificates.ca;
    snprintf(url, sizeof(url), "rediss://localhost:%s", port);
    struct rig_client *other_name = rig_client_unstarted(&rig);
    stream_start(other_name->stream);
    rig_skip(other_name, STREAM_EV_DOWN);
    CHECK(!rig_has(other_ca, STREAM_EV_UP) && !rig_has(other_name, STREAM_EV_UP));
    rig_close(&rig);
    certificates_remove(&certificates);
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

SUITE("contract/redis", T(a_mistyped_key_is_reported_and_harms_no_other_partition),
      T(malformed_meta_fields_are_reported_as_mistyped),
      T(an_oversized_record_is_cut_and_its_entry_kept),
      T(a_killed_server_is_found_again_after_its_restart),
      T(a_server_that_came_back_older_is_seen_by_meta_and_probe),
      T(a_server_is_reached_by_name_over_tcp_and_a_database_is_selected),
      T(a_server_is_verified_over_tls), T(a_server_that_stands_still_is_given_up_at_the_deadline),
      T(a_full_server_refuses_puts_but_answers_everything_else),
      T(scripts_that_the_server_forgot_are_loaded_again), T(a_server_that_became_a_replica_is_left),
      T(a_server_that_may_evict_is_not_written_to_unless_allowed),
      T(a_server_that_we_cannot_use_is_refused_with_its_reason),
      T(the_documented_rights_are_enough_and_a_wrong_password_is_named),
      T(a_password_file_that_cannot_be_read_is_named), T(many_peers_share_their_payloads_in_turns),
      T(a_new_subscription_does_not_wait_for_a_blocked_read));
