// SPDX-License-Identifier: Apache-2.0
// All that core remembers, in one place, so that each part can be read beside its data.
//
//     core --- sessions[K] --- flight (the put in the air), conds (conditional writes), slots (FIFO)
//      |---- outbox    key -> slot       patches that the stream has not accepted
//      |---- side      key -> side       what the server held at our cursor, where the map differs
//      |---- services  key -> service    policy and counts for the guard
//      |---- instances key -> instance   its part in those counts; who probes it; its lease
//      |---- nodes     key -> peer       node records and heartbeats
//      |---- wanted    key -> wanted     evicted services whose bodies somebody needs
//      '---- timed     key -> timed      overrides and reports that end
//
// Private to core.  Read next: core.c.
#pragma once

#include "replicator/core/arena.h"
#include "replicator/core/core.h"
#include "replicator/core/keymap.h"

#define SLOT_TRIES_BEFORE_BACKOFF 3
#define REPAIR_RANK_STEP_MS 400
#define REPAIR_BARRIER_MS 2500 // after a resync repairs go first
#define HEALTH_INPUTS_MAX 256  // observations of one instance that have a voice
#define HISTORY_LEN 128        // own positions remembered per partition
#define DIRTY_MAX 512          // instances to derive again at the end of a step
#define WAITING_MAX 256        // accepted records of one partition whose echo is awaited
#define CONDS_MAX 256          // conditional writes that one partition may hold
#define OUTBOX_MAX 65536       // slots

// A caller that waits for the stream.
struct waiter {
    struct waiter *next;
    uint64_t op;
};

struct bytes {
    char *ptr; // from the arena
    uint32_t len;
};

// What the stream said about one record of ours, from sending to certainty.
struct claim {
    struct version version; // of the value that was sent
    uint64_t hash;
    bool in_flight;
    bool seen;         // read in the stream: accepted, whatever the reply says
    bool doubt;        // a resend was refused; the truth is known when the reader gets there
    uint64_t doubt_at; // that sequence
};

// One key of the outbox.
struct slot {
    struct keyed keyed;
    struct slot *next, *prev; // FIFO of its partition
    uint32_t partition;
    bool base_held;
    struct version base_version;
    uint64_t base_hash;
    uint32_t base_flags;
    struct bytes base;    // body
    struct bytes sent;    // patch in the air
    struct bytes waiting; // patch composed since
    struct bytes granted; // a delete whose whole family is not granted yet (write.c)
    uint32_t sent_count, waiting_count;
    struct waiter *sent_waiters, *waiters;
    struct claim claim;
    bool repair; // send the base again: the server lost it
    uint32_t tries;
    struct mono not_before;
    bool known_set;       // a conflict told what the server holds, before the reader got there
    struct version known; // none: absent
};

enum cond_kind { COND_API, COND_JOIN, COND_INTERNAL };

// A conditional write: touches no map, the stream alone decides.
struct cond {
    struct cond *next;
    enum cond_kind kind;
    struct bytes key, patch;
    enum core_precondition precondition;
    struct version version;
    uint64_t op;
    struct claim claim;
    struct map_place place; // for the record that it may make
};

struct flight_row {
    struct slot *slot;
    struct cond *cond;
};

// The one put in the air of a partition.
struct flight {
    bool active;
    bool again; // the outcome of an earlier sending is unknown
    bool transmitted;
    uint32_t count;
    uint32_t used; // bytes of `buffer`
    struct mono not_before;
    struct flight_row *rows;       // STREAM_PUT_RECORDS_MAX
    struct stream_record *records; // likewise
    char *buffer;                  // STREAM_PUT_LEN_MAX
};

enum session_state {
    SESSION_OFFLINE, // no connection
    SESSION_PROBE,   // connected again: is our place still there?
    SESSION_COLD,    // asked for the meta fields before a scan
    SESSION_SCAN,
    SESSION_END,  // asked for the meta fields after the scan
    SESSION_TAIL, // reading up to that sequence
    SESSION_LIVE,
    SESSION_STATE_COUNT
};

