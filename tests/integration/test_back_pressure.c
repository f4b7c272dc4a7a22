// SPDX-License-Identifier: Apache-2.0
// A whole daemon with a queue of sixteen, whose loop the test turns: while it does not, the loop is stuck, and
// the workers of the admin API, which have threads of their own, go on.
#include "admin-api/server.h"
#include "base/clock.h"
#include "base/listener.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metric.h"
#include "replicator/check/checker.h"
#include "replicator/config.h"
#include "replicator/daemon.h"
#include "replicator/daemon_state.h"
#include "replicator/daemon_writes.h"
#include "replicator/driver.h"
#include "tests/integration/talk.h"
#include "tests/lib/loop_wait.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <unistd.h>

#define CAPACITY 16
#define SLOW_BY_MS 300
#define SLOW_BY "300ms"
#define PROBE_MS 100
#define BODY "{\"address\":\"127.0.0.1\",\"port\":1}"
#define DRAIN                                                                                      \
    "{\"status\":\"DRAINING\",\"reason\":\"deploy\",\"actor\":\"ops\",\"indefinite\":true}"

struct stand {
    struct config *config;
    struct daemon *daemon;
    size_t started;
    uint16_t port;
    int writers[CAPACITY];
};

static void load(struct stand *stand, const char *services)
{
    static const char *const sets[] = {"node.id=a",
                                       "admin.listen=127.0.0.1:0",
                                       "admin.allowed_hosts=" TALK_HOST,
                                       "threads.workers=2",
                                       "map.shards=1",
                                       "map.changefeed=1024",
                                       "stream.partitions=1",
                                       "check.min_interval=10ms",
                                       "check.jitter=0",
                                       "log.level=error",
                                       "write_queue.capacity=16",
                                       "write_queue.slow_after=50ms",
                                       "write_queue.slow_by=" SLOW_BY};
    const struct config_options options = {.file = "test.yaml",
                                           .text = span_str(services),
                                           .sets = sets,
                                           .set_count = sizeof(sets) / sizeof(sets[0])};
    struct config_report report;
    config_report_init(&report);
    enum err err = config_load(&options, &stand->config, &report);
    ck_assert_msg(err == ERR_OK, "%s", buf_cstr(&report.errors));
    config_report_fini(&report);
}

static void stand_up(struct stand *stand, const char *services)
{
    struct admin_addresses addresses;
    *stand = (struct stand){.config = NULL};
    metric_reset();
    load(stand, services);
    stand->daemon = calloc(1, sizeof(*stand->daemon));
    CHECK(stand->daemon != NULL);
    stand->daemon->config = stand->config;
    CHECK_EQ(daemon_start(stand->daemon, &stand->started), 0);
    admin_addresses(stand->daemon->admin, &addresses);
    stand->port = addresses.port;
    LOOP_WAIT(stand->daemon->loop, driver_is_ready(stand->daemon->driver));
    for (int i = 0; i < CAPACITY; i++) {
        stand->writers[i] = talk_to(stand->port);
    }
}

static void tear_down(struct stand *stand)
{
    for (int i = 0; i < CAPACITY; i++) {
        close(stand->writers[i]);
    }
    daemon_stop(stand->daemon, stand->started);
    free(stand->daemon);
    config_free(stand->config);
}

static void ask_put(int fd, int i)
{
    char line[64];
    (void)snprintf(line, sizeof(line), "PUT /v1/services/shop/instances/s-%d", i);
    talk_ask(fd, line, "", BODY);
}

static void answered(int fd, const char *word)
{
    char *text = talk_answer(fd);
    ck_assert_msg(strstr(text, word) != NULL, "no %s in: %s", word, text);
    free(text);
}

static uint32_t slow_ms(const struct stand *stand)
{
    return daemon_writes_slow_ms(stand->daemon);
}

static double value(struct stand *stand, enum metric metric, const char *priority)
{
    daemon_writes_measure(stand->daemon);
    return metric_value(metric, priority == NULL ? SPAN_NONE : span_str(priority), SPAN_NONE);
}

// One after the other, so that the last one is the newest.
static void fill(struct stand *stand)
{
    for (int i = 0; i < CAPACITY; i++) {
        ask_put(stand->writers[i], i);
        const struct mono end = mono_add_ms(clock_mono(), 10000);
        while (value(stand, METRIC_WRITE_QUEUE_LENGTH, NULL) <= i) {
            CHECK(clock_mono().us < end.us);
        }
    }
}

