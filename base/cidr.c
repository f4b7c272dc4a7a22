// SPDX-License-Identifier: Apache-2.0
#include "base/cidr.h"

#include "base/text.h"

#include <netinet/in.h>

#define MAPPED_BITS 96 // of ::ffff:0:0/96

// The sixteen bytes of an IP address; false for a unix socket.  `ret_mapped`: it was IPv4.
static bool address_bytes(const struct address *address, uint8_t ret_bytes[16], bool *ret_mapped)
{
    if (address->storage.ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &address->storage, sizeof(in));
        memset(ret_bytes, 0, 10);
        memset(ret_bytes + 10, 0xff, 2);
        memcpy(ret_bytes + 12, &in.sin_addr, 4);
        *ret_mapped = true;
        return true;
    }
    if (address->storage.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &address->storage, sizeof(in6));
        memcpy(ret_bytes, &in6.sin6_addr, 16);
        *ret_mapped = false;
        return true;
    }
    return false;
}

// The bits of byte `i` that belong to a network of `bits`.
static uint8_t byte_mask(uint8_t bits, size_t i)
{
    if (bits >= 8 * (i + 1)) {
        return 0xff;
    }
    if (bits <= 8 * i) {
        return 0;
    }
    return (uint8_t)(0xffU << (8 * (i + 1) - bits) & 0xffU);
}

enum err cidr_parse(struct span text, struct cidr *ret_cidr)
{
    const char *slash = text.len == 0 ? NULL : memchr(text.ptr, '/', text.len);
    size_t ip_len = slash == NULL ? text.len : (size_t)(slash - text.ptr);
    struct address address;
    struct cidr cidr;
    bool mapped;
    if (address_parse_ip(span_of(text.ptr, ip_len), 0, &address) != ERR_OK ||
        !address_bytes(&address, cidr.bytes, &mapped)) {
        return ERR_SYNTAX;
    }
    uint64_t bits = mapped ? 32 : 128;
    if (slash != NULL) {
        struct span number = span_of(slash + 1, text.len - ip_len - 1);
        enum err err = text_u64_in(number, 0, bits, &bits);
        if (err != ERR_OK) {
            return err;
        }
    }
    cidr.bits = (uint8_t)(bits + (mapped ? MAPPED_BITS : 0));
    for (size_t i = 0; i < sizeof(cidr.bytes); i++) {
        cidr.bytes[i] &= byte_mask(cidr.bits, i);
    }
    *ret_cidr = cidr;
    return ERR_OK;
}

bool cidr_contains(const struct cidr *cidr, const struct address *address)
{
    uint8_t bytes[16];
    bool mapped;
    if (!address_bytes(address, bytes, &mapped)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if ((bytes[i] & byte_mask(cidr->bits, i)) != cidr->bytes[i]) {
            return false;
        }
    }
    return true;
}
