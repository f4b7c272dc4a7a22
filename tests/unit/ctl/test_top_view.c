// SPDX-License-Identifier: Apache-2.0
// Two looks at a node, as its documents would be; what is compared is the text that comes out, line by line.
#include "admin-api/ctl/top_view.h"
#include "base/buf.h"
#include "base/json.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <string.h>

#define OUT_MAX 65536

#define NODES                                                                                      \
    "{\"self\":\"a\",\"items\":[{\"id\":\"b\",\"stream\":\"stale\",\"lag_ms\":9},"                 \
    "{\"id\":\"a\",\"stream\":\"live\",\"lag_ms\":3}]}"
#define SHARD(number, records, writes, waits)                                                      \
    "{\"shard\":" number ",\"state\":\"STABLE\",\"records\":\"" records                            \
    "\",\"load\":0.5,\"writes\":\"" writes "\",\"waits\":\"" waits                                 \
    "\",\"wait_max_us\":\"1500\",\"hold_mean_ns\":\"340\",\"hold_max_us\":\"20\",\"inside\":null}"

static const char first[] =
    "{\"writes\":\"1000\",\"waits\":\"4\",\"wait_total_us\":\"0\",\"long_waits\":\"1\","
    "\"queue\":{\"dropped\":{\"latency\":\"10\"},\"refused\":{\"api\":\"0\"}},"
    "\"tenants\":{\"refused\":\"5\"},"
    "\"shards\":[" SHARD("0", "1", "100", "0") "," SHARD("1", "2", "50",
                                                         "0") "," SHARD("2", "3", "0", "0") "]}";
static const char second[] =
    "{\"state\":\"GROWING\",\"shard_count\":64,\"shards_growing\":2,\"records\":\"1234\","
    "\"tombstones\":\"5\",\"bytes\":\"3145728\",\"load\":0.41,"
    "\"evicted\":{\"records\":\"7\",\"services\":\"2\"},"
    "\"probes\":[\"900\",\"90\",\"0\",\"0\",\"0\",\"0\",\"0\",\"10\"],"
    "\"writes\":\"3000\",\"waits\":\"44\",\"wait_total_us\":\"200000\",\"wait_max_us\":\"12000\","
    "\"hold_mean_ns\":\"340\",\"hold_max_us\":\"1200\",\"long_waits\":\"3\","
    "\"memory\":{\"band\":\"reserve\",\"usage_bytes\":\"734003200\",\"limit_bytes\":\"1073741824\","
    "\"pressure\":0.015},"
    "\"queue\":{\"length\":\"3\",\"capacity\":\"1024\",\"slow\":true,"
    "\"dropped\":{\"latency\":\"30\"},\"refused\":{\"api\":\"4\"}},"
    "\"tenants\":{\"count\":\"2\",\"over\":\"1\",\"refused\":\"5\",\"largest\":["
    "{\"name\":\"acme\",\"used\":\"11\",\"limit\":\"10\"},"
    "{\"name\":\"default\",\"used\":\"4\",\"limit\":\"0\"}]},"
    "\"shards\":[" SHARD("0", "1", "300", "0") "," SHARD("1", "2", "60",
                                                         "40") "," SHARD("2", "3", "0", "0") "]}";

struct scene {
    struct json *trees[3];
    struct top_look before, now;
};

static struct json *parse(const char *text)
{
    struct json *tree = NULL;
    struct json_error where;
    CHECK_OK(json_parse(span_str(text), &tree, &where));
    return tree;
}

// Two seconds lie between the two.
static struct scene scene_of(const char *before, const char *now)
{
    struct scene scene = {.trees = {parse(before), parse(now), parse(NODES)}};
    scene.before = (struct top_look){scene.trees[0], scene.trees[2], {1000000}};
    scene.now = (struct top_look){scene.trees[1], scene.trees[2], {3000000}};
    return scene;
}

static void free_scene(struct scene *scene)
{
    for (size_t i = 0; i < 3; i++) {
        json_free(scene->trees[i]);
    }
}

static enum err show(const struct scene *scene, char ret_text[OUT_MAX])
{
    memset(ret_text, 0, OUT_MAX);
    FILE *out = fmemopen(ret_text, OUT_MAX - 1, "w");
    ck_assert_ptr_nonnull(out);
    enum err err =
        top_view(&scene->before, &scene->now, (struct table_options){.headers = true}, out);
    (void)fclose(out);
    return err;
}

static void check_lines(const struct scene *scene, const char *const *want)
{
    static char text[OUT_MAX];
    CHECK_OK(show(scene, text));
    for (; *want != NULL; want++) {
        const char *at = strstr(text, *want);
        bool whole = at != NULL && at[strlen(*want)] == '\n';
        ck_assert_msg(whole, "\"%s\" is missing in:\n%s", *want, text);
    }
}

TEST(the_screen_says_what_happened_between_two_looks)
{
    struct scene scene = scene_of(first, second);
    static const char *const want[] = {
        "node     a; stream live, lag 3ms",
        "map      1234 records, 5 tombstones, 3.0MiB; GROWING, load 41% (2 of 64 shards grow)",
        "evicted  7 records of 2 services",
        "probes   1: 90.0%, 2: 9.0%, 8+: 1.0%",
        "writes   1000/s; inside for 340ns on average, 1.2ms at most",
        "waits    20/s, 10.0% of one thread; 12ms at most; 3 of 1ms and more, 2 of them now",
        "queue    3 of 1024; 10/s dropped, 2/s refused; writers are slowed down",
        "memory   reserve; 700.0MiB of 1.0GiB, pressure 1.5%",
        "tenants  2, 1 over quota; 0/s refused; acme 11/10, default 4",
        "\nSHARD  STATE   RECORDS  LOAD  WRITES/S  WAITS/S  MAX WAIT  HOLD   MAX HOLD  INSIDE\n"
        "1      STABLE  2        50%   5         20       1.5ms     340ns  20us      -\n"
        "0      STABLE  1        50%   100       0        1.5ms     340ns  20us      -",
        NULL,
    };
    check_lines(&scene, want);
    free_scene(&scene);
}
END_TEST

