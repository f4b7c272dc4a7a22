// SPDX-License-Identifier: Apache-2.0
// Several partitions that are scanned: how many at once, in which order, and what is asked before what.
#include "replicator/core/session.h"

#include "tests/lib/suite.h"
#include "tests/unit/core/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTITIONS 5
#define ARENA_LEN ((size_t)4 << 20)

struct scene {
    struct map *map;
    struct core *core;
    void *arena;
    uint32_t held_at_scan; // records in the map when the last scan was asked for
    char story[512];
};

static void on_action(void *arg, const struct core_action *action)
{
    struct scene *scene = arg;
    struct map_counts counts;
    char line[32] = "";
    if (action->type == CORE_ACT_SCAN) {
        map_counts(scene->map, &counts);
        scene->held_at_scan = (uint32_t)counts.records;
        snprintf(line, sizeof(line), "scan %u@%u ", action->partition, (unsigned)action->cursor);
    } else if (action->type == CORE_ACT_META) {
        snprintf(line, sizeof(line), "meta %u ", action->partition);
    }
    size_t len = strlen(scene->story);
    CHECK_INT(len + strlen(line), lt, sizeof(scene->story));
    snprintf(scene->story + len, sizeof(scene->story) - len, "%s", line);
}

static struct scene *scene_new(void)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    CHECK(scene != NULL);
    scene->arena = calloc(1, ARENA_LEN);
    const struct map_options map_options = {
        .shards = 1, .partitions = PARTITIONS, .changefeed = 16, .instance = 1};
    const struct core_options options = {.node_id = SPAN_LIT(RIG_SELF),
                                         .partitions = PARTITIONS,
                                         .lease_ms = 3000,
                                         .private_stream = true,
                                         .seed = 1};
    CHECK_OK(map_new(&map_options, &scene->map));
    scene->core = core_init(scene->arena, ARENA_LEN, &options, scene->map, on_action, scene);
    CHECK(scene->core != NULL);
    return scene;
}

static void scene_free(struct scene *scene)
{
    map_free(scene->map);
    free(scene->arena);
    free(scene);
}

static void step(struct scene *scene, const struct stream_event *event)
{
    const struct core_event core_event = {.type = CORE_EV_STREAM, .stream = event};
    core_step(scene->core, &core_event, (struct core_time){{1000000}, {1}});
}

static void happens(struct scene *scene, enum stream_event_type type)
{
    const struct stream_event event = {.type = type};
    step(scene, &event);
}

static void meta(struct scene *scene, uint32_t partition)
{
    struct stream_event event = {
        .type = STREAM_EV_META,
        .partition = partition,
        .meta = {.exists = true, .partitions = PARTITIONS, .wire = STREAM_WIRE, .mean = 1}};
    memcpy(event.meta.epoch.text, RIG_EPOCH, sizeof(RIG_EPOCH));
    step(scene, &event);
}

// Of a partition without records; more than one reply when `cursor` is not 0.
static void scanned(struct scene *scene, uint32_t partition, uint64_t cursor)
{
    const struct stream_event event = {
        .type = STREAM_EV_SCAN, .partition = partition, .scan = {.cursor = cursor}};
    step(scene, &event);
}

static bool told(struct scene *scene, const char *expected)
{
    bool same = strcmp(scene->story, expected) == 0;
    if (!same) {
        printf("# told: %s\n", scene->story);
    }
    scene->story[0] = '\0';
    return same;
}

static void come_up(struct scene *scene)
{
    happens(scene, STREAM_EV_UP);
    CHECK(told(scene, "meta 0 meta 1 meta 2 meta 3 meta 4 "));
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        meta(scene, p);
    }
    CHECK(told(scene, "scan 0@0 scan 1@0 "));
}

TEST(two_partitions_are_scanned_at_once_and_the_others_in_turn)
{
    struct scene *scene = scene_new();
    come_up(scene);
    scanned(scene, 1, 7);
    CHECK(told(scene, "scan 1@7 "));
    scanned(scene, 0, 0);
    CHECK(told(scene, "meta 0 scan 2@0 "));
    scanned(scene, 1, 0);
    scanned(scene, 2, 0);
    scanned(scene, 3, 0);
    CHECK(told(scene, "meta 1 scan 3@0 meta 2 scan 4@0 meta 3 "));
    scanned(scene, 4, 0);
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        meta(scene, p);
    }
    CHECK(core_is_ready(scene->core));
    scene_free(scene);
}

TEST(a_scan_that_fails_gives_its_turn_to_the_next)
{
    struct scene *scene = scene_new();
    come_up(scene);
    const struct stream_event failed = {
        .type = STREAM_EV_SCAN, .partition = 0, .status = STREAM_MISTYPED};
    step(scene, &failed);
    CHECK(told(scene, "scan 2@0 "));
    scene_free(scene);
}

TEST(a_lost_connection_begins_the_turns_anew)
{
    struct scene *scene = scene_new();
    come_up(scene);
    happens(scene, STREAM_EV_DOWN);
    CHECK(told(scene, ""));
    come_up(scene);
    scene_free(scene);
}

TEST(the_next_part_is_asked_for_before_this_one_is_taken_in)
{
    struct scene *scene = scene_new();
    struct key_bytes key;
    char body[CODEC_BODY_MAX];
    char value[RECORD_LEN_MAX];
    const struct record record = {.kind = KEY_NODE, .node = {.incarnation = 1, .up = true}};
    key_node(SPAN_LIT("n1"), &key);
    size_t body_len = codec_body_write(&record, body, sizeof(body));
    size_t len = codec_value_write(key_span(&key), (struct version){1, 1}, span_of(body, body_len),
                                   value, sizeof(value));
    const struct stream_pair pair = {.key = key_span(&key), .value = span_of(value, len)};
    const struct stream_event event = {
        .type = STREAM_EV_SCAN, .partition = 0, .scan = {.pairs = &pair, .count = 1, .cursor = 9}};
    struct map_facts facts;
    come_up(scene);
    step(scene, &event);
    CHECK(told(scene, "scan 0@9 "));
    CHECK_UEQ(scene->held_at_scan, 0);
    CHECK(map_peek(scene->map, key_span(&key), &facts));
    scene_free(scene);
}

SUITE("core/session: scans", T(two_partitions_are_scanned_at_once_and_the_others_in_turn),
      T(a_scan_that_fails_gives_its_turn_to_the_next), T(a_lost_connection_begins_the_turns_anew),
      T(the_next_part_is_asked_for_before_this_one_is_taken_in));
