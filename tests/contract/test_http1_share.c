// SPDX-License-Identifier: Apache-2.0
// Servers of several loops that share one listener: who gets a connection, whose ceiling holds, what becomes
// of one that is on its way when all ends.  The loops are turned by hand on one thread, so that each step is
// seen; threads are for tests/integration/test_admin_server.c.
#include "tests/contract/http_rig.h"
#include "tests/lib/failalloc.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELPERS 3
#define DIALS 8

struct team {
    struct http_rig front;
    struct loop *loops[HELPERS];
    struct http1_server *servers[HELPERS];
    struct http1_listener *branches[HELPERS];
};

static enum err add_helper(struct team *team, size_t i)
{
    const struct http1_server_options options = {.handler = http_rig_handler, .arg = &team->front};
    enum err err = loop_new(&team->loops[i]);
    if (err == ERR_OK) {
        err = http1_server_new(team->loops[i], &options, &team->servers[i]);
    }
    return err == ERR_OK
               ? http1_listener_share(team->front.listener, team->servers[i], &team->branches[i])
               : err;
}

static void team_start(struct team *team, uint32_t connections_max)
{
    const struct http1_server_options options = {.connections_max = connections_max};
    *team = (struct team){.front = {.loop = NULL}};
    http_rig_start(&team->front, &options);
    for (size_t i = 0; i < HELPERS; i++) {
        CHECK_OK(add_helper(team, i));
    }
}

static void team_stop(struct team *team)
{
    for (size_t i = 0; i < HELPERS; i++) {
        http1_server_free(team->servers[i]);
        loop_free(team->loops[i]);
    }
    http_rig_stop(&team->front);
}

static void turn_helpers(struct team *team)
{
    for (size_t i = 0; i < HELPERS; i++) {
        loop_run_once(team->loops[i], 1);
    }
}

static uint32_t total(const struct team *team)
{
    uint32_t sum = http1_server_connections(team->front.server);
    for (size_t i = 0; i < HELPERS; i++) {
        sum += http1_server_connections(team->servers[i]);
    }
    return sum;
}

static void ask(struct team *team, int fd, struct buf *heard)
{
    const struct mono end = mono_add_ms(loop_now(team->front.loop), 10000);
    bool over = false;
    http_rig_say(fd, SPAN_LIT("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"));
    while (!over && !http_rig_contains(buf_span(heard), "<GET /a 0>")) {
        CHECK(loop_now(team->front.loop).us < end.us);
        loop_run_once(team->front.loop, 1);
        turn_helpers(team);
        over = http_rig_hear(fd, heard);
    }
}

TEST(connections_are_spread_evenly_and_all_are_answered)
{
    struct team team;
    int fds[DIALS];
    team_start(&team, 0);
    for (size_t i = 0; i < DIALS; i++) {
        fds[i] = http_rig_dial(&team.front);
    }
    LOOP_WAIT(team.front.loop, total(&team) == DIALS);
    CHECK_UEQ(http1_server_connections(team.front.server), DIALS / (HELPERS + 1));
    for (size_t i = 0; i < HELPERS; i++) {
        CHECK_UEQ(http1_server_connections(team.servers[i]), DIALS / (HELPERS + 1));
    }
    for (size_t i = 0; i < DIALS; i++) {
        struct buf heard;
        buf_init(&heard, 65536);
        ask(&team, fds[i], &heard);
        CHECK(http_rig_contains(buf_span(&heard), "200 OK"));
        buf_fini(&heard);
        close(fds[i]);
    }
    CHECK_UEQ(team.front.handled, DIALS);
    const struct mono end = mono_add_ms(loop_now(team.front.loop), 10000);
    while (total(&team) > 0) { // whoever serves it counts it out
        CHECK(loop_now(team.front.loop).us < end.us);
        loop_run_once(team.front.loop, 1);
        turn_helpers(&team);
    }
    team_stop(&team);
}

