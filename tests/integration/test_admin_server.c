// SPDX-License-Identifier: Apache-2.0
// The admin API on real sockets before a fake daemon: what needs a thread, a slow daemon or a client that
// leaves.  The client is a blocking socket; each wait ends after 10 s at most.
#include "admin-api/server.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/metric.h"
#include "tests/integration/talk.h"
#include "tests/lib/convoy.h"
#include "tests/lib/suite.h"
#include "tests/unit/api/fake.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MS 10000
#define PAY "/v1/services/pay/instances/pay-1"
#define BODY "{\"address\":\"127.0.0.1\",\"port\":1}"

struct stand {
    struct fake *fake;
    struct admin *admin;
    struct admin_addresses addresses;
    char dir[64];
    char socket_path[96];
    char tokens_path[96];
};

static void stand_up(struct stand *stand, struct admin_options options)
{
    char text[ADMIN_TEXT_LEN] = "";
    (void)snprintf(stand->dir, sizeof(stand->dir), "/tmp/meshpulse-admin-XXXXXX");
    CHECK(mkdtemp(stand->dir) != NULL);
    (void)snprintf(stand->socket_path, sizeof(stand->socket_path), "%s/s", stand->dir);
    (void)snprintf(stand->tokens_path, sizeof(stand->tokens_path), "%s/tokens", stand->dir);
    stand->fake = fake_new();
    fake_register(stand->fake, "default", "pay", "pay-1");
    options.listen = "127.0.0.1:0";
    options.probe_listen = "127.0.0.1:0";
    options.unix_path = stand->socket_path;
    options.unix_mode = 0600;
    enum err err = admin_new(&options, &stand->fake->backend, text, &stand->admin);
    ck_assert_msg(err == ERR_OK, "%s", text);
    map_on_change(stand->fake->map, admin_wake, stand->admin);
    admin_addresses(stand->admin, &stand->addresses);
}

static void start(struct stand *stand)
{
    CHECK_OK(admin_start(stand->admin));
}

static void tear_down(struct stand *stand)
{
    admin_stop(stand->admin);
    if (stand->fake->held_done != NULL) {
        fake_release(stand->fake);
    }
    admin_free(stand->admin);
    fake_free(stand->fake);
    (void)unlink(stand->tokens_path);
    CHECK_OK(rmdir(stand->dir)); // so the socket has gone
}

static const char *const hosts[] = {TALK_HOST};
static const struct admin_options plain = {.allowed_hosts = hosts, .allowed_host_count = 1};

static unsigned count_of(const char *text, const char *word)
{
    unsigned count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        count++;
    }
    return count;
}

TEST(a_long_list_comes_whole_and_the_connection_goes_on)
{
    struct stand stand;
    stand_up(&stand, plain);
    for (unsigned i = 0; i < 1000; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "i%04u", i);
        fake_register(stand.fake, "default", "big", id);
    }
    start(&stand);
    int fd = talk_to(stand.addresses.port);
    talk_ask(fd, "GET /v1/services/big/instances", "", NULL);
    char *answer = talk_until(fd, "\r\n0\r\n\r\n");
    CHECK(strstr(answer, "Transfer-Encoding: chunked") != NULL);
    CHECK_UEQ(count_of(answer, "\"acked\":true}"), 1000);
    free(answer);
    talk_ask(fd, "HEAD /v1/services/big/instances", "", NULL);
    talk_expect(fd, "\r\n\r\n");
    talk_ask(fd, "GET /version", "", NULL);
    talk_expect(fd, "\"node\":\"a\"");
    (void)close(fd);
    for (unsigned i = 0; i < 8; i++) { // those who leave in the middle
        int leaver = talk_to(stand.addresses.port);
        talk_ask(leaver, "GET /v1/services/big/instances", "", NULL);
        talk_expect(leaver, "HTTP/1.1 200");
        (void)close(leaver);
    }
    fd = talk_to(stand.addresses.port);
    talk_ask(fd, "GET /version", "", NULL);
    talk_expect(fd, "\"node\":\"a\"");
    (void)close(fd);
    tear_down(&stand);
}

