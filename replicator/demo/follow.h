// SPDX-License-Identifier: Apache-2.0
// Follows how one node sees the instances, over its admin API as any user could: it lists each service,
// then reads the changes from there on, to the millisecond.
//
//     follow_start --> LIST service 0 --> LIST service 1 --> WATCH since the first list's index
//                       ^                                     |
//                       +------- 100 ms after any end --------+ closed, resync, malformed
//
// Invariant: on_up(true) comes when both lists were read; from then until on_up(false) every change of
// the node is shown.
// [loop]  Read next: fleet.c, admin-api/ctl/sse.h.
#pragma once

#include "base/address.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct follow;
struct http_client;
struct loop;

struct follow_instance {
    struct span service, id, status, reason;
};

struct follow_options {
    struct loop *loop;
    struct http_client *http;
    const char *const *services; // kept
    size_t service_count;
    void (*on_instance)(void *arg, const struct follow_instance *instance);
    void (*on_up)(void *arg, bool up);
    void *arg;
};

// ERR_NOMEM.  *gives* it, at rest.
enum err follow_new(const struct follow_options *options, struct follow **ret_follow) MUST_USE;
void follow_free(struct follow *follow);

// From now on, at this address; again after a restart of the node, maybe at another one.
void follow_start(struct follow *follow, const struct address *address);
// Comes to rest; on_up(false) when it was up.
void follow_stop(struct follow *follow);
