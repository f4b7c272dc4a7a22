// SPDX-License-Identifier: Apache-2.0
// What clients did and were told, to be held against what remains.  Each operation leaves its own number
// as the weight of the registration that it wrote, so that the last writer can be read off a record.
#pragma once

#include "localmap/map.h"
#include "replicator/core/core.h"

#define HISTORY_OPS_MAX 20000
#define HISTORY_MAPS_MAX 8
#define HISTORY_KEYS_MAX 64

struct history_op {
    char node; // its number
    int instance;
    bool remove, edit, conditional, decided, orphaned;
    bool replaced; // another value stood in the log after it
    bool applied;  // its value stood in an entry of the log
    int64_t start, end;
    enum core_outcome outcome;
};

struct history {
    // The server may have gone back while a holder was cut off: then the greater version wins, whichever was
    // written first (the documented remainder), and only that something acknowledged remains is judged.
    bool forked;
    bool linear; // the server loses nothing: what was replaced in the log stays replaced
    bool mortal; // nodes die: what one alone had seen may be lost with it
    uint64_t
        last[HISTORY_KEYS_MAX]; // operation whose value stands in the log, by instance; 0 = none
    struct history_op *ops;     // by number; 0 is nobody
    uint64_t count;
    // The greatest version seen of each key on each node.
    struct {
        uint64_t key_hash;
        struct version version;
    } seen[HISTORY_MAPS_MAX][HISTORY_KEYS_MAX];
};

struct history_world {
    const struct map *map;
    void (*key_of)(int instance, struct key_bytes *ret_key);
    int instances;
};

struct history_fault {
    const char *promise;
    char detail[200];
};

void history_init(struct history *history);
void history_fini(struct history *history);
// An operation begins: `what` says its node, instance, start, remove, edit and
// conditional.  Returns its number.
uint64_t history_begin(struct history *history, const struct history_op *what);
void history_done(struct history *history, uint64_t op, enum core_outcome outcome, int64_t now);
// The next entry of the log holds this record with this operation's weight (0: a tombstone).  true: that had
// been replaced before.
bool history_applied(struct history *history, int instance, uint64_t op);
// A node died: what it alone may have held is excused.
void history_lost(struct history *history, char node);
// Map number `m` starts empty.
void history_forget(struct history *history, uint32_t m);
// Notes the versions in a map; true when one went back.
bool history_versions(struct history *history, const struct map *map, uint32_t m);

// Is an acknowledged write undone by an older one, a refused one applied, a deleted record back?
bool history_judge(const struct history *history, const struct history_world *world,
                   struct history_fault *ret_fault);
