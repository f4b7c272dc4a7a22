// SPDX-License-Identifier: Apache-2.0
// Documents as a daemon writes them go in; what is compared is the text that comes out, line by line.
#include "admin-api/ctl/overview.h"
#include "admin-api/ctl/overview_show.h"
#include "admin-api/ctl/session.h"
#include "base/buf.h"
#include "base/json.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>

#define OUT_MAX 65536

static const char ready_ok[] = "{\"status\":\"ok\",\"checks\":[{\"name\":\"stream\",\"ok\":true}]}";
static const char no_items[] = "{\"items\":[]}";

struct scene {
    const char *ready, *nodes, *partitions, *services, *instances;
    struct json *trees[6];
    struct overview overview;
};

static struct json *parse(struct scene *scene, size_t slot, const char *text)
{
    struct json_error where;
    if (text != NULL) {
        CHECK_OK(json_parse(span_str(text), &scene->trees[slot], &where));
    }
    return scene->trees[slot];
}

static void judge(struct scene *scene)
{
    struct overview_documents documents = {
        .ready = parse(scene, 0, scene->ready != NULL ? scene->ready : ready_ok),
        .nodes = parse(scene, 1, scene->nodes),
        .partitions = parse(scene, 2, scene->partitions),
        .digest = parse(scene, 3, "{\"digest\":\"2-00000000000a\",\"pending\":\"0\"}"),
        .services = parse(scene, 4, scene->services != NULL ? scene->services : no_items),
    };
    overview_judge(&scene->overview, &documents);
    overview_add(&scene->overview, parse(scene, 5, scene->instances));
}

static void free_scene(struct scene *scene)
{
    for (size_t i = 0; i < sizeof(scene->trees) / sizeof(scene->trees[0]); i++) {
        json_free(scene->trees[i]);
    }
}

static enum err show(const struct scene *scene, char ret_text[OUT_MAX])
{
    struct session session = {.table = {.headers = true, .colours = false}};
    memset(ret_text, 0, OUT_MAX);
    FILE *out = fmemopen(ret_text, OUT_MAX - 1, "w");
    ck_assert_ptr_nonnull(out);
    enum err err = overview_show(&scene->overview, &session, out);
    (void)fclose(out);
    return err;
}

// Each line of `want` stands in the screen.
static void check_screen(struct scene *scene, bool fine, const char *const *want)
{
    static char text[OUT_MAX];
    judge(scene);
    CHECK_EQ(overview_is_fine(&scene->overview), fine);
    CHECK_OK(show(scene, text));
    for (; *want != NULL; want++) {
        const char *at = strstr(text, *want);
        bool whole = at != NULL && at[strlen(*want)] == '\n';
        ck_assert_msg(whole, "\"%s\" is missing in:\n%s", *want, text);
    }
    free_scene(scene);
}

#define NODE(id, live, stream, agrees, lag)                                                        \
    "{\"id\":\"" id "\",\"live\":" live ",\"stream\":\"" stream "\",\"agrees\":" agrees            \
    ",\"lag_ms\":" lag ",\"digest\":\"1-00000000000b\"}"
#define NODES(rows) "{\"self\":\"a\",\"items\":[" rows "]}"

TEST(replicas_that_agree_are_fine)
{
    struct scene scene = {
        .nodes = NODES(
            NODE("a", "true", "live", "true", "3") "," NODE("b", "true", "live", "true", "12")),
        .partitions = "{\"items\":[{\"state\":\"live\"},{\"state\":\"live\"}]}",
    };
    static const char *const want[] = {
        "meshpulse  fine (as node a sees it)",
        "replicas   2 of 2 live; all agree; digest 2-00000000000a",
        "stream     live; 2 of 2 partitions live; 0 pending",
        "lag        12ms at most, on node b",
        "services   0; instances 0",
        "guard      no service in panic",
        "drains     none",
        NULL,
    };
    check_screen(&scene, true, want);
}

TEST(a_replica_that_differs_is_a_problem)
{
    struct scene scene = {.nodes = NODES(NODE("a", "true", "live", "true",
                                              "0") "," NODE("b", "true", "live", "false", "null"))};
    static const char *const want[] = {
        "meshpulse  attention (as node a sees it)",
        "  problem  node b does not agree; its digest is 1-00000000000b",
        "replicas   2 of 2 live; 1 agree; digest 2-00000000000a",
        NULL,
    };
    check_screen(&scene, false, want);
}

TEST(a_peer_whose_stream_does_not_flow_is_a_problem)
{
    struct scene scene = {.nodes = NODES(NODE("a", "true", "live", "true",
                                              "0") "," NODE("b", "true", "stale", "true", "0"))};
    static const char *const want[] = {"  problem  node b: its stream is stale", NULL};
    check_screen(&scene, false, want);
}

