// SPDX-License-Identifier: Apache-2.0
// The loop with real time and real descriptors, but no network: tasks, timers, watches, signals.
#include "base/loop.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/loop_wait.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static struct loop *new_loop(void)
{
    struct loop *loop = NULL;
    CHECK_OK(loop_new(&loop));
    return loop;
}

static void count_up(void *arg)
{
    unsigned *count = arg;
    (*count)++;
}

TEST(a_task_that_is_queued_twice_runs_once)
{
    struct loop *loop = new_loop();
    struct loop_task task;
    unsigned count = 0;
    loop_task_init(&task, count_up, &count);
    CHECK(loop_post_task(loop, &task));
    CHECK(!loop_post_task(loop, &task));
    CHECK_UEQ(count, 0);
    LOOP_WAIT(loop, count > 0);
    loop_run_once(loop, 0);
    CHECK_UEQ(count, 1);
    CHECK(loop_post_task(loop, &task));
    LOOP_WAIT(loop, count == 2);
    loop_free(loop);
}

struct again {
    struct loop *loop;
    struct loop_task task;
    unsigned count;
};

static void post_again(void *arg)
{
    struct again *again = arg;
    again->count++;
    (void)loop_post_task(again->loop, &again->task);
}

TEST(a_task_that_posts_itself_does_not_hold_the_loop)
{
    struct again again = {.loop = new_loop()};
    unsigned other = 0;
    loop_task_init(&again.task, post_again, &again);
    (void)loop_post_task(again.loop, &again.task);
    loop_run_once(again.loop, 0);
    CHECK_OK(loop_post(again.loop, count_up, &other));
    LOOP_WAIT(again.loop, other == 1 && again.count > 2);
    loop_unpost_task(again.loop, &again.task);
    loop_free(again.loop);
}

TEST(a_task_taken_back_does_not_run_and_the_others_do)
{
    struct loop *loop = new_loop();
    struct loop_task tasks[3];
    unsigned counts[3] = {0, 0, 0};
    for (size_t i = 0; i < 3; i++) {
        loop_task_init(&tasks[i], count_up, &counts[i]);
        (void)loop_post_task(loop, &tasks[i]);
    }
    loop_unpost_task(loop, &tasks[1]);
    loop_unpost_task(loop, &tasks[1]);
    LOOP_WAIT(loop, counts[0] == 1 && counts[2] == 1);
    CHECK_UEQ(counts[1], 0);
    CHECK(loop_post_task(loop, &tasks[1]));
    LOOP_WAIT(loop, counts[1] == 1);
    loop_free(loop);
}

struct posters {
    struct loop *loop;
    unsigned count; // on the loop's thread only
};

static void stop_at_all(void *arg)
{
    struct posters *posters = arg;
    ASSERT_ON_LOOP(posters->loop);
    posters->count++;
    if (posters->count == 4 * 5000) {
        loop_stop(posters->loop);
    }
}

static void *post_many(void *arg)
{
    struct posters *posters = arg;
    for (int i = 0; i < 5000; i++) {
        if (loop_post(posters->loop, stop_at_all, posters) != ERR_OK) {
            abort();
        }
    }
    return NULL;
}

TEST(what_other_threads_post_all_runs_here)
{
    struct posters posters = {new_loop(), 0};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, post_many, &posters), 0);
    }
    loop_run(posters.loop);
    CHECK_UEQ(posters.count, 4 * 5000);
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    loop_free(posters.loop);
}

static void *ask_owner(void *arg)
{
    return loop_is_current(arg) ? arg : NULL;
}

static void look_from_outside(void *arg)
{
    struct posters *posters = arg;
    pthread_t thread;
    void *answer = posters;
    CHECK(loop_is_current(posters->loop));
    CHECK_EQ(pthread_create(&thread, NULL, ask_owner, posters->loop), 0);
    CHECK_EQ(pthread_join(thread, &answer), 0);
    CHECK(answer == NULL);
    loop_stop(posters->loop);
}

TEST(another_thread_is_not_on_a_running_loop)
{
    struct posters posters = {new_loop(), 0};
    CHECK_OK(loop_post(posters.loop, look_from_outside, &posters));
    loop_run(posters.loop);
    loop_free(posters.loop);
}

