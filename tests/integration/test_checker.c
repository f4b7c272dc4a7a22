// SPDX-License-Identifier: Apache-2.0
// The checker against real sockets on the loopback: each row is what a server does with a connection, and
// what must be said of it.
#include "tests/lib/failalloc.h"
#include "tests/lib/loop_wait.h"
#include "tests/lib/suite.h"

#include "base/conn.h"
#include "base/listener.h"
#include "base/loop.h"
#include "replicator/check/checker.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define CONNS_MAX 64

enum conduct { REPLIES, REPLIES_AT_ONCE, SILENT, HANGS_UP };

// A server with one answer for everybody.
struct server {
    struct loop *loop;
    struct listener *listener;
    enum conduct conduct;
    const char *reply;
    struct conn *conns[CONNS_MAX];
    int accepted;
    char request[512];
};

struct visitor {
    struct server *server;
    int place;
};

static void on_data(void *arg)
{
    struct visitor *visitor = arg;
    struct server *server = visitor->server;
    struct conn *conn = server->conns[visitor->place];
    struct span input = conn_input(conn);
    bool whole =
        server->conduct == REPLIES_AT_ONCE || memmem(input.ptr, input.len, "\r\n\r\n", 4) != NULL;
    if (!whole) {
        return;
    }
    (void)snprintf(server->request, sizeof(server->request), "%.*s", (int)input.len, input.ptr);
    conn_consume(conn, input.len);
    if (server->conduct == REPLIES || server->conduct == REPLIES_AT_ONCE) {
        CHECK_OK(conn_write(conn, span_str(server->reply)));
        conn_finish(conn, 0, 1000);
    } else if (server->conduct == HANGS_UP) {
        server->conns[visitor->place] = NULL;
        conn_close(conn);
        free(visitor);
    }
}

static void on_close(void *arg, enum err err, const char *text)
{
    struct visitor *visitor = arg;
    (void)err;
    (void)text;
    conn_close(visitor->server->conns[visitor->place]);
    visitor->server->conns[visitor->place] = NULL;
    free(visitor);
}

static void on_accept(void *arg, int fd, const struct address *peer)
{
    static const struct conn_handlers handlers = {.on_data = on_data, .on_close = on_close};
    struct server *server = arg;
    struct visitor *visitor = malloc(sizeof(*visitor));
    (void)peer;
    CHECK(visitor != NULL && server->accepted < CONNS_MAX);
    *visitor = (struct visitor){server, server->accepted++};
    const struct conn_options options = {.handlers = &handlers, .arg = visitor};
    CHECK_OK(conn_accept(server->loop, fd, &options, &server->conns[visitor->place]));
}

static uint32_t server_open(struct server *server, struct loop *loop)
{
    struct listener_options options = {.on_accept = on_accept, .arg = server};
    server->loop = loop;
    CHECK_OK(address_parse(SPAN_LIT("127.0.0.1:0"), &options.address));
    CHECK_OK(listener_new(loop, &options, &server->listener));
    return address_port(listener_address(server->listener));
}

struct world {
    struct loop *loop;
    struct server server;
    struct checker *checker;
    uint32_t port;
    int judged;
    char said[256];
};

static void on_judged(void *arg, const struct check_judgement *judgement)
{
    struct world *world = arg;
    (void)snprintf(world->said, sizeof(world->said), "%.*s %s %s %.*s",
                   (int)judgement->registration_key.len, judgement->registration_key.ptr,
                   status_name(judgement->status), reason_word(judgement->reason),
                   (int)judgement->text.len, judgement->text.ptr);
    world->judged++;
}

static void world_open(struct world *world, enum conduct conduct, const char *reply)
{
    *world = (struct world){.server = {.conduct = conduct, .reply = reply}};
    CHECK_OK(loop_new(&world->loop));
    world->port = server_open(&world->server, world->loop);
    const struct checker_options options = {.loop = world->loop,
                                            .limits = {.concurrency = 8,
                                                       .rate = 1000,
                                                       .jitter_percent = 10,
                                                       .min_interval_ms = 20,
                                                       .per_target_max = 1},
                                            .seed = 1,
                                            .on_judged = on_judged,
                                            .arg = world};
    CHECK_OK(checker_new(&options, &world->checker));
}