TEST(a_node_that_is_down_has_no_say)
{
    struct scene scene = {.nodes = NODES(NODE("a", "true", "live", "true", "0") "," NODE(
                              "b", "false", "stale", "false", "9000"))};
    static const char *const want[] = {
        "replicas   1 of 2 live (down: b); nobody to agree with; digest 2-00000000000a",
        "lag        0ms at most, on node a",
        NULL,
    };
    check_screen(&scene, true, want);
}

TEST(a_condition_that_fails_is_a_problem_in_its_own_words)
{
    struct scene scene = {
        .ready = "{\"status\":\"ok\",\"checks\":[{\"name\":\"stream\",\"ok\":false,\"detail\":\"no"
                 " answer\"}]}",
        .nodes = NODES(NODE("a", "true", "stale", "true", "0")),
        .partitions = "{\"items\":[{\"state\":\"stale\"}]}",
    };
    static const char *const want[] = {
        "meshpulse  attention (as node a sees it)",
        "  problem  stream: no answer",
        "stream     stale; 0 of 1 partitions live; 0 pending",
        NULL,
    };
    check_screen(&scene, false, want);
}

TEST(a_partition_that_is_not_live_is_a_problem)
{
    struct scene scene = {
        .nodes = NODES(NODE("a", "true", "live", "true", "0")),
        .partitions = "{\"items\":[{\"state\":\"live\"},{\"state\":\"snapshot\"}]}",
    };
    static const char *const want[] = {"  problem  1 of 2 partitions are not live", NULL};
    check_screen(&scene, false, want);
}

TEST(not_being_ready_says_why)
{
    struct scene scene = {
        .ready = "{\"status\":\"failed\",\"checks\":[{\"name\":\"map-replayed\",\"ok\":false,"
                 "\"detail\":\"not read yet\"}]}",
        .nodes = NODES(NODE("a", "true", "connecting", "true", "null")),
    };
    static const char *const want[] = {
        "meshpulse  not ready (as node a sees it)",
        "  problem  map-replayed: not read yet",
        "lag        -",
        NULL,
    };
    check_screen(&scene, false, want);
}

TEST(sick_instances_are_no_problem_of_ours)
{
    struct scene scene = {
        .nodes = NODES(NODE("a", "true", "live", "true", "0")),
        .services = "{\"items\":[{\"name\":\"pay\",\"instances\":4,\"healthy\":1,\"unhealthy\":2,"
                    "\"timeout\":1,\"guarded\":0},{\"name\":\"cart\",\"instances\":3,\"healthy\":3,"
                    "\"guarded\":2}]}",
    };
    static const char *const want[] = {
        "services   2; instances 7, 4 healthy, 2 unhealthy, 1 timed out",
        "guard      cart (2 kept in service) in panic",
        NULL,
    };
    check_screen(&scene, true, want);
}

#define INSTANCE(id, status, raw, guarded, second)                                                 \
    "{\"service\":\"pay\",\"id\":\"" id "\",\"status\":\"" status "\",\"raw_status\":\"" raw       \
    "\",\"guarded\":" guarded ",\"since\":\"2026-11-24T10:00:0" second                             \
    ".000Z\",\"override\":null}"

TEST(the_worst_come_first_and_of_equals_the_latest)
{
    struct scene scene = {
        .nodes = NODES(NODE("a", "true", "live", "true", "0")),
        .instances = "{\"items\":[" INSTANCE("fine", "HEALTHY", "HEALTHY", "false", "1") "," //
        INSTANCE("new", "UNKNOWN", "UNKNOWN", "false", "9") ","                              //
        INSTANCE("old", "UNHEALTHY", "UNHEALTHY", "false", "1") ","                          //
        INSTANCE("slow", "TIMEOUT", "TIMEOUT", "false", "5") ","                             //
        INSTANCE("late", "UNHEALTHY", "UNHEALTHY", "false", "3") ","                         //
        INSTANCE("kept", "DEGRADED", "UNHEALTHY", "true", "2") "]}",
    };
    static const char *const want[] = {"late", "kept", "old", "slow", "new"};
    judge(&scene);
    CHECK_EQ(scene.overview.worst_count, 5);
    for (size_t i = 0; i < 5; i++) {
        struct span id;
        CHECK_OK(json_string(json_get(scene.overview.worst[i], "id"), &id));
        ck_assert_msg(span_eq_str(id, want[i]), "%zu: %.*s", i, (int)id.len, id.ptr);
    }
    free_scene(&scene);
}

