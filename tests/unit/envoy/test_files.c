// SPDX-License-Identifier: Apache-2.0
// A real map, a folder of the test's own, and a time that the test moves: files_step is called by hand, but
// for the one test that has the thread.
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include "base/log.h"
#include "localmap/map.h"
#include "replicator/envoy/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

struct world {
    struct map *map;
    struct envoy_files *files;
    char dir[64];
    struct mono now;
};

static bool world_open(struct world *world, const char *name_template)
{
    const struct map_options options = {
        .shards = 4, .partitions = 4, .changefeed = 1024, .instance = 7};
    *world = (struct world){.now = {5000000}};
    log_setup(LOG_ERROR, LOG_LOGFMT); // failures are part of these stories
    (void)snprintf(world->dir, sizeof(world->dir), "/tmp/meshpulse-files-XXXXXX");
    return mkdtemp(world->dir) != NULL && map_new(&options, &world->map) == ERR_OK &&
           files_new(&(struct files_options){.backend = {world->map},
                                             .dir = world->dir,
                                             .cluster_name = name_template},
                     &world->files) == ERR_OK;
}

static void world_init(struct world *world, const char *name_template)
{
    CHECK(world_open(world, name_template));
}

static void empty_folder(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry = dir == NULL ? NULL : readdir(dir); entry != NULL;
         entry = readdir(dir)) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

static void world_fini(struct world *world)
{
    files_free(world->files);
    map_free(world->map);
    empty_folder(world->dir);
    (void)rmdir(world->dir);
}

static void show(struct world *world, const struct key_bytes *key, const struct record *record)
{
    char body[CODEC_BODY_MAX];
    enum put_result result;
    size_t len = codec_body_write(record, body, sizeof(body));
    CHECK(len > 0);
    uint32_t flags = record->tombstone ? MAP_TOMBSTONE : 0;
    CHECK_OK(map_show(world->map, key_span(key), span_of(body, len), flags, 1, &result));
}

// Registers (port 0: deletes) the instance `a` of a service and announces it, as core does.
static void put(struct world *world, const char *service, uint32_t port, enum status status)
{
    struct key_bytes key;
    struct record record = {.kind = KEY_REGISTRATION, .tombstone = port == 0};
    if (port > 0) {
        record.registration =
            (struct registration){.address = SPAN_LIT("127.0.0.1"), .port = port, .weight = 1};
    }
    key_registration(SPAN_LIT("default"), span_str(service), SPAN_LIT("a"), &key);
    show(world, &key, &record);
    if (port == 0) {
        (void)map_announce(world->map, key_span(&key));
        return;
    }
    const struct map_health health = {.health = {.status = status, .raw_status = status}};
    CHECK(map_set_health(world->map, key_span(&key), &health, true));
}

// The whole file, "" when there is none.
static const char *file(const struct world *world, const char *name)
{
    static char text[65536];
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", world->dir, name);
    int fd = open(path, O_RDONLY);
    ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0) {
        (void)close(fd);
    }
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static bool holds(const struct world *world, const char *name, const char *part)
{
    return strstr(file(world, name), part) != NULL;
}

static uint64_t written(const struct world *world)
{
    struct files_counts counts;
    files_counts(world->files, &counts);
    return counts.written;
}

static int64_t step(struct world *world, int64_t after_ms)
{
    world->now = mono_add_ms(world->now, after_ms);
    return files_step(world->files, world->now);
}

TEST(each_service_has_a_file_after_the_first_step)
{
    struct world world;
    world_init(&world, "{service}");
    put(&world, "pay", 8081, STATUS_HEALTHY);
    put(&world, "outbound|80||x", 8082, STATUS_UNHEALTHY);
    CHECK_STR(file(&world, "pay.json"), "");
    CHECK_EQ(step(&world, 0), -1);
    CHECK(holds(&world, "pay.json", "\"port_value\":8081}}},\"health_status\":\"HEALTHY\""));
    CHECK(holds(&world, "outbound%7C80%7C%7Cx.json", "\"cluster_name\":\"outbound|80||x\""));
    CHECK_UEQ(written(&world), 2);
    world_fini(&world);
}

TEST(a_node_has_no_file)
{
    struct world world;
    struct files_counts counts;
    struct key_bytes key;
    const struct record record = {.kind = KEY_NODE, .node = {.incarnation = 1, .up = true}};
    world_init(&world, "{service}");
    key_node(SPAN_LIT("vm"), &key);
    show(&world, &key, &record);
    (void)step(&world, 0);
    (void)map_announce(world.map, key_span(&key));
    (void)step(&world, 1000);
    files_counts(world.files, &counts);
    CHECK_EQ(counts.clusters, 0);
    world_fini(&world);
}

