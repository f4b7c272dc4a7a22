// SPDX-License-Identifier: Apache-2.0
// An overview on one screen, or as one JSON object.
// Main thread.  Read next: overview.h.
#pragma once

#include "base/err.h"

#include <stdio.h>

struct buf;
struct overview;
struct session;

// ERR_NOMEM: nothing was printed.
enum err overview_show(const struct overview *overview, const struct session *session,
                       FILE *out) MUST_USE;

// Appends one object.  Errors stay in `out`.
void overview_show_json(const struct overview *overview, struct buf *out);
