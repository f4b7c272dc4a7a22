// SPDX-License-Identifier: Apache-2.0
// One HTTP client of the admin API, over TCP, TLS or a unix socket; the only file here that knows libcurl.
// No redirect is followed, no proxy used, nothing but http and https spoken; one connection is kept.
// Invariant: each call either has an HTTP status, or an error whose words are in client_problem.
// Blocks; one thread.  Read next: session.h.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct client;

struct client_options {
    const char *server;     // "http://host:port", "https://host:port", "unix:/path"
    const char *token_file; // these four: NULL = none
    const char *ca_file;
    const char *cert_file;
    const char *key_file;
    int64_t timeout_ms; // total of a call; of a stream for connecting only
    bool verbose;       // requests and statuses to stderr
};

// Is it one of the forms that `server` takes?
bool client_server_is_valid(const char *server);

// Borrows the options, keeps their strings.  ERR_NOMEM; ERR_IO: the token file cannot be read or holds no
// token; ERR_INVALID: not a server.
enum err client_new(const struct client_options *options, struct client **ret_client) MUST_USE;
void client_free(struct client *client);

// A piece of the body, with the status that it belongs to.  false ends the call (ERR_CLOSED).
typedef bool (*client_data_fn)(void *arg, unsigned status, struct span data);

struct client_request {
    const char *method;
    const char *path;          // with its query; begins with "/"
    const char *body;          // NULL: none; JSON, or merge-patch+json for PATCH
    const char *if_match;      // NULL: none; as the header wants it
    const char *last_event_id; // NULL: none
    bool stream; // an endless answer: no total timeout, but 45 s without a byte end it
    client_data_fn on_data;
    void *arg;
};

// ERR_REFUSED: not connected; ERR_TIMEOUT; ERR_TLS; ERR_CLOSED: the answer ended early, or on_data ended
// it; ERR_IO: anything else; ERR_NOMEM.
enum err client_call(struct client *client, const struct client_request *request,
                     unsigned *ret_status) MUST_USE;

// What went wrong in the last call, in libcurl's words; never NULL.
const char *client_problem(const struct client *client);
