// SPDX-License-Identifier: Apache-2.0
// TLS contexts: certificates and rules, shared by many streams.  TLS 1.2 or newer, nothing older.
// Invariant: a context never changes once made.  To reload certificates make a new one, put it in
// the place of the old and drop that; streams that are open keep what they began with (reference
// counted). A client always verifies the server's chain and, given a name, its name, unless
// `insecure` is set. [any]: a context may be shared between threads.  Read next: conn.h.
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>

#define TLS_TEXT_LEN 256

struct ssl_st; // OpenSSL's SSL
struct tls_context;

struct tls_options {
    bool server;
    const char *ca_file;       // client: whom to trust ("" or NULL: the system's store);
                               // server: asks the client for a certificate of these ("": does not)
    const char *cert_file;     // PEM, leaf first; a server needs it
    const char *key_file;      // PEM
    bool client_cert_optional; // server with ca_file: a client without certificate is let in
    bool insecure;             // client: verify nothing
    const char *alpn;          // "h2", "http/1.1" ...; NULL: none
};

// ERR_TLS: a file cannot be read, is no PEM, or key and certificate do not match; `ret_text` says
// which. ERR_NOMEM, ERR_INVALID (a server without certificate).  *gives* one reference.
enum err tls_context_new(const struct tls_options *options, char ret_text[TLS_TEXT_LEN],
                         struct tls_context **ret_context) MUST_USE;
struct tls_context *tls_context_ref(struct tls_context *context);
// Drops one reference.  Accepts NULL.
void tls_context_free(struct tls_context *context);
bool tls_context_is_server(const struct tls_context *context);
// When its own certificate ends.  false: it has none.
bool tls_context_expiry(const struct tls_context *context, struct wall *ret_expiry);

// --- for conn.c

// One side of a stream.  `name`: to verify and to send as SNI; NULL: neither.  ERR_NOMEM, ERR_TLS.
enum err tls_session_new(struct tls_context *context, const char *name,
                         struct ssl_st **ret_session) MUST_USE;
void tls_session_free(struct ssl_st *session); // accepts NULL
// Sends close_notify.
void tls_session_finish(struct ssl_st *session);
// Why it failed: the verification's result, else `code` from OpenSSL's queue, else "".
void tls_session_text(const struct ssl_st *session, unsigned long code,
                      char ret_text[TLS_TEXT_LEN]);
bool tls_session_peer_name(const struct ssl_st *session, char *ret_name, size_t cap);
