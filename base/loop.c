// SPDX-License-Identifier: Apache-2.0
#include "base/loop.h"

#include "base/clock.h"
#include "base/timers.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SIGNALS_MAX 8
#define SCRATCH_LEN ((size_t)64 * 1024)

struct loop_signal_entry {
    struct event *event;
    loop_signal_fn fn;
    void *arg;
};

struct loop {
    struct event_base *base;
    struct event *wake_event;  // the eventfd can be read
    struct event *timer_event; // the first deadline has come
    struct timers timers;
    struct mailbox mailbox;
    struct mailbox_node *taken; // out of the mailbox, oldest first, not run yet
    int wake_fd;
    int timer_fd;
    bool timer_stale;                   // timer_fd does not stand for the first deadline any more
    struct loop_late *late, **late_end; // oldest first
    char *scratch;
    size_t signal_count;
    struct loop_signal_entry signals[SIGNALS_MAX];
    _Atomic uintptr_t owner; // pthread_self of the thread in loop_run; 0: nobody
    atomic_bool stop;
};

struct loop_timer {
    struct timers_entry entry; // first: the heap hands it back
    struct loop *loop;
    loop_fn fn;
    void *arg;
};

struct loop_watch {
    struct event *event;
    struct event_base *base;
    struct loop_watcher watcher;
    int fd;
    unsigned interest;
};

// Timers live in a heap of ours, the first deadline in a timerfd.  So arming cannot fail, a thousand moved
// deadlines cost one system call a turn, and a turn that moves none costs none (libevent's own precise
// timers set their timerfd anew on every turn).
static void arm_first(struct loop *loop)
{
    loop->timer_stale = false;
    const struct timers_entry *first = timers_first(&loop->timers);
    struct itimerspec at = {{0, 0}, {0, 0}}; // all zero: never
    if (first != NULL) {
        int64_t us = first->at.us > 0 ? first->at.us : 1;
        at.it_value = (struct timespec){us / 1000000, us % 1000000 * 1000};
    }
    int failed = timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
    ASSERT(failed == 0);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct loop *loop = arg;
    loop->timer_stale = true;
    struct mono now = clock_mono();
    // At most as many as there are now: a timer that arms itself for `now` must not hold the loop.
    size_t turns = loop->timers.count;
    for (; turns > 0; turns--) {
        struct timers_entry *first = timers_first(&loop->timers);
        if (first == NULL || first->at.us > now.us) {
            break;
        }
        timers_cancel(&loop->timers, first);
        struct loop_timer *timer = (struct loop_timer *)first;
        timer->fn(timer->arg);
    }
    arm_first(loop); // which also makes the descriptor unreadable again
}

// Moves what was posted so far behind what was taken before.
static void take_posted(struct loop *loop)
{
    struct mailbox_node **end = &loop->taken;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = mailbox_take(&loop->mailbox);
}

// What is posted meanwhile waits for the next turn, so that a task that posts itself cannot hold the loop.
static void run_tasks(struct loop *loop)
{
    take_posted(loop);
    while (loop->taken != NULL) {
        struct loop_task *task = (struct loop_task *)loop->taken;
        loop->taken = task->node.next; // before the flag falls: then the node may be pushed again
        loop_fn fn = task->fn;
        void *arg = task->arg;
        if (task->owned) {
            free(task);
        } else {
            // acq_rel: whatever was written before a loop_post_task that found the flag set is seen by
            // the fn that runs now; pairs with the exchange there.
            (void)atomic_exchange_explicit(&task->queued, false, memory_order_acq_rel);
        }
        fn(arg);
    }
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    uint64_t count = 0;
    ssize_t len = read(fd, &count, sizeof(count));
    (void)len; // EAGAIN: another turn has read it; the mailbox is looked at all the same
    run_tasks(arg);
}

static void wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t len = write(loop->wake_fd, &one, sizeof(one));
    (void)len; // EAGAIN: the counter is full, so the loop is being woken anyway
}

static enum err make_base(struct loop *loop)
{
    struct event_config *config = event_config_new();
    if (config == NULL) {
        return ERR_NOMEM;
    }
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK); // a base belongs to one thread
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    if (loop->base == NULL) {
        return errno == ENOMEM ? ERR_NOMEM : ERR_IO;
    }
    return ERR_OK;
}

