// SPDX-License-Identifier: Apache-2.0
// Networks as people write them: `10.0.0.0/8`, `fd00::/8`, or one address alone.
// Invariant: an IPv4 network and the same one mapped into IPv6 contain the same addresses.
// Plain data, pure, any thread.  Read next: address.h.
#pragma once

#include "base/address.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

// IPv4 is kept as ::ffff:a.b.c.d, its bits counted from there.
struct cidr {
    uint8_t bytes[16]; // beyond `bits` all zero
    uint8_t bits;      // 0-128
};

// ERR_SYNTAX: no network.  ERR_RANGE: more bits than the address has.  Bits beyond are dropped.
enum err cidr_parse(struct span text, struct cidr *ret_cidr) MUST_USE;

// False for a unix socket.
bool cidr_contains(const struct cidr *cidr, const struct address *address);
