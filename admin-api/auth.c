// SPDX-License-Identifier: Apache-2.0
#include "admin-api/auth.h"

#include <strings.h>

#define BEARER "Bearer "

bool auth_is_authenticated(const struct auth_rules *rules)
{
    return rules->mode == AUTH_MODE_AUTHENTICATED || rules->client_ca || rules->tokens != NULL;
}

static bool uid_is_trusted(const struct auth_rules *rules, uid_t uid)
{
    if (uid == 0 || uid == rules->own_uid) {
        return true;
    }
    for (size_t i = 0; i < rules->uid_count; i++) {
        if (rules->uids[i] == uid) {
            return true;
        }
    }
    return false;
}

// The token of "Authorization: Bearer TOKEN"; empty when it is of another form.
static struct span bearer(const struct http1_request *http)
{
    struct span value = SPAN_NONE;
    size_t prefix_len = sizeof(BEARER) - 1;
    if (http1_request_header_count(http, "Authorization") != 1 ||
        !http1_request_header(http, "Authorization", &value) || value.len <= prefix_len ||
        strncasecmp(value.ptr, BEARER, prefix_len) != 0) {
        return SPAN_NONE;
    }
    struct span token = span_of(value.ptr + prefix_len, value.len - prefix_len);
    while (token.len > 0 && token.ptr[0] == ' ') {
        token = span_of(token.ptr + 1, token.len - 1);
    }
    return token;
}

static bool is_local(const struct auth_rules *rules, const struct auth_question *question)
{
    const struct http1_peer *peer = question->peer;
    if (!auth_is_authenticated(rules)) {
        return question->listener->is_unix || peer->is_loopback;
    }
    return question->listener->is_unix && peer->has_uid && uid_is_trusted(rules, peer->uid);
}

static struct identity who(const struct auth_rules *rules, const struct auth_question *question)
{
    const struct http1_peer *peer = question->peer;
    if (rules->client_ca && question->listener->is_tls && peer->name[0] != '\0') {
        return (struct identity){.kind = AUTH_CERTIFICATE, .name = span_str(peer->name)};
    }
    if (is_local(rules, question)) {
        return (struct identity){.kind = AUTH_LOCAL};
    }
    return (struct identity){.kind = AUTH_NOBODY};
}

enum auth_answer auth_identify(const struct auth_rules *rules, const struct auth_question *question,
                               struct identity *ret_identity)
{
    *ret_identity = (struct identity){.kind = AUTH_NOBODY};
    if (question->scope == ROUTE_OPEN) {
        return AUTH_OK;
    }
    if (rules->tokens != NULL && http1_request_header_count(question->http, "Authorization") > 0) {
        const struct token *token = tokens_find(rules->tokens, bearer(question->http));
        if (token == NULL) {
            return AUTH_UNAUTHORIZED;
        }
        *ret_identity =
            (struct identity){.kind = AUTH_TOKEN, .name = span_str(token->name), .token = token};
        return AUTH_OK;
    }
    *ret_identity = who(rules, question);
    bool reads_are_free = rules->tokens == NULL && !rules->client_ca;
    if (ret_identity->kind != AUTH_NOBODY || (question->scope == ROUTE_READ && reads_are_free)) {
        return AUTH_OK;
    }
    return auth_is_authenticated(rules) ? AUTH_UNAUTHORIZED : AUTH_FORBIDDEN;
}

bool auth_may(const struct identity *identity, struct span tenant, bool write)
{
    if (identity->kind == AUTH_TOKEN) {
        return tokens_allow(identity->token, tenant, write);
    }
    return identity->kind != AUTH_NOBODY || !write;
}

bool auth_may_observe(const struct identity *identity, struct span observer)
{
    struct span name = identity->name;
    if (name.len == 0) {
        return true;
    }
    bool begins = observer.len >= name.len && memcmp(observer.ptr, name.ptr, name.len) == 0;
    return begins && (observer.len == name.len || observer.ptr[name.len] == '.');
}
