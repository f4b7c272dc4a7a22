// SPDX-License-Identifier: Apache-2.0
// One attempt to find out what a target is worth: an HTTP or HTTPS GET, or a TCP connection.
// Never follows a redirect, never resolves a name, never sends a body; what comes back is read up to a
// ceiling and thrown away but for the status.
// Invariant: each probe answers exactly once within its time-out, never from inside probe_start; a
// cancelled one not at all.
// [loop].  Read next: targets.h, base/http_client.h, base/conn.h.
#pragma once

#include "base/address.h"
#include "base/err.h"
#include "base/span.h"
#include "localmap/model/record.h"

#include <stdint.h>

struct loop;
struct probe;
struct probe_engine;

enum probe_outcome {
    PROBE_PASSED,
    PROBE_FAILED, // `reason` says how
    PROBE_NOTHING // it failed here (no memory, no descriptor): says nothing about the target
};

struct probe_result {
    enum probe_outcome outcome;
    enum reason reason; // CHECK_PASSED, or why it failed
    struct span text;   // more words, "503"; borrowed until the callback returns
    uint64_t latency_us;
};

typedef void (*probe_done_fn)(void *arg, const struct probe_result *result);

// Borrowed until probe_start returns.
struct probe_request {
    const struct check_policy *check; // HTTP, HTTPS or TCP
    struct address address;           // with the port to probe
    const char *path, *host;          // of `check`, terminated
};

// ERR_NOMEM.  *gives* it.
enum err probe_engine_new(struct loop *loop, struct probe_engine **ret_engine) MUST_USE;
// When no probe is under way any more.  Accepts NULL.
void probe_engine_free(struct probe_engine *engine);

struct probe_call {
    probe_done_fn done;
    void *arg;
};

// ERR_NOMEM, ERR_IO, ERR_INVALID (a path or host that cannot stand in a request), ERR_UNSUPPORTED (the
// type of check): not begun.
enum err probe_start(struct probe_engine *engine, const struct probe_request *request,
                     const struct probe_call *call, struct probe **ret_probe) MUST_USE;
// Only before its answer.
void probe_cancel(struct probe *probe);
