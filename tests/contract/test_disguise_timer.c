// SPDX-License-Identifier: Apache-2.0
// Disguise 6 of a shared map: a timer's callback wakes the waiter, and the waiter closes the owner, the timer's own
// loop included.  The callback may come early (before anybody waits), late (when the waiter has given up and is
// closing), or never.  In each case the owner ends whole: the callback came at most once, never after the end,
// and what the callback and the last tasks wrote is seen by who waited.
// As in the program: the timer stops the loop, the waiter joins its thread, then frees all (admin-api/worker.c).
#include "base/loop.h"
#include "tests/lib/suite.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define ROUNDS 120

struct owner {
    struct loop *loop;
    struct loop_timer *timer;
    struct loop_task give_up;
    unsigned fired, gave_up, wrong; // plain: of the loop's thread, then of who joined it
    atomic_bool fired_at_all;
    atomic_bool *closed; // outlives the owner: nothing may come when it is set
};

static void on_timer(void *arg)
{
    struct owner *owner = arg;
    owner->wrong += owner->gave_up > 0 || atomic_load(owner->closed) ? 1 : 0;
    owner->fired++;
    atomic_store(&owner->fired_at_all, true);
    loop_stop(owner->loop); // wakes the waiter, once the turn is done
}

// The waiter will not wait any longer.
static void on_give_up(void *arg)
{
    struct owner *owner = arg;
    owner->gave_up++;
    loop_timer_free(owner->timer);
    owner->timer = NULL;
    loop_stop(owner->loop);
}

static struct owner *owner_new(atomic_bool *closed, int64_t timer_ms)
{
    struct owner *owner = calloc(1, sizeof(*owner));
    CHECK(owner != NULL);
    owner->closed = closed;
    CHECK_OK(loop_new(&owner->loop));
    CHECK_OK(loop_timer_new(owner->loop, on_timer, owner, &owner->timer));
    loop_task_init(&owner->give_up, on_give_up, owner);
    if (timer_ms >= 0) {
        loop_timer_set_ms(owner->timer, timer_ms);
    }
    return owner;
}

static void *run(void *arg)
{
    const struct owner *owner = arg;
    loop_run(owner->loop);
    return NULL;
}

// Closes the owner, whose loop has ended; what is still queued or armed is dropped.
static unsigned owner_close(struct owner *owner)
{
    unsigned fired = owner->fired;
    CHECK_UEQ(owner->wrong, 0);
    loop_timer_free(owner->timer);
    atomic_store(owner->closed, true);
    loop_free(owner->loop);
    free(owner);
    return fired;
}

TEST(a_timer_that_comes_before_anybody_waits_is_not_lost)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        atomic_bool closed = false;
        pthread_t thread;
        struct owner *owner = owner_new(&closed, 0);
        CHECK_EQ(pthread_create(&thread, NULL, run, owner), 0);
        while (!atomic_load(&owner->fired_at_all)) {
            (void)sched_yield();
        }
        CHECK_EQ(pthread_join(thread, NULL), 0);
        CHECK_UEQ(owner_close(owner), 1);
    }
    // Earlier still: the loop is stopped before its thread has begun.
    atomic_bool closed = false;
    pthread_t thread;
    struct owner *owner = owner_new(&closed, -1);
    loop_stop(owner->loop);
    CHECK_EQ(pthread_create(&thread, NULL, run, owner), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_UEQ(owner_close(owner), 0);
}

TEST(a_timer_that_comes_when_the_owner_closes_comes_once_or_not_at_all)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        atomic_bool closed = false;
        pthread_t thread;
        struct owner *owner = owner_new(&closed, 1);
        CHECK_EQ(pthread_create(&thread, NULL, run, owner), 0);
        if (i % 2 == 0) {
            CHECK(loop_post_task(owner->loop, &owner->give_up));
        }
        CHECK_EQ(pthread_join(thread, NULL), 0);
        CHECK_INT(owner->fired + owner->gave_up, ge, 1); // the timer first, if it was both
        if (owner->gave_up > 0) {
            // The deadline passes on the stopped loop: whoever turns it once more hears nothing of it.
            loop_run_once(owner->loop, 2);
        }
        CHECK_INT(owner_close(owner), le, 1);
    }
}

TEST(a_timer_that_never_comes_does_not_keep_the_owner)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        atomic_bool closed = false;
        pthread_t thread;
        struct owner *owner = owner_new(&closed, 3600 * 1000);
        CHECK_EQ(pthread_create(&thread, NULL, run, owner), 0);
        CHECK(loop_post_task(owner->loop, &owner->give_up));
        CHECK_EQ(pthread_join(thread, NULL), 0);
        CHECK_UEQ(owner->gave_up, 1);
        CHECK_UEQ(owner_close(owner), 0);
    }
}

SUITE("base/loop (disguise: a timer)", T(a_timer_that_comes_before_anybody_waits_is_not_lost),
      T(a_timer_that_comes_when_the_owner_closes_comes_once_or_not_at_all),
      T(a_timer_that_never_comes_does_not_keep_the_owner));
