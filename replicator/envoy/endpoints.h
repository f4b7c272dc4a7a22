// SPDX-License-Identifier: Apache-2.0
// The endpoints of one service as Envoy should see them, in canonical order.
//
//     map --registrations--> add, add, add --> order: twins dropped, sorted, priorities without gaps
//
// Invariants after endpoints_order: sorted by priority, region, zone, sub-zone, address, port, id; no two
// with the same address and port (of twins the one with the smallest id stays); priorities are 0, 1, 2 ...
// without a gap, because Envoy refuses gaps; the order of adding makes no difference.
// Reused for one service after the other by one thread.  Read next: eds.h.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "localmap/model/record.h"

#include <stddef.h>
#include <stdint.h>

struct map;

struct endpoint {
    struct span region, zone, sub_zone;
    struct span address; // in the shortest form
    struct span id;
    uint32_t port, weight, priority;
    enum status status;
};

struct endpoints_reader;

struct endpoints {
    struct endpoint *items;
    size_t count, cap;
    struct buf bytes; // what the spans lead to
    struct endpoints_reader *reader;
};

void endpoints_init(struct endpoints *endpoints);
void endpoints_fini(struct endpoints *endpoints);

void endpoints_clear(struct endpoints *endpoints);
// Copies.  A registration whose address is none is left out.  ERR_NOMEM, ERR_TOO_LARGE.
enum err endpoints_add(struct endpoints *endpoints, struct span id,
                       const struct registration *registration, enum status status) MUST_USE;
// Once, after all were added.
void endpoints_order(struct endpoints *endpoints);

// clear, add all of the service that the map shows, order.  An absent service has none.  Errors as
// endpoints_add.
enum err endpoints_read(struct endpoints *endpoints, const struct map *map,
                        struct span service_key) MUST_USE;

// Do both belong to one priority and locality?
bool endpoints_same_group(const struct endpoint *a, const struct endpoint *b);
