// SPDX-License-Identifier: Apache-2.0
// Where a socket is bound or connected to: an IP literal with a port, or the path of a unix socket.
// Names are resolved elsewhere (resolver.h); nothing here blocks or opens a socket.
// Plain data, any thread.  Read next: conn.h, listener.h.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_LEN 128 // room for any address as text and its NUL

struct address {
    struct sockaddr_storage storage;
    socklen_t len; // 0: none
};

// "127.0.0.1" or "::1" with a port apart.  ERR_SYNTAX: no IP literal.
enum err address_parse_ip(struct span ip, uint16_t port, struct address *ret_address) MUST_USE;

// "127.0.0.1:9810", "[::1]:0", "localhost:9810" (127.0.0.1), ":9810" (0.0.0.0).  ERR_SYNTAX
// otherwise.
enum err address_parse(struct span text, struct address *ret_address) MUST_USE;

// A path of 1..107 bytes without NUL.  ERR_TOO_LARGE, ERR_SYNTAX (empty, NUL inside).
enum err address_unix(struct span path, struct address *ret_address) MUST_USE;

bool address_is_unix(const struct address *address);
// 127.0.0.0/8, ::1, those mapped into IPv6, and every unix socket.
bool address_is_loopback(const struct address *address);
// 0.0.0.0 or ::
bool address_is_any(const struct address *address);
// 0 for a unix socket.
uint16_t address_port(const struct address *address);
void address_set_port(struct address *address, uint16_t port);
bool address_eq(const struct address *a, const struct address *b);

// "127.0.0.1:9810", "[::1]:9810", "unix:/path"; always terminated.
void address_format(const struct address *address, char ret_text[ADDRESS_TEXT_LEN]);
// Without the port and without brackets; "" for a unix socket.
void address_format_ip(const struct address *address, char ret_text[ADDRESS_TEXT_LEN]);
