// SPDX-License-Identifier: Apache-2.0
#include "admin-api/tokens.h"

#include "base/crypto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define HASH_PREFIX "sha256:"
#define HASH_HEX_LEN (2 * CRYPTO_SHA256_LEN)

struct tokens {
    size_t count;
    size_t cap;
    struct token *rows;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

// The next word of a line; advances it.  Empty: none.
static struct span take_word(struct span *line)
{
    size_t start = 0;
    while (start < line->len && is_blank(line->ptr[start])) {
        start++;
    }
    size_t end = start;
    while (end < line->len && !is_blank(line->ptr[end])) {
        end++;
    }
    struct span word = span_of(line->ptr + start, end - start);
    *line = span_of(line->ptr + end, line->len - end);
    return word;
}

// The text up to `separator` or to the end; advances `rest` behind it.
static struct span take_until(struct span *rest, char separator)
{
    const char *found = rest->len == 0 ? NULL : memchr(rest->ptr, separator, rest->len);
    size_t len = found == NULL ? rest->len : (size_t)(found - rest->ptr);
    struct span head = span_of(rest->ptr, len);
    size_t skipped = found == NULL ? len : len + 1;
    *rest = span_of(rest->ptr + skipped, rest->len - skipped);
    return head;
}

static const char *parse_name(struct span word, struct token *token)
{
    if (key_name_check(word, TOKENS_NAME_MAX) != ERR_OK || word.ptr[0] == '!') {
        return "the name is not one that an observer may have";
    }
    memcpy(token->name, word.ptr, word.len);
    token->name[word.len] = '\0';
    return NULL;
}

static const char *parse_grant(struct span text, struct tokens_grant *grant)
{
    struct span rest = text;
    struct span verb = take_until(&rest, ':');
    bool has_tenant = verb.len < text.len;
    if (!span_eq_str(verb, "read") && !span_eq_str(verb, "write")) {
        return "a grant is read or write, with :TENANT or without";
    }
    if (has_tenant && key_name_check(rest, KEY_TENANT_MAX) != ERR_OK) {
        return "the tenant of a grant is not a name";
    }
    *grant = (struct tokens_grant){.write = span_eq_str(verb, "write")};
    if (has_tenant) {
        memcpy(grant->tenant, rest.ptr, rest.len);
    }
    return NULL;
}

static const char *parse_grants(struct span word, struct token *token)
{
    if (word.len == 0) {
        return "the grants are missing";
    }
    struct span rest = word;
    do {
        if (token->grant_count == TOKENS_GRANTS_MAX) {
            return "too many grants";
        }
        bool more = memchr(rest.ptr, ',', rest.len) != NULL;
        const char *wrong = parse_grant(take_until(&rest, ','), &token->grants[token->grant_count]);
        if (wrong != NULL) {
            return wrong;
        }
        token->grant_count++;
        if (more && rest.len == 0) {
            return "the grants end in a comma";
        }
    } while (rest.len > 0);
    return NULL;
}

static const char *parse_hash(struct span word, struct token *token)
{
    size_t prefix_len = sizeof(HASH_PREFIX) - 1;
    if (word.len != prefix_len + HASH_HEX_LEN || memcmp(word.ptr, HASH_PREFIX, prefix_len) != 0) {
        return "the hash is not sha256: and 64 hexadecimal digits";
    }
    for (size_t i = 0; i < HASH_HEX_LEN; i++) {
        char c = word.ptr[prefix_len + i];
        bool digit = c >= '0' && c <= '9';
        bool lower = c >= 'a' && c <= 'f';
        bool upper = c >= 'A' && c <= 'F';
        if (!digit && !lower && !upper) {
            return "the hash is not sha256: and 64 hexadecimal digits";
        }
        token->hash_hex[i] = upper ? (char)(c - 'A' + 'a') : c;
    }
    token->hash_hex[HASH_HEX_LEN] = '\0';
    return NULL;
}

// NULL, or what is wrong.  `ret_empty`: the line says nothing.
static const char *parse_line(struct span line, struct token *token, bool *ret_empty)
{
    *token = (struct token){.grant_count = 0};
    struct span name = take_word(&line);
    *ret_empty = name.len == 0 || name.ptr[0] == '#';
    if (*ret_empty) {
        return NULL;
    }
    const char *wrong = parse_name(name, token);
    if (wrong == NULL) {
        wrong = parse_grants(take_word(&line), token);
    }
    if (wrong == NULL) {
        wrong = parse_hash(take_word(&line), token);
    }
    if (wrong == NULL && take_word(&line).len > 0) {
        wrong = "there is more on the line than name, grants and hash";
    }
    return wrong;
}

static enum err make_room(struct tokens *tokens)
{
    if (tokens->count == TOKENS_MAX) {
        return ERR_TOO_LARGE;
    }
    if (tokens->count < tokens->cap) {
        return ERR_OK;
    }
    size_t cap = tokens->cap == 0 ? 8 : tokens->cap * 2;
    struct token *rows = realloc(tokens->rows, cap * sizeof(*rows));
    if (rows == NULL) {
        return ERR_NOMEM;
    }
    tokens->rows = rows;
    tokens->cap = cap;
    return ERR_OK;
}

static enum err parse_lines(struct tokens *tokens, struct span file, char ret_text[TOKENS_TEXT_LEN])
{
    unsigned number = 0;
    while (file.len > 0) {
        number++;
        enum err err = make_room(tokens);
        if (err != ERR_OK) {
            (void)snprintf(ret_text, TOKENS_TEXT_LEN, "line %u: %s", number, err_text(err));
            return err;
        }
        bool empty = false;
        struct token *token = &tokens->rows[tokens->count];
        const char *wrong = parse_line(take_until(&file, '\n'), token, &empty);
        if (wrong != NULL) {
            (void)snprintf(ret_text, TOKENS_TEXT_LEN, "line %u: %s", number, wrong);
            return ERR_SYNTAX;
        }
        tokens->count += empty ? 0 : 1;
    }
    return ERR_OK;
}

enum err tokens_parse(struct span file, char ret_text[TOKENS_TEXT_LEN], struct tokens **ret_tokens)
{
    struct tokens *tokens = calloc(1, sizeof(*tokens));
    if (tokens == NULL) {
        (void)snprintf(ret_text, TOKENS_TEXT_LEN, "%s", err_text(ERR_NOMEM));
        return ERR_NOMEM;
    }
    enum err err = parse_lines(tokens, file, ret_text);
    if (err != ERR_OK) {
        tokens_free(tokens);
        return err;
    }
    *ret_tokens = tokens;
    return ERR_OK;
}

static enum err read_all(FILE *file, char *buf, size_t *ret_len)
{
    size_t len = fread(buf, 1, TOKENS_FILE_MAX + 1, file);
    if (ferror(file)) {
        return ERR_IO;
    }
    if (len > TOKENS_FILE_MAX) {
        return ERR_TOO_LARGE;
    }
    *ret_len = len;
    return ERR_OK;
}

static enum err err_of_open(int code)
{
    if (code == ENOENT || code == ENOTDIR) {
        return ERR_NOT_FOUND;
    }
    return code == EACCES || code == EPERM ? ERR_DENIED : ERR_IO;
}

enum err tokens_load(const char *path, char ret_text[TOKENS_TEXT_LEN], struct tokens **ret_tokens)
{
    char *buf = malloc(TOKENS_FILE_MAX + 1);
    if (buf == NULL) {
        (void)snprintf(ret_text, TOKENS_TEXT_LEN, "%s", err_text(ERR_NOMEM));
        return ERR_NOMEM;
    }
    size_t len = 0;
    FILE *file = fopen(path, "re");
    enum err err = file == NULL ? err_of_open(errno) : read_all(file, buf, &len);
    if (err != ERR_OK) {
        (void)snprintf(ret_text, TOKENS_TEXT_LEN, "%s", err_text(err));
    } else {
        err = tokens_parse(span_of(buf, len), ret_text, ret_tokens);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    free(buf);
    return err;
}

void tokens_free(struct tokens *tokens)
{
    if (tokens == NULL) {
        return;
    }
    free(tokens->rows);
    free(tokens);
}

size_t tokens_count(const struct tokens *tokens)
{
    return tokens->count;
}

const struct token *tokens_find(const struct tokens *tokens, struct span secret)
{
    char hex[HASH_HEX_LEN + 1];
    if (secret.len == 0 || crypto_sha256_hex(secret, hex) != ERR_OK) {
        return NULL;
    }
    // No early exit: the time must not tell which row matched.
    const struct token *found = NULL;
    for (size_t i = 0; i < tokens->count; i++) {
        if (crypto_equal(span_of(hex, HASH_HEX_LEN),
                         span_of(tokens->rows[i].hash_hex, HASH_HEX_LEN))) {
            found = &tokens->rows[i];
        }
    }
    return found;
}

bool tokens_allow(const struct token *token, struct span tenant, bool write)
{
    for (size_t i = 0; i < token->grant_count; i++) {
        const struct tokens_grant *grant = &token->grants[i];
        bool covers = grant->tenant[0] == '\0' || span_eq_str(tenant, grant->tenant);
        if (covers && (grant->write || !write)) {
            return true;
        }
    }
    return false;
}
