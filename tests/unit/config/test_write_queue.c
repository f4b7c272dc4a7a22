// SPDX-License-Identifier: Apache-2.0
// One thread tells the story, time is a number; who is dropped is told by scripts.  What several threads do is
// in test_write_queue_threads.c.
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include "replicator/write_queue.h"

#include <stdio.h>
#include <string.h>

#define SAID_LEN 256
#define EVENTS_MAX 32

struct story {
    struct write_queue *queue;
    struct mono now;
    unsigned wakes;
    enum write_queue_priority woke; // by an event of this one
    char said[SAID_LEN];
    struct teller {
        struct story *story;
        unsigned number;
    } tellers[EVENTS_MAX];
    unsigned puts;
};

static const struct write_queue_options four = {
    .capacity = 4, .drop_low_percent = 75, .slow_after_ms = 500, .slow_by_ms = 10};

static void say(struct story *story, unsigned number, const char *word)
{
    size_t len = strlen(story->said);
    (void)snprintf(story->said + len, SAID_LEN - len, "%u%s ", number, word);
}

static void on_done(void *arg, enum write_queue_end end)
{
    const struct teller *teller = arg;
    say(teller->story, teller->number, end == WRITE_QUEUE_DROPPED ? "=dropped" : "=closed");
}

static void on_wake(void *arg, const struct write_queue_event *event)
{
    struct story *story = arg;
    story->woke = event->priority;
    story->wakes++;
}

static void story_init(struct story *story, const struct write_queue_options *options)
{
    *story = (struct story){.now = {1000000}};
    struct write_queue_options own = *options;
    own.wake = on_wake;
    own.wake_arg = story;
    CHECK_OK(write_queue_new(&own, &story->queue));
}

static void story_fini(struct story *story)
{
    write_queue_close(story->queue);
    write_queue_free(story->queue);
}

// The event's data is its number.
static enum err put(struct story *story, enum write_queue_priority priority)
{
    struct teller *teller = &story->tellers[story->puts];
    CHECK(story->puts < EVENTS_MAX);
    *teller = (struct teller){story, story->puts++};
    const struct write_queue_event event = {
        .data = span_of((const char *)&teller->number, sizeof(teller->number)),
        .priority = priority,
        .done = on_done,
        .arg = teller};
    return write_queue_put(story->queue, &event, story->now);
}

static void take(void *arg, const struct write_queue_event *event)
{
    unsigned number = 0;
    CHECK_UEQ(event->data.len, sizeof(number));
    memcpy(&number, event->data.ptr, sizeof(number));
    say(arg, number, "");
}

static size_t drain(struct story *story, size_t max)
{
    const struct write_queue_consumer consumer = {take, story, story->now};
    return write_queue_drain(story->queue, max, &consumer);
}

// o a c l: puts one of that priority; -: takes one; others: nothing.
static void play(struct story *story, const char *script)
{
    static const char letters[] = "oacl";
    for (const char *at = script; *at != '\0'; at++) {
        const char *letter = strchr(letters, *at);
        if (letter != NULL &&
            put(story, (enum write_queue_priority)(letter - letters)) == ERR_FULL) {
            say(story, story->puts - 1, "=full");
        } else if (*at == '-') {
            (void)drain(story, 1);
        }
    }
}

