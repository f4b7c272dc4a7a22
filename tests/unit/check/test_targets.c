// SPDX-License-Identifier: Apache-2.0
// Probes are begun by a double that only remembers them; the test answers them when it likes and moves the
// time by hand.
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include "replicator/check/targets.h"

#include <stdio.h>
#include <string.h>

#define FLIGHTS_MAX 64

struct world {
    struct targets *targets;
    struct mono now;
    struct target *flights[FLIGHTS_MAX]; // under way, in the order in which they began
    size_t flight_count;
    int cancelled;
    bool fail_start;
    char last_path[64], last_where[64];
    char said[1024];    // one line for each judgement
    struct span remove; // removed in on_judged
    uint32_t slow_ms;
    struct check_judgement last; // its key and text are not to be looked at
};

static const struct check_policy tcp = {
    .type = CHECK_TCP, .interval_ms = 1000, .timeout_ms = 200, .rise = 2, .fall = 3};

static enum err start(void *arg, struct target *target, const struct probe_request *request)
{
    struct world *world = arg;
    if (world->fail_start) {
        return ERR_NOMEM;
    }
    if (world->flight_count < FLIGHTS_MAX) {
        world->flights[world->flight_count++] = target;
    }
    (void)snprintf(world->last_path, sizeof(world->last_path), "%s %s", request->path,
                   request->host);
    char where[ADDRESS_TEXT_LEN];
    address_format(&request->address, where);
    (void)snprintf(world->last_where, sizeof(world->last_where), "%.60s", where);
    target_set_probe(target, world);
    return ERR_OK;
}

static void cancel(void *arg, struct target *target)
{
    struct world *world = arg;
    world->cancelled++;
    for (size_t i = 0; i < world->flight_count; i++) {
        if (world->flights[i] == target) {
            world->flights[i] = NULL;
        }
    }
    target_set_probe(target, NULL);
}

static void on_judged(void *arg, const struct check_judgement *judgement)
{
    struct world *world = arg;
    size_t len = strlen(world->said);
    (void)snprintf(world->said + len, sizeof(world->said) - len, "%.*s %s %s %.*s %d\n",
                   (int)judgement->registration_key.len, judgement->registration_key.ptr,
                   status_name(judgement->status), reason_word(judgement->reason),
                   (int)judgement->text.len, judgement->text.ptr, (int)judgement->latency_us);
    world->last = *judgement;
    if (world->remove.len > 0) {
        targets_remove(world->targets, world->remove);
    }
}

static uint32_t slow_ms(void *arg)
{
    const struct world *world = arg;
    return world->slow_ms;
}

static enum err world_open(struct world *world, uint32_t concurrency)
{
    *world = (struct world){.now = {1000000000}};
    const struct checker_options checker = {.limits = {.concurrency = concurrency,
                                                       .rate = 1000000,
                                                       .jitter_percent = 0,
                                                       .min_interval_ms = 500,
                                                       .per_target_max = 1},
                                            .seed = 1,
                                            .on_judged = on_judged,
                                            .slow_ms = slow_ms,
                                            .arg = world};
    const struct targets_options options = {
        .checker = &checker, .start = start, .cancel = cancel, .arg = world};
    return targets_new(&options, &world->targets);
}

static void world_init(struct world *world)
{
    CHECK_OK(world_open(world, 32));
}

static enum err set(struct world *world, const char *key, const struct checker_target *terms)
{
    return targets_set(world->targets, span_str(key), terms, world->now);
}

#define SET(world, key, ip, port, check)                                                           \
    set(world, key, &(const struct checker_target){span_str(ip), port, check})

// Moves the time until something begins, at most `ms`.  The target that began last, or NULL.
static struct target *begins_within(struct world *world, int64_t ms)
{
    size_t before = world->flight_count;
    for (int64_t i = 0; i <= ms && world->flight_count == before; i++) {
        (void)targets_run(world->targets, world->now);
        world->now = mono_add_ms(world->now, world->flight_count == before ? 1 : 0);
    }
    return world->flight_count == before ? NULL : world->flights[world->flight_count - 1];
}