struct ring {
    struct loop_timer *timer;
    struct loop *loop;
    struct mono fired;
    unsigned count;
};

static void on_ring(void *arg)
{
    struct ring *ring = arg;
    ring->fired = loop_now(ring->loop);
    ring->count++;
}

TEST(a_timer_fires_once_and_never_early)
{
    struct ring ring = {.loop = new_loop()};
    CHECK_OK(loop_timer_new(ring.loop, on_ring, &ring, &ring.timer));
    CHECK(!loop_timer_armed(ring.timer));
    for (int i = 0; i < 20; i++) {
        struct mono at = {loop_now(ring.loop).us + 700 * (i % 5)};
        ring.count = 0;
        loop_timer_set(ring.timer, at);
        CHECK(loop_timer_armed(ring.timer));
        LOOP_WAIT(ring.loop, ring.count > 0);
        CHECK(ring.fired.us >= at.us);
        CHECK(!loop_timer_armed(ring.timer));
    }
    loop_run_once(ring.loop, 5);
    CHECK_UEQ(ring.count, 1);
    loop_timer_free(ring.timer);
    loop_free(ring.loop);
}

TEST(a_moved_timer_fires_at_its_new_time_and_a_cancelled_one_not)
{
    struct loop *loop = new_loop();
    struct ring moved = {.loop = loop};
    struct ring cancelled = {.loop = loop};
    CHECK_OK(loop_timer_new(loop, on_ring, &moved, &moved.timer));
    CHECK_OK(loop_timer_new(loop, on_ring, &cancelled, &cancelled.timer));
    loop_timer_set_ms(moved.timer, 3600000);
    loop_timer_set_ms(cancelled.timer, 1);
    loop_timer_set_ms(moved.timer, 2);
    loop_timer_cancel(cancelled.timer);
    LOOP_WAIT(loop, moved.count == 1);
    CHECK_UEQ(cancelled.count, 0);
    loop_timer_free(moved.timer);
    loop_timer_free(cancelled.timer);
    loop_free(loop);
}

static void free_itself(void *arg)
{
    struct ring *ring = arg;
    loop_timer_free(ring->timer);
    ring->count++;
}

TEST(a_timer_may_free_itself)
{
    struct ring ring = {.loop = new_loop()};
    CHECK_OK(loop_timer_new(ring.loop, free_itself, &ring, &ring.timer));
    loop_timer_set_ms(ring.timer, 0);
    LOOP_WAIT(ring.loop, ring.count == 1);
    loop_free(ring.loop);
}

struct pipe_end {
    struct loop_watch *watch;
    int fds[2];
    unsigned ready, count;
};

static void on_pipe(void *arg, int fd, unsigned ready)
{
    struct pipe_end *end = arg;
    char byte = 0;
    end->ready |= ready;
    end->count++;
    CHECK((ready & LOOP_READ) == 0 || read(fd, &byte, 1) == 1);
}

TEST(a_watch_tells_when_a_descriptor_can_be_read)
{
    struct loop *loop = new_loop();
    struct pipe_end end = {.count = 0};
    const struct loop_watcher watcher = {on_pipe, &end};
    CHECK_EQ(pipe(end.fds), 0);
    CHECK_OK(loop_watch_new(loop, end.fds[0], &watcher, &end.watch));
    CHECK_EQ(write(end.fds[1], "ab", 2), 2);
    loop_run_once(loop, 1);
    CHECK_UEQ(end.count, 0); // interested in nothing yet
    CHECK_OK(loop_watch_set(end.watch, LOOP_READ));
    LOOP_WAIT(loop, end.count == 2);
    CHECK_UEQ(end.ready, LOOP_READ);
    CHECK_OK(loop_watch_set(end.watch, 0));
    CHECK_EQ(write(end.fds[1], "c", 1), 1);
    loop_run_once(loop, 1);
    CHECK_UEQ(end.count, 2);
    loop_watch_free(end.watch);
    close(end.fds[0]);
    close(end.fds[1]);
    loop_free(loop);
}

// What is late leaves its number; the one with `again` adds itself once more.
struct late_one {
    struct loop *loop;
    struct loop_late late;
    char *story;
    char letter;
    bool again;
};

