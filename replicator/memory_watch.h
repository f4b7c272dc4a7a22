// SPDX-License-Identifier: Apache-2.0
// Looks at the memory of our control group all the while, and says in which band the map is.
//
//     helper thread:  tend the map -> read the group -> band, verdict -> post ----.     and again after every_ms,
//     loop:           on_reading  <-----------------------------------------------'     sooner the less is left
//
// The reading has a thread of its own: the kernel adds up a group's counters while they are read, and a
// laid-out tree may lie anywhere.
// Invariant: the loop hears of the newest reading, once; how soon the next one comes does not hang on the loop.
// [loop].
// Read next: localmap/bands.h, base/cgroup.h, memory_stage.h.
#pragma once

#include "base/cgroup.h"
#include "base/err.h"
#include "localmap/bands.h"

struct loop;
struct memory_watch;

struct memory_reading {
    struct cgroup_memory group;
    uint64_t free;          // bytes that the map holds and does not use
    enum bands_band before; // of the reading that the loop heard of last
    struct bands_verdict verdict;
};

typedef void (*memory_watch_fn)(void *arg, const struct memory_reading *reading);
typedef uint64_t (*memory_tend_fn)(void *arg); // on the helper's thread; returns `free`

struct memory_watch_options {
    struct loop *loop;
    const char *root, *self; // of cgroup_read_memory; *kept*
    struct bands_terms terms;
    int64_t every_ms;
    memory_watch_fn on_reading;
    memory_tend_fn tend;
    void *arg; // of both
};

// *gives* a watch whose thread runs.  ERR_NOMEM, ERR_IO (no thread, no descriptor).
enum err memory_watch_new(const struct memory_watch_options *options,
                          struct memory_watch **ret_watch) MUST_USE;
// Waits for the thread, hence for one reading at most.  Accepts NULL.
void memory_watch_free(struct memory_watch *watch);

// The newest reading; all zeros before the first.
const struct memory_reading *memory_watch_last(const struct memory_watch *watch);