TEST(the_priority_decides_only_who_is_dropped)
{
    const struct {
        const char *script; // numbers begin with 0; there are four slots, of which three are calm
        const char *said;
    } rows[] = {
        {"laco ----", "0 1 2 3 "}, // the order is that in which they came
        {"aa ll --", "3=dropped 0 1 2 "},
        {"ll -l -ll --", "0 1 2 3 4 "},
        // full: the least urgent gives way, of several the newest
        {"llaa c ----", "1=dropped 0 2 3 4 "},
        {"cala -a a a ----", "0 2=dropped 6=full 1 3 4 5 "},
        {"ccaa o o o ----", "1=dropped 0=dropped 3=dropped 2 4 5 6 "},
        {"lcao a o ----", "0=dropped 1=dropped 2 3 4 5 "},
        // nothing less urgent waits
        {"aaaa a c l o ----", "4=full 5=full 6=dropped 3=dropped 0 1 2 7 "},
        {"oooo o a c l ----", "4=full 5=full 6=full 7=dropped 0 1 2 3 "},
        {"cccc c ----", "4=full 0 1 2 3 "},
        // a place that became free is used
        {"aaaa a - a - a --- -", "4=full 0 1 2 3 5 6 "},
        {"aaaa - o ----", "0 1 2 3 4 "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct story story;
        story_init(&story, &four);
        play(&story, rows[i].script);
        (void)drain(&story, EVENTS_MAX);
        ck_assert_msg(strcmp(story.said, rows[i].said) == 0, "row %zu: %s", i, story.said);
        story_fini(&story);
    }
}

TEST(what_is_dropped_and_refused_is_counted_by_priority)
{
    struct story story;
    struct write_queue_stats stats;
    story_init(&story, &four);
    write_queue_stats(story.queue, story.now, &stats);
    CHECK_EQ(stats.depth, 0);
    CHECK_EQ(stats.capacity, 4);
    play(&story, "caal al oac");
    write_queue_stats(story.queue, story.now, &stats);
    CHECK_STR(story.said, "3=dropped 5=dropped 0=dropped 7=full 8=full ");
    CHECK_EQ(stats.depth, 4);
    const uint64_t dropped[] = {0, 0, 1, 2};
    const uint64_t refused[] = {0, 1, 1, 0};
    CHECK_MEM(stats.dropped, dropped, sizeof(dropped));
    CHECK_MEM(stats.refused, refused, sizeof(refused));
    CHECK(!stats.slow);
    CHECK_STR(write_queue_priority_name(WRITE_QUEUE_LATENCY), "latency");
    story_fini(&story);
}

static void check_data(void *arg, const struct write_queue_event *event)
{
    const struct span *data = arg;
    CHECK_UEQ(event->data.len, data->len);
    CHECK_MEM(event->data.ptr, data->ptr, data->len);
    CHECK_EQ(event->priority, WRITE_QUEUE_CHECK);
}

TEST(the_data_arrives_as_it_was_put)
{
    static char bytes[WRITE_QUEUE_DATA_MAX + 1];
    const size_t lens[] = {0, 1, WRITE_QUEUE_SHORT_LEN, WRITE_QUEUE_SHORT_LEN + 1,
                           WRITE_QUEUE_DATA_MAX};
    struct story story;
    story_init(&story, &four);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        memset(bytes, (int)('a' + i), sizeof(bytes));
        struct span data = span_of(bytes, lens[i]);
        const struct write_queue_event event = {.data = data, .priority = WRITE_QUEUE_CHECK};
        const struct write_queue_consumer consumer = {check_data, &data, story.now};
        CHECK_OK(write_queue_put(story.queue, &event, story.now));
        CHECK_UEQ(write_queue_drain(story.queue, 2, &consumer), 1);
    }
    const struct write_queue_event event = {.data = span_of(bytes, sizeof(bytes))};
    CHECK_EQ(write_queue_put(story.queue, &event, story.now), ERR_TOO_LARGE);
    story_fini(&story);
}

// Where it is freed: handed over, dropped for another, refused, closed.
TEST(long_data_is_freed_whatever_becomes_of_it)
{
    static char bytes[WRITE_QUEUE_DATA_MAX];
    struct story story;
    story_init(&story, &four);
    struct write_queue_event event = {.data = span_of(bytes, sizeof(bytes)),
                                      .priority = WRITE_QUEUE_API};
    for (int i = 0; i < 4; i++) {
        CHECK_OK(write_queue_put(story.queue, &event, story.now));
    }
    CHECK_EQ(write_queue_put(story.queue, &event, story.now), ERR_FULL);
    event.priority = WRITE_QUEUE_OPERATOR;
    CHECK_OK(write_queue_put(story.queue, &event, story.now));
    event.priority = WRITE_QUEUE_LATENCY;
    CHECK_OK(write_queue_put(story.queue, &event, story.now));
    story_fini(&story); // the leak checker judges
}

TEST(only_the_first_event_wakes)
{
    struct story story;
    story_init(&story, &four);
    play(&story, "aa");
    CHECK_EQ(story.wakes, 1);
    play(&story, "-a");
    CHECK_EQ(story.wakes, 1);
    CHECK_EQ(drain(&story, 2), 2);
    CHECK_EQ(story.woke, WRITE_QUEUE_API);
    play(&story, "c"); // the consumer has seen as many as it wanted, and not that there are none
    CHECK_EQ(story.wakes, 2);
    CHECK_EQ(story.woke, WRITE_QUEUE_CHECK);
    CHECK_EQ(drain(&story, 2), 1);
    play(&story, "a");
    CHECK_EQ(story.wakes, 3);
    CHECK_EQ(drain(&story, 0), 0);
    story_fini(&story);
}

