// SPDX-License-Identifier: Apache-2.0
// Keeps the score of the demo: was every flip seen by every node, and how fast.
//
//     score_flip     a backend changes its health
//     score_seen     a node shows that health for it            -> one latency
//     score_flip     ... it changes again: who has not seen the last change has missed it
//
// A node that is down owes nothing of what happens meanwhile: the flips that are open when it goes down or
// happen while it is, are excused, and give no latency.
// Pure: time is an argument.  Read next: story.h, demo.c.
#pragma once

#include "replicator/demo/story.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCORE_NODES_MAX 16
#define SCORE_MS_MAX 10000 // a latency above counts as this

struct score_backend {
    bool healthy;           // what it is
    int64_t at_ms;          // since when
    uint32_t owed;          // bit per node: has not shown it yet
    uint32_t shown_healthy; // bit per node: what it shows
};

struct score {
    size_t node_count;
    bool node_up[SCORE_NODES_MAX];
    struct score_backend backends[STORY_BACKENDS];
    uint64_t flips, missed;
    uint64_t sample_count;
    uint32_t samples[SCORE_MS_MAX + 1]; // how many of each latency in ms
};

// All nodes are down, all backends healthy.
void score_init(struct score *score, size_t node_count);
void score_flip(struct score *score, size_t index, bool healthy, int64_t now_ms);
// What a node shows for a backend; again and again is fine.
struct score_sight {
    size_t node, backend;
    bool healthy;
    int64_t now_ms;
};
void score_shown(struct score *score, struct score_sight sight);
void score_node(struct score *score, size_t node, bool up);

// Does every node that is up show every backend as it is?
bool score_agrees(const struct score *score);
// Was every flip seen by every node that owed it, up to now?
bool score_complete(const struct score *score);
// The latency below which `percent` of the samples lie, in ms; 0 when there are none.
int64_t score_percentile(const struct score *score, unsigned percent);
