// SPDX-License-Identifier: Apache-2.0
// One thread tells the story; one test has many producers, whose events are counted at the end.
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include "replicator/write_queue.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

static const struct mono now = {1000000};

static void count_wake(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static struct write_queue *queue_new(uint32_t capacity, atomic_int *wakes)
{
    struct write_queue *queue = NULL;
    const struct write_queue_options options = {.capacity = capacity,
                                                .drop_low_percent = 50,
                                                .slow_after_ms = 500,
                                                .slow_by_ms = 10,
                                                .wake = wakes == NULL ? NULL : count_wake,
                                                .wake_arg = wakes};
    CHECK_OK(write_queue_new(&options, &queue));
    return queue;
}

static void end(struct write_queue *queue)
{
    write_queue_close(queue, WRITE_QUEUE_NOT_READY);
    write_queue_free(queue);
}

static enum err put(struct write_queue *queue, const char *key, enum write_queue_priority priority)
{
    const struct write_queue_event event = {
        .key = span_str(key), .patch = SPAN_LIT("patch"), .priority = priority};
    return write_queue_put(queue, &event, now);
}

static void append_key(void *arg, const struct write_queue_event *event)
{
    char *text = arg;
    size_t len = strlen(text);
    CHECK(span_eq_str(event->patch, "patch"));
    memcpy(text + len, event->key.ptr, event->key.len);
    text[len + event->key.len] = '\0';
}

TEST(the_most_urgent_comes_first_and_a_line_keeps_its_order)
{
    struct write_queue *queue = queue_new(64, NULL);
    char text[64] = "";
    CHECK_OK(put(queue, "l", WRITE_QUEUE_LATENCY));
    CHECK_OK(put(queue, "a1", WRITE_QUEUE_API));
    CHECK_OK(put(queue, "c", WRITE_QUEUE_CHECK));
    CHECK_OK(put(queue, "a2", WRITE_QUEUE_API));
    CHECK_OK(put(queue, "o", WRITE_QUEUE_OPERATOR));
    CHECK_OK(put(queue, "a3", WRITE_QUEUE_API));
    CHECK_EQ(write_queue_len(queue), 6);
    CHECK_EQ(write_queue_drain(queue, 2, append_key, text), 2);
    CHECK_STR(text, "oa1");
    CHECK_EQ(write_queue_drain(queue, 100, append_key, text), 4);
    CHECK_STR(text, "oa1a2a3cl");
    CHECK_EQ(write_queue_drain(queue, 100, append_key, text), 0);
    end(queue);
}

TEST(each_priority_has_its_ceiling)
{
    struct write_queue *queue = queue_new(32, NULL);
    const struct {
        enum write_queue_priority priority;
        int accepted; // more
    } rows[] = {{WRITE_QUEUE_LATENCY, 16},
                {WRITE_QUEUE_CHECK, 14},
                {WRITE_QUEUE_LATENCY, 0},
                {WRITE_QUEUE_API, 0},
                {WRITE_QUEUE_OPERATOR, 2}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int j = 0; j < rows[i].accepted; j++) {
            CHECK_OK(put(queue, "k", rows[i].priority));
        }
        CHECK_EQ(put(queue, "k", rows[i].priority), ERR_FULL);
    }
    CHECK_EQ(write_queue_len(queue), 32);
    CHECK_UEQ(write_queue_refused(queue, WRITE_QUEUE_LATENCY), 2);
    CHECK_UEQ(write_queue_refused(queue, WRITE_QUEUE_OPERATOR), 1);
    char text[128] = "";
    CHECK_EQ(write_queue_drain(queue, 1, append_key, text), 1);
    CHECK_OK(put(queue, "k", WRITE_QUEUE_OPERATOR));
    end(queue);
}

