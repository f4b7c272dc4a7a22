// SPDX-License-Identifier: Apache-2.0
// The files that a connection needs: CA, client certificate and key, made into a TLS context, and the password.
//
//     look every second:  the files have changed and stand still again --> read      (base/file_watch.h)
//     redis_secrets_read (SIGHUP) ---------------------------------------> read
//     read: good --> the context of the next connections      bad --> the one before stays, and a line says why
//
// The connection in use keeps what it began with.  The password is not kept: it is read at each greeting, so
// all that its change does here is to hasten the next attempt.
// Invariant: a context that was given is whole, key and certificate belong together.
// [loop].  Read next: base/tls.h, redis.c.
#pragma once

#include "base/err.h"
#include "base/file_watch.h"
#include "base/tls.h"

#include <stdbool.h>

struct loop;
struct loop_timer;
struct redis_options;

struct redis_secrets {
    const struct redis_options *options; // borrowed
    bool tls;
    struct tls_context *context; // NULL: none yet, or no TLS
    struct file_watch files;
    struct loop_timer *timer;
    void (*on_change)(void *arg); // what was read is good, and new
    void *arg;
};

// With `options`, `tls`, `on_change` and `arg` set; looks at nothing yet.  ERR_NOMEM.
enum err redis_secrets_init(struct redis_secrets *secrets, struct loop *loop) MUST_USE;
void redis_secrets_fini(struct redis_secrets *secrets);
// Begins to look, where there is a file to look at.
void redis_secrets_start(struct redis_secrets *secrets);
// Reads them now (SIGHUP).
void redis_secrets_read(struct redis_secrets *secrets);
// *ret_context: for one connection attempt, borrowed; NULL without TLS.  ERR_TLS, ERR_NOMEM: there never was
// a good one; `ret_text` says what is wrong with the files.
enum err redis_secrets_context(struct redis_secrets *secrets, char ret_text[TLS_TEXT_LEN],
                               struct tls_context **ret_context) MUST_USE;