static void on_late(void *arg)
{
    struct late_one *one = arg;
    size_t len = strlen(one->story);
    one->story[len] = one->letter;
    one->story[len + 1] = '\0';
    if (one->again) {
        loop_late_add(one->loop, &one->late);
    }
}

TEST(what_is_late_runs_once_in_order_before_the_loop_waits)
{
    struct loop *loop = new_loop();
    char story[64] = "";
    struct late_one ones[3];
    for (int i = 0; i < 3; i++) {
        ones[i] = (struct late_one){.loop = loop, .story = story, .letter = (char)('a' + i)};
        loop_late_init(&ones[i].late, on_late, &ones[i]);
    }
    loop_late_add(loop, &ones[1].late);
    loop_late_add(loop, &ones[0].late);
    loop_late_add(loop, &ones[1].late);
    CHECK_STR(story, ""); // never from inside
    loop_run_once(loop, 0);
    CHECK_STR(story, "ba");
    loop_run_once(loop, 0);
    CHECK_STR(story, "ba");
    for (int i = 0; i < 3; i++) {
        loop_late_add(loop, &ones[i].late);
    }
    loop_late_cancel(loop, &ones[1].late);
    loop_late_cancel(loop, &ones[1].late);
    loop_late_cancel(loop, &ones[2].late); // the last: its place is used again
    loop_late_add(loop, &ones[1].late);
    loop_run_late(loop);
    CHECK_STR(story, "baab");
    loop_free(loop);
}

TEST(what_is_late_again_neither_holds_the_loop_nor_lets_it_wait)
{
    struct loop *loop = new_loop();
    char story[64] = "";
    struct late_one one = {.loop = loop, .story = story, .letter = 'x', .again = true};
    loop_late_init(&one.late, on_late, &one);
    loop_late_add(loop, &one.late);
    loop_run_once(loop, 3600000);
    loop_run_once(loop, 3600000);
    CHECK_STR(story, "xx");
    loop_late_cancel(loop, &one.late);
    loop_free(loop);
}

static void on_signal(void *arg, int number)
{
    int *seen = arg;
    *seen = number;
}

TEST(a_signal_comes_as_a_callback)
{
    struct loop *loop = new_loop();
    int seen = 0;
    CHECK_OK(loop_signal(loop, SIGHUP, on_signal, &seen));
    CHECK_EQ(raise(SIGHUP), 0);
    LOOP_WAIT(loop, seen == SIGHUP);
    loop_free(loop);
}

static bool walk(void *arg)
{
    (void)arg;
    struct loop *loop = NULL;
    struct loop_timer *timer = NULL;
    struct loop_watch *watch = NULL;
    unsigned count = 0;
    const struct loop_watcher watcher = {on_pipe, NULL};
    if (loop_new(&loop) != ERR_OK) {
        return false;
    }
    bool good = loop_timer_new(loop, count_up, &count, &timer) == ERR_OK &&
                loop_watch_new(loop, 0, &watcher, &watch) == ERR_OK &&
                loop_post(loop, count_up, &count) == ERR_OK;
    if (timer != NULL) {
        loop_timer_set_ms(timer, 0);
    }
    loop_timer_free(timer);
    loop_watch_free(watch);
    loop_free(loop);
    return good;
}

TEST(every_allocation_may_fail)
{
    CHECK(failalloc_each(walk, NULL) >= 5);
}

SUITE("base/loop", T(a_task_that_is_queued_twice_runs_once),
      T(a_task_that_posts_itself_does_not_hold_the_loop),
      T(a_task_taken_back_does_not_run_and_the_others_do), T(what_other_threads_post_all_runs_here),
      T(another_thread_is_not_on_a_running_loop), T(a_timer_fires_once_and_never_early),
      T(a_moved_timer_fires_at_its_new_time_and_a_cancelled_one_not), T(a_timer_may_free_itself),
      T(a_watch_tells_when_a_descriptor_can_be_read),
      T(what_is_late_runs_once_in_order_before_the_loop_waits),
      T(what_is_late_again_neither_holds_the_loop_nor_lets_it_wait),
      T(a_signal_comes_as_a_callback), T(every_allocation_may_fail));
