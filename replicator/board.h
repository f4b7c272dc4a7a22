// SPDX-License-Identifier: Apache-2.0
// What other threads are told of core: a copy, made by the loop after steps, read under a lock.
//
//     loop:   driver --board_publish--> [lock] rows, view [unlock]
//     worker: board_nodes, board_partitions, board_view ... copy out under the same lock
//
// What is asked often, or must never be late, are atomics beside it: ready, pending, the loop's last turn.
// Invariant: a reader sees the rows of one moment, at most 250 ms old.  The lock (rank: leaf) guards the
// rows, the view and the ring of rejects; it is held for copying only.
// Read next: driver.h, which publishes; daemon_backend.c, which reads.
#pragma once

#include "admin-api/backend.h"
#include "base/err.h"
#include "base/time.h"
#include "replicator/core/core.h"
#include "stream/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_NODES_MAX 1024
#define BOARD_REJECTS_MAX 64

struct board;

struct board_view {
    enum core_state state;
    bool ready;
    bool stale_start;
    uint64_t fenced_by;      // the greater incarnation; 0 = not fenced
    char misconfigured[160]; // "" = not
    char backend[16];        // "memory" or "redis"
    bool connected;
    bool publishing_refused;
    char server[64];
    char last_error[160];
};

// `node_id` is copied.  ERR_NOMEM.  *gives* it.
enum err board_new(const char *node_id, uint32_t partitions, struct board **ret_board) MUST_USE;
void board_free(struct board *board);

// Copies what core and the stream say now.  [loop]
struct board_source {
    const struct core *core;
    const struct stream *stream;
    const struct map *map;
    const char *zone;
    uint64_t fenced_by;
    const char *misconfigured;
};
void board_publish(struct board *board, const struct board_source *source);
// The cheap part, after every step: ready and pending.  [loop]
void board_note(struct board *board, const struct core *core);
// The loop has turned.  [loop]
void board_ticked(struct board *board, struct mono now);
// Keeps the newest BOARD_REJECTS_MAX.  [loop]
void board_reject(struct board *board, const struct backend_reject *reject);

// [any]
bool board_ready(const struct board *board);
uint64_t board_pending(const struct board *board);
struct mono board_last_tick(const struct board *board);
void board_get_view(struct board *board, struct board_view *ret_view);
// Each fills at most `cap` rows and returns how many there are.
size_t board_nodes(struct board *board, struct backend_node *ret_rows, size_t cap); // by id
size_t board_partitions(struct board *board, struct backend_partition *ret_rows, size_t cap);
size_t board_rejects(struct board *board, struct backend_reject *ret_rows, size_t cap);
bool board_is_node(struct board *board, struct span name);
