// SPDX-License-Identifier: Apache-2.0
// The ways from a write to a reader that a raw client has, each one step nearer to what the mesh does, so
// that the difference of two neighbours is the price of that step.
//
//     ladder_block(rung) ... nothing happens for a while ... ladder_write_us() --> microseconds
//
// Invariant: the readers are blocked in the server before the clock starts, and it stops when the reader
// has the whole entry; the answer to the writer is read afterwards.  One thread.
#pragma once

#include "tests/bench/raw.h"
#include "tests/bench/sample.h"
#include "tests/bench/script.h"

enum ladder_rung {
    LADDER_XADD,     // XADD to a reader of one stream: what the bar is measured against
    LADDER_STREAMS,  // the same to a reader of as many streams as there are partitions
    LADDER_SCRIPT,   // the put script to that reader
    LADDER_TWO_READ, // a second reader is told after it, as the writer's own is
    LADDER_RUNGS
};

struct ladder {
    struct raw writer, reader, second;
    struct script script;
    struct sample before, now;
    uint32_t turn; // of the sample
    enum ladder_rung rung;
};

const char *ladder_name(enum ladder_rung rung);
void ladder_open(struct ladder *ladder, const char *socket_path);
void ladder_close(struct ladder *ladder);
void ladder_block(struct ladder *ladder, enum ladder_rung rung);
double ladder_write_us(struct ladder *ladder);
