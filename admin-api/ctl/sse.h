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

#include <stdbool.h>

#define SSE_ID_MAX 63
#define SSE_BLOCK_MAX (1U << 20) // more in one block is ERR_TOO_LARGE

#define SSE_EVENT_MAX 31

struct sse_event {
    const char *event; // "message" where the block names none
    const char *id;    // the last id; "" when none came yet
    struct span data;
};

// Borrows the event until return.
typedef void (*sse_event_fn)(void *arg, const struct sse_event *event);

struct sse {
    struct buf line;
    struct buf data;
    char event[SSE_EVENT_MAX + 1];
    char id[SSE_ID_MAX + 1];
    bool after_cr; // a LF that follows belongs to the CR
    bool has_data; // the block has a data field, if only an empty one
    sse_event_fn on_event;
    void *arg;
};

void sse_init(struct sse *sse, sse_event_fn on_event, void *arg);
void sse_fini(struct sse *sse);

// Reads on.  ERR_NOMEM; ERR_TOO_LARGE: a line or block over SSE_BLOCK_MAX.  After an error: sse_reset.
enum err sse_feed(struct sse *sse, struct span data) MUST_USE;

// A new stream begins: what was incomplete is dropped, the id stays.
void sse_reset(struct sse *sse);

// The last id that came; "" when none did.
const char *sse_id(const struct sse *sse);