TEST(a_change_reaches_its_file_and_no_other)
{
    struct world world;
    world_init(&world, "{service}");
    put(&world, "pay", 8081, STATUS_HEALTHY);
    put(&world, "web", 8082, STATUS_HEALTHY);
    (void)step(&world, 0);
    put(&world, "pay", 8081, STATUS_UNHEALTHY);
    CHECK_EQ(step(&world, 1000), -1);
    CHECK(holds(&world, "pay.json", "UNHEALTHY"));
    CHECK_UEQ(written(&world), 3);
    put(&world, "new", 8083, STATUS_HEALTHY);
    (void)step(&world, 1000);
    CHECK(holds(&world, "new.json", "8083"));
    world_fini(&world);
}

TEST(changes_that_leave_the_content_are_not_written)
{
    struct world world;
    world_init(&world, "{service}");
    put(&world, "pay", 8081, STATUS_HEALTHY);
    (void)step(&world, 0);
    put(&world, "pay", 8081, STATUS_UNHEALTHY);
    put(&world, "pay", 8081, STATUS_HEALTHY);
    (void)step(&world, 1000);
    CHECK_UEQ(written(&world), 1);
    world_fini(&world);
}

TEST(a_cluster_is_written_at_most_twice_in_a_second)
{
    struct world world;
    world_init(&world, "{service}");
    put(&world, "pay", 8081, STATUS_HEALTHY);
    (void)step(&world, 0);
    for (int i = 0; i < 100; i++) { // one second
        put(&world, "pay", 8082 + (uint32_t)i, STATUS_HEALTHY);
        int64_t wait_ms = step(&world, 10);
        CHECK(wait_ms == -1 || (wait_ms > 0 && wait_ms <= FILES_INTERVAL_MS));
    }
    CHECK_UEQ(written(&world), 3); // the first one, and those at 500 and 1000 ms
    put(&world, "pay", 9999, STATUS_HEALTHY);
    CHECK_EQ(step(&world, 0), 500);
    CHECK_EQ(step(&world, 499), 1);
    CHECK(!holds(&world, "pay.json", "9999"));
    CHECK_EQ(step(&world, 1), -1);
    CHECK(holds(&world, "pay.json", "9999")); // the last change is never lost
    world_fini(&world);
}

TEST(the_file_of_a_service_that_is_gone_stays_and_is_empty)
{
    struct world world;
    world_init(&world, "{service}");
    put(&world, "pay", 8081, STATUS_HEALTHY);
    (void)step(&world, 0);
    put(&world, "pay", 0, STATUS_UNKNOWN);
    (void)step(&world, 1000);
    CHECK(holds(&world, "pay.json", "\"cluster_name\":\"pay\",\"endpoints\":[]"));
    world_fini(&world);
}

TEST(a_reader_that_was_lapped_reads_everything_anew)
{
    struct world world;
    world_init(&world, "{service}");
    put(&world, "pay", 8081, STATUS_HEALTHY);
    put(&world, "web", 8081, STATUS_HEALTHY);
    (void)step(&world, 0);
    put(&world, "pay", 8081, STATUS_UNHEALTHY);
    put(&world, "late", 1, STATUS_HEALTHY);
    for (int i = 0; i < 3000; i++) {
        put(&world, "web", 8081, i % 2 == 0 ? STATUS_UNHEALTHY : STATUS_HEALTHY);
    }
    (void)step(&world, 1000);
    CHECK(holds(&world, "pay.json", "UNHEALTHY"));
    CHECK(holds(&world, "late.json", "HEALTHY"));
    world_fini(&world);
}

TEST(of_two_services_in_one_cluster_the_second_is_not_written)
{
    struct world world;
    world_init(&world, "c{tenant}{service}");
    struct key_bytes key;
    const struct record record = {
        .kind = KEY_REGISTRATION,
        .registration = {.address = SPAN_LIT("127.0.0.1"), .port = 9999, .weight = 1}};
    put(&world, "pay", 8081, STATUS_HEALTHY);
    (void)step(&world, 0);
    key_registration(SPAN_LIT("defaul"), SPAN_LIT("tpay"), SPAN_LIT("a"), &key);
    show(&world, &key, &record);
    (void)map_announce(world.map, key_span(&key));
    (void)step(&world, 1000);
    CHECK(holds(&world, "cdefaultpay.json", "8081"));
    CHECK(!holds(&world, "cdefaultpay.json", "9999"));
    world_fini(&world);
}