TEST(only_ten_are_shown_and_the_rest_is_counted)
{
    struct buf items;
    buf_init(&items, OUT_MAX);
    buf_str(&items, "{\"items\":[");
    for (int i = 0; i < 14; i++) {
        buf_printf(&items, "%s{\"service\":\"s\",\"id\":\"i%02d\",\"status\":\"UNHEALTHY\",", //
                   i > 0 ? "," : "", i);
        buf_printf(&items, "\"since\":\"2026-11-24T10:00:%02d.000Z\"}", i);
    }
    buf_str(&items, "]}");
    struct scene scene = {.instances = buf_cstr(&items)};
    static const char *const want[] = {"and 4 more", NULL};
    check_screen(&scene, true, want);
    struct span first, last;
    judge(&scene);
    CHECK_OK(json_string(json_get(scene.overview.worst[0], "id"), &first));
    CHECK_OK(json_string(json_get(scene.overview.worst[9], "id"), &last));
    CHECK(span_eq_str(first, "i13") && span_eq_str(last, "i04"));
    free_scene(&scene);
    buf_fini(&items);
}

TEST(drains_say_until_when_who_and_why)
{
    struct scene scene = {
        .nodes = NODES(NODE("a", "true", "live", "true", "0")),
        .services = "{\"items\":[{\"name\":\"pay\",\"instances\":2,\"draining\":2}]}",
        .instances =
            "{\"items\":[{\"service\":\"pay\",\"id\":\"p1\",\"status\":\"DRAINING\",\"override\":"
            "{\"status\":\"DRAINING\",\"reason\":\"deploy\",\"actor\":\"ops\",\"until\":\"T\"}},"
            "{\"service\":\"pay\",\"id\":\"p2\",\"status\":\"DRAINING\",\"override\":"
            "{\"status\":\"DRAINING\",\"reason\":\"\",\"actor\":\"\",\"until\":null}}]}",
    };
    static const char *const want[] = {
        "drains     2 draining",
        "  drained  pay/p1 until T, by ops: deploy",
        "  drained  pay/p2 until undrain",
        NULL,
    };
    check_screen(&scene, true, want);
}

TEST(the_json_says_the_same)
{
    struct scene scene = {
        .nodes = NODES(NODE("a", "true", "live", "true", "7")),
        .instances = "{\"items\":[" INSTANCE("i", "TIMEOUT", "TIMEOUT", "false", "1") "]}"};
    static const char want[] =
        "{\"node\":\"a\",\"verdict\":\"fine\",\"ready\":true,\"fine\":true,\"problems\":[],"
        "\"nodes\":{\"known\":1,\"live\":1,\"agreeing\":1},"
        "\"stream\":{\"state\":\"live\",\"partitions\":0,\"live\":0,\"digest\":\"2-00000000000a\","
        "\"pending\":\"0\"},\"lag_ms\":7,\"services\":{\"count\":0,\"instances\":0,\"healthy\":0,"
        "\"unhealthy\":0,\"timeout\":0,\"draining\":0,\"degraded\":0,\"unknown\":0,\"guarded\":0},"
        "\"guarded\":[],\"drains\":[],\"worst\":[{\"service\":\"pay\",\"id\":\"i\",\"status\":"
        "\"TIMEOUT\",\"raw_status\":\"TIMEOUT\",\"guarded\":false,\"reason\":null,\"text\":null,"
        "\"since\":\"2026-11-24T10:00:01.000Z\",\"override\":null}]}";
    struct buf out;
    judge(&scene);
    buf_init(&out, OUT_MAX);
    overview_show_json(&scene.overview, &out);
    CHECK_STR(buf_cstr(&out), want);
    buf_fini(&out);
    free_scene(&scene);
}

struct screen {
    const struct scene *scene;
    FILE *out;
};

static bool show_it(void *arg)
{
    const struct screen *screen = arg;
    const struct session session = {.table = {.headers = true}};
    rewind(screen->out);
    return overview_show(&screen->scene->overview, &session, screen->out) == ERR_OK;
}

TEST(a_screen_without_memory_is_an_error)
{
    struct scene scene = {
        .nodes = NODES(NODE("a", "true", "live", "true", "0")),
        .instances = "{\"items\":[" INSTANCE("i", "TIMEOUT", "TIMEOUT", "false", "1") "]}"};
    static char text[OUT_MAX];
    struct screen screen = {&scene, fmemopen(text, sizeof(text), "w")};
    ck_assert_ptr_nonnull(screen.out);
    judge(&scene);
    CHECK(failalloc_each(show_it, &screen) > 0);
    (void)fclose(screen.out);
    free_scene(&scene);
}

SUITE("ctl/overview", T(replicas_that_agree_are_fine), T(a_replica_that_differs_is_a_problem),
      T(a_peer_whose_stream_does_not_flow_is_a_problem), T(a_node_that_is_down_has_no_say),
      T(a_condition_that_fails_is_a_problem_in_its_own_words),
      T(a_partition_that_is_not_live_is_a_problem), T(not_being_ready_says_why),
      T(sick_instances_are_no_problem_of_ours), T(the_worst_come_first_and_of_equals_the_latest),
      T(only_ten_are_shown_and_the_rest_is_counted), T(drains_say_until_when_who_and_why),
      T(the_json_says_the_same), T(a_screen_without_memory_is_an_error));
