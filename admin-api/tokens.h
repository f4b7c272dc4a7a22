// SPDX-License-Identifier: Apache-2.0
// The tokens file: who may read and write what.  One line a token,
//
//     NAME read|write[:TENANT][,read|write[:TENANT]]... sha256:HEX
//
// HEX is the SHA-256 of the token itself, which is nowhere kept.  Empty lines and lines that begin with
// `#` are skipped.  write includes read; without a TENANT a grant holds for all tenants and for what
// belongs to none.
// Invariant: a lookup takes the same time whichever token matches, or none does.
// Immutable once parsed, any thread.  Read next: auth.h.
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "localmap/model/key.h"

#include <stdbool.h>
#include <stddef.h>

#define TOKENS_MAX 1024
#define TOKENS_GRANTS_MAX 16
#define TOKENS_FILE_MAX (1024 * 1024)
#define TOKENS_NAME_MAX KEY_OBSERVER_MAX
#define TOKENS_TEXT_LEN 160

struct tokens;

struct tokens_grant {
    bool write;
    char tenant[KEY_TENANT_MAX + 1]; // "" all
};

struct token {
    char name[TOKENS_NAME_MAX + 1];
    size_t grant_count;
    struct tokens_grant grants[TOKENS_GRANTS_MAX];
    char hash_hex[65];
};

// ERR_SYNTAX with `ret_text` = "line 3: what is wrong"; ERR_TOO_LARGE: over TOKENS_MAX; ERR_NOMEM.
// *gives* the set.
enum err tokens_parse(struct span file, char ret_text[TOKENS_TEXT_LEN],
                      struct tokens **ret_tokens) MUST_USE;
// Reads and parses the file.  Further errors: ERR_NOT_FOUND, ERR_DENIED, ERR_IO.
enum err tokens_load(const char *path, char ret_text[TOKENS_TEXT_LEN],
                     struct tokens **ret_tokens) MUST_USE;
void tokens_free(struct tokens *tokens); // accepts NULL

size_t tokens_count(const struct tokens *tokens);

// The token whose hash is that of `secret`; NULL: none.  Borrows from the set.
const struct token *tokens_find(const struct tokens *tokens, struct span secret);

// May its bearer read (or write) in `tenant`?  "" asks for what belongs to no tenant, or to all.
bool tokens_allow(const struct token *token, struct span tenant, bool write);
