// SPDX-License-Identifier: Apache-2.0
#include "base/tls.h"

#include "base/address.h"
#include "base/assert.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ALPN_MAX 32

struct tls_context {
    SSL_CTX *ctx;
    atomic_uint refs;
    bool server;
    bool insecure;
    unsigned char alpn[ALPN_MAX + 1]; // as on the wire: a length byte, then the name
    unsigned alpn_len;
};

// A terminal must never be asked for the pass phrase of a key: the daemon would hang at start.
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return 0;
}

static enum err say(char ret_text[TLS_TEXT_LEN], const char *what, const char *file)
{
    unsigned long code = ERR_peek_last_error();
    const char *why = ERR_reason_error_string(code);
    (void)snprintf(ret_text, TLS_TEXT_LEN, "%s: %.160s: %.60s", what, file,
                   why != NULL ? why : "it cannot be used");
    ERR_clear_error();
    return ERR_TLS;
}

static bool given(const char *file)
{
    return file != NULL && file[0] != 0;
}

static enum err load_pair(struct tls_context *context, const struct tls_options *options,
                          char ret_text[TLS_TEXT_LEN])
{
    if (!given(options->cert_file)) {
        if (!options->server) {
            return ERR_OK;
        }
        (void)snprintf(ret_text, TLS_TEXT_LEN, "a server needs a certificate");
        return ERR_INVALID;
    }
    const char *key_file = given(options->key_file) ? options->key_file : options->cert_file;
    if (SSL_CTX_use_certificate_chain_file(context->ctx, options->cert_file) != 1) {
        return say(ret_text, "certificate", options->cert_file);
    }
    if (SSL_CTX_use_PrivateKey_file(context->ctx, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context->ctx) != 1) {
        return say(ret_text, "key", key_file);
    }
    return ERR_OK;
}

