// SPDX-License-Identifier: Apache-2.0
// What the admin API reads from files: tokens and certificates, as one set that all workers share.
// Invariant: a set never changes once it is loaded; a reload makes a new one, and the old one goes with the
// last worker that has let go of it.
// [any].  Read next: renewal.h, tokens.h, base/tls.h.
#pragma once

#include "admin-api/server.h"
#include "base/time.h"

#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

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

#define SECRETS_FILES 4 // tokens, certificate, key, client CA

// How the files look from outside.  Follows symbolic links, by which some replace all files at once.
struct secrets_stamp {
    struct secrets_file {
        dev_t device; // all zero: not configured, or not there
        ino_t inode;
        off_t len;
        struct timespec modified;
    } files[SECRETS_FILES];
};

void secrets_stamp(const struct admin_options *options, struct secrets_stamp *ret_stamp);
bool secrets_stamp_eq(const struct secrets_stamp *a, const struct secrets_stamp *b);
// Is there any file to look at?
bool secrets_have_files(const struct admin_options *options);