TEST(a_watcher_hears_of_a_change_by_another_thread)
{
    struct stand stand;
    stand_up(&stand, plain);
    start(&stand);
    int fd = talk_to(stand.addresses.port);
    talk_ask(fd, "GET /v1/watch?service=pay", "", NULL);
    talk_expect(fd, ": watching");
    fake_observe(stand.fake, "pay-1", "a", STATUS_TIMEOUT);
    talk_expect(fd, "\"status\":\"TIMEOUT\"");
    admin_stop(stand.admin);
    talk_expect(fd, "event: resync"); // whoever stops says that the reader has to list again
    (void)close(fd);
    tear_down(&stand);
}

// A machine that is too busy to answer the reader in time shows nothing, and fails nothing.
TEST(who_writes_too_much_is_not_read_for_a_while_and_who_reads_is)
{
    struct stand stand;
    stand_up(&stand, plain);
    stand.fake->slow_ms = 300;
    start(&stand);
    int writer = talk_to(stand.addresses.port);
    int reader = talk_to(stand.addresses.port);
    struct mono since = clock_mono();
    talk_ask(writer, "PUT " PAY, "", BODY);
    talk_expect(writer, "200 OK"); // at once, and then
    talk_ask(writer, "GET " PAY, "", NULL);
    talk_ask(reader, "GET " PAY, "", NULL);
    talk_expect(reader, "200 OK");
    talk_ask(reader, "GET " PAY, "", NULL);
    talk_expect(reader, "200 OK");
    bool silent = talk_is_silent(writer);
    CHECK(silent || mono_ms_between(since, clock_mono()) > 250);
    stand.fake->slow_ms = 0;
    talk_expect(writer, "200 OK");
    CHECK(mono_ms_between(since, clock_mono()) >= 299);
    close(writer);
    close(reader);
    tear_down(&stand);
}

TEST(a_write_that_takes_longer_is_answered_202)
{
    struct stand stand;
    stand_up(&stand, plain);
    stand.fake->hold = true;
    stand.fake->slow_ms = 100;
    start(&stand);
    int fd = talk_to(stand.addresses.port);
    struct mono since = clock_mono();
    talk_ask(fd, "PUT " PAY "?ack=stream&timeout=50ms", "", BODY);
    talk_expect(fd, "HTTP/1.1 202 ");
    talk_ask(fd, "GET " PAY, "", NULL);
    talk_expect(fd, "HTTP/1.1 200 ");
    CHECK(mono_ms_between(since, clock_mono()) >= 50 + 100); // it has written, so it is slowed down
    (void)close(fd);
    tear_down(&stand); // its outcome comes after the stop, and ends the job
}

TEST(a_client_that_leaves_does_not_end_its_write)
{
    struct stand stand;
    stand_up(&stand, plain);
    stand.fake->hold = true;
    start(&stand);
    int fd = talk_to(stand.addresses.port);
    talk_ask(fd, "PUT " PAY "?ack=stream", "", BODY);
    (void)close(fd);
    fd = talk_to(stand.addresses.port);
    talk_ask(fd, "GET /version", "", NULL);
    talk_expect(fd, "\"node\":\"a\"");
    (void)close(fd);
    tear_down(&stand);
}

