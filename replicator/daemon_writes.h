// SPDX-License-Identifier: Apache-2.0
// A write of the admin API on its way to core and back.
//
//     worker: submit --> write_queue --wake--> loop: drain, a batch a turn --> driver_write --> core
//     worker <------------------------ done, on the loop's thread ----------------------------'
//
// Invariant: every write is answered once: refused at once when the queue is full, by core, or when the
// daemon ends.  daemon_writes_submit is [any]; the rest is the loop's thread.
// Read next: write_queue.h, driver.h.
#pragma once

struct backend_write;
struct daemon;

int daemon_writes_start(struct daemon *daemon);
void daemon_writes_stop(struct daemon *daemon);

// backend->submit; `arg` is the daemon.
void daemon_writes_submit(void *arg, const struct backend_write *write);
// Answers all that is under way: after this nobody waits for the daemon.
void daemon_writes_abandon(struct daemon *daemon);
// Length of the queue and refusals, as metrics.
void daemon_writes_measure(struct daemon *daemon);
