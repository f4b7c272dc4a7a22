// SPDX-License-Identifier: Apache-2.0
// The lines of /readyz?verbose, from a board that a real core filled.
#include "admin-api/backend.h"

#include "base/clock.h"
#include "replicator/config.h"
#include "replicator/daemon_state.h"
#include "replicator/seed.h"
#include "tests/lib/suite.h"
#include "tests/unit/node/fixture.h"

#include <string.h>

#define LINES_MAX 16

struct subject {
    struct fixture fixture;
    struct config config;
    struct daemon daemon;
    struct backend_condition lines[LINES_MAX];
};

static void subject_init(struct subject *subject)
{
    memset(subject, 0, sizeof(*subject));
    CHECK(fixture_init(&subject->fixture));
    subject->config.node_id = "a";
    subject->config.stream_start_without_ms = 30000;
    subject->daemon.config = &subject->config;
    subject->daemon.map = subject->fixture.map;
    subject->daemon.board = subject->fixture.board;
    daemon_backend_init(&subject->daemon);
}

static const struct backend_condition *line(struct subject *subject, const char *name)
{
    const struct backend *backend = &subject->daemon.backend;
    size_t count = backend->conditions(backend->daemon, subject->lines, LINES_MAX);
    CHECK(count <= LINES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(subject->lines[i].name, name) == 0) {
            return &subject->lines[i];
        }
    }
    ck_abort_msg("no line %s", name);
    return NULL;
}

TEST(a_starting_node_says_what_it_waits_for)
{
    struct subject *subject = malloc(sizeof(*subject));
    subject_init(subject);
    fixture_start(&subject->fixture);
    const struct backend *backend = &subject->daemon.backend;
    CHECK(!backend->ready(backend->daemon));
    CHECK(!line(subject, "map-replayed")->ok);
    CHECK(!line(subject, "stream")->ok);
    CHECK(line(subject, "fenced")->ok);
    CHECK(line(subject, "stale-start")->ok);
    CHECK(line(subject, "eviction-policy")->ok);
    CHECK(line(subject, "misconfigured")->ok);
    fixture_up(&subject->fixture);
    CHECK(line(subject, "stream")->ok);
    fixture_fini(&subject->fixture);
    free(subject);
}
END_TEST

TEST(a_loop_that_stands_still_is_not_live)
{
    struct subject *subject = malloc(sizeof(*subject));
    subject_init(subject);
    const struct backend *backend = &subject->daemon.backend;
    struct mono now = clock_mono();
    board_ticked(subject->fixture.board, now);
    CHECK(backend->live(backend->daemon));
    board_ticked(subject->fixture.board, mono_add_ms(now, -6000));
    CHECK(!backend->live(backend->daemon));
    fixture_fini(&subject->fixture);
    free(subject);
}
END_TEST

static void answer_meta(struct fixture *fixture, uint32_t partition, uint32_t partitions)
{
    const struct stream_event event = {.type = STREAM_EV_META,
                                       .partition = partition,
                                       .meta = {.exists = true,
                                                .epoch = {"0123456789abcdef0123456789abcdef"},
                                                .partitions = partitions,
                                                .wire = STREAM_WIRE}};
    driver_on_stream(fixture->driver, &event);
}

TEST(a_stream_made_for_another_number_of_partitions_is_told)
{
    struct subject *subject = malloc(sizeof(*subject));
    subject_init(subject);
    fixture_start(&subject->fixture);
    fixture_up(&subject->fixture);
    answer_meta(&subject->fixture, 0, FIXTURE_PARTITIONS + 1);
    CHECK(!line(subject, "misconfigured")->ok);
    CHECK(strstr(line(subject, "misconfigured")->detail, "stream.partitions") != NULL);
    CHECK_EQ(subject->fixture.misconfigured, 1);
    answer_meta(&subject->fixture, 1, FIXTURE_PARTITIONS + 1);
    CHECK_EQ(subject->fixture.misconfigured, 1);
    fixture_fini(&subject->fixture);
    free(subject);
}
END_TEST

SUITE("node/daemon_backend", T(a_starting_node_says_what_it_waits_for),
      T(a_loop_that_stands_still_is_not_live),
      T(a_stream_made_for_another_number_of_partitions_is_told));
