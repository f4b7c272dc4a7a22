// SPDX-License-Identifier: Apache-2.0
// One connection to a Redis: commands go out in a pipeline, replies come back in their order.
// Invariants: a reply meets the oldest command that waits; each command has a deadline of its own, and the
// oldest one's is the connection's; no callback runs from inside redis_link_send.
// [loop].  Read next: resp.h, redis_greet.h.
#pragma once

#include "base/address.h"
#include "base/err.h"
#include "base/time.h"
#include "stream/position.h"
#include "stream/redis/resp.h"

struct conn;
struct loop;
struct loop_timer;
struct redis_link;
struct tls_context;

// What a reply will be an answer to; the meaning of `kind` is the owner's.
struct redis_link_command {
    int kind;
    uint32_t partition;
    uint32_t count;
    int64_t timeout_ms;
    uint64_t serial;           // filled in: the place among all commands of the link, from 1
    struct stream_epoch epoch; // of what can be sent again without its caller
};

struct redis_link_handlers {
    void (*on_open)(struct redis_link *link);
    // `reply` is borrowed.  May close the link.
    void (*on_reply)(struct redis_link *link, const struct redis_link_command *command,
                     const struct resp_reply *reply);
    // At most once per open; redis_link_close follows.  `text` is borrowed.
    void (*on_down)(struct redis_link *link, struct span text);
};

struct redis_link_waiting {
    struct redis_link_command command;
    struct mono deadline;
};

struct redis_link {
    struct loop *loop;
    const struct redis_link_handlers *handlers;
    void *owner;
    struct conn *conn;
    struct resp *resp;
    struct loop_timer *failing; // armed: sending has failed, on_down is about to come
    struct redis_link_waiting *ring;
    uint32_t ring_cap, ring_first, ring_count;
    bool tls, answered;  // of the connection: at least one byte has come
    uint32_t generation; // of the connection, so that a callback can see that it was closed
    uint64_t bytes_in, bytes_out, commands;
};

// `waiting_max`: how many commands may wait for their replies.  ERR_NOMEM.
enum err redis_link_init(struct redis_link *link, struct loop *loop, uint32_t waiting_max) MUST_USE;
void redis_link_fini(struct redis_link *link);

struct redis_link_target {
    const struct address *address;
    struct tls_context *tls; // NULL: plain
    const char *tls_name;    // kept until the link is open
    int64_t timeout_ms;
};

// ERR_NOMEM, ERR_IO.
enum err redis_link_open(struct redis_link *link, const struct redis_link_target *target) MUST_USE;
// Drops what waits; no callback after this.
void redis_link_close(struct redis_link *link);
bool redis_link_is_open(const struct redis_link *link);

// Sends one command.  What does not fit ends the connection: on_down comes soon.
void redis_link_send(struct redis_link *link, const struct redis_link_command *command,
                     const struct buf *bytes);
