// SPDX-License-Identifier: Apache-2.0
// A daemon for the tests of admin-api: a real map, a backend that applies writes to it at once (or answers
// with an outcome that the test wants, or holds the answer back), and one request in, one answer out.
// No socket, no thread, and no clock but for recordings, which compare with the map's.
#pragma once

#include "admin-api/handle.h"
#include "admin-api/writes.h"

#define FAKE_NOW_MS INT64_C(1795514400000) // 2026-11-24T10:00:00.000Z
#define FAKE_NODES 2
#define FAKE_PARTITIONS 4
#define FAKE_HEADERS_MAX 12

struct fake {
    struct map *map;
    struct backend backend;
    struct api api;
    struct api_scratch scratch;
    struct http1_listener_info listener;
    struct http1_peer peer;
    bool is_probe;

    bool forced; // answer `outcome` and do nothing
    enum backend_outcome outcome;
    bool keep_pending; // shown, but not accepted by the stream
    bool hold;         // the outcome comes with fake_release; recordings are left to the test
    void *held_arg;
    backend_done_fn held_done;
    enum backend_outcome held_outcome;
    struct write_job *job; // whose outcome has come

    struct tokens *tokens; // freed with the fake

    _Atomic uint32_t slow_ms;               // by how much writers are slowed down
    unsigned wants;                         // how often an evicted service was asked for
    struct key_bytes wanted;                // the last one
    unsigned submits;                       // how often submit was called
    enum backend_precondition precondition; // of the last write
    struct version version;
    bool ack_stream;
    bool live, ready, stream_ok;
    uint64_t counter; // of the next version
};

// ASSERTs that it works.
struct fake *fake_new(void);
void fake_free(struct fake *fake);

// Lets the held outcome come.
void fake_release(struct fake *fake);

// A registration of `service`/`instance` in `tenant`, accepted, 127.0.0.1:8081.
void fake_register(struct fake *fake, const char *tenant, const char *service,
                   const char *instance);
// Of an instance of default/pay; its health becomes `status`.
void fake_observe(struct fake *fake, const char *instance, const char *observer,
                  enum status status);
void fake_node(struct fake *fake, const char *id, bool up);

struct fake_request {
    const char *method;
    const char *target; // path and query
    const char *
        headers; // "Name: value\n..." ; NULL: Host, and the right Content-Type when there is a body
    const char *body; // NULL: none
};

// What came of it.  `body` is terminated; lives until the next call.
struct fake_answer {
    enum response_kind kind;
    unsigned status;
    const char *content_type;
    char headers[1024]; // "Name: value\n"...
    char *body;
};

// The same without copies; asserts nothing of the answer.  `response` is initialised, and stays to be
// finished.
void fake_handle(struct fake *fake, const struct fake_request *ask, struct response *response);

void fake_ask(struct fake *fake, const struct fake_request *ask, struct fake_answer *ret_answer);
void fake_answer_free(struct fake_answer *answer);

// The value of a header of the answer in `buf`; NULL: none.
const char *fake_header(const struct fake_answer *answer, const char *name, char *buf, size_t cap);
