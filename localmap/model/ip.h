// SPDX-License-Identifier: Apache-2.0
// Is a text an IP literal?  Written here because the model may not see the resolver's headers, and an
// address that is none would be refused by Envoy together with everything that stands beside it.
// Invariant: what is accepted, inet_pton(3) accepts.  Pure, any thread.  Used by: field.c.
#pragma once

#include "base/span.h"

#define IP_LEN_MAX 45 // 39 digits and colons, or an IPv4 address in the tail of an IPv6 one

// IPv4 in four decimal parts without leading zeros, or IPv6 without brackets and without a zone.
bool ip_is_literal(struct span text);
