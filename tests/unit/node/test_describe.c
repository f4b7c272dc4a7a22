// SPDX-License-Identifier: Apache-2.0
// Decisions of core go in, lines of the log come out of a pipe.
#include "replicator/describe.h"

#include "base/log.h"
#include "base/metric.h"
#include "replicator/board.h"
#include "tests/lib/suite.h"
#include "tests/unit/node/fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct said {
    int in, out;
    char text[65536];
    struct map *map;
    struct board *board;
    struct describe *describe;
};

static void said_init(struct said *said)
{
    int pair[2];
    const struct map_options options = {
        .shards = 1, .partitions = 4, .changefeed = 1024, .instance = 1};
    memset(said, 0, sizeof(*said));
    CHECK_EQ(pipe(pair), 0);
    said->out = pair[0];
    said->in = pair[1];
    log_set_fd(said->in);
    metric_reset();
    CHECK_OK(map_new(&options, &said->map));
    CHECK_OK(board_new("a", 4, &said->board));
    said->describe = malloc(sizeof(*said->describe));
    CHECK(said->describe != NULL);
    describe_init(said->describe, said->map, said->board, SPAN_LIT("a"));
}

static void said_fini(struct said *said)
{
    log_set_fd(2);
    free(said->describe);
    board_free(said->board);
    map_free(said->map);
    (void)close(said->in);
    (void)close(said->out);
}

static void say(struct said *said, const struct core_log *log, int64_t at_ms)
{
    const struct core_time now = {.mono = {at_ms * 1000}, .wall = {at_ms}};
    describe_decision(said->describe, log, now);
}

// All lines so far.
static const char *lines(struct said *said)
{
    (void)close(said->in);
    said->in = -1;
    size_t len = 0;
    ssize_t got = 0;
    while ((got = read(said->out, said->text + len, sizeof(said->text) - 1 - len)) > 0) {
        len += (size_t)got;
    }
    said->text[len] = '\0';
    return said->text;
}

static void put(struct said *said, struct span key, const struct record *record)
{
    char body[CODEC_BODY_MAX];
    struct codec_value value = {.version = {1, 1}};
    enum put_result result;
    value.body = span_of(body, codec_body_write(record, body, sizeof(body)));
    value.hash = codec_hash(key, value.version, value.body);
    CHECK_OK(map_put(said->map, key, &value, 0, 0, &result));
}

static void observe(struct said *said, const char *observer, enum status status, int64_t since_ms)
{
    struct key_bytes key;
    const struct record record = {
        .kind = KEY_OBSERVATION,
        .observation = {.status = status, .since_ms = since_ms, .via = SPAN_LIT("a")}};
    key_observation(SPAN_LIT("default"), SPAN_LIT("pay"), SPAN_LIT("pay-1"), span_str(observer),
                    &key);
    put(said, key_span(&key), &record);
}

TEST(a_change_of_health_is_one_line_that_names_the_observer)
{
    struct said *said = malloc(sizeof(*said));
    said_init(said);
    observe(said, "a", STATUS_UNHEALTHY, 7);
    observe(said, "b", STATUS_HEALTHY, 9);
    observe(said, "c", STATUS_UNHEALTHY, 5);
    struct key_bytes key = fixture_key("pay-1");
    const struct core_log log = {.what = CORE_LOG_HEALTH,
                                 .key = key_span(&key),
                                 .from = STATUS_HEALTHY,
                                 .to = STATUS_UNHEALTHY,
                                 .reason = REASON_CONNECT_REFUSED};
    say(said, &log, 1);
    CHECK(strstr(lines(said), "Z info health service=pay instance=pay-1 from=HEALTHY to=UNHEALTHY "
                              "reason=ConnectRefused observer=a\n") != NULL);
    CHECK_EQ(
        (int)metric_value(METRIC_HEALTH_TRANSITIONS, SPAN_LIT("HEALTHY"), SPAN_LIT("UNHEALTHY")),
        1);
    said_fini(said);
    free(said);
}
END_TEST

TEST(a_change_that_nobody_observed_names_nobody)
{
    struct said *said = malloc(sizeof(*said));
    said_init(said);
    struct key_bytes key = fixture_key("pay-1");
    const struct core_log log = {.what = CORE_LOG_HEALTH,
                                 .key = key_span(&key),
                                 .from = STATUS_HEALTHY,
                                 .to = STATUS_DRAINING,
                                 .reason = REASON_OPERATOR_DRAIN};
    say(said, &log, 1);
    CHECK(strstr(lines(said), "reason=OperatorDrain\n") != NULL);
    said_fini(said);
    free(said);
}
END_TEST

TEST(a_stranger_cannot_fill_the_log_but_every_reject_is_counted)
{
    struct said *said = malloc(sizeof(*said));
    struct backend_reject rows[BOARD_REJECTS_MAX];
    said_init(said);
    const struct core_log log = {.what = CORE_LOG_REJECTED,
                                 .partition = 3,
                                 .id = {12, 4},
                                 .key = SPAN_LIT("x\n\0y"),
                                 .text = SPAN_LIT("garbage"),
                                 .value = SPAN_LIT("\x01\xff")};
    for (int i = 0; i < 50; i++) {
        say(said, &log, 1000 + i);
    }
    say(said, &log, 5000);
    CHECK_EQ(board_rejects(said->board, rows, BOARD_REJECTS_MAX), 51);
    CHECK_STR(rows[0].position, "12-4");
    CHECK_STR(rows[0].reason, "garbage");
    CHECK_STR(rows[0].key, "x\\x0a\\x00y");
    CHECK_STR(rows[0].head, "01ff");
    CHECK_EQ((int)metric_value(METRIC_EVENTS_REJECTED, SPAN_LIT("garbage"), SPAN_NONE), 51);
    const char *text = lines(said);
    int count = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        count++;
    }
    CHECK_EQ(count, 11);
    CHECK(strstr(text, "suppressed=40") != NULL);
    said_fini(said);
    free(said);
}
END_TEST

