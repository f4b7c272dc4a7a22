// SPDX-License-Identifier: Apache-2.0
// When must a stream end?  The four deadlines of a connection and which of them comes first.
//
//     open      total for connecting and handshake            while it is being opened
//     total     one absolute time that the user moves         any time
//     idle      since the last byte either way                while it is open
//     write     since output last moved                       while output waits
//
// Invariant: all are totals; none is pushed back by a byte that does not belong to it.
// Pure: the caller brings `now`.  Read next: conn.h.
#pragma once

#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

struct deadlines {
    struct mono open_by;
    struct mono total;
    const char *total_text;  // NULL: none
    struct mono active_at;   // last byte either way
    struct mono progress_at; // since when the output that waits has not moved
    int64_t idle_ms;         // 0: never
    int64_t write_ms;        // 0: never
};

enum deadlines_phase {
    DEADLINES_CONNECTING,
    DEADLINES_HANDSHAKE,
    DEADLINES_OPEN,
    DEADLINES_CLOSING
};

struct deadlines_due {
    struct mono at;   // INT64_MAX: never
    const char *text; // what has not happened by then
};

struct deadlines_due deadlines_next(const struct deadlines *deadlines, enum deadlines_phase phase,
                                    bool output_waits);
