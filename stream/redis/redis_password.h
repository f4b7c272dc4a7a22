// SPDX-License-Identifier: Apache-2.0
// AUTH, with the password that stands in a file: read anew each time, so that it can be rotated.
// Invariant: no copy of the secret stays in memory but the one in `out`, which the caller wipes.
// Any thread; reads the file.  Read next: redis_greet.c, redis_ask.h.
#pragma once

#include "base/err.h"

struct buf;

// Appends the command; `user` "" is the default user.  ERR_NOT_FOUND: the file cannot be read.  Errors of
// `out` stay in it.
enum err redis_password_auth(const char *user, const char *file, struct buf *out) MUST_USE;

// Overwrites all that `out` ever held, and empties it.
void redis_password_wipe(struct buf *out);
