// SPDX-License-Identifier: Apache-2.0
// Who is it, and may they?  Two questions at two moments: before routing a request must have the identity
// that its kind needs (401); once the route and the tenant are known, that identity must be allowed to do
// it (403).
//
//     admin.write: loopback        writes: loopback TCP and the unix socket; reads: everyone
//     admin.write: authenticated   writes: a token, a client certificate, or the unix socket (root, the
//                                  daemon's own user, unix_uids)
//     tokens_file or client_ca_file set: authenticated is forced, and reads need an identity too
//
// A token that is shown decides, also on the unix socket: a wrong one is refused, not overlooked.
// Pure, any thread.  Read next: tokens.h, handle.h.
#pragma once

#include "admin-api/router.h"
#include "admin-api/tokens.h"
#include "base/http1_exchange.h"

#include <sys/types.h>

enum auth_mode { AUTH_MODE_LOOPBACK, AUTH_MODE_AUTHENTICATED };

struct auth_rules {
    enum auth_mode mode;
    bool client_ca;              // client certificates are verified
    const struct tokens *tokens; // NULL: no tokens file
    uid_t own_uid;
    const uid_t *uids; // unix_uids
    size_t uid_count;
};

enum auth_kind { AUTH_NOBODY, AUTH_LOCAL, AUTH_TOKEN, AUTH_CERTIFICATE };

// Borrows from the tokens and the peer.
struct identity {
    enum auth_kind kind;
    struct span name;          // of a token or certificate; "" for the others
    const struct token *token; // AUTH_TOKEN
};

enum auth_answer { AUTH_OK, AUTH_UNAUTHORIZED, AUTH_FORBIDDEN };

struct auth_question {
    const struct http1_request *http;
    const struct http1_listener_info *listener;
    const struct http1_peer *peer;
    enum route_scope scope; // of an unknown route: by the method
};

// Is the mode authenticated, whether by configuration or because tokens or certificates are set?
bool auth_is_authenticated(const struct auth_rules *rules);

// The first moment.  `ret_identity` is set on AUTH_OK.
enum auth_answer auth_identify(const struct auth_rules *rules, const struct auth_question *question,
                               struct identity *ret_identity);

// The second.  `tenant` "" = what belongs to no tenant, or to all.
bool auth_may(const struct identity *identity, struct span tenant, bool write);

// May it write observations under this name?  NAME or NAME.suffix, where it has one.
bool auth_may_observe(const struct identity *identity, struct span observer);
