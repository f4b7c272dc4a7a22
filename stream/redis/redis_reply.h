// SPDX-License-Identifier: Apache-2.0
// Replies of the server to the plain data of position.h.  Everything here is foreign: each shape is checked,
// nothing is indexed on trust.
// Invariant: ERR_SYNTAX means that the connection cannot be believed any more; a single malformed entry or
// record is no error, it is skipped or marked (`valid`, `oversized`).
// Results borrow from the reply.  Pure, one thread at a time.  Read next: scripts.def, redis.h.
#pragma once

#include "base/err.h"
#include "stream/position.h"
#include "stream/redis/resp.h"

// An entry with more is no entry of ours, and is given as not valid.
#define REDIS_REPLY_PAIRS_MAX 256
#define REDIS_REPLY_PEERS_MAX 65536
#define REDIS_REPLY_PAYLOADS_MAX 64
#define REDIS_REPLY_HEAD_LEN 22 // version and hash: what a shorter value lacks

// "<ms>-<seq>", both decimal.  ERR_SYNTAX.
enum err redis_reply_id(struct span text, struct stream_id *ret_id) MUST_USE;
// Writes "<ms>-<seq>" and a NUL.  Returns its length.
size_t redis_reply_id_format(struct stream_id id, char ret_text[STREAM_ID_LEN]);

// Of META and CREATE.  ERR_SYNTAX: not their shape.  *ret_malformed: the fields exist and are not ours.
enum err redis_reply_meta(const struct resp_reply *reply, struct stream_meta *ret_meta,
                          bool *ret_malformed) MUST_USE;

// Of PUT; `rows` has room for `count`.
struct redis_reply_put {
    uint64_t sequence;
    uint64_t floor;
    struct stream_put_row *rows;
    uint32_t count;
};
enum err redis_reply_put(const struct resp_reply *reply, struct redis_reply_put *put) MUST_USE;

// [id, [field, value ...]]; `pairs` has room for REDIS_REPLY_PAIRS_MAX.
enum err redis_reply_entry(const struct resp_reply *reply, struct stream_pair *pairs,
                           struct stream_entry *ret_entry) MUST_USE;

// Of HSCAN; `pairs` has room for redis_reply_scan_max(reply).  Meta fields and values that are too short
// to be a record's are left out.
uint32_t redis_reply_scan_max(const struct resp_reply *reply);
enum err redis_reply_scan(const struct resp_reply *reply, struct stream_pair *pairs,
                          uint32_t *ret_count, uint64_t *ret_cursor) MUST_USE;

// Of BEAT; `lapsed` and `peers` have room for what redis_reply_beat_max says.
struct redis_reply_beat {
    int64_t server_ms;
    bool in_grace;
    struct span *lapsed;
    uint32_t lapsed_count;
    struct stream_peer *peers;
    uint32_t peer_count;
};
// ERR_SYNTAX: not its shape.
enum err redis_reply_beat_max(const struct resp_reply *reply, uint32_t *ret_lapsed,
                              uint32_t *ret_peers) MUST_USE;
enum err redis_reply_beat(const struct resp_reply *reply, struct redis_reply_beat *beat) MUST_USE;
