// SPDX-License-Identifier: Apache-2.0
// Commands to a Redis, one after another, each waited for: for what runs in front of a person and ends.
// The daemon never uses it: it blocks.
//
//     redis_ask_new --redis_ask_open--> connected, AUTH and SELECT done --redis_ask_call ...--> redis_ask_free
//
// Invariant: each call ends within its deadline, with the server's reply or with an error whose words are in
// redis_ask_problem.
// Main thread; no other loop may run.  Read next: redis_link.h, resp.h.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

struct redis_ask;
struct resp_reply;

struct redis_ask_options {
    const char *url;                            // redis_url.h
    const char *user;                           // "" = the default user
    const char *password_file;                  // "" = none
    const char *ca_file, *cert_file, *key_file; // of rediss://; "" = none
    int64_t connect_timeout_ms, reply_timeout_ms;
};

// Borrows the options as long as it lives.  ERR_SYNTAX: the url; ERR_NOMEM; ERR_IO (no descriptor or thread).
enum err redis_ask_new(const struct redis_ask_options *options,
                       struct redis_ask **ret_ask) MUST_USE;
void redis_ask_free(struct redis_ask *ask); // accepts NULL

// Once.  ERR_REFUSED: no connection; ERR_DENIED: the server refuses us.
enum err redis_ask_open(struct redis_ask *ask) MUST_USE;

struct redis_ask_call {
    const struct span *words; // of the command
    size_t word_count;
    void (*on_reply)(void *arg,
                     const struct resp_reply *reply); // borrowed until return; never an error
    void *arg;
};

// ERR_DENIED: the server answers with an error; ERR_CLOSED: the connection is gone, or no answer came in
// time; nothing can be asked after that.
enum err redis_ask_call(struct redis_ask *ask, const struct redis_ask_call *call) MUST_USE;

// What went wrong last; "" nothing.
const char *redis_ask_problem(const struct redis_ask *ask);
