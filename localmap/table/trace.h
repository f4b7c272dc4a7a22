// SPDX-License-Identifier: Apache-2.0
// What happens inside a table while somebody records it: waits for a lock, steps of growth.
//
//     off --trace_start--> on: [event][event]...[ ] up to the ceiling, then counted as dropped --trace_stop--> off
//
// Off, which is nearly always, it costs its callers one load of a flag.  Only what is slow anyhow is
// recorded, so that a lock around the buffer changes nothing that one wants to see.
// Any thread.  Read next: shard_lock.c, localmap/map_debug.h.
#pragma once

#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_EVENTS_MAX 8192

enum trace_kind {
    TRACE_WAIT,  // of a writer for a shard
    TRACE_GROWTH // one bounded step of a shard that moves into a larger index
};

struct trace_event {
    enum trace_kind kind;
    uint32_t shard;
    const char *site;  // who, or what
    const char *other; // of a wait: who was inside; NULL: nobody any more
    uint64_t began_ns; // as clock_ns()
    uint64_t took_ns;
    uint32_t thread; // as gettid(); set by trace_add
};

struct trace;

struct trace_recorded {
    struct trace_event *events; // to be freed
    size_t count;
    uint64_t dropped;
};

// *gives* it.  ERR_NOMEM.
enum err trace_new(struct trace **ret_trace) MUST_USE;
void trace_free(struct trace *trace); // accepts NULL

// Takes the memory for all events.  ERR_BUSY: somebody else records; ERR_NOMEM.
enum err trace_start(struct trace *trace) MUST_USE;
// By whoever has started it.
void trace_stop(struct trace *trace, struct trace_recorded *ret_recorded);

bool trace_is_on(const struct trace *trace);
// Nothing when it is off.
void trace_add(struct trace *trace, const struct trace_event *event);

// Around something that may be a step of growth: 0 when it is off, and then the second one does nothing.
uint64_t trace_begin(const struct trace *trace);
void trace_growth(struct trace *trace, uint32_t shard, const char *what, uint64_t began_ns);
