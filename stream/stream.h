// SPDX-License-Identifier: Apache-2.0
// An ordered, trimmed, replayable log with compare-and-set, in K partitions.  Knows no health.
//
//     driver --stream_put/meta/scan/probe/read/beat--> backend (memory.c, redis/)
//     driver <--------- struct stream_event ---------- one callback
//
// Every call returns at once; its answer comes later as one event, never from inside the call.  At most
// one put, one meta, one scan and one probe per partition and one beat may be in flight.  After
// STREAM_DOWN none of the open calls will be answered: their outcome is unknown; subscriptions are gone,
// and calls until the next STREAM_UP are dropped.  Answers of one partition arrive in the order of the
// calls; entries of a subscription arrive in the log's order.
// Invariant: nothing blocks; every call has a deadline inside the backend, whose passing is STREAM_DOWN.
// [loop].  Both backends pass tests/contract.  Read next: position.h, memory.h, redis/redis.h.
#pragma once

#include "base/err.h"
#include "stream/position.h"

typedef void (*stream_event_fn)(void *arg, const struct stream_event *event);

struct stream;

// Starts connecting (and goes on for ever, with back-off and full jitter, after each DOWN).
void stream_start(struct stream *stream);
// Ends it: no event after this.  Not from inside its callback.  Accepts NULL.
void stream_free(struct stream *stream);
// Files that the backend was made with may have changed (SIGHUP): reads them again.
void stream_reload(struct stream *stream);

// Reads the meta fields of a partition and the last id of its log.
void stream_meta(struct stream *stream, uint32_t partition);
// Makes the partition with `epoch` if it does not exist (HSETNX: the first one wins), then as stream_meta.
void stream_create(struct stream *stream, uint32_t partition, const struct stream_epoch *epoch);
// One batch of the state, from `cursor` (0 = start).  Records may come twice; none is missed that stood
// there all the time.
void stream_scan(struct stream *stream, uint32_t partition, uint64_t cursor);
// Is there an entry with exactly this id?
void stream_probe(struct stream *stream, uint32_t partition, struct stream_id id);
// Subscribes: entries with ids greater than `after` come as ENTRY events from now on, then DRAINED each
// time a batch has been delivered.  A second call moves the subscription; no entry of an older one
// comes after it.  `catching_up`: many partitions are behind, keep batches small.
void stream_read(struct stream *stream, uint32_t partition, struct stream_id after,
                 bool catching_up);
void stream_unread(struct stream *stream, uint32_t partition);
// The put script.  1..STREAM_PUT_RECORDS_MAX records of distinct keys, at most STREAM_PUT_LEN_MAX bytes.
// Borrows `records` until return.
void stream_put(struct stream *stream, uint32_t partition, const struct stream_epoch *epoch,
                const struct stream_record *records, uint32_t count);
// The heartbeat script.  `payload` <= 4 KiB.
void stream_beat(struct stream *stream, struct span name, struct span payload, int64_t lease_ms);
// Takes `name` out of the presence set (a clean leave, or a lapse that was recorded).
void stream_forget(struct stream *stream, struct span name);

// What /readyz?verbose and the metrics say of the backend; borrowed until the next call.
struct stream_info {
    const char *backend; // "memory" or "redis"
    bool connected;
    struct span server;      // "redis 7.0.15", "" when unknown
    struct span last_error;  // "" when none
    bool publishing_refused; // eviction policy other than noeviction, and not allowed
    uint64_t connects, reconnects, commands, bytes_in, bytes_out, skipped_entries;
};
void stream_info(const struct stream *stream, struct stream_info *ret_info);

// --- for backends: a backend embeds `struct stream` as its first member.
struct stream_batch {
    uint32_t partition;
    const struct stream_epoch *epoch;
    const struct stream_record *records;
    uint32_t count;
};

struct stream_ops {
    void (*start)(struct stream *stream);
    void (*free)(struct stream *stream);
    void (*reload)(struct stream *stream); // NULL: it has none
    void (*meta)(struct stream *stream, uint32_t partition);
    void (*create)(struct stream *stream, uint32_t partition, const struct stream_epoch *epoch);
    void (*scan)(struct stream *stream, uint32_t partition, uint64_t cursor);
    void (*probe)(struct stream *stream, uint32_t partition, struct stream_id id);
    void (*read)(struct stream *stream, uint32_t partition, struct stream_id after,
                 bool catching_up);
    void (*unread)(struct stream *stream, uint32_t partition);
    void (*put)(struct stream *stream, const struct stream_batch *batch);
    void (*beat)(struct stream *stream, struct span name, struct span payload, int64_t lease_ms);
    void (*forget)(struct stream *stream, struct span name);
    void (*info)(const struct stream *stream, struct stream_info *ret_info);
};

struct stream {
    const struct stream_ops *ops;
    stream_event_fn on_event;
    void *arg;
};
