// SPDX-License-Identifier: Apache-2.0
// Reads server-sent events (the "event stream" of the HTML standard) out of bytes that come in any pieces.
//
//     bytes --sse_feed--> on_event(event, id, data) for each block that ends with an empty line
//
// Invariant: the last id that came with a complete block is kept across sse_reset, as a reader that
// reconnects must send it.  Comments, retry and unknown fields are skipped; CR, LF and CRLF end a line.
// One thread, no input or output.  Read next: watch.c.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define SSE_ID_MAX 63
#define SSE_BLOCK_MAX (1U << 20) // more in one block is ERR_TOO_LARGE

struct sse_event {
    struct span event; // "message" where the block names none
    const char *id;    // the last id; "" when none came yet
    struct span data;
};

typedef void (*sse_event_fn)(void *arg, const struct sse_event *event);

struct sse {
    struct buf line;
    struct buf data;
    char event[32];
    char id[SSE_ID_MAX + 1];
    bool after_cr;
    bool has_data;
    sse_event_fn on_event;
    void *arg;
};
