// SPDX-License-Identifier: Apache-2.0
// All that admin-api knows of the daemon: one struct of functions, filled in by replicator/daemon.c (and
// by a fake in the tests).  Reads of the map go to the map itself, which any thread may read.
// Invariant: no function here blocks; `submit` answers exactly once, from any thread.
// [worker].  Read next: server.h, routes.def.
#pragma once

#include "base/err.h"
#include "base/time.h"
#include "localmap/map.h"
#include "localmap/model/patch.h"

enum backend_outcome {
    BACKEND_APPLIED,    // shown locally, queued for the stream (ack=local)
    BACKEND_ACCEPTED,   // the stream has it
    BACKEND_SAME,       // it changed nothing: nothing is published
    BACKEND_NOT_FOUND,  // MERGE or DELETE of something absent
    BACKEND_STALE,      // a precondition failed: 412
    BACKEND_CONFLICT,   // 409: a newer version wrote the record, which this one cannot read
    BACKEND_OVER_QUOTA, // 429
    BACKEND_QUEUE_FULL, // 503 queue_full: refused before anything was done
    BACKEND_NOT_READY,  // 503 not_ready
    BACKEND_FENCED,     // 503 fenced
    BACKEND_UNAVAILABLE, // 503 stream_unavailable: a conditional write, and the stream is out of reach
    BACKEND_UNKNOWN      // 504 unknown_outcome
};

typedef void (*backend_done_fn)(void *arg, enum backend_outcome outcome);

enum backend_precondition {
    BACKEND_ANY,       // unconditional
    BACKEND_IF_MATCH,  // exactly `version` must be current
    BACKEND_IF_EXISTS, // If-Match: *
    BACKEND_IF_ABSENT  // If-None-Match: *
};

// One write: a patch of one record, or the delete of an instance or service (its records go together).
struct backend_write {
    struct span key;           // of the record; PATCH_DELETE of a registration takes override and
                               // observations along; of a policy key: the whole service
    const struct patch *patch; // borrowed until submit returns
    enum backend_precondition precondition;
    struct version version; // of BACKEND_IF_MATCH: what `key` must have
    bool ack_stream;        // call done only when the stream has decided
    backend_done_fn done;   // may be called from another thread, even before submit returns
    void *arg;
};

enum node_stream_state {
    NODE_STREAM_LIVE,
    NODE_STREAM_CONNECTING,
    NODE_STREAM_SNAPSHOT,
    NODE_STREAM_STALE,
    NODE_STREAM_DIVERGED,
    NODE_STREAM_FENCED,
    NODE_STREAM_MISCONFIGURED
};

struct backend_node {
    char id[KEY_SERVICE_MAX + 1];
    uint64_t incarnation;
    bool live;
    char zone[KEY_SERVICE_MAX + 1];
    enum node_stream_state stream;
    int64_t heartbeat_age_ms; // -1: never
    int64_t lag_ms;           // -1: unknown
    char digest[48];
    bool agrees;
    char release[32];
};

enum partition_state {
    PARTITION_CONNECTING,
    PARTITION_SNAPSHOT,
    PARTITION_TAIL,
    PARTITION_LIVE,
    PARTITION_STALE,
    PARTITION_DIVERGED
};

struct backend_partition {
    uint32_t partition;
    enum partition_state state;
    char epoch[40];
    uint64_t sequence;
    char position[44]; // entry id
    uint64_t pending;
    uint64_t records;
    struct map_digest digest;
    uint64_t resyncs, repairs;
};

// An entry that was refused, kept for inspection.
struct backend_reject {
    int64_t at_ms; // wall
    uint32_t partition;
    char position[44];
    char reason[32]; // truncated oversized wire_version garbage hash memory
    char key[128];   // escaped, cut
    char head[64];   // the first bytes in hex
};

struct backend_condition { // one line of /readyz?verbose and /livez?verbose
    const char *name;      // "stream", "map-replayed", "eviction-policy", ...
    bool ok;
    char detail[160];
};

struct backend {
    void *daemon;
    const struct map *map;
    const char *node_id;
    const char *version;

    // Takes a write; see struct backend_write.  Outcomes that are known at once may be delivered at once.
    void (*submit)(void *daemon, const struct backend_write *write);

    // By how much whoever has written is to be slowed down now; 0: not at all.
    uint32_t (*slow_ms)(void *daemon);

    bool (*live)(void *daemon);
    bool (*ready)(void *daemon);
    size_t (*conditions)(void *daemon, struct backend_condition *ret, size_t cap);

    // Each fills at most `cap` rows and returns how many there are to show.
    size_t (*nodes)(void *daemon, struct backend_node *ret, size_t cap); // sorted by id
    size_t (*partitions)(void *daemon, struct backend_partition *ret, size_t cap);
    size_t (*rejects)(void *daemon, struct backend_reject *ret, size_t cap); // newest first

    uint64_t (*pending)(void *daemon);                          // patches in the outbox
    bool (*is_node)(void *daemon, struct span name);            // a node of this id is known
    bool (*has_service)(void *daemon, struct span service_key); // configured here, even if empty

    // A service that was evicted is read again, soon.
    void (*want)(void *daemon, struct span service_key);

    struct wall (*wall_now)(void *daemon);
};