// Writes, and is refused, until the queue has had enough of it.
static void insist(struct stand *stand, int fd)
{
    const struct mono end = mono_add_ms(clock_mono(), 10000);
    while (slow_ms(stand) == 0) {
        CHECK(clock_mono().us < end.us);
        ask_put(fd, CAPACITY);
        answered(fd, "503 Service Unavailable");
    }
}

TEST(a_queue_that_is_full_refuses_at_once_and_an_operator_gets_through)
{
    struct stand stand;
    stand_up(&stand, "config_version: 1\nservices:\n  - name: pay\n"
                     "    instances: [{id: p1, address: 127.0.0.1, port: 80}]\n");
    int other = talk_to(stand.port);
    int operator= talk_to(stand.port);
    fill(&stand);
    ask_put(other, CAPACITY);
    char *refusal = talk_answer(other);
    CHECK(strstr(refusal, "HTTP/1.1 503 Service Unavailable\r\n") != NULL);
    CHECK(strstr(refusal, "\r\nRetry-After: 1\r\n") != NULL);
    CHECK(strstr(refusal, "\r\nContent-Type: application/problem+json\r\n") != NULL);
    CHECK(strstr(refusal, "\"type\":\"urn:meshpulse:problem:queue_full\"") != NULL);
    CHECK(strstr(refusal, "\"retry_after\":1") != NULL);
    free(refusal);
    // A drain takes the place of the write that came last; all others stay.
    talk_ask(operator, "PUT /v1/services/pay/instances/p1/override", "", DRAIN);
    answered(stand.writers[CAPACITY - 1], "problem:queue_full");
    for (int i = 0; i < CAPACITY - 1; i++) {
        CHECK(talk_is_silent(stand.writers[i]));
    }
    CHECK(talk_is_silent(operator));
    CHECK_EQ(value(&stand, METRIC_WRITE_QUEUE_REFUSED, "api"), 1);
    CHECK_EQ(value(&stand, METRIC_WRITE_QUEUE_DROPPED, "api"), 1);
    LOOP_WAIT(stand.daemon->loop, !talk_is_silent(operator));
    answered(operator, "DRAINING");
    for (int i = 0; i < CAPACITY - 1; i++) {
        answered(stand.writers[i], "201 Created");
    }
    talk_ask(other, "GET /v1/services/shop/instances/s-16", "", NULL);
    answered(other, "404 Not Found"); // what is refused leaves nothing
    close(other);
    close(operator);
    tear_down(&stand);
}

// A machine that is too busy to answer the reader in time shows nothing, and fails nothing.
TEST(who_goes_on_writing_is_not_read_until_the_queue_is_calm)
{
    struct stand stand;
    stand_up(&stand, "config_version: 1\n");
    int greedy = talk_to(stand.port);
    int reader = talk_to(stand.port);
    fill(&stand);
    CHECK_EQ(slow_ms(&stand), 0);
    insist(&stand, greedy);
    CHECK_EQ(slow_ms(&stand), SLOW_BY_MS);
    CHECK_EQ(value(&stand, METRIC_WRITE_QUEUE_SLOW, NULL), 1);
    // The refusal that made it slow may have been answered before: from the next one on it rests.
    struct mono since = clock_mono();
    ask_put(greedy, CAPACITY);
    answered(greedy, "503 Service Unavailable");
    talk_ask(greedy, "GET /livez", "", NULL);
    for (int i = 0; i < 5; i++) {
        talk_ask(reader, "GET /livez", "", NULL);
        answered(reader, "200 OK");
    }
    bool silent = talk_is_silent(greedy);
    CHECK(silent || mono_ms_between(since, clock_mono()) > SLOW_BY_MS - 50);
    answered(greedy, "200 OK");
    CHECK(mono_ms_between(since, clock_mono()) >= SLOW_BY_MS);
    LOOP_WAIT(stand.daemon->loop, !talk_is_silent(stand.writers[CAPACITY - 1]));
    CHECK_EQ(slow_ms(&stand), 0);
    CHECK_EQ(value(&stand, METRIC_WRITE_QUEUE_SLOW, NULL), 0);
    CHECK(value(&stand, METRIC_WRITE_QUEUE_SLOW_TIME, NULL) > 0);
    ask_put(greedy, CAPACITY);
    LOOP_WAIT(stand.daemon->loop, !talk_is_silent(greedy));
    answered(greedy, "201 Created");
    close(greedy);
    close(reader);
    tear_down(&stand);
}