struct place {
    uint64_t sequence;
    struct stream_digest digest;
};

struct awaited {
    uint64_t sequence;
    struct bytes key;
};

struct session {
    enum session_state state;
    struct stream_position cursor; // digest unused: see shadow
    struct stream_digest shadow;   // of what the server held at the cursor
    bool shadow_lost; // no memory for the side table: not compared until the next resync
    bool has_cursor;
    bool cursor_of_scan; // noted before a scan: that entry's digest is older than the shadow
    uint32_t generation; // of the scan; a map mark of this value means: the server holds it
    bool scan_waits;     // SCAN: for its turn
    bool filling;        // LIVE: scanned for bodies that were evicted
    bool fill_open;      // the reply to such a scan is still to come; no other scan until then
    uint64_t end;        // TAIL: live when past it
    uint64_t scan_end;   // entries up to it may be older than what the scan brought
    uint64_t floor;
    uint64_t acked; // greatest sequence of an accepted put
    int64_t born_ms;
    struct mono barrier; // patches wait until then
    struct mono next_check;
    struct mono start_at; // COLD: not before
    bool checking;
    uint64_t asked_at;        // sequence that the server must have reached when it was asked
    bool meta_open;           // a question for the meta fields is not answered yet ...
    bool meta_wanted;         // ... and its answer will come too early: ask again then
    uint64_t behind_of;       // a check saw this sequence ahead of us ...
    struct mono behind_since; // ... since then; 0 = not
    struct mono last_digest_resync;
    bool diverged;
    uint64_t resyncs, repairs;
    uint32_t resyncs_in_row;
    struct flight flight;
    bool orphan; // the reply of an abandoned put is still to come
    struct cond *conds;
    uint32_t cond_count;
    struct slot *first, *last;
    uint32_t slot_count;
    struct awaited *awaited; // WAITING_MAX, lazily
    uint32_t awaited_count;
    uint64_t
        awaited_unnamed; // up to there echoes are awaited of keys that found no place above; 0 = none
    struct place *history; // HISTORY_LEN
    uint32_t history_at, history_count;
};

// What the server held at the cursor where that is not what the map holds.
struct side {
    struct keyed keyed;
    uint32_t partition;
    bool opaque; // of a newer wire version
    struct version version;
    uint64_t hash;
};

struct repair {
    struct keyed keyed; // record key
    struct mono due;
    const char *cause;
};

struct instance;

struct service {
    struct keyed keyed; // tenant 0 service
    struct instance *first;
    uint32_t instances, voting, bad;
    bool guard;
    bool policy_held;
    struct bytes policy_body;
    struct policy policy; // decoded from policy_body, or the default
};

// One observation of an instance, as far as a vote goes.
struct voice {
    struct voice *next; // in bytewise order of the observers
    enum status status;
    enum reason reason;
    enum vantage vantage;
    uint32_t observer_len, via_len;
    char names[]; // observer, then via
};

// An instance, or what observers and operators say of one that nobody has registered (yet).
struct instance {
    struct keyed keyed; // registration key
    struct service *service;
    struct instance *next, *prev; // of the service
    struct instance *all_next,
        *all_prev; // of all, as they were opened, which is as they lie in memory
    struct voice *voices;
    uint64_t rank_hash;
    uint64_t content;           // hash of what registration and override say
    uint64_t registration_says; // hash of the registration alone
    uint64_t override_says;     // hash of the override
    enum status override_status;
    bool override_held;
    bool registered; // when it was judged last
    bool touched;    // the registration may have changed since
    bool heard;      // `raw` is what override, observations and nodes say as they stand
    bool counted, overridden, bad, probing, dirty, leased, lease_expired;
    bool has_lease;         // the registration has one, whoever keeps it
    bool shown_once;        // what is shown was announced as it stands
    bool assigned_as_shown; // the checker knows the address as it stands
    struct health raw;      // before the guard
    struct health shown;
    int64_t since_ms;
    struct mono lease_due;
    int64_t lease_ms;
};

