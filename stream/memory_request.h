// SPDX-License-Identifier: Apache-2.0
// Calls on their way to the memory server: copied, executed when they are due, in the order in which each
// client made them.  One whose client lost its connection meanwhile may still be executed, as bytes that lie
// in a network may still arrive; then nobody hears the answer.
// Invariant: with no delay a call is executed at once, without a copy.
// One thread.  Read next: memory_client.c, which makes and executes calls.
#pragma once

#include "base/err.h"
#include "base/time.h"
#include "stream/stream.h"

struct memory_client;
struct memory_server;

enum memory_call_kind {
    MEMORY_META,
    MEMORY_CREATE,
    MEMORY_SCAN,
    MEMORY_PROBE,
    MEMORY_PUT,
    MEMORY_BEAT
};

// Borrows what it points to.
struct memory_call {
    enum memory_call_kind kind;
    uint32_t partition;
    struct stream_epoch epoch; // CREATE, PUT
    uint64_t cursor;           // SCAN
    struct stream_id id;       // PROBE
    const struct stream_record *records;
    uint32_t count;
    struct span name, payload; // BEAT
    int64_t lease_ms;
};

struct memory_request {
    struct memory_request *next;
    struct mono due;
    struct memory_client *client; // NULL: it has gone
    struct memory_call call;      // what it borrows lies behind this struct
};

// Executes the call now, or when the server's request delay has passed.
void memory_request_submit(struct memory_client *client, const struct memory_call *call);
// Executes what is due.
void memory_request_step(struct memory_server *server);
// The client's connection is gone: some of what is under way is lost.
void memory_request_orphan(struct memory_server *server, const struct memory_client *client);
void memory_request_drop_all(struct memory_server *server);
