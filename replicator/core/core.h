// SPDX-License-Identifier: Apache-2.0
// The heart: a function from events to actions.
//
//     core_step(core, event, now) --> map_put / map_show / map_set_health  (localmap, written here only)
//                                 --> sink(action)                         (what the driver must do)
//
// It owns the outbox, the shadow of the server, the partition sessions, repairs, liveness, leases, who
// observes what, and the derived health.  It reads no clock, opens no socket, starts no thread and takes
// memory only from the arena given to core_init; when the arena is full a write is refused
// (CORE_REFUSED), never an error path.  Invariant: no version of a key ever goes back, and nothing that
// was answered is lost while the server or one holder lives.
// One thread; the sink must not call back into core.  Read next: state.h (the parts), session.c (a
// partition's life), outbox.h, writer.c (a put's life), presence.c, derive.c.
#pragma once

#include "base/span.h"
#include "base/time.h"
#include "localmap/map.h"
#include "localmap/model/patch.h"
#include "stream/position.h"

#include <stdbool.h>
#include <stdint.h>

struct core;

struct core_options {
    struct span node_id, region, zone, release;
    uint32_t partitions;
    int64_t lease_ms;         // of a node's presence; heartbeats every third of it
    int64_t resync_min_ms;    // between two resyncs of one partition for an unequal digest
    int64_t start_without_ms; // 0 = never ready without a server
    bool
        private_stream; // nobody else can hold what it lost (memory:): no waiting at an empty server
    uint64_t seed;      // drawn at random by the caller: attempt ids, epochs, jitter
    const struct span *local_addresses; // IP literals of this host, for `observers: local`
    uint32_t local_address_count;
};

// --- events

enum core_event_type {
    CORE_EV_TICK,   // time has passed; every 100 ms or sooner
    CORE_EV_STREAM, // from the backend
    CORE_EV_WRITE,  // somebody wants a record changed
    CORE_EV_JUDGED, // the checker judged a target
    CORE_EV_WANT,   // somebody reads a service that was evicted
    CORE_EV_LEAVE   // shutting down: withdraw from presence
};

enum core_precondition { CORE_ANY, CORE_IF_MATCH, CORE_IF_EXISTS, CORE_IF_ABSENT };

struct core_write {
    uint64_t op;     // named in CORE_ACT_DONE; 0 = nobody waits
    struct span key; // PATCH_DELETE of a policy key deletes the whole service
    const struct patch *patch;
    enum core_precondition precondition;
    struct version version; // of CORE_IF_MATCH
    bool ack_stream;        // DONE only when the stream has decided
};

struct core_judged {
    struct span key; // registration
    enum status status;
    enum reason reason;
    struct span text;
    uint64_t latency_us;
};

struct core_event {
    enum core_event_type type;
    union {
        const struct stream_event *stream;
        struct core_write write;
        struct core_judged judged;
        struct span service_key; // of CORE_EV_WANT
    };
};

// --- actions

enum core_action_type {
    CORE_ACT_META,
    CORE_ACT_CREATE, // epoch
    CORE_ACT_SCAN,   // cursor
    CORE_ACT_PROBE,  // id
    CORE_ACT_READ,   // id, catching_up
    CORE_ACT_UNREAD,
    CORE_ACT_PUT,    // epoch, records, count
    CORE_ACT_BEAT,   // text = payload
    CORE_ACT_FORGET, // text = name
    CORE_ACT_DONE,   // op, outcome
    CORE_ACT_TARGET, // key, target: start (or go on with new terms) or stop probing
    CORE_ACT_LOG     // log
};

enum core_outcome {
    CORE_APPLIED,  // shown here, queued for the stream
    CORE_ACCEPTED, // the stream has it
    CORE_SAME,     // changes nothing
    CORE_NOT_FOUND,
    CORE_STALE,      // the precondition failed
    CORE_CONFLICT,   // a newer wire version stands there, which this program must not overwrite
    CORE_REFUSED,    // the arena is full
    CORE_OVER_QUOTA, // one record more than the tenant may have
    CORE_NOT_READY,
    CORE_FENCED,
    CORE_UNAVAILABLE, // a conditional write while the stream is out of reach
    CORE_UNKNOWN      // a conditional write whose outcome cannot be known any more
};

// What core decided; the driver makes a log line or a metric of it.
enum core_log_what {
    CORE_LOG_HEALTH,       // key, from, to, reason
    CORE_LOG_SESSION,      // partition, text = new state
    CORE_LOG_RESYNC,       // partition, text = cause
    CORE_LOG_REPAIR,       // key, text = cause: queued
    CORE_LOG_REJECTED,     // partition, id, key, text = reason, value = head of the bytes
    CORE_LOG_CONFLICT,     // key: the server held something else
    CORE_LOG_EQUIVOCATION, // key: one version, two bodies
    // key: a write that was built on less than we hold (`other`, its body `other_value`) loses to what we
    // hold (`version`, `value`)
    CORE_LOG_SUPERSEDED,
    CORE_LOG_NODE,   // text = node, to_up
    CORE_LOG_JOINED, // number = incarnation
    CORE_LOG_FENCED, // number = the greater incarnation
    CORE_LOG_READY,
    CORE_LOG_STALE_START,   // no server within start_without: ready with what is known here
    CORE_LOG_DIVERGED,      // partition: unequal digest after a resync
    CORE_LOG_MISCONFIGURED, // text = why
    CORE_LOG_POLICY,        // key, text = the node whose policy was replaced
    CORE_LOG_LEASE,         // key: a lease ran out
    CORE_LOG_STREAM,        // text: the backend's words (down, retry, mistyped, config)
    CORE_LOG_REFUSED,       // key: the arena is full
    CORE_LOG_LOST, // key: was evicted, and neither the server nor anybody else has it any more
    CORE_LOG_OVER_QUOTA, // key: CORE_OVER_QUOTA
    CORE_LOG_QUOTA,      // text = tenant, level: where it stands now; number = its records, limit
    CORE_LOG_OPAQUE      // key: not written over what a newer version wrote (CORE_CONFLICT)
};

