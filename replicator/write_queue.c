// SPDX-License-Identifier: Apache-2.0
#include "replicator/write_queue.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NO_SLOT UINT32_MAX

// Every event that waits stands in two lines: that of all, which is drained from its old end, and that of
// its priority, which loses its newest when there is no room.
enum { LINE_ALL = WRITE_QUEUE_PRIORITIES, LINES };

struct links {
    uint32_t older, newer;
};

struct line {
    uint32_t oldest, newest;
};

struct slot {
    struct links all, own; // places in the two lines; `all.newer` chains the free ones
    write_queue_done_fn done;
    void *arg;
    enum write_queue_priority priority;
    uint32_t len;
    char *large; // data that is not short
    char bytes[WRITE_QUEUE_SHORT_LEN];
};

struct write_queue {
    struct write_queue_options options;
    uint32_t mark; // events from which on it is not calm
    // Guards everything below but `slow_ms_now`, and the bytes of the slot that is being handed over.
    // Rank 10: nothing else is locked or called under it.
    pthread_mutex_t lock;
    struct slot *slots;
    uint32_t free; // first of the free ones; the one used last comes first
    uint32_t used; // slots that are not free
    uint32_t waiting;
    bool closed;
    bool draining; // the consumer is at it and will look again: it need not be woken
    struct line lines[LINES];
    uint64_t dropped[WRITE_QUEUE_PRIORITIES];
    uint64_t refused[WRITE_QUEUE_PRIORITIES];
    bool refusing;
    struct mono refusing_since, refused_last;
    struct mono slow_since; // while `slow_ms_now` is not 0
    uint64_t slow_us;       // of the times before
    // Written under the lock, read without.  Relaxed: it is a number of its own, nothing is published
    // through it, and a producer that is slowed down once too little or too much does no harm.
    _Atomic uint32_t slow_ms_now;
};

const char *write_queue_priority_name(enum write_queue_priority priority)
{
    static const char *const names[WRITE_QUEUE_PRIORITIES] = {
        [WRITE_QUEUE_OPERATOR] = "operator",
        [WRITE_QUEUE_API] = "api",
        [WRITE_QUEUE_CHECK] = "check",
        [WRITE_QUEUE_LATENCY] = "latency",
    };
    return names[priority];
}

static void lock(struct write_queue *queue)
{
    int error = pthread_mutex_lock(&queue->lock);
    ASSERT(error == 0);
}

static void unlock(struct write_queue *queue)
{
    int error = pthread_mutex_unlock(&queue->lock);
    ASSERT(error == 0);
}

// --- lines; all under the lock

static struct links *links_of(struct write_queue *queue, size_t line, uint32_t place)
{
    struct slot *slot = &queue->slots[place];
    return line == LINE_ALL ? &slot->all : &slot->own;
}

static void line_append(struct write_queue *queue, size_t at, uint32_t place)
{
    struct line *line = &queue->lines[at];
    *links_of(queue, at, place) = (struct links){.older = line->newest, .newer = NO_SLOT};
    if (line->newest == NO_SLOT) {
        line->oldest = place;
    } else {
        links_of(queue, at, line->newest)->newer = place;
    }
    line->newest = place;
}

static void line_remove(struct write_queue *queue, size_t at, uint32_t place)
{
    struct line *line = &queue->lines[at];
    const struct links links = *links_of(queue, at, place);
    if (links.older == NO_SLOT) {
        line->oldest = links.newer;
    } else {
        links_of(queue, at, links.older)->newer = links.newer;
    }
    if (links.newer == NO_SLOT) {
        line->newest = links.older;
    } else {
        links_of(queue, at, links.newer)->older = links.older;
    }
}

static void enqueue(struct write_queue *queue, uint32_t place)
{
    line_append(queue, LINE_ALL, place);
    line_append(queue, queue->slots[place].priority, place);
    queue->waiting++;
}

static void dequeue(struct write_queue *queue, uint32_t place)
{
    line_remove(queue, LINE_ALL, place);
    line_remove(queue, queue->slots[place].priority, place);
    queue->waiting--;
}

// --- the level and what follows from it; all under the lock

// Somebody was turned away because it is full.
static void note_full(struct write_queue *queue, struct mono now)
{
    int64_t after_ms = queue->options.slow_after_ms;
    if (!queue->refusing || mono_ms_between(queue->refused_last, now) > after_ms) {
        queue->refusing = true;
        queue->refusing_since = now;
    }
    queue->refused_last = now;
    bool slow = atomic_load_explicit(&queue->slow_ms_now, memory_order_relaxed) > 0;
    if (!slow && after_ms > 0 && mono_ms_between(queue->refusing_since, now) >= after_ms) {
        queue->slow_since = now;
        atomic_store_explicit(&queue->slow_ms_now, queue->options.slow_by_ms, memory_order_relaxed);
    }
}

