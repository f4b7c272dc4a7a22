// SPDX-License-Identifier: Apache-2.0
// What the daemon counts of its core, its stream and its map: totals that core keeps become counters, what
// stands now becomes gauges, and entries that pass give the lag and the peer that wrote them.
// Invariant: counters never fall, because core's totals do not; peers are named only while they are known
// nodes, all others are `other`.
// [loop].  Read next: base/metric.def.
#pragma once

#include "base/time.h"
#include "replicator/core/core.h"
#include "replicator/map_meter.h"
#include "replicator/tenant_meter.h"
#include "stream/stream.h"

#include <stdint.h>

#define METER_PEERS_MAX 64   // named in the metric of what was read
#define METER_NODES_MAX 1024 // counted

struct metric_series;

struct meter_peer {
    uint64_t writer40; // upper 40 bits of a version's writer
    struct metric_series *series;
};

struct meter {
    const struct core *core;
    const struct map *map;
    uint64_t own_writer40;
    uint64_t totals[CORE_COUNTER_COUNT]; // as counted so far
    uint64_t reconnects;
    uint64_t log_dropped;
    struct map_meter inside; // of the map
    struct tenant_meter tenants;
    uint64_t refreshes;
    int64_t server_ms; // of the last heartbeat; 0 = none yet
    struct mono server_at;
    struct meter_peer peers[METER_PEERS_MAX];
    uint32_t peer_count;
    struct mono peers_read;
    struct core_node_view nodes[METER_NODES_MAX]; // scratch
};

void meter_init(struct meter *meter, const struct core *core, const struct map *map,
                struct span node_id);
// Before core sees it.
void meter_event(struct meter *meter, const struct stream_event *event, struct mono now);
// A few times a second.
void meter_refresh(struct meter *meter, const struct stream *stream, uint32_t partitions);