TEST(a_stop_answers_who_still_waits)
{
    struct stand stand;
    stand_up(&stand, plain);
    stand.fake->hold = true;
    start(&stand);
    int fd = talk_to(stand.addresses.port);
    talk_ask(fd, "PUT " PAY, "", BODY);
    int other = talk_to(stand.addresses.port); // once this is answered the write is with the daemon
    talk_ask(other, "GET /version", "", NULL);
    talk_expect(other, "\"node\":\"a\"");
    talk_ask(other, "GET /debug/trace?seconds=60", "", NULL);
    int third = talk_to(stand.addresses.port);
    talk_ask(third, "GET /version", "", NULL);
    talk_expect(third, "\"node\":\"a\"");
    (void)close(third);
    admin_stop(stand.admin);
    talk_expect(fd, "\"detail\":\"the node is stopping\"");
    talk_expect(other, "\"detail\":\"the node is stopping\"");
    (void)close(fd);
    (void)close(other);
    tear_down(&stand);
}

// Is the convoy that was planted meanwhile in what was recorded?  A busy machine may plant it too late.
static bool records_a_convoy(const struct stand *stand)
{
    int fd = talk_to(stand->addresses.port);
    int other = talk_to(stand->addresses.port);
    talk_ask(fd, "GET /version", "", NULL);
    talk_expect(fd, "\"node\":\"a\"");
    const struct mono began = clock_mono();
    talk_ask(fd, "GET /debug/contention?seconds=1", "", NULL);
    talk_ask(other, "GET /version", "", NULL);
    talk_expect(other, "\"node\":\"a\""); // by the same thread
    bool waits = mono_ms_between(began, clock_mono()) >= 900 || talk_is_silent(fd);
    convoy_plant(stand->fake->map, SPAN_LIT("any key"));
    char *text = talk_answer(fd);
    // Fifty steps, each cut to the millisecond.
    bool took = mono_ms_between(began, clock_mono()) >= 980;
    bool found =
        strstr(text, "\"waiter\":\"" CONVOY_WAITER "\",\"holder\":\"" CONVOY_HOLDER "\"") != NULL &&
        strstr(text, "\"convoy_waiter_main+0x") != NULL;
    free(text);
    (void)close(fd);
    (void)close(other);
    CHECK(waits);
    CHECK(took);
    return found;
}

TEST(a_recording_takes_its_time_and_keeps_nobody_waiting)
{
    struct stand stand;
    stand_up(&stand, plain);
    start(&stand);
    bool found = false;
    for (unsigned i = 0; i < 10 && !found; i++) {
        found = records_a_convoy(&stand);
    }
    CHECK(found);
    tear_down(&stand);
}

// Asks until the answer is no refusal: the server learns of a client that has left when it looks.
static void trace_once_it_is_free(const struct stand *stand)
{
    for (unsigned i = 0; i < 500; i++) {
        int fd = talk_to(stand->addresses.port);
        talk_ask(fd, "GET /debug/trace?seconds=1", "", NULL);
        char *text = talk_until(fd, "\r\n\r\n");
        const bool refused = strstr(text, "HTTP/1.1 429 ") == text;
        free(text);
        (void)close(fd);
        if (!refused) {
            return;
        }
        (void)poll(NULL, 0, 10);
    }
    ck_abort_msg("a client that has left still records");
}

TEST(a_client_that_leaves_ends_its_recording)
{
    struct stand stand;
    stand_up(&stand, plain);
    start(&stand);
    int fd = talk_to(stand.addresses.port);
    talk_ask(fd, "GET /version", "", NULL);
    talk_expect(fd, "\"node\":\"a\""); // so that its next request comes before that of another
    talk_ask(fd, "GET /debug/trace?seconds=60", "", NULL);
    int other = talk_to(stand.addresses.port);
    talk_ask(other, "GET /debug/trace", "", NULL);
    talk_expect(other, "HTTP/1.1 429 ");
    (void)close(other);
    const struct linger reset = {.l_onoff = 1};
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    (void)close(fd);
    trace_once_it_is_free(&stand);
    tear_down(&stand);
}