TEST(a_quiet_node_has_no_hot_shard)
{
    struct scene scene = scene_of(second, second);
    static const char *const want[] = {
        "writes   0/s; inside for 340ns on average, 1.2ms at most",
        "waits    0/s, 0.0% of one thread; 12ms at most; 3 of 1ms and more",
        "\nno shard was written to",
        NULL,
    };
    check_lines(&scene, want);
    free_scene(&scene);
}
END_TEST

TEST(a_node_that_began_anew_counts_from_zero)
{
    struct scene scene = scene_of(second, first);
    static const char *const want[] = {
        "writes   500/s; inside for 0ns on average, 0ns at most",
        NULL,
    };
    check_lines(&scene, want);
    free_scene(&scene);
}
END_TEST

TEST(an_older_daemon_may_say_less)
{
    struct scene scene = scene_of("{}", "{}");
    static const char *const want[] = {
        "map      0 records, 0 tombstones, 0B; , load 0%",
        "memory   ; 0B, no limit is known",
        "tenants  0, 0 over quota; 0/s refused",
        NULL,
    };
    check_lines(&scene, want);
    free_scene(&scene);
}
END_TEST

#define MANY 14

// The fifth column of a row of shards.
static long writes_of(const char *row)
{
    for (unsigned column = 0; column < 4; column++) {
        row += strcspn(row, " ");
        row += strspn(row, " ");
    }
    return strtol(row, NULL, 10);
}

TEST(the_hottest_ten_are_shown)
{
    static char before[OUT_MAX], now[OUT_MAX], text[OUT_MAX];
    size_t a = (size_t)snprintf(before, OUT_MAX, "{\"shards\":[");
    size_t b = (size_t)snprintf(now, OUT_MAX, "{\"shards\":[");
    for (int i = 0; i < MANY; i++) {
        const char *comma = i > 0 ? "," : "";
        a += (size_t)snprintf(before + a, OUT_MAX - a, "%s{\"shard\":%d,\"writes\":\"0\"}", comma,
                              i);
        b += (size_t)snprintf(now + b, OUT_MAX - b, "%s{\"shard\":%d,\"writes\":\"%d\"}", comma, i,
                              (i * 5 % MANY + 1) * 2);
    }
    (void)snprintf(before + a, OUT_MAX - a, "]}");
    (void)snprintf(now + b, OUT_MAX - b, "]}");
    struct scene scene = scene_of(before, now);
    CHECK_OK(show(&scene, text));
    const char *at = strstr(text, "\nSHARD ");
    CHECK(at != NULL);
    at = strchr(at + 1, '\n') + 1;
    int rows = 0;
    for (; *at != '\0'; at = strchr(at, '\n') + 1, rows++) {
        CHECK_EQ(writes_of(at), MANY - rows);
    }
    CHECK_EQ(rows, TOP_SHARDS_MAX);
    free_scene(&scene);
}
END_TEST

TEST(as_json_it_is_one_object_with_the_rates)
{
    struct scene scene = scene_of(first, second);
    struct buf out;
    struct json_error error;
    buf_init(&out, OUT_MAX);
    top_view_json(&scene.before, &scene.now, &out);
    CHECK_OK(out.err);
    CHECK_OK(json_lex(buf_span(&out), &error));
    const char *begin =
        "{\"node\":\"a\",\"seconds\":2,\"writes_per_s\":1000,\"waits_per_s\":20,"
        "\"hottest\":[{\"shard\":1,\"writes_per_s\":5,\"waits_per_s\":20},{\"shard\":0,"
        "\"writes_per_s\":100,\"waits_per_s\":0}],\"map\":{\"state\":\"GROWING\",";
    ck_assert_msg(strncmp(buf_cstr(&out), begin, strlen(begin)) == 0, "%s", buf_cstr(&out));
    buf_fini(&out);
    free_scene(&scene);
}
END_TEST

struct walk {
    const struct scene *scene;
    FILE *out;
};

static bool show_walk(void *arg)
{
    const struct walk *walk = arg;
    return top_view(&walk->scene->before, &walk->scene->now,
                    (struct table_options){.headers = true}, walk->out) == ERR_OK;
}

TEST(without_memory_it_says_so)
{
    struct scene scene = scene_of(first, second);
    struct walk walk = {&scene, fopen("/dev/null", "w")};
    CHECK(walk.out != NULL);
    fputc('\n', walk.out); // takes the stream's own memory
    CHECK(failalloc_each(show_walk, &walk) > 10);
    (void)fclose(walk.out);
    free_scene(&scene);
}
END_TEST

SUITE("ctl/top_view", T(the_screen_says_what_happened_between_two_looks),
      T(a_quiet_node_has_no_hot_shard), T(a_node_that_began_anew_counts_from_zero),
      T(an_older_daemon_may_say_less), T(the_hottest_ten_are_shown),
      T(as_json_it_is_one_object_with_the_rates), T(without_memory_it_says_so));
