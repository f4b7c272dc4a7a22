// SPDX-License-Identifier: Apache-2.0
// A look at the map that takes seconds: who waits for whom, or all that can be traced.
//
//     handler: recording_new --> begin --> step, step, ... (every step_ms) --> end: the answer
//                                     \--> free: the client left, or the node stops
//
// Between two steps nothing waits for it: whoever drives the handlers has a timer (serve.c), and goes on
// serving others.
// Invariant: what it keeps has a ceiling; what did not fit is counted, and the answer says so.
// [worker].  Read next: localmap/map_debug.h, recording_show.c.
#pragma once

#include "base/err.h"
#include "base/time.h"
#include "localmap/map_debug.h"

#include <stdbool.h>
#include <stdint.h>

#define RECORDINGS_MAX 2 // of one worker at a time
#define RECORDING_SECONDS_DEFAULT 5
#define RECORDING_SECONDS_MAX 60
#define RECORDING_STEPS 50
#define RECORDING_WAITS_MAX 1024
#define RECORDING_SHARDS_MAX 256 // whose counters are sampled

struct api;
struct response;

enum recording_kind { RECORDING_CONTENTION, RECORDING_TRACE };

// What the counters of a shard have grown by within one step.
struct recording_sample {
    uint32_t writes, reads;
};

struct recording_counters {
    uint64_t writes, reads;
};

struct recording {
    struct api *api;
    enum recording_kind kind;
    uint32_t seconds;
    uint32_t steps; // done
    struct mono began, ended;
    struct mono step_ended[RECORDING_STEPS];

    struct map_wait *waits; // RECORDING_WAITS_MAX of them
    size_t wait_count;
    uint64_t next_wait;     // the number of the one to be fetched next
    uint64_t waits_dropped; // since there was no place, or the map had forgotten them
    struct map_lock before; // sums of all shards at the beginning; totals and counts only

    uint32_t shards;                  // that are sampled; the rest of a RECORDING_TRACE only
    struct recording_counters *last;  // of each shard, as sampled last
    struct recording_sample *samples; // [step][shard]
    bool traces;                      // the map records for us
    struct map_trace trace;           // once it has ended
};

// ERR_NOMEM; ERR_BUSY: another one traces; ERR_FULL: this worker has as many as it may.
enum err recording_new(struct api *api, enum recording_kind kind, uint32_t seconds,
                       struct recording **ret_recording) MUST_USE;
void recording_free(struct recording *recording);

void recording_begin(struct recording *recording, struct mono now);
int64_t recording_step_ms(const struct recording *recording);
// true: it was the last one.
bool recording_step(struct recording *recording, struct mono now);
// Fills the answer and frees the recording.
void recording_end(struct recording *recording, struct response *response);

// The sums of all shards.
void recording_locks(const struct map *map, struct map_lock *ret_sum);

// recording_show.c: the answer's body.
void recording_show(const struct recording *recording, struct response *response);