static void answer(struct world *world, struct target *target, enum reason reason)
{
    const struct probe_result result = {.outcome = reason == REASON_CHECK_PASSED ? PROBE_PASSED
                                                   : reason == REASON_NONE       ? PROBE_NOTHING
                                                                                 : PROBE_FAILED,
                                        .reason = reason,
                                        .text = reason == REASON_HTTP_STATUS ? SPAN_LIT("503")
                                                                             : SPAN_LIT(""),
                                        .latency_us = 7};
    world->flight_count--;
    targets_done(world->targets, target, &result, world->now);
}

// The next probe of the only target answers with `reason`.
static void next(struct world *world, enum reason reason)
{
    struct target *target = begins_within(world, 1000);
    CHECK(target != NULL);
    answer(world, target, reason);
}

#define P REASON_CHECK_PASSED
#define R REASON_CONNECT_REFUSED
#define S REASON_HTTP_STATUS
#define T_ REASON_CONNECT_TIMEOUT
#define N REASON_NONE

TEST(only_settled_judgements_are_told)
{
    const struct {
        enum reason reasons[8];
        const char *said;
    } rows[] = {
        {{P, 0}, "k HEALTHY CheckPassed  7\n"},
        {{R, R, 0}, ""},
        {{R, R, R, 0}, "k UNHEALTHY ConnectRefused  7\n"},
        {{S, S, S, 0}, "k UNHEALTHY HttpStatus 503 7\n"},
        {{T_, T_, T_, 0}, "k TIMEOUT ConnectTimeout  7\n"},
        {{P, R, R, P, 0}, "k HEALTHY CheckPassed  7\nk HEALTHY CheckPassed  7\n"},
        // the reason is that of the failure that settled it
        {{T_, S, R, 0}, "k UNHEALTHY ConnectRefused  7\n"},
        {{R, R, R, P, R, 0}, "k UNHEALTHY ConnectRefused  7\nk UNHEALTHY ConnectRefused  7\n"},
        {{R, R, R, P, P, 0}, "k UNHEALTHY ConnectRefused  7\nk HEALTHY CheckPassed  7\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world world;
        world_init(&world);
        CHECK_OK(SET(&world, "k", "127.0.0.1", 80, &tcp));
        for (size_t j = 0; rows[i].reasons[j] != REASON_NONE; j++) {
            next(&world, rows[i].reasons[j]);
        }
        ck_assert_msg(strcmp(world.said, rows[i].said) == 0, "row %zu:\n%s", i, world.said);
        targets_free(world.targets);
    }
}

TEST(another_reason_is_taken_over_after_fall_in_a_row)
{
    struct world world;
    world_init(&world);
    CHECK_OK(SET(&world, "k", "127.0.0.1", 80, &tcp));
    const enum reason reasons[] = {R, R, R, T_, R, T_, T_, S, T_, T_, T_};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        next(&world, reasons[i]);
    }
    const char *line = "k UNHEALTHY ConnectRefused  7\n";
    for (int i = 0; i < 8; i++) {
        CHECK(strncmp(world.said + i * (int)strlen(line), line, strlen(line)) == 0);
    }
    CHECK_STR(world.said + 8 * strlen(line), "k TIMEOUT ConnectTimeout  7\n");
    targets_free(world.targets);
}

TEST(what_failed_here_says_nothing_about_the_target)
{
    struct world world;
    world_init(&world);
    CHECK_OK(SET(&world, "k", "127.0.0.1", 80, &tcp));
    for (int i = 0; i < 10; i++) {
        next(&world, N);
    }
    world.fail_start = true;
    CHECK(begins_within(&world, 5000) == NULL);
    CHECK_STR(world.said, "");
    world.fail_start = false;
    next(&world, P);
    CHECK_STR(world.said, "k HEALTHY CheckPassed  7\n");
    targets_free(world.targets);
}

