// SPDX-License-Identifier: Apache-2.0
#include "replicator/memory_watch.h"

#include "base/assert.h"
#include "base/loop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct memory_watch {
    struct memory_watch_options options;
    pthread_t thread;
    int stop_fd;
    struct loop_task task;
    pthread_mutex_t lock; // a leaf; guards the one below
    struct memory_reading newest;
    struct memory_reading last; // [loop]
};

// Returns in how many ms to read again.
static int64_t read_now(struct memory_watch *watch, struct memory_reading *reading)
{
    const struct memory_watch_options *options = &watch->options;
    reading->free = options->tend(options->arg);
    cgroup_read_memory(options->root, options->self, &reading->group);
    const struct bands_memory memory = {
        .usage = reading->group.usage,
        .limit = reading->group.known ? reading->group.limit : 0,
        .free = reading->free,
    };
    reading->verdict = bands_judge(&options->terms, &memory, reading->verdict.band);
    pthread_mutex_lock(&watch->lock);
    watch->newest = *reading;
    pthread_mutex_unlock(&watch->lock);
    (void)loop_post_task(options->loop, &watch->task);
    return bands_wait_ms(&memory, options->every_ms);
}

// false: it is over.
static bool wait_for_turn(const struct memory_watch *watch, int64_t wait_ms)
{
    struct pollfd wait = {.fd = watch->stop_fd, .events = POLLIN};
    int ready = 0;
    do {
        ready = poll(&wait, 1, (int)wait_ms);
    } while (ready < 0 && errno == EINTR);
    return ready == 0;
}

static void *helper(void *arg)
{
    struct memory_watch *watch = arg;
    struct memory_reading reading = {.verdict = {.band = BANDS_NORMAL}};
    int64_t wait_ms = 0;
    do {
        wait_ms = read_now(watch, &reading);
    } while (wait_for_turn(watch, wait_ms));
    return NULL;
}

static void on_task(void *arg)
{
    struct memory_watch *watch = arg;
    enum bands_band before = watch->last.verdict.band;
    pthread_mutex_lock(&watch->lock);
    watch->last = watch->newest;
    pthread_mutex_unlock(&watch->lock);
    watch->last.before = before;
    watch->options.on_reading(watch->options.arg, &watch->last);
}

// Signals are the loop's: the thread is born with all of them blocked.
static enum err start_thread(struct memory_watch *watch)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&watch->thread, NULL, helper, watch);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0 ? ERR_OK : ERR_IO;
}

enum err memory_watch_new(const struct memory_watch_options *options,
                          struct memory_watch **ret_watch)
{
    enum err err = ERR_IO;
    struct memory_watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return ERR_NOMEM;
    }
    watch->options = *options;
    loop_task_init(&watch->task, on_task, watch);
    watch->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->stop_fd < 0) {
        goto free_watch;
    }
    if (pthread_mutex_init(&watch->lock, NULL) != 0) {
        goto close_fd;
    }
    err = start_thread(watch);
    if (err != ERR_OK) {
        goto destroy_lock;
    }
    *ret_watch = watch;
    return ERR_OK;

destroy_lock:
    pthread_mutex_destroy(&watch->lock);
close_fd:
    (void)close(watch->stop_fd);
free_watch:
    free(watch);
    return err;
}

void memory_watch_free(struct memory_watch *watch)
{
    static const uint64_t one = 1;
    if (watch == NULL) {
        return;
    }
    ssize_t put = write(watch->stop_fd, &one, sizeof(one));
    ASSERT(put == sizeof(one));
    (void)pthread_join(watch->thread, NULL);
    loop_unpost_task(watch->options.loop, &watch->task);
    pthread_mutex_destroy(&watch->lock);
    (void)close(watch->stop_fd);
    free(watch);
}

const struct memory_reading *memory_watch_last(const struct memory_watch *watch)
{
    return &watch->last;
}
