// SPDX-License-Identifier: Apache-2.0
// The six HTTP servers that the demo's nodes probe, each of which can be told to fail.
// Invariant: a backend keeps its port for life, also while it refuses connections.
// The ports lie below those that the kernel hands out, else an outgoing connection could take the port of
// a backend that does not listen for a while.
// [loop]  Read next: story.h.
#pragma once

#include "base/err.h"
#include "replicator/demo/story.h"

#include <stdint.h>

struct backends;
struct loop;

// All listen and are healthy.  ERR_NOMEM, ERR_IO, ERR_BUSY: no free port found.
enum err backends_new(struct loop *loop, struct backends **ret_backends) MUST_USE;
void backends_free(struct backends *backends);

uint16_t backends_port(const struct backends *backends, size_t backend);

// ERR_BUSY: somebody else took the port meanwhile.
enum err backends_set(struct backends *backends, size_t backend, enum story_mode mode) MUST_USE;
