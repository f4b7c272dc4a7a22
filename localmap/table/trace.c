// SPDX-License-Identifier: Apache-2.0
#include "localmap/table/trace.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct trace {
    atomic_bool on; // relaxed: a hint, what counts is looked at under the mutex
    // Rank 36: its holder copies one event and calls nobody.  Guards all below.
    pthread_mutex_t mutex;
    struct trace_event *events; // NULL: off
    size_t count;
    uint64_t dropped;
};

enum err trace_new(struct trace **ret_trace)
{
    struct trace *trace = calloc(1, sizeof(*trace));
    if (trace == NULL || pthread_mutex_init(&trace->mutex, NULL) != 0) {
        free(trace);
        return ERR_NOMEM;
    }
    *ret_trace = trace;
    return ERR_OK;
}

void trace_free(struct trace *trace)
{
    if (trace == NULL) {
        return;
    }
    pthread_mutex_destroy(&trace->mutex);
    free(trace->events);
    free(trace);
}

enum err trace_start(struct trace *trace)
{
    struct trace_event *events = calloc(TRACE_EVENTS_MAX, sizeof(*events));
    if (events == NULL) {
        return ERR_NOMEM;
    }
    pthread_mutex_lock(&trace->mutex);
    const bool busy = trace->events != NULL;
    if (!busy) {
        trace->events = events;
        trace->count = 0;
        trace->dropped = 0;
        atomic_store_explicit(&trace->on, true, memory_order_relaxed);
    }
    pthread_mutex_unlock(&trace->mutex);
    if (busy) {
        free(events);
    }
    return busy ? ERR_BUSY : ERR_OK;
}

void trace_stop(struct trace *trace, struct trace_recorded *ret_recorded)
{
    pthread_mutex_lock(&trace->mutex);
    atomic_store_explicit(&trace->on, false, memory_order_relaxed);
    *ret_recorded = (struct trace_recorded){trace->events, trace->count, trace->dropped};
    trace->events = NULL;
    pthread_mutex_unlock(&trace->mutex);
}

bool trace_is_on(const struct trace *trace)
{
    return atomic_load_explicit(&trace->on, memory_order_relaxed);
}

void trace_add(struct trace *trace, const struct trace_event *event)
{
    if (!trace_is_on(trace)) {
        return;
    }
    const uint32_t thread = (uint32_t)gettid();
    pthread_mutex_lock(&trace->mutex);
    if (trace->events != NULL && trace->count < TRACE_EVENTS_MAX) {
        struct trace_event *place = &trace->events[trace->count++];
        *place = *event;
        place->thread = thread;
    } else {
        trace->dropped += trace->events != NULL;
    }
    pthread_mutex_unlock(&trace->mutex);
}

uint64_t trace_begin(const struct trace *trace)
{
    return trace_is_on(trace) ? clock_ns() : 0;
}

void trace_growth(struct trace *trace, uint32_t shard, const char *what, uint64_t began_ns)
{
    if (began_ns == 0) {
        return;
    }
    const struct trace_event event = {.kind = TRACE_GROWTH,
                                      .shard = shard,
                                      .site = what,
                                      .began_ns = began_ns,
                                      .took_ns = clock_ns() - began_ns};
    trace_add(trace, &event);
}