static uint64_t slow_us_so_far(const struct write_queue *queue, struct mono now)
{
    bool slow = atomic_load_explicit(&queue->slow_ms_now, memory_order_relaxed) > 0;
    // Another thread's clock may have been read a little before.
    bool counts = slow && now.us > queue->slow_since.us;
    return queue->slow_us + (counts ? (uint64_t)(now.us - queue->slow_since.us) : 0);
}

static void slot_give_back(struct write_queue *queue, uint32_t place, struct mono now)
{
    queue->slots[place].all.newer = queue->free;
    queue->free = place;
    queue->used--;
    if (queue->used < queue->mark && queue->refusing) {
        queue->refusing = false;
        queue->slow_us = slow_us_so_far(queue, now);
        atomic_store_explicit(&queue->slow_ms_now, 0, memory_order_relaxed);
    }
}

// --- life

static uint32_t mark_of(const struct write_queue_options *options)
{
    uint32_t mark = (uint32_t)((uint64_t)options->capacity * options->drop_low_percent / 100);
    return mark > 0 ? mark : 1;
}

enum err write_queue_new(const struct write_queue_options *options, struct write_queue **ret_queue)
{
    if (options->capacity == 0 || options->capacity == NO_SLOT || options->drop_low_percent > 100) {
        return ERR_INVALID;
    }
    struct write_queue *queue = calloc(1, sizeof(*queue));
    if (queue == NULL) {
        return ERR_NOMEM;
    }
    queue->options = *options;
    queue->mark = mark_of(options);
    queue->slots = calloc(options->capacity, sizeof(*queue->slots));
    if (queue->slots == NULL) {
        goto free_queue;
    }
    if (pthread_mutex_init(&queue->lock, NULL) != 0) {
        goto free_slots;
    }
    for (uint32_t i = 0; i < options->capacity; i++) {
        queue->slots[i].all.newer = i + 1 < options->capacity ? i + 1 : NO_SLOT;
    }
    for (size_t i = 0; i < LINES; i++) {
        queue->lines[i] = (struct line){NO_SLOT, NO_SLOT};
    }
    *ret_queue = queue;
    return ERR_OK;

free_slots:
    free(queue->slots);
free_queue:
    free(queue);
    return ERR_NOMEM;
}

void write_queue_free(struct write_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    ASSERT(queue->closed && queue->used == 0);
    (void)pthread_mutex_destroy(&queue->lock);
    free(queue->slots);
    free(queue);
}

// --- putting

// Who is to be told that his event is gone, once the lock is free.
struct dropped {
    write_queue_done_fn done;
    void *arg;
    char *large;
};

static void tell(const struct dropped *dropped, enum write_queue_end end)
{
    free(dropped->large);
    if (dropped->done != NULL) {
        dropped->done(dropped->arg, end);
    }
}

// The newest of the least urgent events that wait, if they are less urgent than `priority`.
static uint32_t least_urgent(const struct write_queue *queue, enum write_queue_priority priority)
{
    for (size_t i = WRITE_QUEUE_PRIORITIES - 1; i > priority; i--) {
        if (queue->lines[i].newest != NO_SLOT) {
            return queue->lines[i].newest;
        }
    }
    return NO_SLOT;
}

static uint32_t displace(struct write_queue *queue, uint32_t place, struct dropped *ret_dropped)
{
    struct slot *slot = &queue->slots[place];
    dequeue(queue, place);
    queue->dropped[slot->priority]++;
    *ret_dropped = (struct dropped){slot->done, slot->arg, slot->large};
    return place;
}

// What became of an event under the lock.
struct admission {
    enum err err;
    bool taken;             // it stands in a slot
    bool wakes;             // the consumer does not know of it
    struct dropped dropped; // it, or one that made room for it
};

// The slot for an event that is not dropped; NO_SLOT: there is none.
static uint32_t slot_take(struct write_queue *queue, enum write_queue_priority priority,
                          struct mono now, struct dropped *ret_dropped)
{
    uint32_t place = queue->free;
    if (place != NO_SLOT) {
        queue->free = queue->slots[place].all.newer;
        queue->used++;
        return place;
    }
    note_full(queue, now);
    place = least_urgent(queue, priority);
    return place == NO_SLOT ? NO_SLOT : displace(queue, place, ret_dropped);
}

