// SPDX-License-Identifier: Apache-2.0
// RESP2, Redis' protocol: commands to bytes, bytes to replies.  The only file that includes hiredis, whose
// reader says what comes and has us build the tree (resp_tree.h); in front of it a scanner of our own reads
// every announced length first.
//
//     socket --<=16 KiB pieces--> scanner --> redisReader --> resp_reply (a tree)
//                                   |  a bulk over RESP_BULK_MAX is replaced by [length, first bytes]
//
// Invariant: what a server announces never decides how much memory we take: bulks over the ceiling are
// skipped (RESP_CUT), an array over RESP_COUNT_MAX, a line over RESP_LINE_MAX or a reply over
// RESP_REPLY_MAX is an error that ends the connection.
// One thread at a time.  Read next: redis_link.h.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "stream/position.h"

#include <stdbool.h>
#include <stdint.h>

#define RESP_BULK_MAX STREAM_VALUE_MAX
#define RESP_CUT_KEPT STREAM_CUT_KEPT // bytes that are kept of a bulk that is cut
#define RESP_COUNT_MAX (1024 * 1024)
#define RESP_LINE_MAX (64 * 1024)
#define RESP_REPLY_MAX (64 * 1024 * 1024)
#define RESP_PIECE_MAX                                                                             \
    (16 * 1024) // feeding more at once makes hiredis shift its buffer again and again

enum resp_type {
    RESP_NIL,
    RESP_INTEGER,
    RESP_STRING, // a bulk
    RESP_STATUS,
    RESP_ERROR,
    RESP_ARRAY,
    RESP_CUT // a bulk over the ceiling: its length, and its first bytes as text
};

struct resp;
struct resp_reply; // a tree; the reader gives it, resp_reply_free ends it

// ERR_NOMEM.
enum err resp_new(struct resp **ret_resp) MUST_USE;
void resp_free(struct resp *resp); // accepts NULL

// Takes in at most RESP_PIECE_MAX bytes.  ERR_SYNTAX, ERR_TOO_LARGE, ERR_NOMEM: the reader is dead.
enum err resp_feed(struct resp *resp, struct span piece) MUST_USE;
// The next whole reply, NULL when there is none yet.  Errors as above.
enum err resp_next(struct resp *resp, struct resp_reply **ret_reply) MUST_USE;
void resp_reply_free(struct resp_reply *reply); // accepts NULL

enum resp_type resp_type(const struct resp_reply *reply);
// Of a string, status, error or cut; else empty.  Borrows.
struct span resp_text(const struct resp_reply *reply);
// Of an integer, or the announced length of a cut; else 0.
int64_t resp_integer(const struct resp_reply *reply);
// Of an array; else 0.
uint32_t resp_count(const struct resp_reply *reply);
const struct resp_reply *resp_at(const struct resp_reply *reply, uint32_t index);
// About how many bytes the reply took on the wire.
size_t resp_wire_len(const struct resp *resp);

// --- commands: the head, then as many arguments as it announced

void resp_command(struct buf *buf, uint32_t argument_count);
void resp_arg(struct buf *buf, struct span argument);
void resp_arg_str(struct buf *buf, const char *argument);
void resp_arg_u64(struct buf *buf, uint64_t argument);