static void world_close(struct world *world)
{
    checker_free(world->checker);
    if (world->server.listener != NULL) {
        listener_free(world->server.listener);
    }
    // The other ends of the probes are gone: each of the server's connections comes to its end.
    for (int i = 0; i < world->server.accepted; i++) {
        LOOP_WAIT(world->loop, world->server.conns[i] == NULL);
    }
    loop_free(world->loop);
}

static const struct check_policy policy = {.path = {"/healthz", 8},
                                           .host = {"pay.example", 11},
                                           .interval_ms = 20,
                                           .rise = 1,
                                           .fall = 1,
                                           .expect_min = 200,
                                           .expect_max = 299};

#define AMPLE_MS 5000u // a machine under load must not look like a server that is silent
#define SHORT_MS 300u  // for a time-out that is meant to pass

static void probe_within(struct world *world, enum check_type type, uint32_t timeout_ms)
{
    struct check_policy check = policy;
    check.type = type;
    check.timeout_ms = timeout_ms;
    const struct checker_target target = {SPAN_LIT("127.0.0.1"), world->port, &check};
    CHECK_OK(checker_set(world->checker, SPAN_LIT("k"), &target));
}

static void probe(struct world *world, enum check_type type)
{
    probe_within(world, type, AMPLE_MS);
}

