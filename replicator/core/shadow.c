// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/shadow.h"

static struct side *side_get(const struct core *core, struct span key)
{
    return core->side.count == 0 ? NULL : keymap_get(&core->side, key, core_hash(core, key));
}

struct shadow_fact shadow_get(struct core *core, uint32_t partition, struct span key,
                              const struct map_facts *facts)
{
    const struct side *side = side_get(core, key);
    if (side != NULL) {
        return (struct shadow_fact){true, side->opaque, side->version, side->hash};
    }
    if (facts != NULL && facts->mark == core->sessions[partition].generation) {
        return (struct shadow_fact){true, (facts->flags & MAP_OPAQUE) != 0, facts->version,
                                    facts->hash};
    }
    return (struct shadow_fact){.held = false};
}

struct shadow_fact shadow_find(struct core *core, uint32_t partition, struct span key)
{
    struct map_facts facts;
    bool held = map_peek(core->map, key, &facts);
    return shadow_get(core, partition, key, held ? &facts : NULL);
}

static void side_put(struct core *core, uint32_t partition, struct span key,
                     const struct shadow_fact *fact)
{
    uint64_t hash = core_hash(core, key);
    struct side *side = keymap_get(&core->side, key, hash);
    if (side == NULL) {
        side = keymap_add(&core->side, key, sizeof(*side), hash);
    }
    if (side == NULL) {
        // Without this entry the digest cannot be compared; the next resync starts it afresh.
        core->sessions[partition].shadow_lost = true;
        return;
    }
    side->partition = partition;
    side->opaque = fact->opaque;
    side->version = fact->version;
    side->hash = fact->hash;
}

void shadow_move(struct core *core, const struct shadow_change *change)
{
    struct stream_digest *digest = &core->sessions[change->partition].shadow;
    if (change->before.held) {
        digest->count--;
        digest->sum = (digest->sum - change->before.hash) & CODEC_HASH_MASK;
    }
    if (change->now.held) {
        digest->count++;
        digest->sum = (digest->sum + change->now.hash) & CODEC_HASH_MASK;
    }
    if (change->now.held && !change->as_map) {
        side_put(core, change->partition, change->key, &change->now);
        return;
    }
    struct side *side = side_get(core, change->key);
    if (side != NULL) {
        keymap_remove(&core->side, side);
    }
    if (!change->now.held) {
        map_set_mark(core->map, change->key, 0);
    }
}

void shadow_detach(struct core *core, uint32_t partition, struct span key,
                   const struct map_facts *facts)
{
    if (facts == NULL || facts->mark != core->sessions[partition].generation ||
        side_get(core, key) != NULL) {
        return;
    }
    const struct shadow_fact fact = {true, (facts->flags & MAP_OPAQUE) != 0, facts->version,
                                     facts->hash};
    side_put(core, partition, key, &fact);
}

void shadow_forget(struct core *core, uint32_t partition)
{
    struct session *session = &core->sessions[partition];
    session->generation++;
    session->shadow = (struct stream_digest){0, 0};
    session->shadow_lost = false;
    uint32_t index = 0;
    struct side *side = NULL;
    while ((side = keymap_at(&core->side, &index)) != NULL) {
        if (side->partition == partition) {
            // Removal shifts another item into this cell: look at it again.
            keymap_remove(&core->side, side);
        } else {
            index++;
        }
    }
}
