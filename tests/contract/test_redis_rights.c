// SPDX-License-Identifier: Apache-2.0
// The rights that docs/redis.md names: none too many (that they are enough: test_redis_connect.c), and the
// commands of the greeting that may be missing.  How: rig.h; the server's ACL LOG says what was denied.
#include "base/log.h"
#include "tests/contract/rig.h"
#include "tests/lib/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void become_user(struct rig *rig, char *path, size_t cap)
{
    snprintf(path, cap, "%s/password", rig->redis.dir);
    rig_write_file(path, "right\n");
    rig->user = "meshpulse";
    rig->password_file = path;
}

// --- each right is used

static bool was_denied(struct rig *rig)
{
    char answer[64];
    redis_server_run(&rig->redis, "ACL LOG 1", answer, sizeof(answer));
    ck_assert_msg(answer[0] == '*', "ACL LOG: %s", answer);
    return strcmp(answer, "*0") != 0;
}

// Waits for the next event of this type; false: something was denied first.
static bool has_passed(struct rig_client *client, enum stream_event_type type)
{
    for (int i = 0; !rig_has(client, type); i++) {
        ck_assert_msg(i < 2000, "neither an event nor a denial");
        if (was_denied(client->rig)) {
            return false;
        }
        rig_redis.pump(client->rig);
    }
    rig_skip(client, type);
    return true;
}

static bool writes(struct rig_client *client, uint64_t counter)
{
    const struct stream_epoch epoch = rig_epoch(RIG_EPOCH_A);
    struct rig_record record;
    rig_record(&record, "i", counter - 1, counter);
    stream_put(client->stream, 0, &epoch, &record.record, 1);
    return has_passed(client, STREAM_EV_PUT);
}

// A new subscription, while the reader is blocked for the sake of another.
static bool moves(struct rig_client *client)
{
    stream_read(client->stream, 0, (struct stream_id){0}, false);
    if (!has_passed(client, STREAM_EV_ENTRY) || !has_passed(client, STREAM_EV_DRAINED)) {
        return false;
    }
    rig_redis.wait_ms(client->rig, 30);
    stream_read(client->stream, 0, (struct stream_id){0}, false);
    return has_passed(client, STREAM_EV_ENTRY);
}

static bool beats(struct rig_client *client)
{
    stream_forget(client->stream,
                  SPAN_LIT("a")); // nobody answers to it, but the next one comes after it
    stream_beat(client->stream, SPAN_LIT("a"), SPAN_LIT("payload"), 1000);
    return has_passed(client, STREAM_EV_BEAT);
}

static bool refuses(struct rig_client *client)
{
    rig_run(client->rig, "CONFIG SET maxmemory-policy allkeys-lru");
    rig_redis.cut(client->rig, 0);
    return has_passed(client, STREAM_EV_DOWN) && has_passed(client, STREAM_EV_UP) &&
           writes(client, 2);
}

static bool creates(struct rig_client *client)
{
    const struct stream_epoch epoch = rig_epoch(RIG_EPOCH_A);
    stream_create(client->stream, 0, &epoch);
    return has_passed(client, STREAM_EV_META);
}

static bool scans(struct rig_client *client)
{
    stream_scan(client->stream, 0, 0);
    return has_passed(client, STREAM_EV_SCAN);
}

static bool probes(struct rig_client *client)
{
    stream_probe(client->stream, 0, (struct stream_id){1, 1});
    return has_passed(client, STREAM_EV_PROBE);
}

// What a backend does in its life.  True: and nothing was denied.
static bool live(struct rig *rig)
{
    struct rig_client *a = rig_client_unstarted(rig);
    stream_start(a->stream);
    bool ok = has_passed(a, STREAM_EV_UP) && creates(a) && writes(a, 1) && scans(a) && probes(a) &&
              moves(a) && beats(a) && refuses(a);
    return ok && !was_denied(rig);
}

