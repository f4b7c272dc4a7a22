// SPDX-License-Identifier: Apache-2.0
// What a running daemon consists of; each member is made and freed by one row of the table of stages.
// Private to daemon*.c.  Threads: all of it belongs to the loop's thread, but for what the functions of
// daemon_backend.c touch: map, board, seed and write queue, which any thread may use.
#pragma once

#include "admin-api/backend.h"
#include "base/address.h"
#include "base/loop.h"
#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

#define DAEMON_EXIT_FAILED 1
#define DAEMON_EXIT_CONFIG 78
#define DAEMON_LOCAL_ADDRESSES_MAX 64

struct admin;
struct board;
struct checker;
struct config;
struct daemon_writes;
struct driver;
struct envoy_files;
struct map;
struct memory_pump;
struct memory_stage;
struct seed;
struct stream;

struct daemon {
    const struct config *config;
    struct loop *loop;
    struct map *map;
    struct board *board;
    struct seed *seed;
    struct driver *driver;
    struct checker *checker;
    struct daemon_writes *writes;
    struct loop_task drain; // of daemon_writes
    struct memory_pump *memory;
    struct stream *stream;
    struct backend backend;
    struct admin *admin;
    struct memory_stage *memory_stage;
    struct envoy_files *files;
    uint64_t files_written;      // as counted so far
    struct loop_timer *watchdog; // NULL: the service manager did not ask
    uint32_t watchdog_ms;
    struct loop_timer *leave_timer;
    struct mono leave_until;
    bool warm;
    bool leaving;
    int exit; // of a daemon that ran
    char local_texts[DAEMON_LOCAL_ADDRESSES_MAX][ADDRESS_TEXT_LEN];
    struct span local_addresses[DAEMON_LOCAL_ADDRESSES_MAX];
    uint32_t local_address_count;
};

// A stage: `start` returns an exit status, 0 being success, and has then said what was wrong on stderr;
// it has undone itself then.  `stop` may be NULL.
struct daemon_stage {
    const char *name;
    int (*start)(struct daemon *daemon);
    void (*stop)(struct daemon *daemon);
};
extern const struct daemon_stage daemon_stages[];
extern const size_t daemon_stage_count;

// Starts stage after stage, as far as it goes: *ret_started of them stand.  Returns the exit status.
int daemon_start(struct daemon *daemon, size_t *ret_started);
// Stops the first `started` of them, the last one first.
void daemon_stop(struct daemon *daemon, size_t started);

// "meshpulse: serve: WHAT: ..." on stderr.  Returns `exit`.
int daemon_complain(int exit, const char *what, const char *why);

// daemon_backend.c: fills daemon->backend.
void daemon_backend_init(struct daemon *daemon);
// daemon_signals.c: asks the daemon to leave, as SIGTERM does.
int daemon_signals_start(struct daemon *daemon);
void daemon_signals_stop(struct daemon *daemon);