struct core_log {
    enum core_log_what what;
    struct span key;
    struct span text;
    struct span value;
    uint32_t partition;
    struct stream_id id;
    struct version version, other;
    struct span other_value;
    uint64_t number;
    uint32_t limit;
    enum map_tenant_level level;
    enum status from, to;
    enum reason reason;
    bool up;
};

struct core_target {
    bool probe; // false: stop
    struct span address;
    uint32_t port;
    const struct check_policy *check;
};

struct core_action {
    enum core_action_type type;
    uint32_t partition;
    union {
        const struct stream_epoch *epoch; // CREATE
        uint64_t cursor;
        struct {
            struct stream_id id;
            bool catching_up;
        } read; // PROBE, READ
        struct {
            const struct stream_epoch *epoch;
            const struct stream_record *records;
            uint32_t count;
        } put;
        struct span text;
        struct {
            uint64_t op;
            enum core_outcome outcome;
        } done;
        struct {
            struct span key;
            struct core_target target;
        } target;
        const struct core_log *log;
    };
};

// Borrowed until it returns.
typedef void (*core_sink_fn)(void *arg, const struct core_action *action);

// --- the calls

struct core_time {
    struct mono mono;
    struct wall wall; // for `since` of what is made here; orders nothing
};

// `arena` of `arena_len` bytes (at least CORE_ARENA_MIN) is core's for its life; it must be zeroed or
// fresh from mmap.  *keeps* map and the option's spans' bytes are copied.  NULL: the arena is too small.
#define CORE_ARENA_MIN (1u << 20)
struct core *core_init(void *arena, size_t arena_len, const struct core_options *options,
                       struct map *map, core_sink_fn sink, void *sink_arg);

void core_step(struct core *core, const struct core_event *event, struct core_time now);

// Between steps: makes stubs of the records of a service (map_evict), if nobody here has need of them: no
// instance is probed or leased here, nothing of it is pending, timed, local or followed, and the server holds
// all of it exactly so.  Returns the bytes that went; 0: it stays.
uint64_t core_evict(struct core *core, struct span service_key);

// --- what the driver reads between steps

enum core_state {
    CORE_STATE_CONNECTING,
    CORE_STATE_SNAPSHOT,
    CORE_STATE_LIVE,
    CORE_STATE_STALE,
    CORE_STATE_DIVERGED,
    CORE_STATE_FENCED,
    CORE_STATE_MISCONFIGURED
};

enum core_partition_state {
    CORE_PARTITION_CONNECTING,
    CORE_PARTITION_SNAPSHOT,
    CORE_PARTITION_TAIL,
    CORE_PARTITION_LIVE,
    CORE_PARTITION_STALE,
    CORE_PARTITION_DIVERGED
};

struct core_partition_view {
    enum core_partition_state state;
    struct stream_position position; // digest: of the shadow
    uint64_t pending;                // slots of the outbox
    uint64_t resyncs, repairs;
};

struct core_node_view {
    char id[KEY_SERVICE_MAX + 1];
    char zone[KEY_SERVICE_MAX + 1];
    char release[32];
    uint64_t incarnation;
    bool up;             // by its node record
    int64_t beat_age_ms; // -1: never seen
    int64_t lag_ms;      // as its heartbeat says; -1: unknown
    char state[16];      // as its heartbeat says
    char digest[48];
    bool agrees;
};

enum core_counter {
    CORE_PUBLISHED, // records accepted
    CORE_CONSUMED,  // records of others read from the stream
    CORE_DUPLICATE,
    CORE_STALE_ENTRIES,
    CORE_CONFLICTS_API,    // 412 answered
    CORE_CONFLICTS_STREAM, // puts refused by the stream and composed again
    CORE_EQUIVOCATIONS,
    CORE_SUPERSEDED,
    CORE_EVICTIONS, // services
    CORE_RELOADS,   // services whose bodies came again
    CORE_REAPPLIED, // unconditional writes applied again after an unknown outcome
    CORE_COUNTER_COUNT
};

bool core_is_ready(const struct core *core);
bool core_was_stale_start(const struct core *core);
enum core_state core_get_state(const struct core *core);
void core_get_partition(const struct core *core, uint32_t partition,
                        struct core_partition_view *ret_view);
// The nodes known by record or heartbeat, in no order; returns how many were written.
size_t core_get_nodes(const struct core *core, struct core_node_view *ret_nodes, size_t cap);
uint64_t core_get_pending(const struct core *core);
uint64_t core_get_counter(const struct core *core, enum core_counter counter);
bool core_knows_node(const struct core *core, struct span name);
size_t core_arena_used(const struct core *core);