TEST(the_ceiling_holds_for_all_together)
{
    struct team team;
    int fds[DIALS];
    unsigned refused = 0;
    team_start(&team, DIALS - 2);
    for (size_t i = 0; i < DIALS; i++) {
        fds[i] = http_rig_dial(&team.front);
    }
    LOOP_WAIT(team.front.loop, total(&team) == DIALS - 2);
    for (size_t i = 0; i < DIALS; i++) {
        struct buf heard;
        buf_init(&heard, 65536);
        ask(&team, fds[i], &heard);
        refused += http_rig_contains(buf_span(&heard), "503 Service Unavailable");
        buf_fini(&heard);
    }
    CHECK_UEQ(refused, 2);
    close(fds[0]);
    const struct mono end = mono_add_ms(loop_now(team.front.loop), 10000);
    while (total(&team) == DIALS - 2) {
        CHECK(loop_now(team.front.loop).us < end.us);
        loop_run_once(team.front.loop, 1);
        turn_helpers(&team);
    }
    struct buf heard;
    buf_init(&heard, 65536);
    fds[0] = http_rig_dial(&team.front); // there is room again
    ask(&team, fds[0], &heard);
    CHECK(http_rig_contains(buf_span(&heard), "200 OK"));
    buf_fini(&heard);
    for (size_t i = 0; i < DIALS; i++) {
        close(fds[i]);
    }
    team_stop(&team);
}

TEST(what_is_on_its_way_at_the_end_is_closed)
{
    struct team team;
    int fds[DIALS];
    team_start(&team, 0);
    for (size_t i = 0; i < DIALS; i++) {
        fds[i] = http_rig_dial(&team.front);
    }
    LOOP_WAIT(team.front.loop, total(&team) == DIALS); // no helper has had a turn
    team_stop(&team);
    for (size_t i = 0; i < DIALS; i++) {
        char byte;
        CHECK(recv(fds[i], &byte, 1, 0) <= 0);
        close(fds[i]);
    }
}

TEST(a_drained_team_serves_what_was_handed_over_and_accepts_no_more)
{
    struct team team;
    int fds[DIALS];
    team_start(&team, 0);
    for (size_t i = 0; i < DIALS; i++) {
        fds[i] = http_rig_dial(&team.front);
    }
    LOOP_WAIT(team.front.loop, total(&team) == DIALS);
    http1_server_drain(team.front.server);
    for (size_t i = 0; i < HELPERS; i++) {
        http1_server_drain(team.servers[i]);
    }
    int late = http_rig_dial(&team.front); // into the backlog
    for (size_t i = 0; i < DIALS; i++) {
        struct buf heard;
        buf_init(&heard, 65536);
        ask(&team, fds[i], &heard);
        CHECK(http_rig_contains(buf_span(&heard), "200 OK"));
        CHECK(http_rig_contains(buf_span(&heard), "Connection: close"));
        buf_fini(&heard);
        close(fds[i]);
    }
    char byte;
    CHECK_EQ(recv(late, &byte, 1, MSG_DONTWAIT), -1);
    CHECK(errno == EAGAIN);
    close(late);
    team_stop(&team);
}

// Without the checks of the rig, which allocate.  true: an answer has come.
static bool one_answer(const struct team *team)
{
    static const char line[] = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    const struct address *address = http1_listener_address(team->front.listener);
    const void *bytes = &address->storage;
    char block[512];
    ssize_t len = -1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, bytes, address->len) == 0 &&
        send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL) > 0) {
        for (int i = 0; i < 200 && len < 0; i++) {
            loop_run_once(team->front.loop, 1);
            loop_run_once(team->loops[0], 1);
            len = recv(fd, block, sizeof(block), MSG_DONTWAIT);
            len = len < 0 && errno != EAGAIN ? 0 : len; // a reset is an end, too
        }
    }
    close(fd);
    return len > 0;
}

// Two connections, of which one is the helper's: each is answered, or it ends.
static bool walk(void *arg)
{
    (void)arg;
    struct team team = {.front = {.loop = NULL}};
    struct http1_listen_options listen_options = {.user = NULL};
    const struct http1_server_options options = {.handler = http_rig_handler, .arg = &team.front};
    bool good =
        address_parse(SPAN_LIT("127.0.0.1:0"), &listen_options.address) == ERR_OK &&
        loop_new(&team.front.loop) == ERR_OK &&
        http1_server_new(team.front.loop, &options, &team.front.server) == ERR_OK &&
        http1_server_listen(team.front.server, &listen_options, &team.front.listener) == ERR_OK &&
        add_helper(&team, 0) == ERR_OK;
    good = good && one_answer(&team) && one_answer(&team);
    http1_server_free(team.servers[0]);
    loop_free(team.loops[0]);
    http1_server_free(team.front.server);
    loop_free(team.front.loop);
    return good;
}

TEST(every_allocation_may_fail)
{
    CHECK(failalloc_each(walk, NULL) >= 15);
}

SUITE("base/http1_share", T(connections_are_spread_evenly_and_all_are_answered),
      T(the_ceiling_holds_for_all_together), T(what_is_on_its_way_at_the_end_is_closed),
      T(a_drained_team_serves_what_was_handed_over_and_accepts_no_more),
      T(every_allocation_may_fail));
