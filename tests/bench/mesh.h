// SPDX-License-Identifier: Apache-2.0
// One node of a mesh without the program around it: a real core, a real map and a stream, stepped by whoever
// measures, so that nothing but these lies between two points of a measurement.
//
//     stream event, write, tick --> mesh_step --> core_step --> calls of the stream
//
// Invariant: as in the daemon, core is entered from one place and never from inside itself.
// One thread.  Read next: replicator/driver.c, which does the same with logs, waiters and metrics.
#pragma once

#include "localmap/map.h"
#include "replicator/core/core.h"
#include "stream/stream.h"

#include <stdbool.h>

#define MESH_PARTITIONS 16
#define MESH_LEASE_MS 15000

struct loop;

struct mesh_node {
    const char *name;
    struct loop *loop; // NULL: the caller steps it
    struct loop_timer *tick;
    struct map *map;
    struct core *core;
    void *arena;
    struct stream *stream;
    uint32_t puts_out;   // puts that are not answered
    struct span watched; // a record key ...
    double applied_us; // ... and when a step brought its record into the map, which stops the loop
    double give_up_us; // if that has not happened by then; 0: never
};

// Makes map and core; the stream is the caller's to make, with mesh_on_stream as its callback.
void mesh_init(struct mesh_node *node, const char *name);
void mesh_fini(struct mesh_node *node); // frees the stream, too

// With a stream to the Redis at `url`, run by `loop`.
void mesh_connect(struct mesh_node *node, struct loop *loop, const char *url);

void mesh_on_stream(void *node, const struct stream_event *event);
void mesh_step(struct mesh_node *node, const struct core_event *event);
void mesh_tick(struct mesh_node *node);
bool mesh_is_live(const struct mesh_node *node);   // every partition read to its end
bool mesh_is_joined(const struct mesh_node *node); // and its own record stands
