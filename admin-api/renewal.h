// SPDX-License-Identifier: Apache-2.0
// Reads the secrets again: when asked to, and when their files have changed.
//
//     look every second:  the files have changed and stand still again --> read      (base/file_watch.h)
//     renewal_ask (SIGHUP) ----------------------------------------------> read
//     read: good --> given to whoever uses them        bad --> the old ones stay, an error line says why
//
// Invariant: what was given last is whole and belongs together.
// Also tells of a certificate that has expired, or soon will.
// [loop] but renewal_ask.  Read next: secrets.h, server.c.
#pragma once

#include "admin-api/secrets.h"
#include "base/loop.h"

#define RENEWAL_LOOK_MS 1000
#define RENEWAL_WARN_MS (INT64_C(7) * 24 * 3600 * 1000) // before a certificate ends

struct backend;

// What renewal_look tells of a certificate, each once.
enum renewal_age { RENEWAL_GOOD, RENEWAL_SOON, RENEWAL_EXPIRED };

struct renewal {
    struct loop *loop;
    const struct admin_options *options;              // borrowed
    const struct backend *backend;                    // of the time
    void (*give)(void *arg, struct secrets *secrets); // borrows
    void *arg;
    struct loop_timer *timer;
    struct loop_task ask;
    struct file_watch files;
    bool has_expiry;
    struct wall expiry;
    enum renewal_age told;
};

// With everything above `timer` set, `files` marked before `secrets` were read.  ERR_NOMEM.
enum err renewal_init(struct renewal *renewal, const struct secrets *secrets) MUST_USE;
void renewal_fini(struct renewal *renewal); // also when renewal_init failed, or all is zero

// [any]
void renewal_ask(struct renewal *renewal);

// By how much a certificate has aged.  Pure.
enum renewal_age renewal_age(struct wall expiry, struct wall now);
