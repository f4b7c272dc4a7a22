// SPDX-License-Identifier: Apache-2.0
// The answer that a handler fills: status, a few headers, a body with a ceiling.
//
//     COMPLETE  all of it is here
//     MORE      the head and the first piece are; response_more appends the next ones
//     PENDING   the write in `job` has not ended: write_job_end will fill a response of its own
//     RECORDING it is being recorded: recording_end will fill a response of its own
//     WATCH     the head is here; the events of `watch` follow for as long as the client stays
//
// Borrows header values that are literals; others go through response_header, which copies.
// [worker].  Read next: problem.h, list.h, writes.h, recording.h, watch.h.
#pragma once

#include "admin-api/list.h"
#include "admin-api/watch_event.h"
#include "base/buf.h"
#include "base/http1_exchange.h"

#define RESPONSE_HEADERS_MAX 4
#define RESPONSE_HEADER_LEN 96
#define RESPONSE_BODY_MAX (4 * 1024 * 1024)

#define RESPONSE_JSON "application/json"
#define RESPONSE_TEXT "text/plain; charset=utf-8"

enum response_kind {
    RESPONSE_COMPLETE,
    RESPONSE_MORE,
    RESPONSE_PENDING,
    RESPONSE_RECORDING,
    RESPONSE_WATCH
};

struct response {
    enum response_kind kind;
    unsigned status;
    const char *content_type; // a literal; NULL: no body
    bool close;
    size_t header_count;
    struct http1_header headers[RESPONSE_HEADERS_MAX];
    char values[RESPONSE_HEADERS_MAX][RESPONSE_HEADER_LEN];
    struct buf body;
    struct list_cursor list;     // MORE
    struct write_job *job;       // PENDING
    struct recording *recording; // RECORDING
    struct watch_cursor watch;   // WATCH
};

void response_init(struct response *response);
void response_fini(struct response *response);

// `name` is a literal; `value` is copied (asserted to fit).
void response_header(struct response *response, const char *name, const char *value);

// Appends the next piece of a MORE; it becomes COMPLETE with the last one.  false: it is complete.
bool response_more(struct api *api, struct response *response);

struct span response_body(const struct response *response);

// Did the body not fit, or was there no memory for it?  Then it must not be sent.
bool response_is_broken(const struct response *response);
