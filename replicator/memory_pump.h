// SPDX-License-Identifier: Apache-2.0
// The embedded stream of a single node: a memory server whose time is the loop's.
//
//     wake (something waits) --> timer at memory_server_next --> memory_server_step --> events
//
// [loop].  Read next: stream/memory.h.
#pragma once

#include "base/err.h"
#include "stream/stream.h"

struct loop;
struct memory_pump;

struct memory_pump_options {
    struct loop *loop;
    uint32_t partitions;
    uint32_t retention;
    stream_event_fn on_event;
    void *arg;
};

// ERR_NOMEM.  *gives* it, and the stream of its one client, which is its own.
enum err memory_pump_new(const struct memory_pump_options *options, struct memory_pump **ret_pump,
                         struct stream **ret_stream) MUST_USE;
// Frees server and client.  Accepts NULL.
void memory_pump_free(struct memory_pump *pump);
