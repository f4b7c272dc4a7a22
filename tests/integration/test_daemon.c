// SPDX-License-Identifier: Apache-2.0
// The table of stages: whatever fails on the way up, everything that stands is taken down again, and no
// socket is left.  Each allocation of a whole start fails once; the sanitizers judge the way back.
#include "replicator/daemon.h"

#include "base/log.h"
#include "base/loop.h"
#include "replicator/config.h"
#include "replicator/daemon_state.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_LEN 64

struct place {
    char dir[PATH_LEN];
    char socket[PATH_LEN + 8];
    char files[PATH_LEN + 8];
    struct config *config;
};

// Small, so that a start is quick, but with every kind of stage.
static void place_init(struct place *place)
{
    char set_unix[2 * PATH_LEN];
    char set_files[2 * PATH_LEN];
    struct config_report report;
    (void)snprintf(place->dir, sizeof(place->dir), "/tmp/mp-daemon-XXXXXX");
    CHECK(mkdtemp(place->dir) != NULL);
    (void)snprintf(place->socket, sizeof(place->socket), "%s/admin", place->dir);
    (void)snprintf(place->files, sizeof(place->files), "%s/eds", place->dir);
    (void)snprintf(set_unix, sizeof(set_unix), "admin.unix=%s", place->socket);
    (void)snprintf(set_files, sizeof(set_files), "xds.files_dir=%s", place->files);
    const char *const sets[] = {
        "node.id=a",           "admin.listen=127.0.0.1:0", "map.shards=1", "map.changefeed=1024",
        "stream.partitions=1", "write_queue.capacity=16",  set_unix,       set_files};
    const struct config_options options = {
        .file = "test.yaml",
        .text = SPAN_LIT("config_version: 1\nservices:\n  - name: pay\n    instances: "
                         "[{id: p1, address: 127.0.0.1, port: 80}]\n"),
        .sets = sets,
        .set_count = sizeof(sets) / sizeof(sets[0])};
    config_report_init(&report);
    enum err err = config_load(&options, &place->config, &report);
    ck_assert_msg(err == ERR_OK, "%s", buf_cstr(&report.errors));
    config_report_fini(&report);
}

static void place_fini(struct place *place)
{
    config_free(place->config);
    (void)rmdir(place->files);
    CHECK_EQ(rmdir(place->dir), 0); // nothing is left in it
}

// What a failing start says goes nowhere: it is said a thousand times.
static int hush(void)
{
    int kept = dup(2);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, 2);
        (void)close(null);
    }
    return kept;
}

static void speak(int kept)
{
    (void)dup2(kept, 2);
    (void)close(kept);
}

static bool start_and_stop(void *arg)
{
    struct place *place = arg;
    struct daemon *daemon = calloc(1, sizeof(*daemon));
    if (daemon == NULL) {
        return false;
    }
    size_t started = 0;
    daemon->config = place->config;
    int exit = daemon_start(daemon, &started);
    bool whole = exit == 0 && started == daemon_stage_count;
    daemon_stop(daemon, started);
    free(daemon);
    return whole;
}

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

TEST(a_start_that_stops_leaves_no_socket)
{
    struct place place;
    place_init(&place);
    int kept = hush();
    bool whole = start_and_stop(&place);
    speak(kept);
    CHECK(whole);
    CHECK(!exists(place.socket));
    place_fini(&place);
}
END_TEST

TEST(every_allocation_of_a_start_may_fail)
{
    struct place place;
    place_init(&place);
    int kept = hush();
    size_t count = failalloc_each(start_and_stop, &place);
    speak(kept);
    CHECK(count > 50);
    CHECK(!exists(place.socket));
    place_fini(&place);
}
END_TEST

// Stops it from inside the loop, as SIGTERM would.
TEST(a_daemon_that_has_run_a_while_ends_with_everything)
{
    struct place place;
    place_init(&place);
    int kept = hush();
    struct daemon *daemon = calloc(1, sizeof(*daemon));
    CHECK(daemon != NULL);
    size_t started = 0;
    daemon->config = place.config;
    int exit = daemon_start(daemon, &started);
    for (int i = 0; exit == 0 && i < 50; i++) {
        loop_run_once(daemon->loop, 10);
    }
    daemon_stop(daemon, started);
    free(daemon);
    speak(kept);
    CHECK_EQ(exit, 0);
    CHECK(!exists(place.socket));
    char file[2 * PATH_LEN];
    (void)snprintf(file, sizeof(file), "%s/pay.json", place.files);
    (void)unlink(file);
    place_fini(&place);
}
END_TEST

SUITE("integration/daemon", T(a_start_that_stops_leaves_no_socket),
      T(every_allocation_of_a_start_may_fail),
      T(a_daemon_that_has_run_a_while_ends_with_everything));
