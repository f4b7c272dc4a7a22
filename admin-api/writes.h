// SPDX-License-Identifier: Apache-2.0
// The way of a write from a handler to the daemon and back.
//
//     handler --write_submit--> backend->submit ... done (any thread) --job_done--> write_job_end
//                 |                                                                  fills the answer
//                 +--> response PENDING: who drives the handler waits, at most timeout_ms,
//                      then answers by write_job_late (202) and lets the job end by itself
//
// Invariant: a job ends exactly once, by write_job_end, which frees it.  [worker] but where said.
// Read next: backend.h, handlers_write.c.
#pragma once

#include "admin-api/api.h"
#include "admin-api/request.h"
#include "admin-api/response.h"
#include "base/loop.h"

#define WRITE_TIMEOUT_DEFAULT_MS 5000
#define WRITE_TIMEOUT_MAX_MS (10 * 60 * 1000)

struct write_job {
    struct api *api;
    enum backend_outcome outcome;
    struct key_bytes shown;   // the registration that the answer shows
    bool is_delete;           // the answer has no body
    bool creates;             // nothing of that key was shown before
    int64_t timeout_ms;       // -1: until it is decided
    void *user;               // of who drives the handlers
    struct loop_task arrived; // likewise
};

struct write_order {
    const struct key_bytes *key; // of the record
    const struct patch *patch;
    const struct key_bytes *shown; // its registration; of a whole service: the policy key
    bool creates;
};

// Reads ?ack and ?timeout, hands the write over and makes the response PENDING (or a problem).
void write_submit(struct api *api, const struct request *request, const struct write_order *order,
                  struct response *response);

// The answer, now that the outcome is known; frees the job.  `response` NULL: nobody waits for it.
void write_job_end(struct write_job *job, struct response *response);

// The answer while it is not: 202.
void write_job_late(struct write_job *job, struct response *response);

// Does the condition of the request fail by what is held here?  When `surely`, only if no newer state of
// the stream can satisfy it.
bool write_condition_fails(struct api *api, const struct request *request,
                           const struct key_bytes *key, bool surely);