static enum err make_events(struct loop *loop)
{
    loop->wake_event = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
    loop->timer_event = event_new(loop->base, loop->timer_fd, EV_READ | EV_PERSIST, on_timer, loop);
    if (loop->wake_event == NULL || loop->timer_event == NULL) {
        return ERR_NOMEM;
    }
    if (event_add(loop->wake_event, NULL) != 0 || event_add(loop->timer_event, NULL) != 0) {
        return ERR_NOMEM;
    }
    return ERR_OK;
}

enum err loop_new(struct loop **ret_loop)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL) {
        return ERR_NOMEM;
    }
    timers_init(&loop->timers);
    mailbox_init(&loop->mailbox);
    atomic_init(&loop->owner, 0);
    atomic_init(&loop->stop, false);
    signal(SIGPIPE, SIG_IGN);
    enum err err = ERR_IO;
    loop->late_end = &loop->late;
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->wake_fd >= 0 && loop->timer_fd >= 0) {
        err = make_base(loop);
    }
    if (err == ERR_OK) {
        err = make_events(loop);
    }
    if (err != ERR_OK) {
        loop_free(loop);
        return err;
    }
    *ret_loop = loop;
    return ERR_OK;
}

static void drop_tasks(struct loop *loop)
{
    take_posted(loop);
    while (loop->taken != NULL) {
        struct loop_task *task = (struct loop_task *)loop->taken;
        loop->taken = task->node.next;
        if (task->owned) {
            free(task);
        } else {
            atomic_store_explicit(&task->queued, false, memory_order_relaxed); // nobody posts now
        }
    }
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    // relaxed: only asks about this thread's own past.
    ASSERT(atomic_load_explicit(&loop->owner, memory_order_relaxed) == 0);
    drop_tasks(loop);
    for (size_t i = 0; i < loop->signal_count; i++) {
        event_free(loop->signals[i].event);
    }
    if (loop->timer_event != NULL) {
        event_free(loop->timer_event);
    }
    if (loop->wake_event != NULL) {
        event_free(loop->wake_event);
    }
    if (loop->base != NULL) {
        event_base_free(loop->base);
    }
    if (loop->wake_fd >= 0) {
        close(loop->wake_fd);
    }
    if (loop->timer_fd >= 0) {
        close(loop->timer_fd);
    }
    free(loop->scratch);
    ASSERT(loop->late == NULL);
    ASSERT(loop->timers.users == 0);
    timers_fini(&loop->timers);
    free(loop);
}

void loop_late_init(struct loop_late *late, loop_fn fn, void *arg)
{
    *late = (struct loop_late){.next = NULL, .fn = fn, .arg = arg, .queued = false};
}

void loop_late_add(struct loop *loop, struct loop_late *late)
{
    ASSERT_ON_LOOP(loop);
    if (!late->queued) {
        late->queued = true;
        late->next = NULL;
        *loop->late_end = late;
        loop->late_end = &late->next;
    }
}

static struct loop_late *late_take_first(struct loop *loop)
{
    struct loop_late *late = loop->late;
    loop->late = late->next;
    if (loop->late == NULL) {
        loop->late_end = &loop->late;
    }
    late->queued = false;
    return late;
}

void loop_late_cancel(struct loop *loop, struct loop_late *late)
{
    ASSERT_ON_LOOP(loop);
    if (!late->queued) {
        return;
    }
    struct loop_late **at = &loop->late;
    while (*at != late) {
        at = &(*at)->next;
    }
    *at = late->next;
    if (loop->late_end == &late->next) {
        loop->late_end = at;
    }
    late->queued = false;
}

void loop_run_late(struct loop *loop)
{
    // What is added meanwhile waits for the next turn, so that it cannot hold the loop.
    struct loop_late mark;
    loop_late_init(&mark, NULL, NULL);
    loop_late_add(loop, &mark);
    for (struct loop_late *late = late_take_first(loop); late != &mark;
         late = late_take_first(loop)) {
        late->fn(late->arg);
    }
}

