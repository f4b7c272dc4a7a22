// SPDX-License-Identifier: Apache-2.0
// The scripts that run inside the server, and how they are called.  They are loaded by SCRIPT LOAD on each
// connection and called by EVALSHA; the server names the digest, we do not compute it.
// Invariant: a script's keys share one hash tag.
// Plain data, any thread.  Read next: scripts.def (the texts), redis_reply.h (their answers).
#pragma once

#include <stdint.h>

enum scripts_id {
#define SCRIPTS_ROW(name, key_count, text) SCRIPTS_##name,
#include "stream/redis/scripts.def"
#undef SCRIPTS_ROW
    SCRIPTS_COUNT
};

#define SCRIPTS_SHA_LEN 40

struct scripts_row {
    const char *name;
    uint32_t key_count;
    const char *text;
};

extern const struct scripts_row scripts_rows[SCRIPTS_COUNT];
