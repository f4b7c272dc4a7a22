// SPDX-License-Identifier: Apache-2.0
// Places in the log and what stands there: the plain data that stream and core share.
//
//     a partition p:   state  {record key -> value}   with meta fields  epoch sequence digest floor
//                      log    entry, entry, entry ...  each: epoch sequence digest floor, 1..128 pairs
//
// A *position* is a place (id, epoch, sequence, digest); a *cursor* is a reader's place.
// Plain data, any thread.  Read next: stream.h (the calls), replicator/core/session.h (what is made of it).
#pragma once

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define STREAM_EPOCH_LEN 32 // hex digits
#define STREAM_ID_LEN 44    // "<ms>-<seq>" and a NUL
#define STREAM_PUT_RECORDS_MAX 128
#define STREAM_PUT_LEN_MAX 65536 // keys and values of one put, in bytes
#define STREAM_PARTITIONS_MAX 256
#define STREAM_WIRE 1 // the layout described here and in localmap/model/codec.h

struct stream_epoch {
    char text[STREAM_EPOCH_LEN + 1]; // "" = none
};

// A full entry id as the server writes it; compared by stream_id_cmp only.
struct stream_id {
    uint64_t ms;
    uint64_t seq;
};

static inline int stream_id_cmp(struct stream_id a, struct stream_id b)
{
    if (a.ms != b.ms) {
        return a.ms < b.ms ? -1 : 1;
    }
    return (a.seq > b.seq) - (a.seq < b.seq);
}

// Rolling digest of the state hash: how many records, sum of their 48-bit hashes mod 2^48.
struct stream_digest {
    uint64_t count;
    uint64_t sum;
};

struct stream_position {
    struct stream_id id;
    struct stream_epoch epoch;
    uint64_t sequence; // of the last entry at or before `id`
    struct stream_digest digest;
};

// The meta fields of a partition.
struct stream_meta {
    bool exists; // false: no such partition on the server (never written, or lost)
    struct stream_epoch epoch;
    uint32_t partitions; // K with which the prefix was made
    uint32_t wire;
    int64_t born_ms; // server time of the epoch
    uint64_t sequence;
    double mean; // mean records per entry
    struct stream_digest digest;
    uint64_t floor;           // purge watermark: the greatest counter ever purged
    struct stream_id last_id; // of the log; 0-0 when it is empty
};

// A value that is longer is a stranger's: only its first bytes are given.
#define STREAM_VALUE_MAX (96 * 1024)
#define STREAM_CUT_KEPT 64

// One pair of an entry or of a scan; borrows.  An empty value: purged.
struct stream_pair {
    struct span key;
    struct span value; // version | hash | body, see codec.h
    bool oversized;    // longer than STREAM_VALUE_MAX: cut short
};

struct stream_entry {
    struct stream_id id;
    bool valid; // false: its meta field is missing or malformed (a stranger wrote it)
    struct stream_epoch epoch;
    uint64_t sequence;
    struct stream_digest digest;
    uint64_t floor;
    const struct stream_pair *pairs;
    uint32_t count;
};

// One record of a put.
struct stream_record {
    struct span key;
    char expected
        [16]; // the version that must be current; zeros: must be absent (and counter > floor)
    struct span value; // version | hash | body
};

enum stream_put_result {
    STREAM_PUT_ACCEPTED,
    STREAM_PUT_DUPLICATE, // the server holds exactly these bytes
    STREAM_PUT_CONFLICT   // the server holds something else: `current`
};

struct stream_put_row {
    enum stream_put_result result;
    struct span current; // of a conflict; empty: absent
};

// What the server's error means for us; stream/redis/errors.def maps each error to one.
enum stream_status {
    STREAM_OK,
    STREAM_EPOCH,    // another epoch lives there (`epoch`; "" when the partition does not exist)
    STREAM_RETRY,    // nothing was executed: try again later (OOM, BUSY, LOADING, TRYAGAIN ...)
    STREAM_AGAIN,    // PUT: nothing was executed, and what was missing is there: the same at once
    STREAM_MISTYPED, // something else stands at our key: reported, retried, never fatal
    STREAM_CONFIG    // configuration error (NOPERM, WRONGPASS ...): reported, retried slowly
};

// A peer's heartbeat.
struct stream_peer {
    struct span name;
    int64_t age_ms;      // since its last beat, by the server's clock
    struct span payload; // as it gave it; empty when this beat's reply did not carry it
};

// What a backend tells: the answer to a call, or something that happened (stream.h).
enum stream_event_type {
    STREAM_EV_UP,   // connected and greeted: calls may be made
    STREAM_EV_DOWN, // not any more (or not yet: sent for each failed attempt, with `text`)
    STREAM_EV_META, // of stream_meta and stream_create
    STREAM_EV_SCAN,
    STREAM_EV_PROBE,
    STREAM_EV_ENTRY, // one entry of a subscribed partition
    STREAM_EV_DRAINED, // everything that the last read reply held has been delivered (see stream_read)
    STREAM_EV_PUT,
    STREAM_EV_BEAT
};

// Borrowed until the callback returns.
struct stream_event {
    enum stream_event_type type;
    uint32_t partition;
    enum stream_status status; // META, SCAN, PROBE, PUT, BEAT, DOWN; others: STREAM_OK
    struct span text;          // the server's words when status is not STREAM_OK, and of DOWN
    struct stream_epoch epoch; // of STREAM_EPOCH
    union {
        struct stream_meta meta;
        struct {
            const struct stream_pair *pairs;
            uint32_t count;
            uint64_t cursor; // to go on with; 0: the scan is complete
        } scan;
        struct {
            bool found; // an entry with exactly that id
            struct stream_entry entry;
        } probe;
        struct stream_entry entry;
        struct {
            uint64_t sequence; // of the partition after the call
            uint64_t floor;
            const struct stream_put_row *rows; // as many as records were put
            uint32_t count;
        } put;
        struct {
            int64_t server_ms;
            bool in_grace; // nobody beat for lease/2 a moment ago: believe no lapse
            const struct span
                *lapsed; // names that lapsed and whose entry this beat removed or saw removed
            uint32_t lapsed_count;
            const struct stream_peer *peers; // all live ones, self included
            uint32_t peer_count;
        } beat;
    };
};
