// SPDX-License-Identifier: Apache-2.0
// How the Redis backend gets in: names, passwords, rights, and servers that it must refuse (TLS:
// test_redis_tls.c).  How: rig.h;
// a pretended server is a child that sends fixed bytes to whoever asks it anything.
#include "tests/contract/rig.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

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
        rig_expect_down(a, pretences[i].status, pretences[i].text);
        CHECK(!rig_has(a, STREAM_EV_UP));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        unlink(path);
        rig_close(&rig);
    }
}
END_TEST

TEST(the_documented_rights_are_enough_and_a_wrong_password_is_named)
{
    struct rig rig = {0};
    struct rig_record record;
    char path[128];
    rig_open(&rig, &rig_redis);
    snprintf(path, sizeof(path), "%s/password", rig.redis.dir);
    rig_grant(&rig, "right");
    rig_write_file(path, "wrong\n");
    rig.user = "meshpulse";
    rig.password_file = path;
    struct rig_client *a = rig_client_unstarted(&rig);
    stream_start(a->stream);
    rig_expect_down(a, STREAM_CONFIG, "WRONGPASS");
    rig_write_file(path, "right\n"); // read again at each attempt
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
    rig_run(&rig, "ACL SETUSER meshpulse -evalsha");
    rig_record(&record, "i", 1, 2);
    CHECK_EQ(rig_put_status(a, 0, &record), STREAM_CONFIG);
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
    rig_expect_down(a, STREAM_CONFIG, "password_file");
    rig_close(&rig);
}
END_TEST

// --- over TCP

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
    snprintf(port, sizeof(port), "%u", rig_free_port());
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

SUITE("contract/redis_connect", T(a_server_is_reached_by_name_over_tcp_and_a_database_is_selected),
      T(a_server_that_we_cannot_use_is_refused_with_its_reason),
      T(the_documented_rights_are_enough_and_a_wrong_password_is_named),
      T(a_password_file_that_cannot_be_read_is_named));