static void put_while_drained(void *arg, const struct write_queue_event *event)
{
    struct story *story = arg;
    take(story, event);
    if (story->puts < 3) {
        CHECK_OK(put(story, WRITE_QUEUE_API));
    }
}

TEST(who_drains_needs_no_waking)
{
    struct story story;
    story_init(&story, &four);
    const struct write_queue_consumer consumer = {put_while_drained, &story, story.now};
    play(&story, "a");
    CHECK_UEQ(write_queue_drain(story.queue, 9, &consumer), 3);
    CHECK_STR(story.said, "0 1 2 ");
    CHECK_EQ(story.wakes, 1);
    play(&story, "a");
    CHECK_EQ(story.wakes, 2);
    story_fini(&story);
}

// --- slowing down

// A digit d lets d * 100 ms pass.
static void play_in_time(struct story *story, const char *script)
{
    for (const char *at = script; *at != '\0'; at++) {
        const char one[2] = {*at, '\0'};
        play(story, one);
        story->now = mono_add_ms(story->now, *at >= '0' && *at <= '9' ? (*at - '0') * 100 : 0);
    }
}

TEST(who_refuses_without_a_pause_slows_the_others_until_it_is_calm)
{
    const struct {
        const char *script;
        bool slow;
        int64_t slow_ms;
    } rows[] = {
        {"aaaa 9", false, 0}, // full, but nobody was refused
        {"aaaa a 5", false, 0},
        {"aaaa a 4 a", false, 0},
        {"aaaa a 5 a", true, 0},
        {"aaaa a 2 a 3 a 7", true, 700},
        {"aaaa a 9 a", false, 0}, // a pause of more than that
        {"aaaa a 9 a 5 a", true, 0},
        {"aaaa a 5 a 9 9", true, 1800},  // nobody tries any more, and it is still full
        {"aaaa a 5 a 2 - 1", true, 300}, // three wait: not below the mark
        {"aaaa a 5 a 2 -- 9", false, 200},
        {"aaaa a 5 a 2 -- 9 aa a 5 a 3", true, 500}, // anew
        {"aaaa a 4 -- aa a 4 a", false, 0},          // it was calm in between
        {"aaac a 5 a", true, 0},                     // who is dropped from a full queue counts, too
        {"aaal a 5 a", false, 0},                    // this one was dropped before
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct story story;
        struct write_queue_stats stats;
        story_init(&story, &four);
        play_in_time(&story, rows[i].script);
        write_queue_stats(story.queue, story.now, &stats);
        ck_assert_msg(stats.slow == rows[i].slow, "row %zu", i);
        CHECK_EQ(write_queue_slow_ms(story.queue), rows[i].slow ? 10 : 0);
        ck_assert_msg(stats.slow_us == (uint64_t)rows[i].slow_ms * 1000, "row %zu: %llu us", i,
                      (unsigned long long)stats.slow_us);
        story_fini(&story);
    }
}

TEST(slow_after_nothing_means_never)
{
    struct story story;
    struct write_queue_options options = four;
    options.slow_after_ms = 0;
    story_init(&story, &options);
    play_in_time(&story, "aaaa a 5 a 5 a");
    CHECK_EQ(write_queue_slow_ms(story.queue), 0);
    story_fini(&story);
}

TEST(the_least_mark_is_one_event)
{
    struct story story;
    struct write_queue_options options = four;
    options.drop_low_percent = 1;
    story_init(&story, &options);
    play_in_time(&story, "ll aaa a 5 a");
    CHECK_STR(story.said, "1=dropped 0=dropped 6=full ");
    CHECK_EQ(write_queue_slow_ms(story.queue), 10);
    play(&story, "----");
    CHECK_EQ(write_queue_slow_ms(story.queue), 0);
    story_fini(&story);
}

// --- callbacks that put, and the end

// Puts an operator's event when it is told that its own is gone.
static void put_again(void *arg, enum write_queue_end end)
{
    struct teller *teller = arg;
    on_done(teller, end);
    enum err err = put(teller->story, WRITE_QUEUE_OPERATOR);
    say(teller->story, teller->number,
        err == ERR_OK       ? "=again"
        : err == ERR_CLOSED ? "=in-vain"
                            : "=full");
}

