// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/token.h"

#include "admin-api/ctl/ctl.h"
#include "admin-api/ctl/session.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/json_write.h"
#include "base/random.h"
#include "base/text.h"
#include "localmap/model/key.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "mp_" // so that scanners for leaked secrets can know it
#define SECRET_LEN 32
#define OUTPUT_MAX 65536

_Static_assert(sizeof(PREFIX) - 1 + 2 * SECRET_LEN == TOKEN_LEN, "the token fills its buffer");

void token_make(char ret_token[TOKEN_LEN + 1])
{
    unsigned char secret[SECRET_LEN];
    random_bytes(secret, sizeof(secret));
    memcpy(ret_token, PREFIX, sizeof(PREFIX) - 1);
    (void)text_hex_format(secret, sizeof(secret), ret_token + sizeof(PREFIX) - 1);
    ret_token[TOKEN_LEN] = '\0';
    explicit_bzero(secret, sizeof(secret));
}

enum err token_line(const char *name, const char *grants, const char *token, struct buf *out)
{
    char hex[2 * CRYPTO_SHA256_LEN + 1];
    enum err err = crypto_sha256_hex(span_str(token), hex);
    if (err == ERR_OK) {
        buf_printf(out, "%s %s sha256:%s", name, grants[0] != '\0' ? grants : "read", hex);
    }
    return err;
}

const char *token_name_problem(const char *name)
{
    bool word = key_name_check(span_str(name), KEY_OBSERVER_MAX) == ERR_OK &&
                strpbrk(name, " \t\r\n") == NULL && name[0] != '!' && name[0] != '#';
    return word ? NULL
                : "allowed: a name of 1 to 63 bytes without blanks that does not begin with ! or #";
}

static bool is_grant(struct span grant)
{
    const char *colon = grant.len > 0 ? memchr(grant.ptr, ':', grant.len) : NULL;
    size_t verb_len = colon != NULL ? (size_t)(colon - grant.ptr) : grant.len;
    struct span verb = span_of(grant.ptr, verb_len);
    if (!span_eq_str(verb, "read") && !span_eq_str(verb, "write")) {
        return false;
    }
    if (colon == NULL) {
        return true;
    }
    struct span tenant = span_of(colon + 1, grant.len - verb_len - 1);
    bool word = true;
    for (size_t i = 0; i < tenant.len; i++) {
        word = word && strchr(" \t\r\n", tenant.ptr[i]) == NULL;
    }
    return word && key_name_check(tenant, KEY_TENANT_MAX) == ERR_OK;
}

const char *token_grants_problem(const char *grants)
{
    size_t count = 0;
    for (const char *at = grants; at != NULL; count++) {
        const char *comma = strchr(at, ',');
        size_t len = comma != NULL ? (size_t)(comma - at) : strlen(at);
        if (!is_grant(span_of(at, len))) {
            return "allowed, parted by commas: read, write, read:TENANT, write:TENANT";
        }
        at = comma != NULL ? comma + 1 : NULL;
    }
    return count <= TOKEN_GRANTS_MAX ? NULL : "allowed: at most 16 grants";
}

// All --grant as one list, as they came.
static int read_grants(const struct arguments *arguments, struct buf *ret_grants)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (arguments->given[i].id == OPTION_GRANT) {
            buf_printf(ret_grants, "%s%s", ret_grants->len > 0 ? "," : "",
                       arguments->given[i].value);
        }
    }
    if (session_check(ret_grants) != CTL_OK) {
        return CTL_FAILED;
    }
    bool given = arguments_has(arguments, OPTION_GRANT);
    const char *problem = given ? token_grants_problem(buf_cstr(ret_grants)) : NULL;
    return problem == NULL ? CTL_OK
                           : ctl_usage_error(arguments->command, "--grant: \"%s\"; %s",
                                             buf_cstr(ret_grants), problem);
}

static void print(const struct arguments *arguments, const char *token, const char *line)
{
    const char *form = arguments_value(arguments, OPTION_FORM);
    if (form == NULL || strcmp(form, "json") != 0) {
        printf("%s\n%s\n", token, line);
        if (isatty(STDOUT_FILENO) == 1) {
            session_complain("the first line is the token, shown only now; the second one belongs "
                             "into admin.tokens_file");
        }
        return;
    }
    struct buf out;
    struct json_writer json;
    buf_init(&out, OUTPUT_MAX);
    json_writer_init(&json, &out, JSON_COMPACT);
    json_write_object(&json, NULL);
    json_write_text(&json, "name", arguments->operands[0]);
    json_write_text(&json, "token", token);
    json_write_text(&json, "line", line);
    json_write_object_end(&json);
    if (session_check(&out) == CTL_OK) {
        puts(buf_cstr(&out));
    }
    buf_fini(&out);
}

int token_run(const struct arguments *arguments)
{
    const char *name = arguments->operands[0];
    const char *problem = token_name_problem(name);
    if (problem != NULL) {
        return ctl_usage_error(arguments->command, "\"%s\"; %s", name, problem);
    }
    char token[TOKEN_LEN + 1];
    struct buf grants, line;
    buf_init(&grants, OUTPUT_MAX);
    buf_init(&line, OUTPUT_MAX);
    int exit = read_grants(arguments, &grants);
    if (exit == CTL_OK) {
        token_make(token);
        enum err err = token_line(name, buf_cstr(&grants), token, &line);
        if (err == ERR_OK) {
            exit = session_check(&line);
        } else {
            session_complain("%s", err_text(err));
            exit = CTL_FAILED;
        }
    }
    if (exit == CTL_OK) {
        print(arguments, token, buf_cstr(&line));
    }
    buf_fini(&line);
    buf_fini(&grants);
    return exit;
}
