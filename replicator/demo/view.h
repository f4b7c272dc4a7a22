// SPDX-License-Identifier: Apache-2.0
// What the demo knows at this moment: its nodes, its backends, and how each node sees each backend.
// Plain data: fleet.c and follow.c write it, screen.c shows it.  [loop]
#pragma once

#include "replicator/demo/score.h"
#include "replicator/demo/story.h"

#include <stdbool.h>
#include <stdint.h>

#define VIEW_WORD_MAX 31

struct view_node {
    char id[4];
    char url[48];
    bool up;                        // answers
    char stream[VIEW_WORD_MAX + 1]; // what it says of its stream: "live", ...
    int64_t lag_ms;                 // behind the stream; -1: unknown
    unsigned restarts;
};

// How one node sees one backend.
struct view_seen {
    char status[VIEW_WORD_MAX + 1]; // "" = not yet
    char reason[VIEW_WORD_MAX + 1];
};

struct view_backend {
    const char *service;
    char instance[16];
    uint16_t port;
    enum story_mode mode;
    int64_t flipped_ms; // when it last changed, since the start
    int64_t first_ms;   // when the first node showed that; 0: none has
    int64_t last_ms;    // when the last node so far did
    struct view_seen seen[SCORE_NODES_MAX];
};

struct view {
    uint64_t seed;
    int64_t now_ms; // since the start of the schedule; below 0: not started
    uint64_t flips;
    size_t node_count;
    struct view_node nodes[SCORE_NODES_MAX];
    struct view_backend backends[STORY_BACKENDS];
};
