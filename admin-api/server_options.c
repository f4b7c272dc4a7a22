// SPDX-License-Identifier: Apache-2.0
#include "admin-api/server_options.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_OPTIONS_MAX 8

static const char *text_of(const char *option)
{
    return option == NULL ? "" : option;
}

static bool is_set(const char *option)
{
    return text_of(option)[0] != '\0';
}

static enum err refuse(char ret_text[ADMIN_TEXT_LEN], const char *text)
{
    (void)snprintf(ret_text, ADMIN_TEXT_LEN, "%s", text);
    return ERR_INVALID;
}

static enum err check_listen(const struct admin_options *options, char ret_text[ADMIN_TEXT_LEN])
{
    struct address address;
    if (!is_set(options->listen)) {
        return ERR_OK;
    }
    if (address_parse(span_str(options->listen), &address) != ERR_OK) {
        return refuse(ret_text, "admin.listen: not an address; IP:PORT");
    }
    if (address_is_loopback(&address)) {
        return ERR_OK;
    }
    bool known = is_set(options->tokens_file) || is_set(options->client_ca_file);
    if (!is_set(options->tls_cert_file) || !known) {
        return refuse(ret_text, "admin.listen: an address that is not loopback needs "
                                "admin.tls_cert_file, and tokens_file or client_ca_file");
    }
    return ERR_OK;
}

enum err admin_options_check(const struct admin_options *options, char ret_text[ADMIN_TEXT_LEN])
{
    struct address address;
    if (is_set(options->tls_cert_file) != is_set(options->tls_key_file)) {
        return refuse(ret_text, "admin.tls_key_file: certificate and key go together");
    }
    if (is_set(options->client_ca_file) && !is_set(options->tls_cert_file)) {
        return refuse(ret_text,
                      "admin.client_ca_file: client certificates need admin.tls_cert_file");
    }
    if (is_set(options->probe_listen) &&
        address_parse(span_str(options->probe_listen), &address) != ERR_OK) {
        return refuse(ret_text, "admin.probe_listen: not an address; IP:PORT");
    }
    if (is_set(options->unix_path) &&
        address_unix(span_str(options->unix_path), &address) != ERR_OK) {
        return refuse(ret_text, "admin.unix: a path of at most 107 bytes");
    }
    return check_listen(options, ret_text);
}

static char *keep(char **place, const char *text)
{
    size_t len = strlen(text) + 1;
    char *kept = *place;
    memcpy(kept, text, len);
    *place += len;
    return kept;
}

static size_t strings_len(const struct admin_options *options)
{
    const char *const texts[TEXT_OPTIONS_MAX] = {options->listen,       options->probe_listen,
                                                 options->unix_path,    options->tls_cert_file,
                                                 options->tls_key_file, options->client_ca_file,
                                                 options->tokens_file,  ""};
    size_t len = 0;
    for (size_t i = 0; i < TEXT_OPTIONS_MAX; i++) {
        len += strlen(text_of(texts[i])) + 1;
    }
    for (size_t i = 0; i < options->allowed_host_count; i++) {
        len += strlen(options->allowed_hosts[i]) + 1;
    }
    return len;
}

static void copy_strings(const struct admin_options *options, struct server_options *copy)
{
    char *place = copy->strings;
    copy->plain.listen = keep(&place, text_of(options->listen));
    copy->plain.probe_listen = keep(&place, text_of(options->probe_listen));
    copy->plain.unix_path = keep(&place, text_of(options->unix_path));
    copy->plain.tls_cert_file = keep(&place, text_of(options->tls_cert_file));
    copy->plain.tls_key_file = keep(&place, text_of(options->tls_key_file));
    copy->plain.client_ca_file = keep(&place, text_of(options->client_ca_file));
    copy->plain.tokens_file = keep(&place, text_of(options->tokens_file));
    for (size_t i = 0; i < options->allowed_host_count; i++) {
        copy->hosts[i] = keep(&place, options->allowed_hosts[i]);
        copy->host_spans[i] = span_str(copy->hosts[i]);
    }
    copy->plain.allowed_hosts = copy->hosts;
}

enum err server_options_copy(const struct admin_options *options,
                             struct server_options *ret_options)
{
    struct server_options copy = {.plain = *options};
    copy.strings = malloc(strings_len(options));
    copy.hosts = calloc(options->allowed_host_count + 1, sizeof(*copy.hosts));
    copy.host_spans = calloc(options->allowed_host_count + 1, sizeof(*copy.host_spans));
    copy.uids = calloc(options->unix_uid_count + 1, sizeof(*copy.uids));
    if (copy.strings == NULL || copy.hosts == NULL || copy.host_spans == NULL ||
        copy.uids == NULL) {
        server_options_fini(&copy);
        return ERR_NOMEM;
    }
    copy_strings(options, &copy);
    for (size_t i = 0; i < options->unix_uid_count; i++) {
        copy.uids[i] = options->unix_uids[i];
    }
    copy.plain.unix_uids = copy.uids;
    *ret_options = copy;
    return ERR_OK;
}

void server_options_fini(struct server_options *options)
{
    free(options->uids);
    free(options->host_spans);
    free(options->hosts);
    free(options->strings);
    *options = (struct server_options){.strings = NULL};
}