TEST(the_event_arrives_as_it_was_put)
{
    struct write_queue *queue = queue_new(4, NULL);
    static char key[KEY_LEN_MAX + 1];
    static char patch[PATCH_LEN_MAX + 1];
    memset(key, 'k', sizeof(key));
    memset(patch, 'p', sizeof(patch));
    struct write_queue_event event = {.key = span_of(key, KEY_LEN_MAX + 1)};
    CHECK_EQ(write_queue_put(queue, &event, now), ERR_TOO_LARGE);
    event.key.len = KEY_LEN_MAX;
    event.patch = span_of(patch, PATCH_LEN_MAX + 1);
    CHECK_EQ(write_queue_put(queue, &event, now), ERR_TOO_LARGE);
    event.patch.len = PATCH_LEN_MAX;
    CHECK_OK(write_queue_put(queue, &event, now));
    event.key.len = 0;
    event.patch.len = 0;
    CHECK_OK(write_queue_put(queue, &event, now));
    end(queue);
}

static void check_whole(void *arg, const struct write_queue_event *event)
{
    CHECK(span_eq_str(event->key, "key"));
    CHECK(span_eq_str(event->patch, "body"));
    CHECK_EQ(event->precondition, WRITE_QUEUE_IF_MATCH);
    CHECK_UEQ(event->version.counter, 7);
    CHECK_EQ(event->ack_stream, true);
    CHECK(event->arg == arg);
}

TEST(every_member_of_an_event_travels)
{
    struct write_queue *queue = queue_new(4, NULL);
    char key[] = "key";
    const struct write_queue_event event = {.key = span_str(key),
                                            .patch = SPAN_LIT("body"),
                                            .precondition = WRITE_QUEUE_IF_MATCH,
                                            .version = {7, 8},
                                            .priority = WRITE_QUEUE_API,
                                            .ack_stream = true,
                                            .arg = &key};
    CHECK_OK(write_queue_put(queue, &event, now));
    key[0] = 'x'; // it was copied
    CHECK_EQ(write_queue_drain(queue, 1, check_whole, &key), 1);
    end(queue);
}

TEST(only_the_first_event_wakes)
{
    atomic_int wakes = 0;
    struct write_queue *queue = queue_new(32, &wakes);
    char text[64] = "";
    CHECK_OK(put(queue, "a", WRITE_QUEUE_API));
    CHECK_OK(put(queue, "b", WRITE_QUEUE_API));
    CHECK_EQ(atomic_load(&wakes), 1);
    CHECK_EQ(write_queue_drain(queue, 1, append_key, text), 1);
    CHECK_OK(put(queue, "c", WRITE_QUEUE_API));
    CHECK_EQ(atomic_load(&wakes), 1);
    CHECK_EQ(write_queue_drain(queue, 9, append_key, text), 2);
    CHECK_OK(put(queue, "d", WRITE_QUEUE_OPERATOR));
    CHECK_EQ(atomic_load(&wakes), 2);
    end(queue);
}

TEST(who_waits_too_long_slows_the_others)
{
    struct write_queue *queue = queue_new(32, NULL);
    CHECK_EQ(write_queue_slow_ms(queue, mono_add_ms(now, 9000)), 0);
    CHECK_OK(put(queue, "a", WRITE_QUEUE_CHECK));
    CHECK_EQ(write_queue_slow_ms(queue, mono_add_ms(now, 500)), 0);
    CHECK_EQ(write_queue_slow_ms(queue, mono_add_ms(now, 501)), 10);
    char text[64] = "";
    CHECK_EQ(write_queue_drain(queue, 1, append_key, text), 1);
    CHECK_EQ(write_queue_slow_ms(queue, mono_add_ms(now, 501)), 0);
    end(queue);
}

struct answers {
    int count;
    enum write_queue_outcome last;
};

static void answer(void *arg, enum write_queue_outcome outcome)
{
    struct answers *answers = arg;
    answers->count++;
    answers->last = outcome;
}

TEST(closing_answers_all_that_wait_once_and_refuses_the_rest)
{
    struct answers answers = {0, WRITE_QUEUE_APPLIED};
    struct write_queue *queue = queue_new(32, NULL);
    struct write_queue_event event = {.key = SPAN_LIT("k"), .done = answer, .arg = &answers};
    for (int i = 0; i < 5; i++) {
        event.priority = i % 2 == 0 ? WRITE_QUEUE_API : WRITE_QUEUE_OPERATOR;
        CHECK_OK(write_queue_put(queue, &event, now));
    }
    write_queue_close(queue, WRITE_QUEUE_UNAVAILABLE);
    CHECK_EQ(answers.count, 5);
    CHECK_EQ(answers.last, WRITE_QUEUE_UNAVAILABLE);
    CHECK_EQ(write_queue_put(queue, &event, now), ERR_CLOSED);
    write_queue_close(queue, WRITE_QUEUE_NOT_READY);
    CHECK_EQ(answers.count, 5);
    write_queue_free(queue);
}

