// SPDX-License-Identifier: Apache-2.0
// What the handlers share: the daemon, the rules, and memory that would be too large for the stack.
// Invariant: used by one thread at a time; the rules change only between two requests.
// [worker].  Read next: handle.h, backend.h.
#pragma once

#include "admin-api/auth.h"
#include "admin-api/backend.h"
#include "admin-api/host.h"

#include <stdbool.h>
#include <stdint.h>

#define API_TEMPLATE_INSTANCE "/v1/services/{s}/instances/{i}"
#define API_JOBS_MAX 4096 // writes whose outcome is still to come
#define API_KEYS_PAGE 64

struct write_job;

// Copies of records, one set per thread.
struct api_scratch {
    struct map_copy registration;
    struct map_copy override;
    struct map_copy observation;
    struct map_copy node;
    struct key_bytes keys[API_KEYS_PAGE];         // of a list
    struct key_bytes observations[API_KEYS_PAGE]; // of one instance
};

struct api {
    const struct backend *backend;
    struct auth_rules auth;
    struct host_rules hosts;
    bool require_if_match;
    uint32_t job_count;       // not more than API_JOBS_MAX
    uint32_t recording_count; // not more than RECORDINGS_MAX
    struct api_scratch *scratch;

    // A write's outcome is there: hand `job` to this thread's write_job_end.  Called from any thread, also
    // from inside handle_request.
    void (*job_done)(void *arg, struct write_job *job);
    void *job_arg;

    // Sets the gauges of all workers, before they are shown.  NULL: there are none.
    void (*measure)(void *arg);
    void *measure_arg;
};
