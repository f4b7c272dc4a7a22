// SPDX-License-Identifier: Apache-2.0
// A driver with a map, a board and a stream that only remembers what it was asked.
// One thread.
#pragma once

#include "localmap/map.h"
#include "replicator/board.h"
#include "replicator/driver.h"
#include "stream/stream.h"

#define FIXTURE_PARTITIONS 4

struct loop;

struct fixture {
    struct stream stream; // first: it is handed out as the backend
    struct loop *loop;
    struct map *map;
    struct board *board;
    struct driver *driver;
    unsigned metas, puts, beats, forgets, targets, warm, misconfigured, measures;
    bool connected;
};

// false: no memory (the rest is undone).
bool fixture_init(struct fixture *fixture);
void fixture_fini(struct fixture *fixture);

void fixture_start(struct fixture *fixture);
void fixture_up(struct fixture *fixture);

// A registration of service pay under `id`.
struct key_bytes fixture_key(const char *id);
struct patch fixture_patch(uint32_t port);