TEST(a_server_that_is_away_is_told_once)
{
    struct said *said = malloc(sizeof(*said));
    said_init(said);
    const struct core_log away = {.what = CORE_LOG_STREAM, .text = SPAN_LIT("connection refused")};
    const struct core_log other = {.what = CORE_LOG_STREAM, .text = SPAN_LIT("NOPERM")};
    say(said, &away, 1);
    say(said, &away, 2);
    say(said, &other, 3);
    const char *text = lines(said);
    const char *first = strstr(text, "connection refused");
    CHECK(first != NULL);
    CHECK(strstr(first + 1, "connection refused") == NULL);
    CHECK(strstr(text, "NOPERM") != NULL);
    said_fini(said);
    free(said);
}
END_TEST

TEST(every_decision_has_its_line)
{
    static const struct {
        enum core_log_what what;
        const char *words;
    } rows[] = {
        {CORE_LOG_RESYNC, "warn resync partition=2 cause=gap"},
        {CORE_LOG_REPAIR, "info repair service=pay instance=pay-1 cause=gap"},
        {CORE_LOG_EQUIVOCATION, "error equivocation service=pay"},
        {CORE_LOG_NODE, "warn node node=gap state=down"},
        {CORE_LOG_JOINED, "info joined node=a incarnation=5"},
        {CORE_LOG_FENCED, "error fenced node=a incarnation=5 why=\"another node has joined"},
        {CORE_LOG_READY, "info ready node=a"},
        {CORE_LOG_STALE_START, "warn ready node=a stale=true"},
        {CORE_LOG_DIVERGED, "error diverged partition=2"},
        {CORE_LOG_MISCONFIGURED, "error misconfigured why=gap"},
        {CORE_LOG_POLICY, "warn policy service=pay"},
        {CORE_LOG_LEASE, "info lease-expired service=pay instance=pay-1"},
        {CORE_LOG_REFUSED, "error refused service=pay instance=pay-1"},
        {CORE_LOG_LOST, "error lost service=pay instance=pay-1 why=\"it was evicted here"},
        {CORE_LOG_QUOTA,
         "warn quota tenant=gap state=full records=5 quota=4 why=\"new records are"},
        {CORE_LOG_OPAQUE, "warn not-overwritten service=pay instance=pay-1 why=\"a newer version"},
    };
    struct said *said = malloc(sizeof(*said));
    said_init(said);
    struct key_bytes key = fixture_key("pay-1");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct core_log log = {.what = rows[i].what,
                                     .key = key_span(&key),
                                     .text = SPAN_LIT("gap"),
                                     .partition = 2,
                                     .number = 5,
                                     .limit = 4,
                                     .level = MAP_TENANT_FULL};
        say(said, &log, 1);
    }
    const char *text = lines(said);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_msg(strstr(text, rows[i].words) != NULL, "%s in:\n%s", rows[i].words, text);
    }
    said_fini(said);
    free(said);
}
END_TEST

TEST(a_write_that_was_superseded_is_told_with_both_versions_and_both_values)
{
    struct said *said = malloc(sizeof(*said));
    char kept[CODEC_BODY_MAX];
    char lost[CODEC_BODY_MAX];
    said_init(said);
    struct key_bytes key;
    key_override(SPAN_LIT("default"), SPAN_LIT("pay"), SPAN_LIT("pay-1"), &key);
    const struct record held = {
        .kind = KEY_OVERRIDE,
        .override = {.status = STATUS_DRAINING, .actor = SPAN_LIT("anna"), .until_ms = 1000}};
    const struct record other = {.kind = KEY_OVERRIDE,
                                 .override = {.status = STATUS_HEALTHY,
                                              .actor = SPAN_LIT("bob kept_value=x\n"),
                                              .reason = SPAN_LIT("it \"works\"")}};
    const struct core_log log = {
        .what = CORE_LOG_SUPERSEDED,
        .key = key_span(&key),
        .version = {7, 0xab},
        .value = span_of(kept, codec_body_write(&held, kept, sizeof(kept))),
        .other = {6, 0xcd},
        .other_value = span_of(lost, codec_body_write(&other, lost, sizeof(lost)))};
    say(said, &log, 1);
    const char *text = lines(said);
    ck_assert_msg(strstr(text,
                         "warn superseded service=pay instance=pay-1 record=override "
                         "kept=7-00000000000000ab lost=6-00000000000000cd "
                         "kept_value=\"DRAINING actor=anna until=1970-01-01T00:00:01.000Z\" "
                         "lost_value=\"HEALTHY reason=it%20%22works%22 "
                         "actor=bob%20kept_value%3Dx%0A\" why=\"the server went back") != NULL,
                  "%s", text);
    said_fini(said);
    free(said);
}
END_TEST

SUITE("node/describe", T(a_change_of_health_is_one_line_that_names_the_observer),
      T(a_change_that_nobody_observed_names_nobody),
      T(a_stranger_cannot_fill_the_log_but_every_reject_is_counted),
      T(a_write_that_was_superseded_is_told_with_both_versions_and_both_values),
      T(a_server_that_is_away_is_told_once), T(every_decision_has_its_line));
