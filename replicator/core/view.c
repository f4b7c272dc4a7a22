// SPDX-License-Identifier: Apache-2.0
// What the driver reads of core between steps.
#include "base/assert.h"
#include "replicator/core/core.h"
#include "replicator/core/presence.h"
#include "replicator/core/state.h"

bool core_is_ready(const struct core *core)
{
    return core->ready;
}

bool core_was_stale_start(const struct core *core)
{
    return core->stale_start;
}

enum core_state core_get_state(const struct core *core)
{
    return presence_state(core);
}

static enum core_partition_state partition_state(const struct session *session)
{
    switch (session->state) {
    case SESSION_OFFLINE:
        return session->has_cursor ? CORE_PARTITION_STALE : CORE_PARTITION_CONNECTING;
    case SESSION_TAIL:
        return CORE_PARTITION_TAIL;
    case SESSION_LIVE:
        return session->diverged ? CORE_PARTITION_DIVERGED : CORE_PARTITION_LIVE;
    case SESSION_PROBE:
    case SESSION_COLD:
    case SESSION_SCAN:
    case SESSION_END:
    case SESSION_STATE_COUNT:
    default:
        return CORE_PARTITION_SNAPSHOT;
    }
}

void core_get_partition(const struct core *core, uint32_t partition,
                        struct core_partition_view *ret_view)
{
    ASSERT(partition < core->options.partitions);
    const struct session *session = &core->sessions[partition];
    ret_view->state = partition_state(session);
    ret_view->position = session->cursor;
    ret_view->position.digest = session->shadow;
    ret_view->pending = session->slot_count + session->cond_count;
    ret_view->resyncs = session->resyncs;
    ret_view->repairs = session->repairs;
}

static void text_copy(char *place, size_t cap, struct span text)
{
    size_t len = text.len < cap - 1 ? text.len : cap - 1;
    memcpy(place, text.ptr, len);
    place[len] = '\0';
}

size_t core_get_nodes(const struct core *core, struct core_node_view *ret_nodes, size_t cap)
{
    size_t count = 0;
    uint32_t index = 0;
    for (const struct peer *p = NULL; count < cap && (p = keymap_at(&core->nodes, &index)) != NULL;
         index++) {
        struct core_node_view *view = &ret_nodes[count++];
        memset(view, 0, sizeof(*view));
        text_copy(view->id, sizeof(view->id), keyed_span(&p->keyed));
        text_copy(view->zone, sizeof(view->zone), span_str(p->zone));
        text_copy(view->release, sizeof(view->release), span_str(p->release));
        text_copy(view->state, sizeof(view->state), span_str(p->state));
        text_copy(view->digest, sizeof(view->digest), span_str(p->digest));
        view->incarnation = p->incarnation;
        view->up = p->recorded && p->up;
        view->beat_age_ms = p->beat_seen.us == 0
                                ? -1
                                : p->beat_age_ms + mono_ms_between(p->beat_seen, core->now.mono);
        view->lag_ms = p->lag_ms;
        view->agrees = p->agrees;
    }
    return count;
}

uint64_t core_get_pending(const struct core *core)
{
    return core->pending_slots;
}

uint64_t core_get_counter(const struct core *core, enum core_counter counter)
{
    ASSERT(counter < CORE_COUNTER_COUNT);
    return core->counters[counter];
}

bool core_knows_node(const struct core *core, struct span name)
{
    return span_eq(name, core->options.node_id) || presence_peer(core, name) != NULL;
}

size_t core_arena_used(const struct core *core)
{
    return core->arena.used;
}
