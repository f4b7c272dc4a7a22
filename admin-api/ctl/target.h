// SPDX-License-Identifier: Apache-2.0
// What an operand names: SERVICE, or SERVICE/INSTANCE, where the last "/" parts (a service's name may
// itself hold one), and the path of the admin API that belongs to it.
// Pure, any thread; *borrows* the operand.  Read next: arguments.h.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>

struct buf;

struct target {
    struct span service;  // empty only where nothing was named
    struct span instance; // empty: the service itself
};

// `whole`: the operand is a service, whatever it holds.  ERR_SYNTAX: an empty name.
enum err target_parse(const char *operand, bool whole, struct target *ret_target) MUST_USE;

// Appends "/v1/services" of the tenant (NULL: the default one), and below it what the target has; each
// name percent-encoded.  Errors stay in `out`.
void target_path(const struct target *target, const char *tenant, struct buf *out);

// Appends `text` with every byte but the unreserved ones of RFC 3986 as %XX.
void target_encode(struct span text, struct buf *out);
