// SPDX-License-Identifier: Apache-2.0
// The scripts of the stream, sent by the raw client: one partition, records one by one or in batches.
//
//     script_open --> script_put(head) + script_put_record x n --> raw_flush --> script_read_put
//
// Invariant: a put whose records are not all accepted ends the program.  One thread.
#pragma once

#include "stream/redis/scripts.h"
#include "tests/bench/raw.h"
#include "tests/bench/sample.h"

#include <stdint.h>

struct script {
    struct raw *raw; // borrowed
    char create[SCRIPTS_SHA_LEN + 1], put[SCRIPTS_SHA_LEN + 1];
    const char *state, *log; // keys of the partition; *keeps*
};

// Loads the scripts and creates the partition.
void script_open(struct script *script);
// `count` records follow, each by script_put_record; `before`: what is held there, NULL for nothing.
void script_put(struct script *script, uint32_t count);
void script_put_record(struct script *script, const struct sample *before,
                       const struct sample *now);
void script_read_put(struct script *script);
