// SPDX-License-Identifier: Apache-2.0
// Follows the daemon's changes as server-sent events, over lost connections and restarts of the daemon.
//
//     connect --event--> on_change ...        the daemon lost our place, or is another one: on_resync
//        ^                 |
//        +---0.2 .. 5 s----+ connection lost: again, with the last id
//
// Invariant: between two events that came no change is missing, unless there was a resync between them.
// Main thread; blocks.  Read next: sse.h, get.c.
#pragma once

#include "base/span.h"

#include <stdbool.h>

struct json;
struct session;

struct watch_event {
    const struct json *object; // the event's data
    struct span text;          // the same as it came
    bool deleted;
};

struct watch_options {
    struct span service; // empty: all
    const char *since;   // index of a list; NULL: from now on
    void (*on_change)(void *arg, const struct watch_event *event);
    void (*on_resync)(void *arg, struct span text);
    void *arg;
};

// Until something cannot be helped; its exit status, the words on stderr.
int watch_follow(struct session *session, const struct watch_options *options);
