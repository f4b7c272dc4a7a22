// SPDX-License-Identifier: Apache-2.0
// One slot of the map, as the table holds it.
//
//     value = version | hash | flags | pending | mark | service    40 B
//             | derived health                                     32 B, in the slot of a registration only
//             | body
//
// Invariant: the length of the head follows from the key alone, so that a new health needs no new memory.
// Private to localmap; pure, any thread.  Read next: map.c.
#pragma once

#include "localmap/map.h"

#define SLOT_HEAD_MAX MAP_HEAD_MAX

struct slot {
    struct map_facts facts;
    bool
        digested; // the accepted base counts in its partition's digest; independent of the flags shown
    bool counted;     // it is, or as a tombstone was, one of those that the tenant's quota counts
    uint32_t service; // its number in the services index
    struct span body;
};

// Is it the key of a registration?  Those have health.
bool slot_is_registration(struct span key);

size_t slot_head_len(bool registration);
// Reads the facts off a head.
void slot_read_facts(bool registration, const char *head, struct map_facts *ret_facts);
// Takes a value apart; borrows.
void slot_read(bool registration, struct span value, struct slot *ret_slot);
// Writes the head and returns its length.
size_t slot_write_head(bool registration, const struct slot *slot, char head[SLOT_HEAD_MAX]);

// Neither a tombstone nor opaque.
static inline bool slot_is_shown(const struct slot *slot)
{
    return (slot->facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0;
}

// A stub: its body is not here.
static inline bool slot_is_evicted(const struct slot *slot)
{
    return (slot->facts.flags & MAP_EVICTED) != 0;
}
