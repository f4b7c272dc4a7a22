// SPDX-License-Identifier: Apache-2.0
// Inside the Redis backend: what redis.c, redis_calls.c, redis_greet.c and redis_reader.c share.
//
//     redis.c         life: connect, greet, up, down, back off
//     redis_greet.c   the first commands of a connection, and what the server says of itself
//     redis_calls.c   put connection: a call out, its answer back as an event
//     redis_script.c  calling scripts, and again when the server has forgotten them
//     redis_reader.c  read connection: XREAD over the subscriptions
//     redis_secrets.c certificates and password, read again when their files change
//     redis_watch.c   looks again at what an operator may change while we are connected
//
// Invariant: events are given only from the loop (a reply, a timer), never from inside a call.
// [loop].
#pragma once

#include "base/loop.h"
#include "base/random.h"
#include "stream/redis/redis.h"
#include "stream/redis/redis_link.h"
#include "stream/redis/redis_reply.h"
#include "stream/redis/redis_secrets.h"
#include "stream/redis/redis_url.h"
#include "stream/redis/scripts.h"

struct resolver;
struct resolver_query;

enum redis_kind {
    REDIS_AUTH,
    REDIS_NAME,
    REDIS_SELECT,
    REDIS_ROLE,
    REDIS_INFO_SERVER,
    REDIS_INFO_MEMORY,
    REDIS_SCRIPT,    // partition: the script's id
    REDIS_CLIENT_ID, // the last of the greeting
    REDIS_META,
    REDIS_CREATE,
    REDIS_SCAN,
    REDIS_PROBE,
    REDIS_PUT,
    REDIS_PUT_REFUSED, // a PING, so that the refusal keeps its place among the answers
    REDIS_BEAT,
    REDIS_INFO_AGAIN, // INFO memory, while up
    REDIS_IGNORED,    // ZREM, HDEL, CLIENT UNBLOCK
    REDIS_READ
};

// Of the server's maxmemory-policy.
enum redis_policy { REDIS_POLICY_UNKNOWN, REDIS_POLICY_KEEPS, REDIS_POLICY_EVICTS };

enum redis_life { REDIS_IDLE, REDIS_WAITING, REDIS_CONNECTING, REDIS_UP };

struct redis_subscription {
    bool active;
    bool catching_up;
    uint32_t generation; // changes when the subscription moves
    uint32_t asked;      // the generation that the XREAD in flight asks for; 0: not asked for
    struct stream_id after;
    struct mono skip_until; // something else stands at its key
};

struct redis_reader {
    struct redis_subscription *subscriptions;
    struct loop_timer *send;    // the next XREAD
    struct loop_timer *unblock; // wakes an XREAD that waits for too little
    bool in_flight, changed;
    bool may_unblock; // CLIENT UNBLOCK is allowed
    bool isolating;   // one of the keys is mistyped: asked for one by one to find it
    uint32_t isolated;
    uint32_t count;
    int64_t client_id;
};

// When a script was loaded again; serial 0: never.
struct redis_reload {
    uint64_t serial; // of the SCRIPT LOAD on the put connection
    bool proven;     // it was there when it was called after that
    struct mono at;
};

// The heartbeat in flight, to be sent again: name, then payload.
struct redis_beat {
    struct buf bytes;
    size_t name_len;
    int64_t lease_ms;
};

#define REDIS_TEXT_MAX 256

struct redis {
    struct stream stream;         // first
    struct redis_options options; // strings owned
    struct redis_url url;
    char tls_name[REDIS_URL_HOST_MAX + 1]; // kept: a link needs it until it is open
    enum redis_life life;
    struct redis_link put, read;
    bool put_greeted, read_greeted;
    struct redis_secrets secrets;
    struct loop_timer *attempt;
    struct loop_timer *watch; // armed while up, where INFO is allowed
    struct resolver *resolver;
    struct resolver_query *query;
    struct random random;
    bool hasten;       // the secrets have changed: what fails now is to be tried again at once
    uint32_t attempts; // since it was last up for a while
    struct mono up_since;
    struct buf out;
    char sha[SCRIPTS_COUNT][SCRIPTS_SHA_LEN + 1];
    struct redis_reload reloads[SCRIPTS_COUNT];
    struct redis_beat beat;
    char server[64];
    char last_error[REDIS_TEXT_MAX];
    size_t last_error_len;
    enum redis_policy policy;
    uint32_t live_peers;
    uint64_t turn; // of the beat's payload window
    uint64_t connects, skipped_entries;
    struct stream_pair pairs[REDIS_REPLY_PAIRS_MAX];
    struct stream_put_row rows[STREAM_PUT_RECORDS_MAX];
    struct redis_reader reader;
};

