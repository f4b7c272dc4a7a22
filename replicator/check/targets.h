// SPDX-License-Identifier: Apache-2.0
// All that is known of the targets; the part of the checker that knows no loop and opens no socket.
//
//     targets_set --> table by key, peer by address and port, schedule
//     targets_run(now) --start(probe)--> shell ... targets_done(target, result, now) --> hysteresis --> on_judged
//
// A failing target is UNHEALTHY or TIMEOUT, by its reason.  While it stays bad, another reason is taken
// over only after `fall` results in a row that give it: a target that now refuses and now lets wait would
// otherwise be published anew at each probe.
// Invariants: those of schedule.h; on_judged is called from targets_run and targets_done only, as the
// last thing that these do with a target, so it may set and remove targets, this one too.
// One thread; time is an argument.  Read next: checker.h, the shell around it.
#pragma once

#include "base/err.h"
#include "base/time.h"
#include "replicator/check/checker.h"
#include "replicator/check/probe.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct target;
struct targets;

// Begins a probe; it will be answered by targets_done, not from inside.  Any error: it was not begun, and
// says nothing about the target.
typedef enum err (*targets_start_fn)(void *arg, struct target *target,
                                     const struct probe_request *request);
typedef void (*targets_cancel_fn)(void *arg, struct target *target);

struct targets_options {
    const struct checker_options
        *checker; // borrowed until targets_new returns; its `loop` is not used
    targets_start_fn start;
    targets_cancel_fn cancel;
    void *arg; // of both
};

// ERR_NOMEM, ERR_INVALID.
enum err targets_new(const struct targets_options *options, struct targets **ret_targets) MUST_USE;
// Cancels what is under way.  Accepts NULL.
void targets_free(struct targets *targets);

// As in checker.h.
enum err targets_refuse(struct targets *targets, const struct check_refused *refused) MUST_USE;
enum err targets_set(struct targets *targets, struct span key, const struct checker_target *terms,
                     struct mono now) MUST_USE;
void targets_remove(struct targets *targets, struct span key);
bool targets_confirm(struct targets *targets, const struct check_judgement *judgement);
void targets_counts(const struct targets *targets, struct checker_counts *ret_counts);

// Begins what is due.  Returns the microseconds until it wants to be called again; -1: not before a
// call of targets_done or targets_set.
int64_t targets_run(struct targets *targets, struct mono now);

// The end of a probe that `start` began.
void targets_done(struct targets *targets, struct target *target, const struct probe_result *result,
                  struct mono now);

// For the shell: the `arg` of the options, and a pointer of its own beside each target (NULL at first).
void *target_arg(const struct target *target);
void *target_probe(const struct target *target);
void target_set_probe(struct target *target, void *probe);
