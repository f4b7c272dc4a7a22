// SPDX-License-Identifier: Apache-2.0
// The shell around the pure core: it brings core its events and does what core decides.
//
//     stream events, writes, judgements, a tick --> step --> core --> stream calls, probe targets,
//                                                    |                log lines, metrics
//                                                    '--> after the step: answers, the board
//
// Invariant: core is entered from one place and never from inside itself: answers are handed out after the
// step, so that who is answered sees the map as the step left it, and may write again at once.
// [loop], but for what board.h gives to others.  Read next: core.h, describe.h, meter.h, board.h.
#pragma once

#include "base/err.h"
#include "replicator/core/core.h"
#include "stream/stream.h"

#include <stdint.h>

struct board;
struct driver;
struct loop;

#define DRIVER_OPS_MAX 8192 // writes whose outcome somebody waits for

typedef void (*driver_done_fn)(void *arg, enum core_outcome outcome);
// Start probing (or go on with new terms) or stop.  Must not call back into the driver.
typedef void (*driver_target_fn)(void *arg, struct span registration_key,
                                 const struct core_target *target);
typedef void (*driver_moment_fn)(void *arg);

struct driver_options {
    struct loop *loop;
    struct map *map;
    struct board *board;
    const struct core_options *core; // copied
    driver_target_fn on_target;
    driver_moment_fn on_ready;         // once, when ready, also without a server (a stale start)
    driver_moment_fn on_warm;          // once, when ready and the map has been read from the stream
    driver_moment_fn on_misconfigured; // once, when the stream was made for another configuration
    driver_moment_fn on_measure;       // a few times a second: gauges
    void *arg;                         // of all
};

// ERR_NOMEM.  *gives* it; loop, map and board must outlive it.
enum err driver_new(const struct driver_options *options, struct driver **ret_driver) MUST_USE;
// Answers every open write with CORE_UNAVAILABLE first.  Accepts NULL.
void driver_free(struct driver *driver);

// What a stream is made with: its callback, `arg` being the driver.
void driver_on_stream(void *driver, const struct stream_event *event);
// The stream to speak to, *kept*; NULL: none any more.  Starts it and the clock.
void driver_start(struct driver *driver, struct stream *stream);
void driver_detach(struct driver *driver);

// A write.  `write->op` is set here; `done` may be NULL, is called once, after the step (or at once when
// there is no room: CORE_REFUSED).
void driver_write(struct driver *driver, const struct core_write *write, driver_done_fn done,
                  void *arg);
// A service that was evicted is needed: see CORE_EV_WANT.
void driver_want(struct driver *driver, struct span service_key);
// core_evict.
uint64_t driver_evict(struct driver *driver, struct span service_key);
// A check_judged_fn, `arg` being the driver.
void driver_judged(void *driver, const struct core_judged *judged);

// Withdraws from presence; driver_is_drained says when nothing waits for the stream any more, or it is
// out of reach, so that waiting longer is of no use.
void driver_leave(struct driver *driver);
bool driver_is_drained(const struct driver *driver);
bool driver_is_ready(const struct driver *driver);
// Why, or "".
const char *driver_misconfigured(const struct driver *driver);
// Answers every open write with CORE_UNAVAILABLE.
void driver_abandon(struct driver *driver);