static enum err put_stubborn(struct story *story, enum write_queue_priority priority)
{
    struct teller *teller = &story->tellers[story->puts];
    *teller = (struct teller){story, story->puts++};
    const struct write_queue_event event = {
        .data = span_of((const char *)&teller->number, sizeof(teller->number)),
        .priority = priority,
        .done = put_again,
        .arg = teller};
    return write_queue_put(story->queue, &event, story->now);
}

TEST(whoever_is_told_may_put_again)
{
    struct story story;
    story_init(&story, &four);
    play(&story, "aaa");
    CHECK_OK(put_stubborn(&story, WRITE_QUEUE_LATENCY)); // 3, and 4 in its place
    CHECK_STR(story.said, "3=dropped 3=again ");
    CHECK_OK(put_stubborn(&story, WRITE_QUEUE_OPERATOR)); // 5 instead of 2
    CHECK_STR(story.said, "3=dropped 3=again 2=dropped ");
    story.said[0] = '\0';
    write_queue_close(story.queue);
    CHECK_STR(story.said, "0=closed 1=closed 4=closed 5=closed 5=in-vain ");
    story_fini(&story);
}

TEST(closing_ends_all_that_wait_once_and_refuses_the_rest)
{
    struct story story;
    story_init(&story, &four);
    play(&story, "alo");
    write_queue_close(story.queue);
    CHECK_STR(story.said, "0=closed 1=closed 2=closed ");
    CHECK_EQ(put(&story, WRITE_QUEUE_OPERATOR), ERR_CLOSED);
    write_queue_close(story.queue);
    CHECK_EQ(drain(&story, 9), 0);
    CHECK_STR(story.said, "0=closed 1=closed 2=closed ");
    write_queue_free(story.queue);
}

static void close_from_inside(void *arg, const struct write_queue_event *event)
{
    struct story *story = arg;
    take(story, event);
    write_queue_close(story->queue);
}

TEST(the_consumer_may_close)
{
    struct story story;
    story_init(&story, &four);
    play_in_time(&story, "aaaa a 5 a"); // and it is slow
    const struct write_queue_consumer consumer = {close_from_inside, &story, story.now};
    CHECK_UEQ(write_queue_drain(story.queue, 9, &consumer), 1);
    CHECK_STR(story.said, "4=full 5=full 0 1=closed 2=closed 3=closed ");
    CHECK_EQ(write_queue_slow_ms(story.queue), 0);
    story_fini(&story);
}

TEST(a_queue_that_can_hold_nothing_is_refused)
{
    struct write_queue *queue = NULL;
    struct write_queue_options options = four;
    options.capacity = 0;
    CHECK_EQ(write_queue_new(&options, &queue), ERR_INVALID);
    options.capacity = 4;
    options.drop_low_percent = 101;
    CHECK_EQ(write_queue_new(&options, &queue), ERR_INVALID);
    write_queue_free(NULL);
}

static bool walk(void *arg)
{
    static const char bytes[WRITE_QUEUE_SHORT_LEN + 1];
    struct write_queue *queue = NULL;
    struct write_queue_stats stats;
    (void)arg;
    if (write_queue_new(&four, &queue) != ERR_OK) {
        return false;
    }
    const struct write_queue_event large = {.data = span_of(bytes, sizeof(bytes))};
    const struct write_queue_event small = {.data = SPAN_LIT("data")};
    enum err first = write_queue_put(queue, &large, (struct mono){0});
    enum err second = write_queue_put(queue, &small, (struct mono){0});
    write_queue_stats(queue, (struct mono){0}, &stats);
    bool counted = stats.depth == (uint32_t)(first == ERR_OK) + (uint32_t)(second == ERR_OK);
    write_queue_close(queue);
    write_queue_free(queue);
    return first == ERR_OK && second == ERR_OK && counted;
}

TEST(every_allocation_may_fail)
{
    CHECK_EQ(failalloc_each(walk, NULL), 3);
}

SUITE("config/write_queue", T(the_priority_decides_only_who_is_dropped),
      T(what_is_dropped_and_refused_is_counted_by_priority), T(the_data_arrives_as_it_was_put),
      T(long_data_is_freed_whatever_becomes_of_it), T(only_the_first_event_wakes),
      T(who_drains_needs_no_waking),
      T(who_refuses_without_a_pause_slows_the_others_until_it_is_calm),
      T(slow_after_nothing_means_never), T(the_least_mark_is_one_event),
      T(whoever_is_told_may_put_again), T(closing_ends_all_that_wait_once_and_refuses_the_rest),
      T(the_consumer_may_close), T(a_queue_that_can_hold_nothing_is_refused),
      T(every_allocation_may_fail));
