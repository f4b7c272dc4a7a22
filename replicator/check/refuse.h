// SPDX-License-Identifier: Apache-2.0
// Where a probe may not go.  Who can register an instance names an address that this host then connects
// to; so cloud metadata, our own interfaces and what is no single host are refused whatever the policy.
// Invariant: always refused: link-local (169.254.0.0/16, fe80::/10), metadata (169.254.169.254,
// fd00:ec2::254), unspecified, multicast, broadcast, and the own listeners; beyond that `allow` decides.
// An IPv4 address mapped into IPv6 is judged as the IPv4 address.
// One thread.
#pragma once

#include "base/address.h"
#include "base/err.h"
#include "replicator/check/backend.h"

#include <stdbool.h>

struct refuse;

// `allow`: CIDRs, none = everything that is not refused.  `local`: IP literals of this host.  Both are
// copied.  ERR_INVALID: one of them is malformed; ERR_NOMEM.
struct refuse_options {
    const struct span *allow;
    uint32_t allow_count;
    const struct span *local;
    uint32_t local_count;
};
enum err refuse_new(const struct refuse_options *options, struct refuse **ret_refuse) MUST_USE;
// Accepts NULL.
void refuse_free(struct refuse *refuse);

// One more own listener.  ERR_INVALID, ERR_NOMEM.
enum err refuse_listener(struct refuse *refuse, const struct check_refused *listener) MUST_USE;

bool refuse_is_refused(const struct refuse *refuse, const struct address *target);
