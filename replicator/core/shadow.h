// SPDX-License-Identifier: Apache-2.0
// The shadow: what the server held at this reader's cursor, per key, as (version, hash).
//
//     absent            the map's mark is not the session's generation, and no side entry
//     the map's own     the mark is the generation, and no side entry
//     a side entry      where map and server differ: opaque, refused, or the map is ahead
//
// Fed by the stream alone, in stream order, own entries included; `session.shadow` is its rolling digest
// and must equal the server's at every entry.  Private to core.  Read next: hold.c.
#pragma once

#include "replicator/core/state.h"

struct shadow_fact {
    bool held;
    bool opaque; // of a newer wire version
    struct version version;
    uint64_t hash;
};

// What the server held of `key`; `facts` are the map's (NULL: not held there).
struct shadow_fact shadow_get(struct core *core, uint32_t partition, struct span key,
                              const struct map_facts *facts);

// The same, looking into the map itself.
struct shadow_fact shadow_find(struct core *core, uint32_t partition, struct span key);

// The stream said that the server holds `now` of a key (or nothing).
struct shadow_change {
    uint32_t partition;
    struct span key;
    struct shadow_fact before, now;
    bool
        as_map; // the map holds exactly `now` and carries the generation as mark; else a side entry keeps it
};
void shadow_move(struct core *core, const struct shadow_change *change);

// The map is about to change without the stream: keep what the server held in a side entry.
void shadow_detach(struct core *core, uint32_t partition, struct span key,
                   const struct map_facts *facts);

// A new scan begins: nothing is known of the server.
void shadow_forget(struct core *core, uint32_t partition);
