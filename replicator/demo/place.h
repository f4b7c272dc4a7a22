// SPDX-License-Identifier: Apache-2.0
// The demo's own folder under $TMPDIR (/tmp): configuration, logs, the socket of its Redis.
// Invariant: nothing outside of it is written, and place_remove leaves nothing of it behind.
// [loop]  Read next: process.h.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PLACE_PATH_MAX 96 // a unix socket's path has at most 107 bytes

struct place {
    char path[PLACE_PATH_MAX];
};

// ERR_IO; ERR_TOO_LARGE: $TMPDIR is too long for a socket below it.
enum err place_new(struct place *ret_place) MUST_USE;
// Removes the folder and all that is in it; does not follow links.
void place_remove(const struct place *place);

// Writes `name` anew.  ERR_IO.
enum err place_write(const struct place *place, const char *name, const char *text) MUST_USE;
// "<path>/<name>"; must fit (asserted).
void place_name(const struct place *place, const char *name, char *ret_path, size_t cap);
// The last few lines of `name` to stderr; nothing when it cannot be read.
void place_print_tail(const struct place *place, const char *name);
