// SPDX-License-Identifier: Apache-2.0
// What stands behind struct admin_options once it is copied.
// Plain data of server.c.  Read next: server.h.
#pragma once

#include "admin-api/server.h"
#include "base/address.h"

// A deep copy of the options.
struct server_options {
    struct admin_options plain; // its pointers lead to the copies
    char *strings;              // all strings, one after the other
    const char **hosts;
    struct span *host_spans;
    uid_t *uids;
};

enum err server_options_copy(const struct admin_options *options,
                             struct server_options *ret_options) MUST_USE;
void server_options_fini(struct server_options *options);
