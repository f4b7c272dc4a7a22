// SPDX-License-Identifier: Apache-2.0
// What a command of the client works with: its arguments, the connection to the daemon, and how to print.
// Invariant: a call that did not end with a 2xx status has said on stderr why, and its exit status tells
// scripts the same.
// Main thread.  Read next: client.h, run.h.
#pragma once

#include "admin-api/ctl/arguments.h"
#include "admin-api/ctl/table.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct client;
struct json;
struct target;

enum session_form { SESSION_TABLE, SESSION_WIDE, SESSION_JSON, SESSION_JSONL, SESSION_NAME };

struct session {
    const struct arguments *arguments;
    struct client *client;
    enum session_form form;
    struct table_options table;
    bool quiet;
    int64_t timeout_ms;
    unsigned status; // of the last answer
    struct buf body; // of the last answer
};

// CTL_OK, or an exit status when the options are not usable (said on stderr).
int session_open(struct session *session, const struct arguments *arguments);
void session_close(struct session *session);

// The value of an option, NULL when it was not given.
const char *session_value(const struct session *session, enum option_id id);
// "meshpulse: ..." to stderr.
void session_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

// The path of a target of the session's tenant.  These two: CTL_OK, or CTL_FAILED and why on stderr.
int session_path(const struct session *session, const struct target *target, struct buf *ret_path);
int session_check(const struct buf *buf);

// One request; `body` may be NULL.  The exit status that the answer means; the answer in status and body.
int session_call(struct session *session, const char *method, const char *path, const char *body);
// A GET whose answer is left to the caller, whatever its status: CTL_OK as soon as there is one.
int session_ask(struct session *session, const char *path);
// The answer as a tree, which it *gives*.
int session_parse(struct session *session, struct json **ret_root);

// For a second request beside a stream: a client of its own, which it *gives*.
int session_connect(const struct session *session, struct client **ret_client);
// What an answer means, its problem on stderr; and what it means that there was none.
int session_judge(unsigned status, struct span body);
int session_unreachable(const struct client *client, enum err err);
