// SPDX-License-Identifier: Apache-2.0
#include "replicator/write_queue.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_STEP 256 // bytes of a slot grow by doubling from here
#define SLOT_NONE UINT32_MAX

// A slot is free, being filled or emptied by one thread that owns it, or in a line.
struct slot {
    struct write_queue_event event; // its spans point into `bytes`
    struct mono since;
    uint32_t next;
    uint32_t cap;
    char *bytes;
};

struct line {
    uint32_t first, last;
};

struct write_queue {
    struct write_queue_options options;
    // Guards everything below, but not what is in a slot that a thread owns.  Rank: innermost, nothing
    // else is locked or called under it.
    pthread_mutex_t lock;
    struct slot *slots;
    uint32_t free;    // first of the free ones, chained; the one used last comes first
    uint32_t used;    // slots that are not free
    uint32_t waiting; // slots in lines
    bool closed;
    struct line lines[WRITE_QUEUE_PRIORITIES];
    uint64_t refused[WRITE_QUEUE_PRIORITIES];
};

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

enum err write_queue_new(const struct write_queue_options *options, struct write_queue **ret_queue)
{
    if (options->capacity == 0 || options->capacity == SLOT_NONE ||
        options->drop_low_percent > 100) {
        return ERR_INVALID;
    }
    struct write_queue *queue = calloc(1, sizeof(*queue));
    if (queue == NULL) {
        return ERR_NOMEM;
    }
    queue->options = *options;
    queue->slots = calloc(options->capacity, sizeof(*queue->slots));
    if (queue->slots == NULL) {
        goto free_queue;
    }
    if (pthread_mutex_init(&queue->lock, NULL) != 0) {
        goto free_slots;
    }
    for (uint32_t i = 0; i < options->capacity; i++) {
        queue->slots[i].next = i + 1 < options->capacity ? i + 1 : SLOT_NONE;
    }
    for (size_t i = 0; i < WRITE_QUEUE_PRIORITIES; i++) {
        queue->lines[i] = (struct line){SLOT_NONE, SLOT_NONE};
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
    for (uint32_t i = 0; i < queue->options.capacity; i++) {
        free(queue->slots[i].bytes);
    }
    free(queue->slots);
    free(queue);
}

// How many slots may be in use when an event of this priority has been taken.
static uint32_t ceiling(const struct write_queue *queue, enum write_queue_priority priority)
{
    uint32_t capacity = queue->options.capacity;
    switch (priority) {
    case WRITE_QUEUE_API:
    case WRITE_QUEUE_CHECK:
        return capacity - capacity / 16;
    case WRITE_QUEUE_LATENCY:
        return (uint32_t)((uint64_t)capacity * queue->options.drop_low_percent / 100);
    case WRITE_QUEUE_OPERATOR:
    case WRITE_QUEUE_PRIORITIES:
        break;
    }
    return capacity;
}

// Takes a free slot for an event.
static enum err slot_take(struct write_queue *queue, enum write_queue_priority priority,
                          struct slot **ret_slot)
{
    enum err err = ERR_OK;
    lock(queue);
    if (queue->closed) {
        err = ERR_CLOSED;
    } else if (queue->used >= ceiling(queue, priority)) {
        queue->refused[priority]++;
        err = ERR_FULL;
    } else {
        struct slot *slot = &queue->slots[queue->free];
        queue->free = slot->next;
        queue->used++;
        *ret_slot = slot;
    }
    unlock(queue);
    return err;
}

static void slot_give_back(struct write_queue *queue, struct slot *slot)
{
    lock(queue);
    slot->next = queue->free;
    queue->free = (uint32_t)(slot - queue->slots);
    queue->used--;
    unlock(queue);
}

static enum err slot_fill(struct slot *slot, const struct write_queue_event *event)
{
    size_t len = event->key.len + event->patch.len;
    if (len > slot->cap) {
        size_t cap = slot->cap == 0 ? BYTES_STEP : slot->cap;
        while (cap < len) {
            cap *= 2;
        }
        cap = cap < WRITE_QUEUE_BYTES_MAX ? cap : WRITE_QUEUE_BYTES_MAX;
        char *bytes = realloc(slot->bytes, cap);
        if (bytes == NULL) {
            return ERR_NOMEM;
        }
        slot->bytes = bytes;
        slot->cap = (uint32_t)cap;
    }
    slot->event = *event;
    slot->event.key = span_of(slot->bytes, event->key.len);
    slot->event.patch = span_of(slot->bytes + event->key.len, event->patch.len);
    if (event->key.len > 0) {
        memcpy(slot->bytes, event->key.ptr, event->key.len);
    }
    if (event->patch.len > 0) {
        memcpy(slot->bytes + event->key.len, event->patch.ptr, event->patch.len);
    }
    return ERR_OK;
}

// Puts a filled slot at the end of its line.  ERR_CLOSED: the queue was closed meanwhile.
static enum err line_append(struct write_queue *queue, struct slot *slot, bool *ret_was_empty)
{
    struct line *line = &queue->lines[slot->event.priority];
    uint32_t place = (uint32_t)(slot - queue->slots);
    lock(queue);
    bool closed = queue->closed;
    if (!closed) {
        slot->next = SLOT_NONE;
        if (line->last == SLOT_NONE) {
            line->first = place;
        } else {
            queue->slots[line->last].next = place;
        }
        line->last = place;
        *ret_was_empty = queue->waiting++ == 0;
    }
    unlock(queue);
    return closed ? ERR_CLOSED : ERR_OK;
}

enum err write_queue_put(struct write_queue *queue, const struct write_queue_event *event,
                         struct mono now)
{
    struct slot *slot = NULL;
    bool was_empty = false;
    ASSERT(event->priority < WRITE_QUEUE_PRIORITIES);
    if (event->key.len > KEY_LEN_MAX || event->patch.len > PATCH_LEN_MAX) {
        return ERR_TOO_LARGE;
    }
    enum err err = slot_take(queue, event->priority, &slot);
    if (err != ERR_OK) {
        return err;
    }
    err = slot_fill(slot, event);
    if (err == ERR_OK) {
        slot->since = now;
        err = line_append(queue, slot, &was_empty);
    }
    if (err != ERR_OK) {
        slot_give_back(queue, slot);
        return err;
    }
    if (was_empty && queue->options.wake != NULL) {
        queue->options.wake(queue->options.wake_arg);
    }
    return ERR_OK;
}

// Takes the most urgent event out of its line; NULL: none waits.
static struct slot *line_pop(struct write_queue *queue)
{
    struct slot *slot = NULL;
    lock(queue);
    for (size_t i = 0; i < WRITE_QUEUE_PRIORITIES && slot == NULL; i++) {
        struct line *line = &queue->lines[i];
        if (line->first != SLOT_NONE) {
            slot = &queue->slots[line->first];
            line->first = slot->next;
            line->last = line->first == SLOT_NONE ? SLOT_NONE : line->last;
            queue->waiting--;
        }
    }
    unlock(queue);
    return slot;
}

size_t write_queue_drain(struct write_queue *queue, size_t max, write_queue_take_fn take, void *arg)
{
    size_t count = 0;
    struct slot *slot = NULL;
    while (count < max && (slot = line_pop(queue)) != NULL) {
        take(arg, &slot->event);
        slot_give_back(queue, slot);
        count++;
    }
    return count;
}

void write_queue_close(struct write_queue *queue, enum write_queue_outcome outcome)
{
    struct slot *slot = NULL;
    lock(queue);
    queue->closed = true;
    unlock(queue);
    while ((slot = line_pop(queue)) != NULL) {
        write_queue_done_fn done = slot->event.done;
        void *arg = slot->event.arg;
        slot_give_back(queue, slot);
        if (done != NULL) {
            done(arg, outcome);
        }
    }
}

uint32_t write_queue_len(struct write_queue *queue)
{
    lock(queue);
    uint32_t len = queue->waiting;
    unlock(queue);
    return len;
}

uint32_t write_queue_slow_ms(struct write_queue *queue, struct mono now)
{
    int64_t waited_ms = 0;
    lock(queue);
    for (size_t i = 0; i < WRITE_QUEUE_PRIORITIES; i++) {
        if (queue->lines[i].first != SLOT_NONE) {
            int64_t ms = mono_ms_between(queue->slots[queue->lines[i].first].since, now);
            waited_ms = ms > waited_ms ? ms : waited_ms;
        }
    }
    unlock(queue);
    bool slow = queue->options.slow_after_ms > 0 && waited_ms > queue->options.slow_after_ms;
    return slow ? queue->options.slow_by_ms : 0;
}

uint64_t write_queue_refused(struct write_queue *queue, enum write_queue_priority priority)
{
    lock(queue);
    uint64_t refused = queue->refused[priority];
    unlock(queue);
    return refused;
}
