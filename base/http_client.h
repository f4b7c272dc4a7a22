// SPDX-License-Identifier: Apache-2.0
// One GET at a time to an IP literal, asynchronous, by libcurl's multi interface on our loop.  Made
// for probes: no name is resolved, no proxy used, no redirect followed, no connection kept, nothing
// but http and https spoken, the body cut at a ceiling. Invariant: each call answers exactly once,
// within its total timeout, never from inside http_client_get; a cancelled one not at all. [loop]
#pragma once

#include "base/address.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_client;
struct http_client_call;
struct loop;

enum http_client_outcome {
    HTTP_CLIENT_OK,               // an answer with a status, whatever the status
    HTTP_CLIENT_REFUSED,          // connection refused
    HTTP_CLIENT_UNREACHABLE,      // no route, or another failure to connect
    HTTP_CLIENT_CONNECT_TIMEOUT,  // TCP not connected within the timeout
    HTTP_CLIENT_RESPONSE_TIMEOUT, // connected, but no complete answer within the timeout
    HTTP_CLIENT_TLS_FAILED,       // handshake or verification
    HTTP_CLIENT_CLOSED,           // the peer closed or reset before the answer was complete
    HTTP_CLIENT_INVALID,          // what came is no HTTP
    HTTP_CLIENT_FAILED            // here: no memory, no descriptor
};

struct http_client_result;
typedef void (*http_client_done_fn)(void *arg, const struct http_client_result *result);

struct http_client_request {
    struct address address; // IP and port; or a unix socket
    bool tls;
    bool insecure;       // TLS: verify nothing
    const char *ca_file; // TLS: NULL or "" = the system's store
    const char *host;    // Host header, name for SNI and verification; NULL or "" = the IP
    const char *path;    // begins with "/"; sent as it is
    int64_t timeout_ms;  // total, > 0
    size_t body_max;     // 0 = 64 KiB; more is cut, and the answer counts as complete
    http_client_done_fn done;
    void *arg;
};

struct http_client_result {
    enum http_client_outcome outcome;
    unsigned status; // of HTTP_CLIENT_OK
    bool truncated;
    struct span body;    // borrowed until the callback returns
    const char *text;    // what went wrong, never NULL
    uint64_t latency_us; // from the call until its end
};

// ERR_NOMEM.  *gives* it.
enum err http_client_new(struct loop *loop, struct http_client **ret_client) MUST_USE;
// Cancels all calls.  Accepts NULL.
void http_client_free(struct http_client *client);

// Borrows `request` until return.  ERR_NOMEM; ERR_INVALID: a host or path with control bytes or
// spaces, a path without "/", a timeout <= 0.
enum err http_client_get(struct http_client *client, const struct http_client_request *request,
                         struct http_client_call **ret_call) MUST_USE;
// Only before its answer.
void http_client_cancel(struct http_client_call *call);
