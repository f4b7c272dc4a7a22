// SPDX-License-Identifier: Apache-2.0
// What core decided, made into one line of the log, a count of a metric, and for refused entries a row of
// /debug/partitions.  Core itself neither logs nor counts.
// Invariant: neither a peer nor an emptied server can fill the log: lines of those causes are limited to a
// few a second, and the next one that is written says how many were not.
// [loop].  Read next: core.h (enum core_log_what), base/log.h.
#pragma once

#include "base/span.h"
#include "base/time.h"
#include "replicator/core/core.h"

#include <stdint.h>

struct board;
struct map;

struct describe {
    const struct map *map;
    struct board *board;
    struct span node_id;
    // Of foreign causes: how many lines in the second that began then, and how many were not written.
    struct mono window;
    uint32_t in_window;
    uint64_t suppressed;
    char stream_text[160]; // the last words of the stream: said once, not at each attempt
    struct map_copy copy;  // scratch
};

void describe_init(struct describe *describe, const struct map *map, struct board *board,
                   struct span node_id);
void describe_decision(struct describe *describe, const struct core_log *log, struct core_time now);
