// SPDX-License-Identifier: Apache-2.0
#include "base/address.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

// The kernel's structures overlay sockaddr_storage; copies in and out keep the compiler's aliasing
// rules without a cast.
static void from_in4(struct address *address, const struct sockaddr_in *in)
{
    memcpy(&address->storage, in, sizeof(*in));
    address->len = sizeof(*in);
}

static struct sockaddr_in to_in4(const struct address *address)
{
    struct sockaddr_in in;
    memcpy(&in, &address->storage, sizeof(in));
    return in;
}

static void from_in6(struct address *address, const struct sockaddr_in6 *in)
{
    memcpy(&address->storage, in, sizeof(*in));
    address->len = sizeof(*in);
}

static struct sockaddr_in6 to_in6(const struct address *address)
{
    struct sockaddr_in6 in;
    memcpy(&in, &address->storage, sizeof(in));
    return in;
}

enum err address_parse_ip(struct span ip, uint16_t port, struct address *ret_address)
{
    char text[INET6_ADDRSTRLEN];
    if (ip.len == 0 || ip.len >= sizeof(text) || memchr(ip.ptr, 0, ip.len) != NULL) {
        return ERR_SYNTAX;
    }
    memcpy(text, ip.ptr, ip.len);
    text[ip.len] = 0;
    struct address address = {.len = 0};
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, text, &in4.sin_addr) == 1) {
        from_in4(&address, &in4);
    } else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
        from_in6(&address, &in6);
    } else {
        return ERR_SYNTAX;
    }
    *ret_address = address;
    return ERR_OK;
}

enum err address_parse(struct span text, struct address *ret_address)
{
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0) {
        return ERR_SYNTAX;
    }
    struct span host = span_of(text.ptr, colon - 1);
    uint64_t port = 0;
    if (text_u64_in(span_of(text.ptr + colon, text.len - colon), 0, 65535, &port) != ERR_OK) {
        return ERR_SYNTAX;
    }
    if (host.len == 0) {
        host = SPAN_LIT("0.0.0.0");
    } else if (span_eq_str(host, "localhost")) {
        host = SPAN_LIT("127.0.0.1");
    } else if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = span_of(host.ptr + 1, host.len - 2);
        if (host.len == 0 || memchr(host.ptr, ':', host.len) == NULL) {
            return ERR_SYNTAX;
        }
    } else if (memchr(host.ptr, ':', host.len) != NULL) {
        return ERR_SYNTAX; // IPv6 without brackets: which colon parts the port would be a guess
    }
    return address_parse_ip(host, (uint16_t)port, ret_address);
}

enum err address_unix(struct span path, struct address *ret_address)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (path.len >= sizeof(un.sun_path)) {
        return ERR_TOO_LARGE;
    }
    if (path.len == 0 || memchr(path.ptr, 0, path.len) != NULL) {
        return ERR_SYNTAX;
    }
    memcpy(un.sun_path, path.ptr, path.len);
    *ret_address = (struct address){.len = sizeof(un)};
    memcpy(&ret_address->storage, &un, sizeof(un));
    return ERR_OK;
}

bool address_is_unix(const struct address *address)
{
    return address->len != 0 && address->storage.ss_family == AF_UNIX;
}

bool address_is_loopback(const struct address *address)
{
    if (address->len == 0) {
        return false;
    }
    if (address->storage.ss_family == AF_INET) {
        return ntohl(to_in4(address).sin_addr.s_addr) >> 24 == 127;
    }
    if (address->storage.ss_family == AF_INET6) {
        struct sockaddr_in6 in = to_in6(address);
        return IN6_IS_ADDR_LOOPBACK(&in.sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr) && in.sin6_addr.s6_addr[12] == 127);
    }
    return address->storage.ss_family == AF_UNIX;
}

bool address_is_any(const struct address *address)
{
    if (address->len == 0) {
        return false;
    }
    if (address->storage.ss_family == AF_INET) {
        return to_in4(address).sin_addr.s_addr == htonl(INADDR_ANY);
    }
    if (address->storage.ss_family == AF_INET6) {
        struct sockaddr_in6 in = to_in6(address);
        return IN6_IS_ADDR_UNSPECIFIED(&in.sin6_addr);
    }
    return false;
}

uint16_t address_port(const struct address *address)
{
    if (address->len == 0) {
        return 0;
    }
    if (address->storage.ss_family == AF_INET) {
        return ntohs(to_in4(address).sin_port);
    }
    return address->storage.ss_family == AF_INET6 ? ntohs(to_in6(address).sin6_port) : 0;
}

void address_set_port(struct address *address, uint16_t port)
{
    if (address->storage.ss_family == AF_INET) {
        struct sockaddr_in in = to_in4(address);
        in.sin_port = htons(port);
        from_in4(address, &in);
    } else if (address->storage.ss_family == AF_INET6) {
        struct sockaddr_in6 in = to_in6(address);
        in.sin6_port = htons(port);
        from_in6(address, &in);
    }
}

static const char *unix_path(const struct address *address, struct sockaddr_un *un)
{
    memset(un, 0, sizeof(*un));
    memcpy(un, &address->storage, sizeof(*un));
    un->sun_path[sizeof(un->sun_path) - 1] = 0;
    return un->sun_path;
}

bool address_eq(const struct address *a, const struct address *b)
{
    if (a->len == 0 || b->len == 0) {
        return a->len == b->len;
    }
    if (a->storage.ss_family != b->storage.ss_family) {
        return false;
    }
    if (a->storage.ss_family == AF_UNIX) {
        struct sockaddr_un left;
        struct sockaddr_un right;
        return strcmp(unix_path(a, &left), unix_path(b, &right)) == 0;
    }
    if (address_port(a) != address_port(b)) {
        return false;
    }
    if (a->storage.ss_family == AF_INET) {
        return to_in4(a).sin_addr.s_addr == to_in4(b).sin_addr.s_addr;
    }
    struct sockaddr_in6 left = to_in6(a);
    struct sockaddr_in6 right = to_in6(b);
    return IN6_ARE_ADDR_EQUAL(&left.sin6_addr, &right.sin6_addr);
}

void address_format_ip(const struct address *address, char ret_text[ADDRESS_TEXT_LEN])
{
    ret_text[0] = 0;
    if (address->len == 0) {
        return;
    }
    if (address->storage.ss_family == AF_INET) {
        struct sockaddr_in in = to_in4(address);
        inet_ntop(AF_INET, &in.sin_addr, ret_text, ADDRESS_TEXT_LEN);
    } else if (address->storage.ss_family == AF_INET6) {
        struct sockaddr_in6 in = to_in6(address);
        inet_ntop(AF_INET6, &in.sin6_addr, ret_text, ADDRESS_TEXT_LEN);
    }
}

void address_format(const struct address *address, char ret_text[ADDRESS_TEXT_LEN])
{
    if (address_is_unix(address)) {
        struct sockaddr_un un;
        (void)snprintf(ret_text, ADDRESS_TEXT_LEN, "unix:%s", unix_path(address, &un));
        return;
    }
    char ip[ADDRESS_TEXT_LEN];
    address_format_ip(address, ip);
    bool six = address->len != 0 && address->storage.ss_family == AF_INET6;
    (void)snprintf(ret_text, ADDRESS_TEXT_LEN, six ? "[%.64s]:%u" : "%.64s:%u", ip,
                   (unsigned)address_port(address));
}
