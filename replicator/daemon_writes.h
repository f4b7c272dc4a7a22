// SPDX-License-Identifier: Apache-2.0
// What changes the map from outside core, on its way there and back.
//
//     worker:  submit --.
//     checker: judged --+--> write_queue --wake--> loop: drain, a batch a turn --> driver --> core
//     worker <------------------------ done, on the loop's thread ----------------------------'
//
// Invariant: every write is answered once: at once when the queue has no room for it, later when it has to
// make room for a more urgent one, by core, or when the daemon ends.  A judgement is answered by nobody: when
// it is dropped, the next probe says the same.
// daemon_writes_submit and daemon_writes_slow_ms are [any]; the rest is the loop's thread.
// Read next: write_queue.h, queued.h, driver.h.
#pragma once

#include <stdint.h>

struct backend_write;
struct check_judgement;
struct daemon;

int daemon_writes_start(struct daemon *daemon);
void daemon_writes_stop(struct daemon *daemon);

// backend->submit; `arg` is the daemon.
void daemon_writes_submit(void *arg, const struct backend_write *write);
// A check_judged_fn; `arg` is the daemon.
void daemon_writes_judged(void *arg, const struct check_judgement *judgement);
// By how much whoever writes or probes is to be slowed down now; 0: not at all.
uint32_t daemon_writes_slow_ms(void *arg);

// Answers all that is under way: after this nobody waits for the daemon.
void daemon_writes_abandon(struct daemon *daemon);
// The queue's metrics; and a line of the log when it has begun or ceased to slow others down.
void daemon_writes_measure(struct daemon *daemon);