// With the documented rights, but `instead` in the place of `right`.
static bool lives_with(const char *instead, const char *right)
{
    struct rig rig = {.backoff_max_ms = 20};
    char path[128];
    char rights[1024];
    char command[1200];
    size_t len = 0;
    char *rest = rights;
    rig_open(&rig, &rig_redis);
    become_user(&rig, path, sizeof(path));
    rig_documented_rights(rights, sizeof(rights));
    len += (size_t)snprintf(command, sizeof(command), "ACL SETUSER meshpulse reset on >right");
    for (const char *each = strtok_r(rest, " ", &rest); each != NULL;
         each = strtok_r(NULL, " ", &rest)) {
        len += (size_t)snprintf(command + len, sizeof(command) - len, " %s",
                                strcmp(each, right) == 0 ? instead : each);
    }
    rig_run(&rig, command);
    bool lives = live(&rig);
    rig_close(&rig);
    return lives;
}

TEST(no_documented_right_is_superfluous)
{
    char rights[1024];
    char *rest = rights;
    int count = 0;
    rig_documented_rights(rights, sizeof(rights));
    CHECK(lives_with("", ""));
    for (const char *right = strtok_r(rest, " ", &rest); right != NULL;
         right = strtok_r(NULL, " ", &rest)) {
        if (strcmp(right, "resetchannels") != 0) { // takes away what acl-pubsub-default may give
            ck_assert_msg(!lives_with("", right), "%s is not used", right);
            count++;
        }
    }
    CHECK(count > 20);
    CHECK(!lives_with("%R~{mp:*", "%RW~{mp:*"));
    CHECK(!lives_with("%W~{mp:*", "%RW~{mp:*"));
}
END_TEST

// --- what may be missing

// Does it work, and is `warning` in what it logs?
static void check_works(struct rig *rig, const char *warning)
{
    char text[8192];
    int log[2];
    struct rig_record record;
    CHECK_EQ(pipe2(log, O_NONBLOCK | O_CLOEXEC), 0);
    log_set_fd(log[1]);
    struct rig_client *a = rig_client(rig);
    rig_create(a, 0, RIG_EPOCH_A);
    stream_read(a->stream, 0, (struct stream_id){0}, false);
    rig_record(&record, "i", 0, 1);
    rig_put_ok(a, 0, &record);
    rig_skip(a, STREAM_EV_ENTRY);
    CHECK(!rig_has(a, STREAM_EV_DOWN));
    log_set_fd(2);
    ssize_t len = read(log[0], text, sizeof(text));
    ck_assert_msg(len > 0 && rig_contains(span_of(text, (size_t)len), warning), "no %s", warning);
    close(log[0]);
    close(log[1]);
}

struct optional {
    const char *command, *warning;
};

static const struct optional optionals[] = {{"INFO", "INFO server denied"},
                                            {"INFO", "INFO memory denied"},
                                            {"ROLE", "ROLE denied"},
                                            {"CLIENT", "CLIENT SETNAME denied"},
                                            {"CLIENT", "CLIENT ID denied"}};

TEST(a_command_that_the_server_does_not_know_is_done_without)
{
    for (size_t i = 0; i < sizeof(optionals) / sizeof(optionals[0]); i++) {
        const char *const args[] = {"--rename-command", optionals[i].command, "", NULL};
        struct rig rig = {.redis_args = args};
        rig_open(&rig, &rig_redis);
        check_works(&rig, optionals[i].warning);
        rig_close(&rig);
    }
}
END_TEST

TEST(a_command_that_the_user_may_not_give_is_done_without)
{
    for (size_t i = 0; i < sizeof(optionals) / sizeof(optionals[0]); i++) {
        struct rig rig = {0};
        char path[128];
        char command[64];
        rig_open(&rig, &rig_redis);
        become_user(&rig, path, sizeof(path));
        rig_grant(&rig, "right");
        snprintf(command, sizeof(command), "ACL SETUSER meshpulse -%s", optionals[i].command);
        rig_run(&rig, command);
        check_works(&rig, optionals[i].warning);
        rig_close(&rig);
    }
}
END_TEST

SUITE("contract/redis_rights", T(no_documented_right_is_superfluous),
      T(a_command_that_the_server_does_not_know_is_done_without),
      T(a_command_that_the_user_may_not_give_is_done_without));