struct peer {
    struct keyed keyed; // node id
    uint64_t rank_hash;
    bool recorded, up; // by its record
    uint64_t incarnation;
    uint64_t beat_incarnation;
    bool beating;
    bool agrees;
    struct mono beat_seen; // when a heartbeat reply last listed it; 0 = never
    int64_t beat_age_ms;
    int64_t lag_ms;
    char zone[KEY_SERVICE_MAX + 1];
    char release[32];
    char state[16];
    char digest[48];
    struct mono missing_since; // up by its record, absent from the heartbeats; 0 = not
    bool ahead; // its heartbeat shows another epoch or a greater sequence than the server
};

enum timed_kind { TIMED_UNTIL, TIMED_TTL };

struct timed {
    struct keyed keyed; // override or observation key
    enum timed_kind kind;
    int64_t until_ms; // server time
    struct mono due;  // ttl
    int64_t ttl_ms;
};

struct core {
    struct arena arena;
    struct map *map;
    core_sink_fn sink;
    void *sink_arg;
    struct core_options options;
    struct core_time now;
    uint64_t random;
    uint8_t hash_key[16];
    uint64_t writer40;
    uint32_t attempt;

    struct session *sessions;
    uint32_t scans_waiting;
    struct keymap outbox, side, repairs, services, instances, nodes, timed, wanted;
    uint64_t pending_slots; // slots that hold patches

    bool up, ever_up, ready, stale_start, warm, joined, joining, fenced, misconfigured;
    bool rise_again, leaving;
    uint64_t fence_at; // a greater incarnation of our own name was read
    int64_t lag_ms;    // of the last entry read; -1: none yet
    struct mono next_join;
    uint64_t incarnation;
    struct mono started;
    struct mono next_tick;
    struct mono next_beat, next_timed;
    struct mono next_lease; // no lease of ours runs out before
    bool beating;
    enum core_state beat_state; // what the last heartbeat said
    struct mono beat_at;
    bool beat_done;    // one heartbeat was answered since connecting
    int64_t server_ms; // of the last heartbeat
    struct mono server_at;
    bool in_grace;
    struct mono gate_until; // an emptied server: wait for holders at most until then
    uint32_t live_nodes;
    struct peer *self;
    struct instance *first_instance, *last_instance;

    struct instance *dirty[DIRTY_MAX];
    uint32_t dirty_count;
    bool all_dirty;
    bool adopt_leases; // a node went down: its leases need another owner
    bool assign_again; // the set of live nodes has changed

    uint64_t counters[CORE_COUNTER_COUNT];

    // Scratch, each used by one function at a time; too large for the stack.
    struct map_copy copy, copy_base, copy_derive;
    char body[CODEC_BODY_MAX];
    char value[RECORD_LEN_MAX];
    char patch[PATCH_LEN_MAX];
    struct observation observations[HEALTH_INPUTS_MAX];
    struct health_input inputs[HEALTH_INPUTS_MAX];
};

// --- small services for all parts (core.c)

uint64_t core_hash(const struct core *core, struct span key);
uint64_t core_random(struct core *core);
uint64_t core_writer(const struct core *core);
void core_emit(struct core *core, const struct core_action *action);
void core_say(struct core *core, const struct core_log *log);
void core_done(struct core *core, uint64_t op, enum core_outcome outcome);
// This node does not fit to what is on the server: it publishes nothing from now on.  Told once.
void core_misconfigured(struct core *core, const char *why);
bool bytes_set(struct core *core, struct bytes *bytes, struct span content); // false: no memory
void bytes_clear(struct core *core, struct bytes *bytes);

static inline struct span bytes_span(const struct bytes *bytes)
{
    return span_of(bytes->ptr, bytes->len);
}

static inline bool mono_reached(struct mono now, struct mono due)
{
    return now.us >= due.us;
}
