// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/repair.h"

#include "base/rendezvous.h"
#include "localmap/model/merge.h"
#include "replicator/core/assign.h"
#include "replicator/core/derive.h"
#include "replicator/core/evict.h"
#include "replicator/core/outbox.h"
#include "replicator/core/shadow.h"
#include "replicator/core/writer.h"

void repair_plan(struct core *core, struct span key, const char *cause)
{
    uint64_t hash = core_hash(core, key);
    if (core->fenced || keymap_get(&core->repairs, key, hash) != NULL) {
        return;
    }
    struct repair *repair = keymap_add(&core->repairs, key, sizeof(*repair), hash);
    if (repair == NULL) {
        return; // the next resync plans it again
    }
    uint32_t rank = core->self != NULL ? assign_rank(core, rendezvous_hash(key), core->self) : 0;
    repair->due = mono_add_ms(core->now.mono, (int64_t)rank * REPAIR_RANK_STEP_MS);
    repair->cause = cause;
}

// Is the server behind what the map holds of `key`?  Drops what was purged.
static bool is_needed(struct core *core, uint32_t partition, struct span key)
{
    struct map_facts facts;
    if (!map_peek(core->map, key, &facts) || version_is_none(facts.version) ||
        (facts.flags & MAP_LOCAL) != 0) {
        return false;
    }
    if (writer_is_awaited(core, partition, key)) {
        return false; // its echo is on the way; without it, it is planned again
    }
    const struct shadow_fact server = shadow_get(core, partition, key, &facts);
    if (!server.held && facts.version.counter <= core->sessions[partition].floor) {
        if (outbox_get(core, key) == NULL) {
            map_drop(core->map, key);
            derive_touch(core, key);
        }
        return false;
    }
    if ((facts.flags & MAP_EVICTED) != 0) {
        evict_want(core,
                   key_service_prefix(key)); // who has the body puts it back; then we get it, too
        return false;
    }
    return !server.held ||
           merge_takes(merge_decide(server.version, server.hash, facts.version, facts.hash));
}

struct lost {
    struct core *core;
    uint32_t partition;
    const char *cause;
};

static bool plan_if_lost(void *arg, struct span key, const struct map_copy *copy)
{
    const struct lost *lost = arg;
    struct core *core = lost->core;
    const struct map_facts *facts = &copy->facts;
    if (version_is_none(facts->version) || (facts->flags & MAP_LOCAL) != 0) {
        return true;
    }
    const struct shadow_fact server = shadow_get(core, lost->partition, key, facts);
    if (!server.held || version_cmp(server.version, facts->version) < 0) {
        repair_plan(core, key, lost->cause);
    }
    return true;
}

void repair_plan_all(struct core *core, uint32_t partition, const char *cause)
{
    struct lost lost = {core, partition, cause};
    map_scan_partition(core->map, partition, plan_if_lost, &lost);
}

static void queue(struct core *core, const struct repair *repair, uint32_t partition)
{
    struct span key = keyed_span(&repair->keyed);
    struct slot *slot = outbox_open(core, key, partition);
    if (slot == NULL) {
        return;
    }
    slot->repair = true;
    core->sessions[partition].repairs++;
    const struct core_log log = {
        .what = CORE_LOG_REPAIR, .key = key, .text = span_str(repair->cause)};
    core_say(core, &log);
}

void repair_run(struct core *core)
{
    uint32_t index = 0;
    struct repair *repair = NULL;
    while ((repair = keymap_at(&core->repairs, &index)) != NULL) {
        struct span key = keyed_span(&repair->keyed);
        uint32_t partition = key_partition(key, core->options.partitions);
        const struct session *session = &core->sessions[partition];
        if (!mono_reached(core->now.mono, repair->due) || session->state != SESSION_LIVE) {
            index++;
            continue;
        }
        if (!core->fenced && is_needed(core, partition, key)) {
            queue(core, repair, partition);
        }
        keymap_remove(&core->repairs, repair);
    }
}