// --- checks

// The kernel takes what connects; nobody looks.
static void hang_up(void *arg, int fd, const struct address *peer)
{
    (void)arg;
    (void)peer;
    close(fd);
}

struct target {
    struct listener *listener;
    char services[512];
};

// On a loop of its own: that of the node begins later.
static void target_init(struct target *target, struct loop *loop)
{
    struct listener_options options = {.on_accept = hang_up};
    CHECK_OK(address_parse(SPAN_LIT("127.0.0.1:0"), &options.address));
    CHECK_OK(listener_new(loop, &options, &target->listener));
    (void)snprintf(target->services, sizeof(target->services),
                   "config_version: 1\nservices:\n  - name: pay\n"
                   "    check: {type: tcp, interval: %dms, timeout: 50ms, rise: 1, fall: 1}\n"
                   "    instances: [{id: p1, address: 127.0.0.1, port: %u}]\n",
                   PROBE_MS, address_port(listener_address(target->listener)));
}

static uint64_t begun(const struct stand *stand)
{
    struct checker_counts counts;
    checker_counts(stand->daemon->checker, &counts);
    return counts.begun;
}

static enum status status_of(const struct stand *stand)
{
    struct map_facts facts;
    struct key_bytes key;
    key_registration(SPAN_LIT("default"), SPAN_LIT("pay"), SPAN_LIT("p1"), &key);
    return map_peek(stand->daemon->map, key_span(&key), &facts) ? facts.health.health.status
                                                                : STATUS_UNKNOWN;
}

// The loop turns but the queue is not drained, as if all that stood in it were very slow.
static void turn_without_draining(struct stand *stand)
{
    loop_unpost_task(stand->daemon->loop, &stand->daemon->drain);
    loop_run_once(stand->daemon->loop, 10);
}

TEST(while_it_is_slow_probes_begin_later_and_what_they_say_waits_for_room)
{
    struct stand stand;
    struct loop *loop = NULL;
    struct target target;
    CHECK_OK(loop_new(&loop));
    target_init(&target, loop);
    stand_up(&stand, target.services);
    LOOP_WAIT(stand.daemon->loop, status_of(&stand) == STATUS_HEALTHY);
    loop_run_late(stand.daemon->loop); // what the last turn has put is taken
    fill(&stand);
    int greedy = talk_to(stand.port);
    insist(&stand, greedy);
    close(greedy);
    listener_free(target.listener); // from here on it refuses
    // Two probes end, and what they say finds no room; from one to the next it takes longer than the interval.
    uint64_t before = begun(&stand);
    const struct mono end = mono_add_ms(clock_mono(), 10000);
    while (value(&stand, METRIC_WRITE_QUEUE_REFUSED, "check") < 1 && clock_mono().us < end.us) {
        turn_without_draining(&stand);
    }
    CHECK_EQ(value(&stand, METRIC_WRITE_QUEUE_REFUSED, "check"), 1);
    struct mono since = clock_mono();
    while (value(&stand, METRIC_WRITE_QUEUE_REFUSED, "check") < 2 && clock_mono().us < end.us) {
        turn_without_draining(&stand);
    }
    CHECK_EQ(value(&stand, METRIC_WRITE_QUEUE_REFUSED, "check"), 2);
    CHECK(mono_ms_between(since, clock_mono()) >= SLOW_BY_MS);
    CHECK(begun(&stand) >= before + 1);
    CHECK_EQ(status_of(&stand), STATUS_HEALTHY); // as far as is known
    (void)loop_post_task(stand.daemon->loop, &stand.daemon->drain);
    LOOP_WAIT(stand.daemon->loop, status_of(&stand) == STATUS_UNHEALTHY);
    CHECK_EQ(slow_ms(&stand), 0);
    tear_down(&stand);
    loop_free(loop);
}

SUITE("integration/back_pressure",
      T(a_queue_that_is_full_refuses_at_once_and_an_operator_gets_through),
      T(who_goes_on_writing_is_not_read_until_the_queue_is_calm),
      T(while_it_is_slow_probes_begin_later_and_what_they_say_waits_for_room));
