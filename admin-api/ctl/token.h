// SPDX-License-Identifier: Apache-2.0
// The command `token`: a new bearer token, and the line for admin.tokens_file that lets it in.  The token
// itself is kept nowhere: whoever loses it makes a new one.
// Invariant: a line that is printed is one that admin-api/tokens.c takes, with those grants.
// Main thread; needs no daemon.  Read next: admin-api/tokens.h.
#pragma once

#include "base/err.h"

#include <stddef.h>

struct arguments;
struct buf;

#define TOKEN_LEN 67 // "mp_" and 32 bytes in hex
#define TOKEN_GRANTS_MAX 16

// Draws a token.
void token_make(char ret_token[TOKEN_LEN + 1]);

// Appends `NAME GRANTS sha256:HEX`; without grants it is `read`.  ERR_IO: no SHA-256; errors of memory stay
// in `out`.
enum err token_line(const char *name, const char *grants, const char *token,
                    struct buf *out) MUST_USE;

// NULL, or what is allowed instead of that name, of that list of grants (parted by commas).
const char *token_name_problem(const char *name);
const char *token_grants_problem(const char *grants);

// Returns the exit status.
int token_run(const struct arguments *arguments);
