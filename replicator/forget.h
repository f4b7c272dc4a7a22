// SPDX-License-Identifier: Apache-2.0
// The command `forget`: takes what one prefix has on a Redis away for good.
//
//     look at each name that a prefix can have --> tell --> ask ("yes") --> look again --> UNLINK each
//
// Invariants: only names that stream/redis makes of this prefix are touched, each only if the value there
// has the type that we give it; no pattern is ever matched.  Nothing is deleted while a node beats, unless
// that is asked for.
// Main thread; returns the exit status.  Read next: docs/redis.md, stream/redis/redis_ask.h.
#pragma once

struct arguments;

int forget_run(const struct arguments *arguments);
