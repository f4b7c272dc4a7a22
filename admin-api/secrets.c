// SPDX-License-Identifier: Apache-2.0
#include "admin-api/secrets.h"

#include "admin-api/tokens.h"
#include "base/tls.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_set(const char *option)
{
    return option != NULL && option[0] != '\0';
}

static enum err load_tokens(const struct admin_options *options, char ret_text[ADMIN_TEXT_LEN],
                            struct secrets *secrets)
{
    if (!is_set(options->tokens_file)) {
        return ERR_OK;
    }
    char text[TOKENS_TEXT_LEN];
    enum err err = tokens_load(options->tokens_file, text, &secrets->tokens);
    if (err != ERR_OK) {
        (void)snprintf(ret_text, ADMIN_TEXT_LEN, "admin.tokens_file: %s", text);
    }
    return err;
}

static enum err load_tls(const struct admin_options *options, char ret_text[ADMIN_TEXT_LEN],
                         struct secrets *secrets)
{
    if (!is_set(options->tls_cert_file)) {
        return ERR_OK;
    }
    // A client without a certificate is let in, so that it gets a 401 in words, and probes are answered.
    const struct tls_options tls = {.server = true,
                                    .ca_file = options->client_ca_file,
                                    .cert_file = options->tls_cert_file,
                                    .key_file = options->tls_key_file,
                                    .client_cert_optional = true,
                                    .alpn = "http/1.1"};
    char text[TLS_TEXT_LEN] = "";
    enum err err = tls_context_new(&tls, text, &secrets->tls);
    if (err != ERR_OK) {
        (void)snprintf(ret_text, ADMIN_TEXT_LEN, "admin.tls_cert_file: %s",
                       text[0] == '\0' ? err_text(err) : text);
    }
    return err;
}

enum err secrets_load(const struct admin_options *options, char ret_text[ADMIN_TEXT_LEN],
                      struct secrets **ret_secrets)
{
    struct secrets *secrets = calloc(1, sizeof(*secrets));
    if (secrets == NULL) {
        (void)snprintf(ret_text, ADMIN_TEXT_LEN, "admin: %s", err_text(ERR_NOMEM));
        return ERR_NOMEM;
    }
    atomic_init(&secrets->references, 1);
    enum err err = load_tokens(options, ret_text, secrets);
    if (err == ERR_OK) {
        err = load_tls(options, ret_text, secrets);
    }
    if (err != ERR_OK) {
        secrets_drop(secrets);
        return err;
    }
    *ret_secrets = secrets;
    return ERR_OK;
}

struct secrets *secrets_keep(struct secrets *secrets)
{
    // relaxed: the caller holds a reference already, so nothing is published here.
    (void)atomic_fetch_add_explicit(&secrets->references, 1, memory_order_relaxed);
    return secrets;
}

void secrets_drop(struct secrets *secrets)
{
    // acq_rel: whoever frees sees what every other holder did before it let go.
    if (secrets != NULL &&
        atomic_fetch_sub_explicit(&secrets->references, 1, memory_order_acq_rel) == 1) {
        tokens_free(secrets->tokens);
        tls_context_free(secrets->tls);
        free(secrets);
    }
}

bool secrets_expiry(const struct secrets *secrets, struct wall *ret_expiry)
{
    return secrets->tls != NULL && tls_context_expiry(secrets->tls, ret_expiry);
}

void secrets_watch(const struct admin_options *options, struct file_watch *ret_watch)
{
    const char *const paths[] = {options->tokens_file, options->tls_cert_file,
                                 options->tls_key_file, options->client_ca_file};
    file_watch_init(ret_watch, paths, sizeof(paths) / sizeof(paths[0]));
}
