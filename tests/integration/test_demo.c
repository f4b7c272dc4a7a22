// SPDX-License-Identifier: Apache-2.0
// The parts of the demo and the client that allocate: each of their allocations fails once, and nothing is
// left behind (the loop's own end asserts that no timer is).
#include "admin-api/ctl/client.h"
#include "base/http_client.h"
#include "base/loop.h"
#include "replicator/demo/backends.h"
#include "replicator/demo/fleet.h"
#include "replicator/demo/follow.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

struct fixture {
    struct loop *loop;
    struct http_client *http;
    struct view view;
};

static void open_fixture(struct fixture *fixture)
{
    CHECK_OK(loop_new(&fixture->loop));
    CHECK_OK(http_client_new(fixture->loop, &fixture->http));
    fixture->view = (struct view){.node_count = 2};
    for (size_t i = 0; i < STORY_BACKENDS; i++) {
        fixture->view.backends[i].port = 20000;
    }
}

static void close_fixture(struct fixture *fixture)
{
    http_client_free(fixture->http);
    loop_free(fixture->loop);
}

static bool make_backends(void *arg)
{
    const struct fixture *fixture = arg;
    struct backends *backends = NULL;
    enum err err = backends_new(fixture->loop, &backends);
    backends_free(backends);
    return err == ERR_OK;
}

TEST(backends_survive_every_failed_allocation)
{
    struct fixture fixture;
    open_fixture(&fixture);
    CHECK(failalloc_each(make_backends, &fixture) > 0);
    close_fixture(&fixture);
}

static bool make_follow(void *arg)
{
    const struct fixture *fixture = arg;
    struct follow_options options = {.loop = fixture->loop, .http = fixture->http};
    struct follow *follow = NULL;
    enum err err = follow_new(&options, &follow);
    follow_free(follow);
    return err == ERR_OK;
}

TEST(a_follow_survives_every_failed_allocation)
{
    struct fixture fixture;
    open_fixture(&fixture);
    CHECK(failalloc_each(make_follow, &fixture) > 0);
    close_fixture(&fixture);
}

static bool make_fleet(void *arg)
{
    struct fixture *fixture = arg;
    struct fleet_options options = {.loop = fixture->loop,
                                    .http = fixture->http,
                                    .view = &fixture->view,
                                    .redis_path = "/nowhere"};
    struct fleet *fleet = NULL;
    enum err err = fleet_new(&options, &fleet);
    fleet_free(fleet);
    return err == ERR_OK;
}

TEST(a_fleet_survives_every_failed_allocation)
{
    struct fixture fixture;
    open_fixture(&fixture);
    CHECK(failalloc_each(make_fleet, &fixture) > 0);
    close_fixture(&fixture);
}

static bool make_client(void *arg)
{
    (void)arg;
    struct client_options options = {.server = "unix:/nowhere", .timeout_ms = 1000};
    struct client *client = NULL;
    enum err err = client_new(&options, &client);
    client_free(client);
    return err == ERR_OK;
}

TEST(a_client_survives_every_failed_allocation)
{
    CHECK(make_client(NULL)); // libcurl sets itself up once
    CHECK(failalloc_each(make_client, NULL) > 0);
}

SUITE("demo/parts", T(backends_survive_every_failed_allocation),
      T(a_follow_survives_every_failed_allocation), T(a_fleet_survives_every_failed_allocation),
      T(a_client_survives_every_failed_allocation));