static void turn(struct loop *loop)
{
    if (loop->late != NULL) {
        loop_run_late(loop);
    }
    if (loop->timer_stale) {
        arm_first(loop);
    }
    int failed =
        event_base_loop(loop->base, EVLOOP_ONCE | (loop->late != NULL ? EVLOOP_NONBLOCK : 0));
    ASSERT(failed >= 0);
}

static void take_ownership(struct loop *loop)
{
    ASSERT(atomic_load_explicit(&loop->owner, memory_order_relaxed) == 0);
    // release: pairs with the acquire in loop_is_current.
    atomic_store_explicit(&loop->owner, (uintptr_t)pthread_self(), memory_order_release);
}

void loop_run(struct loop *loop)
{
    take_ownership(loop);
    // acquire: pairs with the release in loop_stop.  The exchange lets the loop run again later.
    while (!atomic_exchange_explicit(&loop->stop, false, memory_order_acquire)) {
        turn(loop);
    }
    atomic_store_explicit(&loop->owner, 0, memory_order_release);
}

static void on_waited(void *arg)
{
    (void)arg; // only ends the wait
}

void loop_run_once(struct loop *loop, int64_t wait_ms)
{
    struct loop_timer timer = {.loop = loop, .fn = on_waited};
    if (timers_reserve(&loop->timers) != ERR_OK) {
        return;
    }
    take_ownership(loop);
    loop_timer_set_ms(&timer, wait_ms);
    turn(loop);
    loop_timer_cancel(&timer);
    timers_release(&loop->timers);
    atomic_store_explicit(&loop->owner, 0, memory_order_release);
}

void loop_stop(struct loop *loop)
{
    // release: what the caller did before is seen by whoever finds the loop stopped.
    atomic_store_explicit(&loop->stop, true, memory_order_release);
    wake(loop);
}

bool loop_is_current(const struct loop *loop)
{
    // acquire: pairs with the releases in loop_run; the thread that waited for its end owns the loop.
    uintptr_t owner = atomic_load_explicit(&loop->owner, memory_order_acquire);
    return owner == 0 || owner == (uintptr_t)pthread_self();
}

struct mono loop_now(const struct loop *loop)
{
    (void)loop;
    return clock_mono();
}

void loop_task_init(struct loop_task *task, loop_fn fn, void *arg)
{
    *task = (struct loop_task){.node = {NULL}, .fn = fn, .arg = arg, .owned = false};
    atomic_init(&task->queued, false);
}

bool loop_post_task(struct loop *loop, struct loop_task *task)
{
    // acq_rel: pairs with the exchange in run_tasks; see there.
    if (atomic_exchange_explicit(&task->queued, true, memory_order_acq_rel)) {
        return false;
    }
    if (mailbox_push(&loop->mailbox, &task->node)) {
        wake(loop);
    }
    return true;
}

void loop_unpost_task(struct loop *loop, struct loop_task *task)
{
    ASSERT_ON_LOOP(loop);
    take_posted(loop);
    for (struct mailbox_node **at = &loop->taken; *at != NULL; at = &(*at)->next) {
        if (*at == &task->node) {
            *at = task->node.next;
            atomic_store_explicit(&task->queued, false,
                                  memory_order_relaxed); // nobody posts it now
            break;
        }
    }
    if (loop->taken != NULL) {
        wake(loop); // the mailbox is empty now, so the next post alone would not
    }
}

enum err loop_post(struct loop *loop, loop_fn fn, void *arg)
{
    struct loop_task *task = malloc(sizeof(*task));
    if (task == NULL) {
        return ERR_NOMEM;
    }
    loop_task_init(task, fn, arg);
    task->owned = true;
    (void)loop_post_task(loop, task);
    return ERR_OK;
}

enum err loop_timer_new(struct loop *loop, loop_fn fn, void *arg, struct loop_timer **ret_timer)
{
    ASSERT_ON_LOOP(loop);
    struct loop_timer *timer = malloc(sizeof(*timer));
    if (timer == NULL) {
        return ERR_NOMEM;
    }
    if (timers_reserve(&loop->timers) != ERR_OK) {
        free(timer);
        return ERR_NOMEM;
    }
    *timer = (struct loop_timer){.entry = {{0}, 0}, .loop = loop, .fn = fn, .arg = arg};
    *ret_timer = timer;
    return ERR_OK;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer == NULL) {
        return;
    }
    loop_timer_cancel(timer);
    timers_release(&timer->loop->timers);
    free(timer);
}

