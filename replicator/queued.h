// SPDX-License-Identifier: Apache-2.0
// What waits in the write queue, as bytes and back: a write of the admin API, or what a probe made the
// checker say.
//
//     queued_from_write, queued_from_judgement --> bytes --write_queue--> queued_read --> core
//
// Invariant: what is read equals what was put in; the bytes never leave the process.  [any]
// Read next: write_queue.h, daemon_writes.c.
#pragma once

#include "localmap/model/patch.h"
#include "replicator/check/backend.h"
#include "replicator/core/core.h"
#include "replicator/write_queue.h"

struct queued_bytes {
    size_t len;
    char ptr[WRITE_QUEUE_DATA_MAX];
};

// `write->op` does not travel.  ERR_TOO_LARGE: the patch.
enum err queued_from_write(const struct core_write *write, struct queued_bytes *ret_bytes) MUST_USE;
void queued_from_judgement(const struct check_judgement *judgement, struct queued_bytes *ret_bytes);

enum queued_kind { QUEUED_WRITE, QUEUED_JUDGEMENT };

struct queued {
    enum queued_kind kind;
    struct core_write write; // its patch is the one below
    struct patch patch;
    struct check_judgement judgement;
};

// `ret_queued` borrows from `bytes`, which one of the above has made.
void queued_read(struct span bytes, struct queued *ret_queued);