TEST(the_probe_listener_and_the_unix_socket_have_their_own_rules)
{
    struct stand stand;
    stand_up(&stand, (struct admin_options){.listen = ""}); // mesh.test is no allowed host here
    start(&stand);
    int fd = talk_to(stand.addresses.probe_port);
    talk_ask(fd, "GET /readyz", "", NULL);
    talk_expect(fd, "HTTP/1.1 200 ");
    talk_ask(fd, "GET /version", "", NULL);
    talk_expect(fd, "HTTP/1.1 404 ");
    (void)close(fd);
    fd = talk_to(stand.addresses.port);
    talk_ask(fd, "GET /version", "", NULL);
    talk_expect(fd, "HTTP/1.1 421 ");
    (void)close(fd);
    struct stat info;
    CHECK_OK(stat(stand.socket_path, &info));
    CHECK_UEQ(info.st_mode & 0777, 0600);
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    (void)snprintf(path.sun_path, sizeof(path.sun_path), "%s", stand.socket_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_OK(connect(fd, (const struct sockaddr *)&path, sizeof(path)));
    talk_ask(fd, "GET /version", "", NULL);
    talk_expect(fd, "\"node\":\"a\"");
    (void)close(fd);
    tear_down(&stand);
}

static void write_tokens(const struct stand *stand, const char *text)
{
    FILE *file = fopen(stand->tokens_path, "we");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_OK(fclose(file));
}

// Of "secret".
#define HASH "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n"

// Asks until the answer is that; a new connection each time.
static void expect_soon(const struct stand *stand, const char *status)
{
    char *answer = NULL;
    bool seen = false;
    const struct mono end = mono_add_ms(clock_mono(), WAIT_MS);
    while (!seen) {
        CHECK(clock_mono().us < end.us);
        int fd = talk_to(stand->addresses.port);
        talk_ask(fd, "GET /version", "Authorization: Bearer secret\r\n", NULL);
        answer = talk_until(fd, "}");
        seen = strncmp(answer, status, strlen(status)) == 0;
        free(answer);
        (void)close(fd);
        (void)poll(NULL, 0, seen ? 0 : 10);
    }
}

static double reloads(const char *result)
{
    return metric_value(METRIC_CONFIG_RELOADS, span_str(result), SPAN_NONE);
}

static void expect_reloads(const char *result, double wanted)
{
    const struct mono end = mono_add_ms(clock_mono(), WAIT_MS);
    while (reloads(result) < wanted) {
        CHECK(clock_mono().us < end.us);
        (void)poll(NULL, 0, 10);
    }
}

// A stand whose tokens file lies in `dir`, with one word in it that is no token.
static void stand_up_with_tokens(struct stand *stand, char dir[64], unsigned workers)
{
    char path[96];
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof(path), "%s/tokens", dir);
    (void)snprintf(stand->tokens_path, sizeof(stand->tokens_path), "%s", path);
    write_tokens(stand, "# nobody yet\n");
    struct admin_options options = plain;
    options.tokens_file = path;
    options.workers = workers;
    stand_up(stand, options);
    (void)snprintf(stand->tokens_path, sizeof(stand->tokens_path), "%s", path);
}

TEST(a_reload_takes_new_tokens_or_keeps_the_old)
{
    struct stand stand = {.admin = NULL};
    char dir[64] = "/tmp/meshpulse-tokens-XXXXXX";
    stand_up_with_tokens(&stand, dir, 1);
    start(&stand);
    expect_soon(&stand, "HTTP/1.1 401 ");
    write_tokens(&stand, "ci read " HASH);
    admin_reload(stand.admin);
    expect_soon(&stand, "HTTP/1.1 200 ");
    double kept = reloads("kept");
    write_tokens(&stand, "ci admin " HASH);
    admin_reload(stand.admin);
    expect_reloads("kept", kept + 1);
    expect_soon(&stand, "HTTP/1.1 200 ");
    tear_down(&stand);
    CHECK_OK(rmdir(dir));
}