static inline struct redis *redis_of(struct stream *stream)
{
    return (struct redis *)stream;
}

// Nothing is published: the server may evict keys, and nobody allowed that.
static inline bool redis_refuses(const struct redis *redis)
{
    return redis->policy == REDIS_POLICY_EVICTS && !redis->options.allow_eviction;
}

// Closes both connections, tells DOWN, comes back later.  From the loop only.  `text` may borrow from what
// is closed here.
void redis_down(struct redis *redis, enum stream_status status, struct span text);
void redis_emit(struct redis *redis, const struct stream_event *event);
// Appends "{prefix:partition}<suffix>" to redis->out as an argument.
void redis_arg_key(struct redis *redis, uint32_t partition, const char *suffix);
// Sends redis->out.
void redis_send(struct redis *redis, struct redis_link *link,
                const struct redis_link_command *command);

// --- redis_greet.c
void redis_greet(struct redis *redis, struct redis_link *link);
// May end in redis_down.  True: that was the last one, the link is greeted.
bool redis_greet_reply(struct redis *redis, struct redis_link *link,
                       const struct redis_link_command *command, const struct resp_reply *reply);
void redis_greet_load(struct redis *redis, enum scripts_id id);

// Of REDIS_INFO_AGAIN.
void redis_greet_look_again(struct redis *redis, const struct resp_reply *reply);

// --- redis_watch.c
enum err redis_watch_init(struct redis *redis) MUST_USE;
void redis_watch_fini(struct redis *redis);
void redis_watch_up(struct redis *redis);
void redis_watch_down(struct redis *redis);
// Judges the policy and logs what changed; empty: unknown.
void redis_watch_policy(struct redis *redis, struct span policy);

// --- redis_script.c
// EVALSHA up to and with its number of keys; keys and `argument_count` arguments follow.
void redis_script_open(struct redis *redis, enum scripts_id id, uint32_t argument_count);
// The same with the two keys of a partition.
void redis_script_open_partition(struct redis *redis, enum scripts_id id, uint32_t partition,
                                 uint32_t argument_count);
// `command` was answered by something else than NOSCRIPT.
void redis_script_known(struct redis *redis, const struct redis_link_command *command);
// NOSCRIPT was answered to `command`.  True: it has been sent again.  Else its caller is to be told:
// *ret_again: at once, the script is there; false: later.
bool redis_script_forgotten(struct redis *redis, const struct redis_link_command *command,
                            bool *ret_again);

// --- redis_calls.c
void redis_calls_meta(struct stream *stream, uint32_t partition);
void redis_calls_create(struct stream *stream, uint32_t partition,
                        const struct stream_epoch *epoch);
void redis_calls_scan(struct stream *stream, uint32_t partition, uint64_t cursor);
void redis_calls_probe(struct stream *stream, uint32_t partition, struct stream_id id);
void redis_calls_put(struct stream *stream, const struct stream_batch *batch);
void redis_calls_beat(struct stream *stream, struct span name, struct span payload,
                      int64_t lease_ms);
// The heartbeat as it was last given.
void redis_calls_beat_again(struct redis *redis);
void redis_calls_forget(struct stream *stream, struct span name);
void redis_calls_reply(struct redis *redis, const struct redis_link_command *command,
                       const struct resp_reply *reply);

// --- redis_reader.c
enum err redis_reader_init(struct redis *redis) MUST_USE;
void redis_reader_fini(struct redis *redis);
void redis_reader_read(struct stream *stream, uint32_t partition, struct stream_id after,
                       bool catching_up);
void redis_reader_unread(struct stream *stream, uint32_t partition);
void redis_reader_down(struct redis *redis);
void redis_reader_reply(struct redis *redis, const struct resp_reply *reply);