TEST(a_late_loop_condemns_nobody)
{
    const struct {
        enum reason reason;
        int64_t after_ms; // the time-out is 200 ms
        bool counts;
    } rows[] = {{T_, 200, true},
                {T_, 300, true},
                {T_, 302, false},
                {T_, 5000, false},
                {REASON_RESPONSE_TIMEOUT, 5000, false},
                {REASON_RESPONSE_TIMEOUT, 210, true},
                {R, 5000, true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world world;
        struct check_policy check = tcp;
        check.fall = 1;
        world_init(&world);
        CHECK_OK(SET(&world, "k", "127.0.0.1", 80, &check));
        struct target *target = begins_within(&world, 1000);
        CHECK(target != NULL);
        world.now = mono_add_ms(world.now, rows[i].after_ms);
        answer(&world, target, rows[i].reason);
        struct checker_counts counts;
        targets_counts(world.targets, &counts);
        ck_assert_msg((world.said[0] != '\0') == rows[i].counts, "row %zu", i);
        CHECK_UEQ(counts.dropped_late, rows[i].counts ? 0 : 1);
        targets_free(world.targets);
    }
}

TEST(new_terms_keep_the_judgement_of_the_same_target)
{
    struct world world;
    world_init(&world);
    struct check_policy check = tcp;
    CHECK_OK(SET(&world, "k", "127.0.0.1", 80, &check));
    for (int i = 0; i < 3; i++) {
        next(&world, R);
    }
    world.said[0] = '\0';
    check.fall = 1;
    check.timeout_ms = 100;
    CHECK_OK(SET(&world, "k", "127.0.0.1", 80, &check));
    next(&world, P); // needs two
    CHECK_STR(world.said, "");
    next(&world, P);
    CHECK_STR(world.said, "k HEALTHY CheckPassed  7\n");
    world.said[0] = '\0';
    CHECK_OK(SET(&world, "k", "127.0.0.1", 81, &check)); // another target: anew
    check.rise = 5;
    next(&world, P);
    CHECK_STR(world.said, "k HEALTHY CheckPassed  7\n");
    targets_free(world.targets);
}

// The last judgement has come where it was to go.
static bool confirm(struct world *world, const char *key)
{
    world->last.registration_key = span_str(key);
    return targets_confirm(world->targets, &world->last);
}

TEST(what_was_not_confirmed_is_news_again)
{
    struct world world;
    world_init(&world);
    CHECK_OK(SET(&world, "k", "127.0.0.1", 80, &tcp));
    next(&world, P);
    CHECK(world.last.news);
    next(&world, P);
    CHECK(world.last.news); // the first one was dropped on its way
    CHECK(confirm(&world, "k"));
    next(&world, P);
    CHECK(!world.last.news);
    for (int i = 0; i < 3; i++) {
        next(&world, R);
    }
    CHECK(world.last.status == STATUS_UNHEALTHY && world.last.news);
    CHECK(confirm(&world, "k"));
    for (int i = 0; i < 3; i++) {
        next(&world, S); // another reason
    }
    CHECK(world.last.status == STATUS_UNHEALTHY && world.last.news);
    CHECK(confirm(&world, "k"));
    next(&world, S);
    CHECK(!world.last.news);
    targets_free(world.targets);
}

TEST(what_was_said_of_another_target_says_nothing)
{
    struct world world;
    struct check_policy check = tcp;
    world_init(&world);
    CHECK_OK(SET(&world, "k", "127.0.0.1", 80, &check));
    next(&world, P);
    CHECK(!confirm(&world, "other"));
    CHECK(confirm(&world, "k"));
    check.timeout_ms = 100;
    CHECK_OK(SET(&world, "k", "127.0.0.1", 80, &check)); // the same one, on other terms
    CHECK(confirm(&world, "k"));
    next(&world, P);
    CHECK(!world.last.news);
    CHECK_OK(SET(&world, "k", "127.0.0.1", 81, &check)); // another one
    CHECK(!confirm(&world, "k"));
    next(&world, P);
    CHECK(world.last.news && confirm(&world, "k"));
    const struct check_refused refused = {.address = SPAN_LIT("127.0.0.1"), .port = 81};
    CHECK_OK(targets_refuse(world.targets, &refused));
    CHECK(!confirm(&world, "k"));
    targets_remove(world.targets, SPAN_LIT("k"));
    CHECK_OK(SET(&world, "k", "127.0.0.1", 80, &check));
    CHECK(!confirm(&world, "k"));
    targets_free(world.targets);
}

TEST(the_next_probe_of_whoever_is_slowed_down_begins_later)
{
    struct world world;
    world_init(&world);
    CHECK_OK(SET(&world, "k", "127.0.0.1", 80, &tcp));
    struct target *target = begins_within(&world, 1000);
    CHECK(target != NULL);
    struct mono began = world.now;
    world.slow_ms = 10;
    answer(&world, target, P);
    CHECK_STR(world.said, "k HEALTHY CheckPassed  7\n"); // it is late, not lost
    CHECK(begins_within(&world, 1009) == NULL);
    CHECK((target = begins_within(&world, 2)) != NULL);
    CHECK_EQ(mono_ms_between(began, world.now), 1010);
    world.slow_ms = 0;
    began = world.now;
    answer(&world, target, P);
    CHECK(begins_within(&world, 1000) != NULL);
    CHECK_EQ(mono_ms_between(began, world.now), 1000);
    targets_free(world.targets);
}

TEST(equal_terms_do_not_disturb_a_probe_under_way)
{
    struct world world;
    world_init(&world);
    CHECK_OK(SET(&world, "k", "127.0.0.1", 80, &tcp));
    struct target *target = begins_within(&world, 1000);
    CHECK_OK(SET(&world, "k", "127.0.0.1", 80, &tcp));
    CHECK_EQ(world.cancelled, 0);
    answer(&world, target, P);
    CHECK(begins_within(&world, 1000) == target);
    CHECK_OK(SET(&world, "k", "127.0.0.2", 80, &tcp));
    CHECK_EQ(world.cancelled, 1);
    targets_free(world.targets);
}

TEST(the_policy_decides_where_and_how_often)
{
    struct world world;
    world_init(&world);
    const struct check_policy check = {.type = CHECK_HTTP,
                                       .path = SPAN_LIT("/healthz?x"),
                                       .host = SPAN_LIT("pay.example"),
                                       .port = 9000,
                                       .interval_ms = 1, // below the floor of 500 ms
                                       .timeout_ms = 0,
                                       .rise = 1,
                                       .fall = 1};
    CHECK_OK(SET(&world, "k", "::1", 80, &check));
    struct target *target = begins_within(&world, 500);
    CHECK(target != NULL);
    CHECK_STR(world.last_path, "/healthz?x pay.example");
    CHECK_STR(world.last_where, "[::1]:9000");
    answer(&world, target, P);
    CHECK(begins_within(&world, 499) == NULL);
    CHECK(begins_within(&world, 1) == target);
    targets_free(world.targets);
}

TEST(what_cannot_be_probed_is_no_target)
{
    struct world world;
    world_init(&world);
    struct check_policy check = tcp;
    struct checker_counts counts;
    const struct {
        enum check_type type;
        const char *address;
        uint32_t port;
        uint32_t targets;
    } rows[] = {{CHECK_TCP, "127.0.0.1", 1, 1},   {CHECK_NONE, "127.0.0.1", 1, 0},
                {CHECK_HTTPS, "127.0.0.1", 1, 1}, {CHECK_GRPC, "127.0.0.1", 1, 0},
                {CHECK_HTTP, "::1", 65535, 1},    {CHECK_HTTP, "localhost", 1, 0},
                {CHECK_HTTP, "127.0.0.1", 0, 0},  {CHECK_HTTP, "127.0.0.1", 65536, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check.type = rows[i].type;
        CHECK_OK(SET(&world, "k", rows[i].address, rows[i].port, &check));
        targets_counts(world.targets, &counts);
        ck_assert_msg(counts.targets == rows[i].targets, "row %zu", i);
    }
    targets_free(world.targets);
}

TEST(a_refused_target_is_unknown_and_never_probed)
{
    struct world world;
    world_init(&world);
    CHECK_OK(SET(&world, "k", "169.254.169.254", 80, &tcp));
    CHECK(begins_within(&world, 999) == NULL);
    CHECK_STR(world.said, "k UNKNOWN TargetRefused  0\n");
    targets_remove(world.targets, SPAN_LIT("k"));
    world.said[0] = '\0';
    // one that becomes refused because a listener was bound there, with a probe under way
    CHECK_OK(SET(&world, "k", "127.0.0.1", 9810, &tcp));
    struct target *target = begins_within(&world, 1000);
    const struct check_refused listener = {SPAN_LIT("127.0.0.1"), 9810};
    CHECK_OK(targets_refuse(world.targets, &listener));
    answer(&world, target, P);
    CHECK_STR(world.said, "");
    CHECK(begins_within(&world, 1000) == NULL);
    CHECK_STR(world.said, "k UNKNOWN TargetRefused  0\n");
    targets_free(world.targets);
}

TEST(a_target_may_be_removed_by_its_own_judgement)
{
    struct world world;
    world_init(&world);
    world.remove = SPAN_LIT("k");
    CHECK_OK(SET(&world, "k", "127.0.0.1", 80, &tcp));
    next(&world, P);
    struct checker_counts counts;
    targets_counts(world.targets, &counts);
    CHECK_EQ(counts.targets, 0);
    CHECK_EQ(counts.in_flight, 0);
    CHECK_EQ(world.cancelled, 0);
    CHECK_OK(SET(&world, "k", "169.254.0.1", 80, &tcp));
    CHECK(begins_within(&world, 1000) == NULL);
    targets_counts(world.targets, &counts);
    CHECK_EQ(counts.targets, 0);
    targets_free(world.targets);
}

TEST(a_removed_target_is_cancelled_and_frees_its_place)
{
    struct world world;
    CHECK_OK(world_open(&world, 1));
    CHECK_OK(SET(&world, "a", "127.0.0.1", 80, &tcp));
    CHECK_OK(SET(&world, "b", "127.0.0.1", 80, &tcp)); // the same peer
    struct target *first = begins_within(&world, 1000);
    CHECK(first != NULL);
    CHECK(begins_within(&world, 2000) == NULL);
    targets_remove(world.targets, SPAN_LIT("a"));
    targets_remove(world.targets, SPAN_LIT("none"));
    targets_remove(world.targets, SPAN_LIT("b"));
    CHECK_EQ(world.cancelled, 1);
    CHECK_OK(SET(&world, "c", "127.0.0.1", 80, &tcp));
    CHECK(begins_within(&world, 1000) != NULL);
    targets_free(world.targets);
    CHECK_EQ(world.cancelled, 2);
}

TEST(a_thousand_targets_come_and_go)
{
    struct world world;
    world_init(&world);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++) {
            char key[32];
            (void)snprintf(key, sizeof(key), "k%d", i);
            CHECK_OK(SET(&world, key, "127.0.0.1", (uint32_t)(1 + i % 300 + round), &tcp));
        }
    }
    struct checker_counts counts;
    targets_counts(world.targets, &counts);
    CHECK_EQ(counts.targets, 1000);
    for (int i = 0; i < 1000; i += 2) {
        char key[32];
        (void)snprintf(key, sizeof(key), "k%d", i);
        targets_remove(world.targets, span_str(key));
    }
    targets_counts(world.targets, &counts);
    CHECK_EQ(counts.targets, 500);
    targets_free(world.targets);
}