static void slot_fill(struct slot *slot, const struct write_queue_event *event, char *large)
{
    slot->done = event->done;
    slot->arg = event->arg;
    slot->priority = event->priority;
    slot->len = (uint32_t)event->data.len;
    slot->large = large;
    if (large == NULL && event->data.len > 0) {
        memcpy(slot->bytes, event->data.ptr, event->data.len);
    }
}

static struct admission admit(struct write_queue *queue, const struct write_queue_event *event,
                              char *large, struct mono now)
{
    struct admission admission = {.err = ERR_OK};
    if (queue->closed) {
        admission.err = ERR_CLOSED;
        return admission;
    }
    if (event->priority == WRITE_QUEUE_LATENCY && queue->used >= queue->mark) {
        queue->dropped[event->priority]++;
        admission.dropped = (struct dropped){event->done, event->arg, NULL};
        return admission;
    }
    uint32_t place = slot_take(queue, event->priority, now, &admission.dropped);
    if (place == NO_SLOT) {
        queue->refused[event->priority]++;
        admission.err = ERR_FULL;
        return admission;
    }
    admission.taken = true;
    admission.wakes = queue->waiting == 0 && !queue->draining;
    slot_fill(&queue->slots[place], event, large);
    enqueue(queue, place);
    return admission;
}

enum err write_queue_put(struct write_queue *queue, const struct write_queue_event *event,
                         struct mono now)
{
    char *large = NULL;
    ASSERT(event->priority < WRITE_QUEUE_PRIORITIES);
    if (event->data.len > WRITE_QUEUE_DATA_MAX) {
        return ERR_TOO_LARGE;
    }
    if (event->data.len > WRITE_QUEUE_SHORT_LEN) {
        large = malloc(event->data.len);
        if (large == NULL) {
            return ERR_NOMEM;
        }
        memcpy(large, event->data.ptr, event->data.len);
    }
    lock(queue);
    const struct admission admission = admit(queue, event, large, now);
    unlock(queue);
    if (!admission.taken) {
        free(large);
    }
    if (admission.wakes && queue->options.wake != NULL) {
        queue->options.wake(queue->options.wake_arg, event);
    }
    tell(&admission.dropped, WRITE_QUEUE_DROPPED);
    return admission.err;
}

// --- taking

// Gives `held` back (NO_SLOT: none is) and takes the oldest event, if `more`.
static uint32_t next(struct write_queue *queue, uint32_t held, bool more, struct mono now)
{
    lock(queue);
    if (held != NO_SLOT) {
        slot_give_back(queue, held, now);
    }
    uint32_t place = more ? queue->lines[LINE_ALL].oldest : NO_SLOT;
    if (place != NO_SLOT) {
        dequeue(queue, place);
    }
    queue->draining = place != NO_SLOT;
    unlock(queue);
    return place;
}

size_t write_queue_drain(struct write_queue *queue, size_t max,
                         const struct write_queue_consumer *consumer)
{
    size_t count = 0;
    uint32_t place = next(queue, NO_SLOT, max > 0, consumer->now);
    while (place != NO_SLOT) {
        struct slot *slot = &queue->slots[place];
        const struct write_queue_event event = {
            .data = span_of(slot->large == NULL ? slot->bytes : slot->large, slot->len),
            .priority = slot->priority,
            .done = slot->done,
            .arg = slot->arg};
        consumer->take(consumer->arg, &event);
        free(slot->large);
        count++;
        place = next(queue, place, count < max, consumer->now);
    }
    return count;
}

void write_queue_close(struct write_queue *queue)
{
    lock(queue);
    queue->closed = true;
    unlock(queue);
    // Nothing comes any more, so this ends; each is told with the lock free, and may put in vain.
    uint32_t place = next(queue, NO_SLOT, true, (struct mono){0});
    while (place != NO_SLOT) {
        const struct slot *slot = &queue->slots[place];
        const struct dropped dropped = {slot->done, slot->arg, slot->large};
        place = next(queue, place, true, (struct mono){0});
        tell(&dropped, WRITE_QUEUE_CLOSED);
    }
}

// --- what others want to know

uint32_t write_queue_slow_ms(const struct write_queue *queue)
{
    return atomic_load_explicit(&queue->slow_ms_now, memory_order_relaxed);
}

void write_queue_stats(struct write_queue *queue, struct mono now,
                       struct write_queue_stats *ret_stats)
{
    lock(queue);
    ret_stats->depth = queue->waiting;
    ret_stats->capacity = queue->options.capacity;
    memcpy(ret_stats->dropped, queue->dropped, sizeof(queue->dropped));
    memcpy(ret_stats->refused, queue->refused, sizeof(queue->refused));
    ret_stats->slow = write_queue_slow_ms(queue) > 0;
    ret_stats->slow_us = slow_us_so_far(queue, now);
    unlock(queue);
}
