// SPDX-License-Identifier: Apache-2.0
// The demo's nodes: `meshpulse serve` processes of this very program, each with a configuration of its
// own, kept running, and followed over their admin APIs.
//
//     process: started --ended--> (200 ms) started again ...       five ends in ten seconds: fatal
//     follow:  what the node shows of each backend                 poll: its stream, lag and digest
//
// Invariant: a node that ended is started again under the same name, so that a kill is only a pause.
// [loop]  Read next: process.h, follow.h, view.h.
#pragma once

#include "base/err.h"
#include "replicator/demo/place.h"
#include "replicator/demo/process.h"
#include "replicator/demo/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fleet;
struct http_client;
struct loop;

struct fleet_options {
    struct loop *loop;
    struct http_client *http;
    const struct place *place;
    struct view *view;      // its nodes are written here, and what they see of the backends
    const char *redis_path; // of the socket; kept
    // A node shows another status for a backend than before.
    void (*on_shown)(void *arg, size_t node, size_t backend);
    // It is followed, or not any more.
    void (*on_node)(void *arg, size_t node, bool up);
    void (*on_note)(void *arg, const char *text);
    // It cannot be helped.
    void (*on_fatal)(void *arg, const char *text);
    void *arg;
};

// Chooses ports and names; starts nothing yet.  ERR_NOMEM, ERR_BUSY (no port).  *gives* it.
enum err fleet_new(const struct fleet_options *options, struct fleet **ret_fleet) MUST_USE;
// After its processes were stopped.
void fleet_free(struct fleet *fleet);

// Starts what is due: every node at first, later those that ended.  Call often.
void fleet_tick(struct fleet *fleet, int64_t now_ms);
// A child of the process has ended: was it one of ours?
void fleet_reap(struct fleet *fleet, int64_t now_ms);
// Asks each node for its stream, lag and digest.
void fleet_poll(struct fleet *fleet);
// The answers so far do not count any more.
void fleet_forget_digests(struct fleet *fleet);
// Does every node that is up say the same digest, with nothing pending?  By the last answers.
bool fleet_digests_agree(const struct fleet *fleet);

struct process *fleet_process(struct fleet *fleet, size_t node);
