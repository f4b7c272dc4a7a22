// SPDX-License-Identifier: Apache-2.0
// The step itself: the arena it is given, determinism, what a step leaves behind, and events out of turn.
#include "replicator/core/core.h"

#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <stdio.h>
#include <string.h>

static void no_sink(void *arg, const struct core_action *action)
{
    (void)arg;
    (void)action;
}

TEST(an_arena_that_is_too_small_is_refused)
{
    static char small[CORE_ARENA_MIN];
    struct map *map = NULL;
    const struct map_options map_options = {
        .shards = 4, .partitions = 1, .changefeed = 256, .instance = 1};
    struct core_options options = {.node_id = SPAN_LIT(RIG_SELF), .partitions = 1};
    CHECK_OK(map_new(&map_options, &map));
    CHECK(core_init(small, sizeof(small) - 1, &options, map, no_sink, NULL) == NULL);
    CHECK(core_init(small, sizeof(small), &options, map, no_sink, NULL) != NULL);
    map_free(map);
}

TEST(options_are_copied)
{
    struct rig *rig = rig_new();
    static char name[] = "node";
    static char *arena;
    arena = calloc(1, CORE_ARENA_MIN);
    CHECK(arena != NULL);
    const struct core_options options = {.node_id = span_str(name), .partitions = 1};
    struct core *core = core_init(arena, CORE_ARENA_MIN, &options, rig->map, no_sink, NULL);
    CHECK(core != NULL);
    memset(name, 'x', 4);
    CHECK(core_knows_node(core, SPAN_LIT("node")));
    CHECK(!core_knows_node(core, SPAN_LIT("xxxx")));
    free(arena);
    rig_free(rig);
}

// A story with all kinds of events, told whole.
static void tell_story(struct rig *rig)
{
    rig->log = true;
    rig_connect(rig);
    rig_tick(rig, 100);
    rig_settle(rig);
    peer_node(rig, "b", true);
    rig_put_instance(rig, "i1", 7, true);
    rig_settle(rig);
    peer_overrides(rig, "i1", STATUS_DRAINING);
    rig_beat(rig, 5000, NULL, "b");
    rig_tick(rig, 9000);
    rig_down(rig);
    rig_put_instance(rig, "i1", 8, false);
    rig_tick(rig, 500);
}

TEST(the_same_events_and_seed_give_the_same_actions)
{
    struct rig *one = rig_new();
    struct rig *two = rig_new();
    tell_story(one);
    tell_story(two);
    CHECK(one->story_len > 0);
    CHECK_STR(one->story, two->story);
    CHECK_STR(one->epoch, two->epoch);
    CHECK_UEQ(map_digest(one->map, 0).sum, map_digest(two->map, 0).sum);
    CHECK_UEQ(core_arena_used(one->core), core_arena_used(two->core));
    rig_free(one);
    rig_free(two);
}

TEST(what_comes_and_goes_leaves_no_memory_taken)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    size_t used = 0;
    for (int round = 0; round < 50; round++) {
        rig_put_instance(rig, "i1", 7, true);
        peer_votes(rig, "i1", "n1", STATUS_HEALTHY);
        rig_settle(rig);
        const struct record drain = {.kind = KEY_OVERRIDE,
                                     .override = {.status = STATUS_DRAINING, .until_ms = 99}};
        caller_puts(rig, 1, keys_override("i1"), &drain);
        rig_settle(rig);
        caller_deletes(rig, 2, keys_instance("i1"));
        rig_settle(rig);
        rig_tick(rig, 1000);
        rig_settle(rig);
        rig_clear(rig);
        if (round == 5) {
            used = core_arena_used(rig->core); // tables have grown to their size
        }
    }
    CHECK_UEQ(core_arena_used(rig->core), used);
    CHECK_EQ(rig->core->timed.count, 0);
    CHECK_EQ(rig->core->outbox.count, 0);
    CHECK_EQ(rig->core->instances.count, 0);
    rig_free(rig);
}

#define LIFE_WRITES 15

// How often `word` stands in the transcript.
static int count_of(const struct rig *rig, const char *word)
{
    int count = 0;
    for (const char *at = rig->story; (at = strstr(at, word)) != NULL; at++) {
        count++;
    }
    return count;
}

