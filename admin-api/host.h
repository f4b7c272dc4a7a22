// SPDX-License-Identifier: Apache-2.0
// Whose name did the client use?  A web page that makes a browser talk to 127.0.0.1 under a name of its
// own (DNS rebinding) shows that name in Host, and its own in Origin: both must be ours.
// Ours are: the listen address, localhost, 127.0.0.1 and [::1] with the listener's port, and those allowed
// by configuration (one without a port stands for any port).
// Pure, any thread.  Read next: handle.h.
#pragma once

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host_rules {
    struct span listen_ip;      // without brackets; "" none
    const struct span *allowed; // "name" or "name:port"
    size_t allowed_count;
};

// Where the request came in.
struct host_door {
    uint16_t port;
    bool is_tls; // the port that may be left out is 443, else 80
};

// `host`: the value of Host, or an authority.
bool host_is_ours(const struct host_rules *rules, struct host_door door, struct span host);

// `origin`: "http://host[:port]" or "https://..."; anything else ("null") is foreign.
bool host_origin_is_ours(const struct host_rules *rules, struct host_door door, struct span origin);