void loop_timer_set(struct loop_timer *timer, struct mono at)
{
    ASSERT_ON_LOOP(timer->loop);
    timers_set(&timer->loop->timers, &timer->entry, at);
    if (timers_first(&timer->loop->timers) == &timer->entry) {
        timer->loop->timer_stale = true;
    }
}

void loop_timer_set_ms(struct loop_timer *timer, int64_t in_ms)
{
    loop_timer_set(timer, mono_add_ms(loop_now(timer->loop), in_ms));
}

void loop_timer_cancel(struct loop_timer *timer)
{
    ASSERT_ON_LOOP(timer->loop);
    // The event may now come too early; it then finds nothing due and is armed anew.
    timers_cancel(&timer->loop->timers, &timer->entry);
}

bool loop_timer_armed(const struct loop_timer *timer)
{
    return timers_armed(&timer->entry);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct loop_watch *watch = arg;
    unsigned ready = ((what & EV_READ) != 0 ? (unsigned)LOOP_READ : 0) |
                     ((what & EV_WRITE) != 0 ? (unsigned)LOOP_WRITE : 0);
    watch->watcher.fn(watch->watcher.arg, fd, ready);
}

enum err loop_watch_new(struct loop *loop, int fd, const struct loop_watcher *watcher,
                        struct loop_watch **ret_watch)
{
    ASSERT_ON_LOOP(loop);
    struct loop_watch *watch = malloc(sizeof(*watch));
    if (watch == NULL) {
        return ERR_NOMEM;
    }
    *watch = (struct loop_watch){NULL, loop->base, *watcher, fd, 0};
    watch->event = event_new(loop->base, fd, EV_READ | EV_PERSIST, on_ready, watch);
    if (watch->event == NULL) {
        free(watch);
        return ERR_NOMEM;
    }
    *ret_watch = watch;
    return ERR_OK;
}

void loop_watch_free(struct loop_watch *watch)
{
    if (watch != NULL) {
        event_free(watch->event);
        free(watch);
    }
}

enum err loop_watch_set(struct loop_watch *watch, unsigned interest)
{
    if (interest == watch->interest) {
        return ERR_OK;
    }
    event_del(watch->event);
    watch->interest = 0;
    if (interest == 0) {
        return ERR_OK;
    }
    short events = (short)(((interest & LOOP_READ) != 0 ? EV_READ : 0) |
                           ((interest & LOOP_WRITE) != 0 ? EV_WRITE : 0) | EV_PERSIST);
    if (event_assign(watch->event, watch->base, watch->fd, events, on_ready, watch) != 0 ||
        event_add(watch->event, NULL) != 0) {
        return ERR_IO;
    }
    watch->interest = interest;
    return ERR_OK;
}

static void on_signal(evutil_socket_t signal_number, short what, void *arg)
{
    (void)what;
    struct loop_signal_entry *entry = arg;
    entry->fn(entry->arg, (int)signal_number);
}

enum err loop_signal(struct loop *loop, int signal, loop_signal_fn fn, void *arg)
{
    if (loop->signal_count == SIGNALS_MAX) {
        return ERR_FULL;
    }
    struct loop_signal_entry *entry = &loop->signals[loop->signal_count];
    *entry = (struct loop_signal_entry){NULL, fn, arg};
    entry->event = evsignal_new(loop->base, signal, on_signal, entry);
    if (entry->event == NULL) {
        return ERR_NOMEM;
    }
    if (event_add(entry->event, NULL) != 0) {
        event_free(entry->event);
        return ERR_IO;
    }
    loop->signal_count++;
    return ERR_OK;
}

struct loop_scratch loop_scratch(struct loop *loop)
{
    if (loop->scratch == NULL) {
        loop->scratch = malloc(SCRATCH_LEN);
    }
    return (struct loop_scratch){loop->scratch, loop->scratch == NULL ? 0 : SCRATCH_LEN};
}

struct event_base *loop_event_base(struct loop *loop)
{
    return loop->base;
}
