// SPDX-License-Identifier: Apache-2.0
// What stands behind struct admin_options once it is copied and its files are read.
// Plain data of server.c.  Read next: server.h.
#pragma once

#include "admin-api/server.h"
#include "base/address.h"

struct tls_context;

// Secrets and certificates: what a reload replaces.
struct server_secrets {
    struct tokens *tokens;   // NULL: no tokens_file
    struct tls_context *tls; // NULL: plain
};

// A deep copy of the options.
struct server_options {
    struct admin_options plain; // its pointers lead to the copies
    char *strings;              // all strings, one after the other
    const char **hosts;
    struct span *host_spans;
    uid_t *uids;
};

enum err server_options_copy(const struct admin_options *options,
                             struct server_options *ret_options) MUST_USE;
void server_options_fini(struct server_options *options);

// ERR_* as admin_new; `ret_text` begins with the key.
enum err server_secrets_load(const struct admin_options *options, char ret_text[ADMIN_TEXT_LEN],
                             struct server_secrets *ret_secrets) MUST_USE;
void server_secrets_fini(struct server_secrets *secrets);