TEST(what_a_server_does_decides_what_is_said_of_it)
{
    const struct {
        enum check_type type;
        enum conduct conduct;
        const char *reply, *said;
    } rows[] = {
        {CHECK_HTTP, REPLIES, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
         "k HEALTHY CheckPassed "},
        {CHECK_HTTP, REPLIES, "HTTP/1.0 204 No Content\r\n\r\n", "k HEALTHY CheckPassed "},
        {CHECK_HTTP, REPLIES, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
         "k UNHEALTHY HttpStatus 503"},
        {CHECK_HTTP, REPLIES,
         "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
         "k UNHEALTHY HttpStatus 302"},
        {CHECK_TCP, SILENT, NULL, "k HEALTHY CheckPassed "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world world;
        world_open(&world, rows[i].conduct, rows[i].reply);
        probe(&world, rows[i].type);
        LOOP_WAIT(world.loop, world.judged > 1);
        ck_assert_msg(strcmp(world.said, rows[i].said) == 0, "row %zu: %s", i, world.said);
        world_close(&world);
    }
}

TEST(failures_have_their_reasons)
{
    const struct {
        enum check_type type;
        enum conduct conduct;
        const char *reply, *said;
    } rows[] = {
        {CHECK_HTTP, SILENT, NULL, "k TIMEOUT ResponseTimeout "},
        {CHECK_HTTP, HANGS_UP, NULL, "k UNHEALTHY ConnectFailed "},
        {CHECK_HTTP, REPLIES, "SSH-2.0-OpenSSH_9.2\r\n\r\n", "k UNHEALTHY HttpInvalid "},
        {CHECK_HTTPS, REPLIES_AT_ONCE, "HTTP/1.1 400 Bad\r\n\r\n", "k UNHEALTHY TlsFailed "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world world;
        world_open(&world, rows[i].conduct, rows[i].reply);
        probe_within(&world, rows[i].type, rows[i].conduct == SILENT ? SHORT_MS : AMPLE_MS);
        LOOP_WAIT(world.loop, world.judged > 0);
        ck_assert_msg(strncmp(world.said, rows[i].said, strlen(rows[i].said)) == 0, "row %zu: %s",
                      i, world.said);
        world_close(&world);
    }
}

TEST(a_closed_port_refuses)
{
    const enum check_type types[] = {CHECK_HTTP, CHECK_HTTPS, CHECK_TCP};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct world world;
        world_open(&world, SILENT, NULL);
        listener_free(world.server.listener);
        world.server.listener = NULL;
        probe(&world, types[i]);
        LOOP_WAIT(world.loop, world.judged > 0);
        ck_assert_msg(strncmp(world.said, "k UNHEALTHY ConnectRefused", 26) == 0, "%s", world.said);
        world_close(&world);
    }
}

TEST(a_probe_names_its_host_and_path)
{
    struct world world;
    world_open(&world, REPLIES, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    probe(&world, CHECK_HTTP);
    LOOP_WAIT(world.loop, world.judged > 0);
    CHECK(strncmp(world.server.request, "GET /healthz HTTP/1.1\r\n", 23) == 0);
    CHECK(strstr(world.server.request, "\r\nHost: pay.example\r\n") != NULL);
    world_close(&world);
}

TEST(a_target_that_is_removed_is_not_probed_any_more)
{
    struct world world;
    struct checker_counts counts;
    world_open(&world, SILENT, NULL);
    probe(&world, CHECK_HTTP);
    LOOP_WAIT(world.loop, world.server.accepted > 0);
    checker_counts(world.checker, &counts);
    CHECK_EQ(counts.in_flight, 1);
    checker_remove(world.checker, SPAN_LIT("k"));
    checker_counts(world.checker, &counts);
    CHECK_EQ(counts.in_flight, 0);
    CHECK_EQ(counts.targets, 0);
    LOOP_WAIT(world.loop, world.server.conns[0] == NULL); // the connection was closed
    CHECK_EQ(world.judged, 0);
    world_close(&world);
}

TEST(an_own_listener_is_never_reached)
{
    struct world world;
    world_open(&world, REPLIES, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    const struct check_refused refused = {SPAN_LIT(""), world.port};
    CHECK_OK(checker_refuse(world.checker, &refused));
    probe(&world, CHECK_HTTP);
    LOOP_WAIT(world.loop, world.judged > 2);
    CHECK_STR(world.said, "k UNKNOWN TargetRefused ");
    CHECK_EQ(world.server.accepted, 0);
    world_close(&world);
}

// The loop itself stands still for longer than the time-out, with a probe under way.
static void stall(void *arg)
{
    (void)arg;
    (void)poll(NULL, 0, 600);
}

TEST(a_loop_that_stood_still_condemns_nobody)
{
    struct world world;
    struct checker_counts counts;
    world_open(&world, SILENT, NULL);
    probe_within(&world, CHECK_HTTP, SHORT_MS);
    LOOP_WAIT(world.loop, world.server.accepted > 0);
    CHECK_OK(loop_post(world.loop, stall, NULL));
    world.server.conduct = REPLIES;
    world.server.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    LOOP_WAIT(world.loop, world.judged > 0);
    checker_counts(world.checker, &counts);
    CHECK_UEQ(counts.dropped_late, 1);
    CHECK_STR(world.said, "k HEALTHY CheckPassed ");
    world_close(&world);
}

static bool walk(void *arg)
{
    struct world *world = arg;
    struct checker *checker = NULL;
    const struct checker_options options = {
        .loop = world->loop,
        .limits = {.concurrency = 1, .rate = 1, .per_target_max = 1},
        .on_judged = on_judged,
        .arg = world};
    struct check_policy check = policy;
    check.type = CHECK_TCP;
    const struct checker_target target = {SPAN_LIT("127.0.0.1"), world->port, &check};
    bool done = checker_new(&options, &checker) == ERR_OK &&
                checker_set(checker, SPAN_LIT("k"), &target) == ERR_OK;
    checker_free(checker);
    return done;
}

TEST(every_allocation_may_fail)
{
    struct world world;
    world_open(&world, SILENT, NULL);
    CHECK(failalloc_each(walk, &world) > 10);
    world_close(&world);
}

// With memory failing at each place of a probe in turn, the target is in the end judged all the same.  The
// kernel takes the connections, so that only the checker's own memory is meant.
TEST(a_probe_for_which_there_is_no_memory_says_nothing)
{
    struct world world;
    world_open(&world, SILENT, NULL);
    listener_pause(world.server.listener);
    probe(&world, CHECK_TCP);
    for (size_t nth = 1; nth <= 40; nth++) {
        int judged = world.judged;
        failalloc_arm(nth % 20 + 1);
        loop_run_once(world.loop, 20);
        (void)failalloc_disarm();
        LOOP_WAIT(world.loop, world.judged > judged);
        CHECK_STR(world.said, "k HEALTHY CheckPassed ");
    }
    world_close(&world);
}

SUITE("integration/checker", T(every_allocation_may_fail),
      T(a_probe_for_which_there_is_no_memory_says_nothing),
      T(what_a_server_does_decides_what_is_said_of_it), T(failures_have_their_reasons),
      T(a_closed_port_refuses), T(a_probe_names_its_host_and_path),
      T(a_target_that_is_removed_is_not_probed_any_more), T(an_own_listener_is_never_reached),
      T(a_loop_that_stood_still_condemns_nobody));
