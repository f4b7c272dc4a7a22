// SPDX-License-Identifier: Apache-2.0
// The event loop of one thread: timers, file descriptors, signals, and a mailbox through which
// other threads hand it work.
//
//     any thread --loop_post--> mailbox --eventfd--> loop thread: tasks, timers, ready descriptors
//     one turn:  late calls -> wait -> whatever is ready
//
// Invariant: every callback of a loop runs on the one thread inside loop_run, one at a time; a
// callback may free any object of the loop, its own included.  Between loop_new and loop_run, and
// after loop_run has returned, the thread that holds the loop counts as the loop thread. [loop]
// unless said otherwise; only loop_post, loop_post_task, loop_stop and loop_is_current are [any].
// Read next: conn.h, listener.h, mailbox.h, timers.h.
#pragma once

#include "base/assert.h"
#include "base/err.h"
#include "base/mailbox.h"
#include "base/time.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct loop;

typedef void (*loop_fn)(void *arg);

// ERR_NOMEM, ERR_IO (no descriptors left).  *gives* the loop.  Ignores SIGPIPE in the whole
// process: a peer that went away must be an error of its stream, not the end of the program.
enum err loop_new(struct loop **ret_loop) MUST_USE;
// Not while it runs.  Everything else of the loop must have been freed before; tasks that are still
// queued are dropped without being run.  Accepts NULL.
void loop_free(struct loop *loop);

// Runs until loop_stop.  A stop that was asked for before counts.
void loop_run(struct loop *loop);
// Runs what is ready now, waiting at most `wait_ms` for it; for tests.
void loop_run_once(struct loop *loop, int64_t wait_ms);
// [any]
void loop_stop(struct loop *loop);

// Is the caller the loop's thread?  [any]
bool loop_is_current(const struct loop *loop);
#define ASSERT_ON_LOOP(loop) ASSERT(loop_is_current(loop))

// Monotonic time, read when asked.
struct mono loop_now(const struct loop *loop);

// --- work from other threads

// Embedded in the caller's own object, so that posting it cannot fail.  Set up by loop_task_init;
// must stay where it is while `queued`.
struct loop_task {
    struct mailbox_node node;
    loop_fn fn;
    void *arg;
    atomic_bool queued;
    bool owned; // by the loop: made by loop_post
};

void loop_task_init(struct loop_task *task, loop_fn fn, void *arg);

// Runs task->fn(task->arg) on the loop thread, soon, never from inside this call.  A task that is
// queued already stays queued once: it then runs once, after this call.  `fn` may post the task
// again or free it.  false: it was queued already.  [any]
bool loop_post_task(struct loop *loop, struct loop_task *task);

// Takes a queued task back, so that its object may be freed; no effect when it is not queued.  Nobody may
// be posting it at the same time.  [loop]
void loop_unpost_task(struct loop *loop, struct loop_task *task);

// As loop_post_task with a task from the heap.  ERR_NOMEM: nothing was queued.  [any]
enum err loop_post(struct loop *loop, loop_fn fn, void *arg) MUST_USE;

// --- the end of a turn

// Embedded in the caller's own object.  What is gathered while callbacks run (the bytes that a connection
// is to send) is dealt with once, before the loop waits: no descriptor has to become ready for it.
struct loop_late {
    struct loop_late *next;
    loop_fn fn;
    void *arg;
    bool queued;
};

void loop_late_init(struct loop_late *late, loop_fn fn, void *arg);
// Calls late->fn(late->arg) before the loop waits next, once however often it is added; never from inside
// this call.  `fn` may free the object.
void loop_late_add(struct loop *loop, struct loop_late *late);
// No effect when it is not queued.
void loop_late_cancel(struct loop *loop, struct loop_late *late);
// Does now what is late, for whoever steps a loop from outside.
void loop_run_late(struct loop *loop);

// Room of the loop for a moment: valid until the next callback.  len 0: no memory.
struct loop_scratch {
    char *ptr;
    size_t len;
};
struct loop_scratch loop_scratch(struct loop *loop);

// --- timers: one-shot

struct loop_timer;

// ERR_NOMEM.  *gives* a timer that is not armed.
enum err loop_timer_new(struct loop *loop, loop_fn fn, void *arg,
                        struct loop_timer **ret_timer) MUST_USE;
// Accepts NULL.  Its fn is not called any more.
void loop_timer_free(struct loop_timer *timer);
// Arms, or moves when armed.  Never fires early, and never from inside this call.
void loop_timer_set(struct loop_timer *timer, struct mono at);
void loop_timer_set_ms(struct loop_timer *timer, int64_t in_ms);
void loop_timer_cancel(struct loop_timer *timer);
bool loop_timer_armed(const struct loop_timer *timer);

// --- descriptors

enum loop_interest { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop_watch;
struct loop_watcher {                              // who is told; copied
    void (*fn)(void *arg, int fd, unsigned ready); // ready: enum loop_interest
    void *arg;
};

// Watches for nothing yet.  The descriptor stays the caller's and must outlive the watch.  ERR_NOMEM.
enum err loop_watch_new(struct loop *loop, int fd, const struct loop_watcher *watcher,
                        struct loop_watch **ret_watch) MUST_USE;
// Before the descriptor is closed.  Accepts NULL.
void loop_watch_free(struct loop_watch *watch);
// Replaces the interest (0 = none); level-triggered.  ERR_IO: the descriptor cannot be watched.
enum err loop_watch_set(struct loop_watch *watch, unsigned interest) MUST_USE;

// --- signals

typedef void (*loop_signal_fn)(void *arg, int signal);

// Until loop_free.  Only one loop of a process may watch signals.  ERR_NOMEM, ERR_IO, ERR_FULL
// (over 8).
enum err loop_signal(struct loop *loop, int signal, loop_signal_fn fn, void *arg) MUST_USE;

// For transport.c, the only other file that knows libevent.
struct event_base *loop_event_base(struct loop *loop);
