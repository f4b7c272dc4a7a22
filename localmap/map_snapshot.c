// SPDX-License-Identifier: Apache-2.0
// The table's snapshots as records.
#include "localmap/map_state.h"

#include <stdlib.h>

struct map_snapshot {
    struct table_snapshot *table;
    uint64_t index;
};

enum err map_snapshot_new(struct map *map, enum map_cut cut, struct map_snapshot **ret_snapshot)
{
    struct map_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot == NULL) {
        return ERR_NOMEM;
    }
    snapshot->index = map_index(map);
    // Whoever had announced a change by then may not have stored it yet.  Counting goes through every shard's
    // lock, behind whoever is inside: what has an index up to ours is in the table when the cut is made.
    (void)table_count(map->table);
    enum err err = table_snapshot_new(
        map->table, cut == MAP_CUT_STRICT ? TABLE_CUT_STRICT : TABLE_CUT_CAUSAL, &snapshot->table);
    if (err != ERR_OK) {
        free(snapshot);
        return err;
    }
    *ret_snapshot = snapshot;
    return ERR_OK;
}

void map_snapshot_free(struct map_snapshot *snapshot)
{
    if (snapshot != NULL) {
        table_snapshot_free(snapshot->table);
        free(snapshot);
    }
}

uint64_t map_snapshot_index(const struct map_snapshot *snapshot)
{
    return snapshot->index;
}

static void visit_record(void *arg, struct span key, struct span value)
{
    const struct map_visitor *visitor = arg;
    struct slot slot;
    slot_read(slot_is_registration(key), value, &slot);
    const struct map_record record = {
        .key = key, .facts = slot.facts, .digested = slot.digested, .body = slot.body};
    visitor->visit(visitor->arg, &record);
}

enum map_snapshot_result map_snapshot_next(struct map_snapshot *snapshot,
                                           const struct map_visitor *visitor)
{
    struct map_visitor ours = *visitor;
    const struct table_visitor theirs = {.visit = visit_record, .arg = &ours};
    switch (table_snapshot_next(snapshot->table, &theirs)) {
    case TABLE_SCAN_MORE:
        return MAP_SNAPSHOT_MORE;
    case TABLE_SCAN_END:
        return MAP_SNAPSHOT_END;
    case TABLE_SCAN_LOST:
    default:
        return MAP_SNAPSHOT_LOST;
    }
}