TEST(a_restart_does_not_write_what_stands_there_already)
{
    struct world world;
    world_init(&world, "{service}");
    put(&world, "pay", 8081, STATUS_HEALTHY);
    (void)step(&world, 0);
    files_free(world.files);
    world.files = NULL;
    CHECK_OK(files_new(&(struct files_options){.backend = {world.map},
                                               .dir = world.dir,
                                               .cluster_name = "{service}"},
                       &world.files));
    (void)step(&world, 0);
    CHECK_UEQ(written(&world), 0);
    put(&world, "pay", 8082, STATUS_HEALTHY);
    (void)step(&world, 1000);
    CHECK_UEQ(written(&world), 1);
    world_fini(&world);
}

TEST(a_write_that_fails_is_tried_again)
{
    struct world world;
    world_init(&world, "{service}");
    put(&world, "pay", 8081, STATUS_HEALTHY);
    CHECK_EQ(rmdir(world.dir), 0);
    int64_t wait_ms = step(&world, 0);
    CHECK(wait_ms > 0);
    struct files_counts counts;
    files_counts(world.files, &counts);
    CHECK_UEQ(counts.failed, 1);
    CHECK_UEQ(counts.written, 0);
    CHECK_EQ(step(&world, wait_ms), wait_ms);
    files_counts(world.files, &counts);
    CHECK_UEQ(counts.failed, 2);
    world_fini(&world);
}

TEST(a_folder_without_parent_is_an_error)
{
    struct world world;
    struct envoy_files *files = NULL;
    world_init(&world, "{service}");
    const struct files_options options = {
        .backend = {world.map}, .dir = "/nonexistent/eds", .cluster_name = "{service}"};
    CHECK_EQ(files_new(&options, &files), ERR_NOT_FOUND);
    world_fini(&world);
}

static void wake(void *arg)
{
    files_wake(arg);
}

// Waits as Envoy does: for a file that is moved into the folder.  false: none within ten seconds.
static bool wait_for_move(int watch)
{
    char events[4096];
    struct pollfd waiting = {.fd = watch, .events = POLLIN};
    return poll(&waiting, 1, 10000) == 1 && read(watch, events, sizeof(events)) > 0;
}

TEST(the_thread_writes_what_changes)
{
    struct world world;
    world_init(&world, "{service}");
    int watch = inotify_init1(IN_CLOEXEC);
    CHECK(watch >= 0 && inotify_add_watch(watch, world.dir, IN_MOVED_TO) >= 0);
    map_on_change(world.map, wake, world.files);
    put(&world, "pay", 1, STATUS_HEALTHY);
    CHECK_OK(files_start(world.files));
    CHECK_OK(files_start(world.files));
    for (uint32_t i = 2; i <= 200; i++) {
        put(&world, "pay", i, STATUS_HEALTHY);
    }
    bool moved = true;
    while (moved && !holds(&world, "pay.json", "\"port_value\":200}")) {
        moved = wait_for_move(watch);
    }
    CHECK(holds(&world, "pay.json", "\"port_value\":200}"));
    CHECK(written(&world) <= 5);
    (void)close(watch);
    world_fini(&world);
}

static bool walk(void *arg)
{
    struct world *world = arg;
    struct envoy_files *files = NULL;
    enum err err = files_new(&(struct files_options){.backend = {world->map},
                                                     .dir = world->dir,
                                                     .cluster_name = "{service}"},
                             &files);
    if (err != ERR_OK) {
        return false;
    }
    (void)files_step(files, world->now);
    struct files_counts counts;
    files_counts(files, &counts);
    bool done = counts.clusters == 1 && counts.failed == 0;
    files_free(files);
    return done;
}

TEST(every_allocation_may_fail)
{
    struct world world;
    world_init(&world, "{service}");
    put(&world, "pay", 8081, STATUS_HEALTHY);
    CHECK(failalloc_each(walk, &world) >= 8);
    CHECK(holds(&world, "pay.json", "8081"));
    world_fini(&world);
}

SUITE("envoy/files", T(each_service_has_a_file_after_the_first_step), T(a_node_has_no_file),
      T(a_change_reaches_its_file_and_no_other), T(changes_that_leave_the_content_are_not_written),
      T(a_cluster_is_written_at_most_twice_in_a_second),
      T(the_file_of_a_service_that_is_gone_stays_and_is_empty),
      T(a_reader_that_was_lapped_reads_everything_anew),
      T(of_two_services_in_one_cluster_the_second_is_not_written),
      T(a_restart_does_not_write_what_stands_there_already), T(a_write_that_fails_is_tried_again),
      T(a_folder_without_parent_is_an_error), T(the_thread_writes_what_changes),
      T(every_allocation_may_fail));
