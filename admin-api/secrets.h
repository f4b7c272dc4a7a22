// SPDX-License-Identifier: Apache-2.0
// What the admin API reads from files: tokens and certificates, as one set that all workers share.
// Invariant: a set never changes once it is loaded; a reload makes a new one, and the old one goes with the
// last worker that has let go of it.
// [any].  Read next: renewal.h, tokens.h, base/tls.h.
#pragma once

#include "admin-api/server.h"
#include "base/file_watch.h"
#include "base/time.h"

#include <stdatomic.h>

struct tls_context;

struct secrets {
    struct tokens *tokens;   // NULL: no tokens_file
    struct tls_context *tls; // NULL: plain
    atomic_uint references;
};

// ERR_* as admin_new; `ret_text` begins with the key.  *gives* one reference.
enum err secrets_load(const struct admin_options *options, char ret_text[ADMIN_TEXT_LEN],
                      struct secrets **ret_secrets) MUST_USE;
struct secrets *secrets_keep(struct secrets *secrets);
// Drops one reference.  Accepts NULL.
void secrets_drop(struct secrets *secrets);

// When the certificate ends.  false: there is none.
bool secrets_expiry(const struct secrets *secrets, struct wall *ret_expiry);

// Watches all their files, which count as read now.  Borrows the paths from the options.
void secrets_watch(const struct admin_options *options, struct file_watch *ret_watch);