TEST(limits_without_sense_are_refused)
{
    struct world world;
    CHECK_EQ(world_open(&world, 0), ERR_INVALID);
}

static bool walk(void *arg)
{
    struct world *world = arg;
    if (world_open(world, 4) != ERR_OK) {
        return false;
    }
    bool first = SET(world, "a", "127.0.0.1", 80, &tcp) == ERR_OK;
    bool second = SET(world, "a", "127.0.0.1", 81, &tcp) == ERR_OK;
    struct checker_counts counts;
    targets_counts(world->targets, &counts);
    bool kept = counts.targets == (first || second ? 1 : 0);
    targets_free(world->targets);
    return first && second && kept;
}

TEST(every_allocation_may_fail)
{
    struct world world;
    CHECK(failalloc_each(walk, &world) >= 10);
}

SUITE("check/targets", T(only_settled_judgements_are_told),
      T(another_reason_is_taken_over_after_fall_in_a_row),
      T(what_failed_here_says_nothing_about_the_target), T(a_late_loop_condemns_nobody),
      T(new_terms_keep_the_judgement_of_the_same_target), T(what_was_not_confirmed_is_news_again),
      T(what_was_said_of_another_target_says_nothing),
      T(the_next_probe_of_whoever_is_slowed_down_begins_later),
      T(equal_terms_do_not_disturb_a_probe_under_way), T(the_policy_decides_where_and_how_often),
      T(what_cannot_be_probed_is_no_target), T(a_refused_target_is_unknown_and_never_probed),
      T(a_target_may_be_removed_by_its_own_judgement),
      T(a_removed_target_is_cancelled_and_frees_its_place), T(a_thousand_targets_come_and_go),
      T(limits_without_sense_are_refused), T(every_allocation_may_fail));
