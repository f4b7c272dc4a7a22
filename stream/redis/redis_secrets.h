// SPDX-License-Identifier: Apache-2.0
// The files that a connection needs: CA, client certificate and key, made into a TLS context, and the password.
//
//     look every second:  stamps differ from what was read? --> still the same at the next look? --> read
//     redis_secrets_read (SIGHUP) ------------------------------------------------------------------> read
//     read: good --> the context of the next connections      bad --> the one before stays, and a line says why
//
// The connection in use keeps what it began with.  The password is not kept: it is read at each greeting, so
// all that its change does here is to hasten the next attempt.
// Invariant: a context that was given is whole, key and certificate belong together.
// [loop].  Read next: base/tls.h, redis.c.
#pragma once

#include "base/err.h"
#include "base/tls.h"

#include <stdbool.h>
#include <sys/stat.h>

struct loop;
struct loop_timer;
struct redis_options;

enum { REDIS_SECRETS_FILES = 4 };

// How the files look from outside; follows symbolic links, by which some replace all files at once.
struct redis_stamps {
    struct redis_stamp {
        dev_t device; // all zero: not configured, or not there
        ino_t inode;
        off_t len;
        struct timespec modified;
    } files[REDIS_SECRETS_FILES];
};

struct redis_secrets {
    const struct redis_options *options; // borrowed
    bool tls;
    struct tls_context *context; // NULL: none yet, or no TLS
    struct redis_stamps read, seen;
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
