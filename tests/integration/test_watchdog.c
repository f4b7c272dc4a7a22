// SPDX-License-Identifier: Apache-2.0
// The watchdog between a loop and the thread of an admin API that stands still when the test wants it: the
// daemon's answer to /readyz waits for a byte in a pipe.
#include "replicator/watchdog_stage.h"

#include "admin-api/server.h"
#include "base/address.h"
#include "replicator/daemon_state.h"
#include "tests/lib/loop_wait.h"
#include "tests/lib/manager.h"
#include "tests/unit/api/fake.h"

#include <fcntl.h>

#define WITHIN_MS 400
#define QUIET_MS 1200 // three intervals: the manager would have ended us

struct scene {
    struct fake *fake;
    struct daemon *daemon;
    int manager;
    int client;
};

// The end of the pipe that the admin thread reads, and the one that lets it go on.
static int held[2] = {-1, -1};

static bool ready_when_let(void *daemon)
{
    char byte;
    (void)daemon;
    return read(held[0], &byte, 1) == 1;
}

static void scene_init(struct scene *scene)
{
    char text[ADMIN_TEXT_LEN] = "";
    const struct admin_options options = {.listen = "127.0.0.1:0", .workers = 2};
    scene->client = -1;
    scene->manager = manager_listen();
    scene->fake = fake_new();
    scene->fake->backend.ready = ready_when_let;
    scene->daemon = calloc(1, sizeof(*scene->daemon));
    CHECK(scene->daemon != NULL);
    CHECK_OK(pipe2(held, O_CLOEXEC));
    CHECK_OK(loop_new(&scene->daemon->loop));
    CHECK_OK(admin_new(&options, &scene->fake->backend, text, &scene->daemon->admin));
    CHECK_OK(admin_start(scene->daemon->admin));
}

static void scene_fini(struct scene *scene)
{
    watchdog_stage_stop(scene->daemon);
    admin_stop(scene->daemon->admin);
    admin_free(scene->daemon->admin);
    loop_free(scene->daemon->loop);
    free(scene->daemon);
    fake_free(scene->fake);
    (void)close(scene->manager);
    (void)close(held[0]);
    (void)close(held[1]);
    if (scene->client >= 0) {
        (void)close(scene->client);
    }
}

static bool is_fed(const struct scene *scene)
{
    char text[64];
    if (!manager_hears(scene->manager, text, sizeof(text))) {
        return false;
    }
    CHECK_STR(text, "WATCHDOG=1");
    return true;
}

// How often the manager was fed while the loop turned.
static unsigned feeds_within(const struct scene *scene, int64_t ms)
{
    const struct mono end = mono_add_ms(loop_now(scene->daemon->loop), ms);
    unsigned feeds = 0;
    while (loop_now(scene->daemon->loop).us < end.us) {
        loop_run_once(scene->daemon->loop, 20);
        feeds += is_fed(scene) ? 1 : 0;
    }
    return feeds;
}

// One thread of the admin API is at this request until it is let go.
static void hold_admin(struct scene *scene)
{
    static const char ask[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct admin_addresses addresses;
    struct address address;
    admin_addresses(scene->daemon->admin, &addresses);
    CHECK_OK(address_parse_ip(SPAN_LIT("127.0.0.1"), addresses.port, &address));
    scene->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(scene->client >= 0);
    CHECK_OK(connect(scene->client, (const struct sockaddr *)&address.storage, address.len));
    CHECK_EQ(write(scene->client, ask, sizeof(ask) - 1), sizeof(ask) - 1);
}

TEST(a_daemon_that_runs_feeds_it_and_one_thread_that_stands_still_ends_that)
{
    struct scene scene;
    scene_init(&scene);
    CHECK_OK(setenv("WATCHDOG_USEC", "400000", 1));
    CHECK_EQ(watchdog_stage_start(scene.daemon), 0);
    for (int i = 0; i < 3; i++) {
        LOOP_WAIT(scene.daemon->loop, is_fed(&scene));
    }
    hold_admin(&scene);
    // What was on its way when the thread stopped may still come.
    CHECK_INT(feeds_within(&scene, QUIET_MS), le, 2);
    CHECK_EQ(feeds_within(&scene, QUIET_MS), 0);
    CHECK_EQ(write(held[1], "x", 1), 1);
    LOOP_WAIT(scene.daemon->loop, is_fed(&scene));
    scene_fini(&scene);
}
END_TEST

TEST(nobody_who_asked_is_fed_nothing)
{
    struct scene scene;
    scene_init(&scene);
    CHECK_OK(unsetenv("WATCHDOG_USEC"));
    CHECK_EQ(watchdog_stage_start(scene.daemon), 0);
    CHECK(scene.daemon->watchdog == NULL);
    CHECK_EQ(feeds_within(&scene, WITHIN_MS), 0);
    scene_fini(&scene);
}
END_TEST

SUITE("node/watchdog", T(a_daemon_that_runs_feeds_it_and_one_thread_that_stands_still_ends_that),
      T(nobody_who_asked_is_fed_nothing));
