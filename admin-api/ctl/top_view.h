// SPDX-License-Identifier: Apache-2.0
// The inside of one node on one screen: what its map, its queue and its memory do, and where it is hottest.
// Rates come from two looks at the same node; counters that fell, as after a restart, count from zero.
//
//     /debug/map, /v1/nodes --> look, look --top_view--> lines        or --top_view_json--> one object
//
// Pure, any thread; *borrows* the documents.  Read next: top.c.
#pragma once

#include "admin-api/ctl/table.h"
#include "base/err.h"
#include "base/time.h"

#include <stdint.h>
#include <stdio.h>

#define TOP_SHARDS_MAX 10
#define TOP_TENANTS_MAX 5

struct buf;
struct json;

struct top_look {
    const struct json *map, *nodes;
    struct mono at;
};

// ERR_NOMEM: what was printed is not whole.
enum err top_view(const struct top_look *before, const struct top_look *now,
                  struct table_options options, FILE *out) MUST_USE;

// Appends one object.  Errors stay in `out`.
void top_view_json(const struct top_look *before, const struct top_look *now, struct buf *out);
