// SPDX-License-Identifier: Apache-2.0
// The inside of the simulated mesh: the world, its nodes and the judge.  Private to tests/sim.
// Read next: cluster.h (what it is for), node.c (a core on the memory backend), scenes.c (what
// clients and fate do to it), judge.c (what must hold).
#pragma once

#include "base/random.h"
#include "replicator/core/core.h"
#include "stream/memory.h"
#include "tests/sim/cluster.h"
#include "tests/sim/history.h"

#define NODES_MAX 8
#define NAMES "abcdefgh"
#define ARENA_LEN (16u << 20)
#define PARTITIONS 2
#define LEASE_MS 3000
#define INSTANCES 4
#define KEYS (INSTANCES + 2) // some come and go
#define QUIET_MS 40000       // what healing may take: scans, barriers, ranks, leases
#define SILENT_MS 15000      // then nothing may be written

// Of each, one may be open in a partition (stream.h).
enum question { QUESTION_META, QUESTION_SCAN, QUESTION_PROBE, QUESTION_PUT, QUESTION_COUNT };

struct sim_node {
    struct cluster *cluster;
    char name;
    bool up;
    bool cut;
    int64_t paused_until;
    uint32_t rng_salt;
    void *arena;
    struct core *core;
    struct map *map;
    struct stream *client;
    bool probing[KEYS];
    int last_instance; // that a client wrote to
    bool open[PARTITIONS][QUESTION_COUNT];
    uint64_t repairs, resyncs, conflicts;
};

struct cluster {
    const struct cluster_options *options;
    struct cluster_verdict *verdict;
    struct random random;
    struct memory_server *server;
    struct history history;
    struct sim_node nodes[NODES_MAX];
    uint32_t node_count;
    uint32_t starts;
    int64_t now_ms;
    enum status truth[KEYS];
    bool quiet;
    int64_t refuse_until;
    int contested; // until then, whoever writes writes to this instance
    int64_t contested_until;
    uint64_t noted[PARTITIONS]; // sequence of the last entry that the history was told
};

uint64_t world_below(struct cluster *c, uint64_t bound);
bool world_chance(struct cluster *c, uint32_t percent);
// The first broken promise is kept.
void world_broken(struct cluster *c, const char *promise, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// A line of the transcript.
void world_tell(struct cluster *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_key(int i, struct key_bytes *ret); // service s0 or s1, instances i0..
int world_index_of(struct span key);          // -1: none of ours
struct core_time world_now(const struct cluster *c);
struct sim_node *world_pick(struct cluster *c); // one that is up; NULL: none

// Time passes for everybody.
void world_advance(struct cluster *c, int64_t ms);

enum operation {
    OPERATION_PUT,
    OPERATION_EDIT,
    OPERATION_EDIT_IF,
    OPERATION_PUT_IF,
    OPERATION_REMOVE
};

// A client writes to an instance by way of a node.  Returns the operation's number in the history.
uint64_t world_operate(struct cluster *c, struct sim_node *n, int i, enum operation operation);

void scene_any_operation(struct cluster *c, struct sim_node *n);
void scene_late_put(struct cluster *c);
void scene_flush_behind(struct cluster *c);
void scene_lost_delete(struct cluster *c);

void node_start(struct cluster *c, char name);
void node_kill(struct cluster *c, struct sim_node *n);
void node_step(struct sim_node *n, const struct core_event *event);
void node_write(struct sim_node *n, struct span key, const struct patch *patch,
                const struct core_write *how);
bool node_is_awake(const struct cluster *c, const struct sim_node *n);
bool node_is_fenced(const struct sim_node *n);

void judge_quiet(struct cluster *c, uint64_t entries, uint64_t resyncs);
void judge_nodes(struct cluster *c);