TEST(a_queue_that_can_hold_nothing_is_refused)
{
    struct write_queue *queue = NULL;
    CHECK_EQ(write_queue_new(&(struct write_queue_options){.capacity = 0}, &queue), ERR_INVALID);
    CHECK_EQ(write_queue_new(&(struct write_queue_options){1, 101, 0, 0, NULL, NULL}, &queue),
             ERR_INVALID);
}

// --- many producers

#define PRODUCERS 4
#define EVENTS 5000

struct producer {
    struct write_queue *queue;
    atomic_int *running;
    unsigned char id;
    int refused;
};

static void *produce(void *arg)
{
    struct producer *producer = arg;
    for (int i = 0; i < EVENTS; i++) {
        const unsigned char bytes[3] = {producer->id, (unsigned char)(i >> 8), (unsigned char)i};
        const struct write_queue_event event = {.key = span_of(bytes, sizeof(bytes)),
                                                .priority = WRITE_QUEUE_API};
        enum err err = ERR_FULL;
        while ((err = write_queue_put(producer->queue, &event, now)) == ERR_FULL) {
            producer->refused++;
            (void)sched_yield();
        }
        if (err != ERR_OK) {
            break;
        }
    }
    atomic_fetch_sub(producer->running, 1);
    return NULL;
}

struct seen {
    int next[PRODUCERS];
    int out_of_order;
    int count;
};

static void see(void *arg, const struct write_queue_event *event)
{
    struct seen *seen = arg;
    const unsigned char *bytes = (const unsigned char *)event->key.ptr;
    int number = bytes[1] << 8 | bytes[2];
    seen->out_of_order += seen->next[bytes[0]] != number;
    seen->next[bytes[0]] = number + 1;
    seen->count++;
}

TEST(no_event_of_many_producers_is_lost_doubled_or_overtaken)
{
    atomic_int wakes = 0;
    atomic_int running = PRODUCERS;
    struct seen seen = {{0}, 0, 0};
    struct write_queue *queue = queue_new(64, &wakes);
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    for (unsigned char i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){queue, &running, i, 0};
        CHECK_EQ(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    while (atomic_load(&running) > 0 || write_queue_len(queue) > 0) {
        if (write_queue_drain(queue, 16, see, &seen) == 0) {
            (void)sched_yield();
        }
    }
    for (int i = 0; i < PRODUCERS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    CHECK_EQ(seen.count, PRODUCERS * EVENTS);
    CHECK_EQ(seen.out_of_order, 0);
    CHECK(atomic_load(&wakes) > 0);
    end(queue);
}

static bool walk(void *arg)
{
    (void)arg;
    struct write_queue *queue = NULL;
    const struct write_queue_options options = {.capacity = 2, .drop_low_percent = 100};
    const struct write_queue_event event = {.key = SPAN_LIT("key"), .patch = SPAN_LIT("patch")};
    if (write_queue_new(&options, &queue) != ERR_OK) {
        return false;
    }
    bool first = write_queue_put(queue, &event, now) == ERR_OK;
    bool second = write_queue_put(queue, &event, now) == ERR_OK;
    bool counted = write_queue_len(queue) == (uint32_t)first + (uint32_t)second;
    end(queue);
    return first && second && counted;
}

TEST(every_allocation_may_fail)
{
    CHECK_EQ(failalloc_each(walk, NULL), 4);
}

SUITE("config/write_queue", T(the_most_urgent_comes_first_and_a_line_keeps_its_order),
      T(each_priority_has_its_ceiling), T(the_event_arrives_as_it_was_put),
      T(every_member_of_an_event_travels), T(only_the_first_event_wakes),
      T(who_waits_too_long_slows_the_others),
      T(closing_answers_all_that_wait_once_and_refuses_the_rest),
      T(a_queue_that_can_hold_nothing_is_refused),
      T(no_event_of_many_producers_is_lost_doubled_or_overtaken), T(every_allocation_may_fail));
