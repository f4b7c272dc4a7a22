// SPDX-License-Identifier: Apache-2.0
// The admin API as one object: listeners, and the workers that serve what they accept, a thread each.
//
//     admin_new --> admin_start --> [reload]* --> admin_stop --> admin_free
//     daemon thread                 any thread    joins
//
//     first worker: accept --> the worker with the fewest connections, itself included
//
// Invariants: the listeners are bound when admin_new returns, and serve from admin_start on; nothing of
// the admin API runs on any thread but its workers', except admin_wake and the ends of writes, which only
// post; a connection stays with its worker; ceilings hold for all workers together.
// Read next: worker.h, handle.h (what becomes of a request), backend.h, watch.h.
#pragma once

#include "admin-api/auth.h"
#include "admin-api/backend.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define ADMIN_TEXT_LEN 320
#define ADMIN_PROBE_CONNECTIONS_MAX 64

// All of it is copied.  Strings may be NULL for "".
struct admin_options {
    const char *listen;       // "127.0.0.1:9810"; "" off
    const char *probe_listen; // "" off
    const char *unix_path;    // "" off
    mode_t unix_mode;
    const uid_t *unix_uids;
    size_t unix_uid_count;
    enum auth_mode write;
    const char *tls_cert_file, *tls_key_file, *client_ca_file;
    const char *tokens_file;
    const char *const *allowed_hosts;
    size_t allowed_host_count;
    bool require_if_match;
    uint32_t workers; // threads; 0 = 1
};

struct admin;

// The rules that need no socket and no file: a listener that is not loopback needs TLS and
// authentication, and so on.  ERR_INVALID: `ret_text` says what is wrong, beginning with the key.
enum err admin_options_check(const struct admin_options *options,
                             char ret_text[ADMIN_TEXT_LEN]) MUST_USE;

// Checks, reads tokens and certificates, binds.  `backend` is borrowed until admin_free.  ERR_INVALID,
// ERR_SYNTAX, ERR_TLS, ERR_NOT_FOUND, ERR_DENIED: configuration; ERR_BUSY, ERR_EXISTS: an address or a
// socket in use; ERR_NOMEM, ERR_IO.  `ret_text` begins with the key.  *gives* it.
enum err admin_new(const struct admin_options *options, const struct backend *backend,
                   char ret_text[ADMIN_TEXT_LEN], struct admin **ret_admin) MUST_USE;
// After admin_stop (or without a start), once the backend has answered all writes.  Accepts NULL.
void admin_free(struct admin *admin);

// ERR_IO: no thread.
enum err admin_start(struct admin *admin) MUST_USE;
// Lets answers that are under way finish, at most 3 s, and joins the threads.  Writes that are still with
// the backend are answered 503.
void admin_stop(struct admin *admin);

// Reads tokens and certificates again, soon; when they are not good everything stays as it was.  The log
// and meshpulse_config_reloads_total tell which.  The same happens by itself when the files change.  [any]
void admin_reload(struct admin *admin);

// Tells the watchers that the changefeed has grown; never blocks.  [any]
void admin_wake(void *admin);

// Asks each thread to show that it runs.  Never blocks.  Not again before all have answered.  [any]
void admin_ask(struct admin *admin);
// Have all of them, since they were asked?  [any]
bool admin_answered(const struct admin *admin);

// As bound: with the ports that the kernel chose; 0 where there is no such listener.  [any]
struct admin_addresses {
    uint16_t port;
    uint16_t probe_port;
    char listen[128]; // "127.0.0.1:9810"; "" none
    char probe_listen[128];
};
void admin_addresses(const struct admin *admin, struct admin_addresses *ret_addresses);
