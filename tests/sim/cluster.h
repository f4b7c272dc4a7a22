// SPDX-License-Identifier: Apache-2.0
// A whole mesh in one thread and virtual time: n real cores over the memory backend, faults from a seed.
//
//     cluster_run(seed, faults) = storm (operations, faults) -> heal -> quiet -> judge
//
// Everything that is random comes from the seed, so a failing seed fails again.  What must hold, whatever
// the faults were, is judged at the end and, where it is cheap, after every step:
//   versions never go back; replicas end equal to the server, with equal health that follows the truth;
//   no acknowledged write is undone by an older one; a 412 or 429 was not applied; places in the quota come back;
//   what was replaced does not come
//   back; an edit brings back nothing that was deleted; without faults nothing is
//   repaired and nothing is read afresh; in the quiet nothing is written; a server that restarts empty is read
//   afresh once by each node.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum cluster_fault {
    FAULT_DROP_REPLY = 1 << 0, // applied, the reply is lost
    FAULT_CUT = 1 << 1,        // a node loses its connection for a while
    FAULT_TRIM = 1 << 2,
    FAULT_LOSE_ENTRY = 1 << 3,
    FAULT_FLUSH = 1 << 4,
    FAULT_ROLLBACK = 1 << 5,
    FAULT_CRASH = 1 << 6,   // a node starts anew, its memory gone
    FAULT_GARBAGE = 1 << 7, // a stranger writes into log and state
    FAULT_REFUSE = 1 << 8,  // the server refuses for a while (out of memory)
    FAULT_PAUSE = 1 << 9,   // a node stands still, also past its lease
    FAULT_TWIN = 1 << 10,   // a second node of the same name joins
    FAULT_LATE = 1 << 11,   // calls take their time; one of a lost connection may still arrive
    FAULT_COUNT = 12
};

struct cluster_options {
    uint64_t seed;
    uint32_t faults; // those that may happen
    uint32_t nodes;  // at the start
    uint32_t steps;
    uint32_t quota; // of the tenant, on every node; 0 = none
    bool emptied;   // after the storm, the server restarts without its data, once
    bool trace;     // print the transcript
};

struct cluster_verdict {
    const char *broken; // NULL: all holds; else the name of the first promise that does not
    char detail[256];
    uint64_t writes, accepted, entries, repairs, resyncs, conflicts;
    uint64_t over_quota; // writes refused
    uint64_t transcript; // hash of all that happened: the same seed gives the same
};

void cluster_run(const struct cluster_options *options, struct cluster_verdict *ret_verdict);
