// SPDX-License-Identifier: Apache-2.0
// The stream of the configuration as a stage: `memory:` with a server of its own in this process, or Redis.
// Invariant: after stream_stage_stop no event reaches the driver.
// [loop].  Read next: stream/memory.h, stream/redis/redis.h.
#pragma once

#include <stdbool.h>

struct daemon;

// Shared with nobody, so nobody else can hold what it lost.
bool stream_stage_is_private(const struct daemon *daemon);

int stream_stage_start(struct daemon *daemon);
void stream_stage_stop(struct daemon *daemon);
