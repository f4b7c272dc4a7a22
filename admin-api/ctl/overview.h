// SPDX-License-Identifier: Apache-2.0
// The whole mesh as one node sees it, made from the documents of its API: is it ready, do the replicas
// agree, how is the stream, which services are in panic, what is drained, which instances are worst.
//
//     readyz, nodes, partitions, digest, services --overview_judge--> counts and problems
//     the instances of each service that has trouble --overview_add--> worst, drains
//
// Invariant: what is wrong with meshpulse itself is a problem; what it has found out about the instances
// that it watches is none.
// Pure, any thread; *borrows* the documents as long as it lives.  Read next: overview_show.h.
#pragma once

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OVERVIEW_WORST_MAX 10
#define OVERVIEW_DRAINS_MAX 10
#define OVERVIEW_PROBLEMS_MAX 12
#define OVERVIEW_PROBLEM_LEN 256

struct json;

// The documents; any but the first may be NULL, then nothing is known of what it says.
struct overview_documents {
    const struct json *ready, *nodes, *partitions, *digest, *services;
};

struct overview_counts {
    int64_t services, instances, healthy, unhealthy, timeout, draining, degraded, unknown, guarded;
};

struct overview {
    struct overview_documents documents;
    bool ready;
    size_t nodes, nodes_live, nodes_agreeing; // agreeing: of those that are live
    struct span stream;                       // state of our own, in the API's word
    size_t partitions, partitions_live;
    int64_t lag_ms; // the greatest of the live nodes; -1: not known
    struct span lag_node;
    struct overview_counts counts;
    size_t problem_count; // of those in `problems`
    char problems[OVERVIEW_PROBLEMS_MAX][OVERVIEW_PROBLEM_LEN];
    size_t ailing; // how many instances might have been among the worst
    size_t worst_count, drain_count;
    const struct json
        *worst[OVERVIEW_WORST_MAX]; // Instances; the worst first, of equals the latest
    const struct json *drains[OVERVIEW_DRAINS_MAX];
};

void overview_judge(struct overview *overview, const struct overview_documents *documents);

// Is that the node that was asked?
bool overview_is_self(const struct overview *overview, struct span node_id);

// Ready, and no problem.
bool overview_is_fine(const struct overview *overview);

// Does a service have instances that could be shown?  The more, the more trouble there is.
int64_t overview_trouble(const struct json *service);

// Adds the instances of a service ("items" of a list).
void overview_add(struct overview *overview, const struct json *instances);