TEST(tokens_that_change_are_read_by_themselves)
{
    struct stand stand = {.admin = NULL};
    char dir[64] = "/tmp/meshpulse-tokens-XXXXXX";
    stand_up_with_tokens(&stand, dir, 1);
    start(&stand);
    expect_soon(&stand, "HTTP/1.1 401 ");
    write_tokens(&stand, "ci read " HASH);
    expect_soon(&stand, "HTTP/1.1 200 ");
    double kept = reloads("kept");
    write_tokens(&stand, "ci read sha256:cut");
    expect_reloads("kept", kept + 1);
    expect_soon(&stand, "HTTP/1.1 200 ");
    tear_down(&stand);
    CHECK_OK(rmdir(dir));
}

#define WORKERS 4
#define CLIENTS 16

TEST(every_worker_serves_hears_and_reloads)
{
    struct stand stand = {.admin = NULL};
    char dir[64] = "/tmp/meshpulse-tokens-XXXXXX";
    int watchers[CLIENTS];
    int writers[CLIENTS];
    stand_up_with_tokens(&stand, dir, WORKERS);
    start(&stand);
    write_tokens(&stand, "ci write " HASH);
    admin_reload(stand.admin);
    for (size_t i = 0; i < WORKERS; i++) { // by turns, so each of them has it now
        expect_soon(&stand, "HTTP/1.1 200 ");
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        watchers[i] = talk_to(stand.addresses.port);
        talk_ask(watchers[i], "GET /v1/watch?service=pay", "Authorization: Bearer secret\r\n",
                 NULL);
        talk_expect(watchers[i], ": watching");
    }
    int fd = talk_to(stand.addresses.probe_port);
    talk_ask(fd, "GET /metrics", "", NULL);
    char *metrics = talk_until(fd, "process_start_time_seconds ");
    CHECK(strstr(metrics, "\nmeshpulse_watchers 16\n") != NULL);
    CHECK(strstr(metrics, "\nmeshpulse_http_connections 17\n") != NULL);
    free(metrics);
    (void)close(fd);
    for (size_t i = 0; i < CLIENTS; i++) {
        writers[i] = talk_to(stand.addresses.port);
        talk_ask(writers[i], "GET " PAY, "Authorization: Bearer secret\r\n", NULL);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        talk_expect(writers[i], "\"acked\":true");
        (void)close(writers[i]);
    }
    fake_observe(stand.fake, "pay-1", "a", STATUS_TIMEOUT);
    for (size_t i = 0; i < CLIENTS; i++) {
        talk_expect(watchers[i], "\"status\":\"TIMEOUT\"");
    }
    admin_stop(stand.admin);
    for (size_t i = 0; i < CLIENTS; i++) {
        talk_expect(watchers[i], "event: resync");
        (void)close(watchers[i]);
    }
    tear_down(&stand);
    CHECK_OK(rmdir(dir));
}

TEST(one_that_was_never_started_can_be_freed)
{
    struct stand stand;
    struct admin_options options = plain;
    options.workers = WORKERS;
    stand_up(&stand, options);
    admin_reload(stand.admin);
    admin_wake(stand.admin);
    int fd = talk_to(stand.addresses.port);
    tear_down(&stand);
    (void)close(fd);
}

SUITE("integration/admin_server", T(a_long_list_comes_whole_and_the_connection_goes_on),
      T(a_watcher_hears_of_a_change_by_another_thread),
      T(who_writes_too_much_is_not_read_for_a_while_and_who_reads_is),
      T(a_write_that_takes_longer_is_answered_202), T(a_client_that_leaves_does_not_end_its_write),
      T(a_stop_answers_who_still_waits), T(a_recording_takes_its_time_and_keeps_nobody_waiting),
      T(a_client_that_leaves_ends_its_recording),
      T(the_probe_listener_and_the_unix_socket_have_their_own_rules),
      T(a_reload_takes_new_tokens_or_keeps_the_old), T(tokens_that_change_are_read_by_themselves),
      T(every_worker_serves_hears_and_reloads), T(one_that_was_never_started_can_be_freed));