// A life in which every part of core takes memory; LIFE_WRITES callers wait for an answer.
static void live_a_life(struct rig *rig)
{
    char name[16];
    const struct record drain = {.kind = KEY_OVERRIDE,
                                 .override = {.status = STATUS_DRAINING, .until_ms = 99}};
    peer_node(rig, "b", true);
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof(name), "m%d", i);
        peer_registers(rig, name);
        peer_votes(rig, name, "b", STATUS_UNHEALTHY);
        rig_put_instance(rig, name, 7, true);
        rig_settle(rig);
        caller_puts(rig, 1, keys_override(name), &drain);
    }
    rig_settle(rig);
    rig_beat(rig, 5000, NULL, "b");
    rig_down(rig);
    caller_deletes(rig, 2, keys_policy());
    rig_tick(rig, 300);
    rig_up(rig);
    rig_meta(rig, rig->sequence);
    rig_probe(rig, true);
    rig_settle(rig);
    rig_tick(rig, 500);
    // Fenced with one write in the air and one that waits behind it.
    const struct record twin = {.kind = KEY_NODE, .node = {.incarnation = 9, .up = true}};
    struct key_bytes self = keys_node(RIG_SELF);
    rig_put_instance(rig, "last", 7, true);
    rig_put_instance(rig, "last", 8, true);
    rig_record(rig, key_span(&self), 9, &twin);
}

TEST(wherever_the_memory_ends_every_caller_is_answered)
{
    int whole = 0;
    int cut = 0;
    for (size_t left = 0; left < 300; left++) {
        struct rig *rig = rig_new();
        rig_live(rig);
        rig->core->arena.len = rig->core->arena.bump + left * 64;
        live_a_life(rig);
        CHECK_EQ(count_of(rig, "done "), LIFE_WRITES);
        cut += count_of(rig, " refused") > 0 ? 1 : 0;
        CHECK_EQ(rig->core->outbox.count, 0);
        whole += rig->core->instances.count == 0 ? 1 : 0; // the delete of the service reached all
        rig_free(rig);
    }
    CHECK_INT(whole, gt, 0);
    CHECK_INT(cut, gt, 0);
}

TEST(answers_that_nobody_asked_for_change_nothing)
{
    static const struct stream_event events[] = {
        {.type = STREAM_EV_SCAN},
        {.type = STREAM_EV_PROBE},
        {.type = STREAM_EV_ENTRY, .entry = {.valid = false}},
        {.type = STREAM_EV_DRAINED},
        {.type = STREAM_EV_PUT},
        {.type = STREAM_EV_PUT, .status = STREAM_RETRY},
        {.type = STREAM_EV_DOWN},
    };
    struct rig *rig = rig_new();
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        rig_stream(rig, &events[i]);
        CHECK(rig_told(rig, ""));
    }
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_CONNECTING);
    rig_live(rig);
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_LIVE);
    rig_free(rig);
}

TEST(an_operation_without_a_name_is_not_answered)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    caller_deletes(rig, 0, keys_instance("i1"));
    CHECK(rig_told(rig, ""));
    rig_free(rig);
}

TEST(a_connection_that_is_lost_in_each_state_starts_again)
{
    for (int until = 0; until < 6; until++) {
        struct rig *rig = rig_new();
        rig_up(rig);
        for (int i = 0; i < until; i++) {
            switch (i) {
            case 0:
                rig_no_meta(rig);
                break;
            case 2:
                rig_scan_end(rig);
                break;
            case 1:
            case 3:
                rig_meta(rig, 0);
                break;
            default:
                rig_tick(rig, 100);
            }
        }
        rig_down(rig);
        rig_tick(rig, 100);
        rig_clear(rig);
        rig_up(rig);
        CHECK(rig_said(rig, "meta")); // the server is asked where it is, whatever was open before
        rig_free(rig);
    }
}

SUITE("core/core", T(an_arena_that_is_too_small_is_refused), T(options_are_copied),
      T(the_same_events_and_seed_give_the_same_actions),
      T(what_comes_and_goes_leaves_no_memory_taken),
      T(wherever_the_memory_ends_every_caller_is_answered),
      T(answers_that_nobody_asked_for_change_nothing),
      T(an_operation_without_a_name_is_not_answered),
      T(a_connection_that_is_lost_in_each_state_starts_again));