static enum err load_trust(struct tls_context *context, const struct tls_options *options,
                           char ret_text[TLS_TEXT_LEN])
{
    if (options->server && !given(options->ca_file)) {
        SSL_CTX_set_verify(context->ctx, SSL_VERIFY_NONE, NULL);
        return ERR_OK;
    }
    if (!options->server && options->insecure) {
        SSL_CTX_set_verify(context->ctx, SSL_VERIFY_NONE, NULL);
        return ERR_OK;
    }
    int mode = SSL_VERIFY_PEER;
    if (options->server && !options->client_cert_optional) {
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    SSL_CTX_set_verify(context->ctx, mode, NULL);
    if (!given(options->ca_file)) {
        return SSL_CTX_set_default_verify_paths(context->ctx) == 1
                   ? ERR_OK
                   : say(ret_text, "trust store", "of the system");
    }
    if (SSL_CTX_load_verify_locations(context->ctx, options->ca_file, NULL) != 1) {
        return say(ret_text, "CA certificates", options->ca_file);
    }
    if (options->server) {
        STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(options->ca_file);
        if (names == NULL) {
            return say(ret_text, "CA certificates", options->ca_file);
        }
        SSL_CTX_set_client_CA_list(context->ctx, names);
    }
    return ERR_OK;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    const struct tls_context *context = arg;
    unsigned at = 0;
    while (at < in_len) {
        unsigned len = in[at];
        if (len + 1 == context->alpn_len && len < in_len - at &&
            memcmp(in + at, context->alpn, len + 1) == 0) {
            *out = in + at + 1;
            *out_len = (unsigned char)len;
            return SSL_TLSEXT_ERR_OK;
        }
        at += len + 1;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

static enum err set_alpn(struct tls_context *context, const char *alpn)
{
    if (!given(alpn)) {
        return ERR_OK;
    }
    size_t len = strlen(alpn);
    ASSERT(len <= ALPN_MAX);
    context->alpn[0] = (unsigned char)len;
    memcpy(context->alpn + 1, alpn, len);
    context->alpn_len = (unsigned)len + 1;
    if (context->server) {
        SSL_CTX_set_alpn_select_cb(context->ctx, choose_alpn, context);
        return ERR_OK;
    }
    // This one returns 0 on success.
    return SSL_CTX_set_alpn_protos(context->ctx, context->alpn, context->alpn_len) == 0 ? ERR_OK
                                                                                        : ERR_NOMEM;
}

static enum err set_rules(struct tls_context *context)
{
    if (SSL_CTX_set_min_proto_version(context->ctx, TLS1_2_VERSION) != 1) {
        return ERR_TLS;
    }
    // What runs inside is framed (HTTP, RESP), so a stream cut without close_notify is seen there; as an
    // error of TLS it would only hide which peer closed.
    SSL_CTX_set_options(context->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                          SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                       SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_passwd_cb(context->ctx, no_passphrase);
    static const unsigned char session_id[] = "meshpulse";
    SSL_CTX_set_session_id_context(context->ctx, session_id, sizeof(session_id) - 1);
    return ERR_OK;
}

enum err tls_context_new(const struct tls_options *options, char ret_text[TLS_TEXT_LEN],
                         struct tls_context **ret_context)
{
    ret_text[0] = 0;
    struct tls_context *context = calloc(1, sizeof(*context));
    if (context == NULL) {
        return ERR_NOMEM;
    }
    atomic_init(&context->refs, 1);
    context->server = options->server;
    context->insecure = options->insecure;
    context->ctx = SSL_CTX_new(options->server ? TLS_server_method() : TLS_client_method());
    enum err err = context->ctx == NULL ? ERR_NOMEM : set_rules(context);
    if (err == ERR_OK) {
        err = load_pair(context, options, ret_text);
    }
    if (err == ERR_OK) {
        err = load_trust(context, options, ret_text);
    }
    if (err == ERR_OK) {
        err = set_alpn(context, options->alpn);
    }
    if (err != ERR_OK) {
        ERR_clear_error();
        tls_context_free(context);
        return err;
    }
    *ret_context = context;
    return ERR_OK;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    // relaxed: the caller holds a reference already, so nothing is published here.
    (void)atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    return context;
}

void tls_context_free(struct tls_context *context)
{
    // acq_rel: whoever frees sees what every other holder did before it dropped its reference.
    if (context != NULL &&
        atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) == 1) {
        SSL_CTX_free(context->ctx);
        free(context);
    }
}

bool tls_context_is_server(const struct tls_context *context)
{
    return context->server;
}

bool tls_context_expiry(const struct tls_context *context, struct wall *ret_expiry)
{
    const X509 *cert = SSL_CTX_get0_certificate(context->ctx);
    struct tm tm;
    if (cert == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1) {
        return false;
    }
    ret_expiry->ms = (int64_t)timegm(&tm) * 1000;
    return true;
}

// The name to verify: an address is looked for among the certificate's addresses, and never sent as SNI.
static bool set_name(const struct tls_context *context, SSL *ssl, const char *name)
{
    struct address address;
    bool is_ip = address_parse_ip(span_str(name), 0, &address) == ERR_OK;
    if (!is_ip && SSL_set_tlsext_host_name(ssl, name) != 1) {
        return false;
    }
    if (context->insecure) {
        return true;
    }
    if (is_ip) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    }
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1;
}

enum err tls_session_new(struct tls_context *context, const char *name, struct ssl_st **ret_session)
{
    SSL *ssl = SSL_new(context->ctx);
    if (ssl == NULL) {
        ERR_clear_error();
        return ERR_NOMEM;
    }
    if (!context->server && given(name) && !set_name(context, ssl, name)) {
        ERR_clear_error();
        SSL_free(ssl);
        return ERR_TLS;
    }
    *ret_session = ssl;
    return ERR_OK;
}

void tls_session_free(struct ssl_st *session)
{
    SSL_free(session);
}

void tls_session_finish(struct ssl_st *session)
{
    (void)SSL_shutdown(session);
    // Whatever it complained about must not be taken for an error of the next stream of this thread.
    ERR_clear_error();
}

void tls_session_text(const struct ssl_st *session, unsigned long code, char ret_text[TLS_TEXT_LEN])
{
    long verdict = SSL_get_verify_result(session);
    const char *reason = ERR_reason_error_string(code);
    if (verdict != X509_V_OK) {
        (void)snprintf(ret_text, TLS_TEXT_LEN, "certificate: %.200s",
                       X509_verify_cert_error_string(verdict));
    } else {
        (void)snprintf(ret_text, TLS_TEXT_LEN, "%.200s", reason != NULL ? reason : "");
    }
}

static bool copy_name(const ASN1_STRING *string, char *ret_name, size_t cap)
{
    const unsigned char *data = ASN1_STRING_get0_data(string);
    int len = ASN1_STRING_length(string);
    // A NUL inside would let "ops\0.evil.example" pass for "ops".
    if (len <= 0 || (size_t)len >= cap || memchr(data, 0, (size_t)len) != NULL) {
        return false;
    }
    memcpy(ret_name, data, (size_t)len);
    ret_name[len] = 0;
    return true;
}

static bool dns_name(const X509 *cert, char *ret_name, size_t cap)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; names != NULL && !found && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        found = name->type == GEN_DNS && copy_name(name->d.dNSName, ret_name, cap);
    }
    GENERAL_NAMES_free(names);
    return found;
}

static bool common_name(const X509 *cert, char *ret_name, size_t cap)
{
    const X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) {
        return false;
    }
    return copy_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), ret_name, cap);
}

bool tls_session_peer_name(const struct ssl_st *session, char *ret_name, size_t cap)
{
    const X509 *cert = SSL_get0_peer_certificate(session);
    if (cert == NULL || SSL_get_verify_result(session) != X509_V_OK) {
        return false;
    }
    return dns_name(cert, ret_name, cap) || common_name(cert, ret_name, cap);
}
