// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/presence.h"

#include "base/rendezvous.h"
#include "replicator/core/assign.h"
#include "replicator/core/derive.h"
#include "replicator/core/heartbeat.h"
#include "replicator/core/session.h"
#include "replicator/core/write.h"
#include "replicator/core/writer.h"

#define EMPTY_SERVER_EXTRA_MS 1000
#define JOIN_RETRY_MS 200
#define BEAT_GAP_MS 100 // to a heartbeat that says another state

struct peer *presence_peer(const struct core *core, struct span node)
{
    return keymap_get(&core->nodes, node, core_hash(core, node));
}

static struct peer *peer_open(struct core *core, struct span node)
{
    struct peer *peer = presence_peer(core, node);
    if (peer == NULL && node.len <= KEY_SERVICE_MAX) {
        peer = keymap_add(&core->nodes, node, sizeof(*peer), core_hash(core, node));
        if (peer != NULL) {
            peer->rank_hash = rendezvous_hash(node);
            peer->lag_ms = -1;
            peer->beat_age_ms = -1;
        }
    }
    return peer;
}

static bool is_self(const struct core *core, struct span node)
{
    return span_eq(node, core->options.node_id);
}

int64_t presence_server_now(const struct core *core)
{
    if (core->server_ms == 0) {
        return 0;
    }
    return core->server_ms + mono_ms_between(core->server_at, core->now.mono);
}

// --- node records

static void fence(struct core *core, uint64_t incarnation)
{
    core->fenced = true;
    const struct core_log log = {.what = CORE_LOG_FENCED, .number = incarnation};
    core_say(core, &log);
    writer_stop(core, CORE_FENCED);
    assign_all(core);
}

static void own_record(struct core *core, const struct node *node)
{
    if (!core->joined || core->fenced) {
        return;
    }
    if (node->incarnation > core->incarnation) {
        core->fence_at = node->incarnation; // done at the end of the step: it closes slots
    } else if (!node->up && node->incarnation == core->incarnation) {
        core->rise_again = true; // a peer thought us gone
    }
}

void presence_node_changed(struct core *core, struct span name, struct span key)
{
    struct record record;
    struct map_copy *copy = &core->copy_derive;
    bool held = map_get(core->map, key, copy) &&
                (copy->facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0 &&
                codec_body_read(KEY_NODE, map_copy_body(copy), &record) == ERR_OK;
    struct peer *peer = held ? peer_open(core, name) : presence_peer(core, name);
    if (peer == NULL) {
        return;
    }
    bool was_up = peer->recorded && peer->up;
    peer->recorded = held;
    peer->up = held && record.node.up;
    peer->incarnation = held ? record.node.incarnation : 0;
    if (is_self(core, name)) {
        core->self = peer;
        if (held) {
            own_record(core, &record.node);
        }
    }
    if (peer->up == was_up) {
        return;
    }
    core->live_nodes += peer->up ? 1u : (uint32_t)-1;
    core->assign_again = true;
    core->adopt_leases = core->adopt_leases || !peer->up;
    const struct core_log log = {.what = CORE_LOG_NODE, .text = name, .up = peer->up};
    core_say(core, &log);
}

static void misconfigured_by_own_record(struct core *core)
{
    core_misconfigured(core, "a newer version of meshpulse wrote the record of this node");
}

void presence_unreadable(struct core *core, struct span key)
{
    struct key_bytes own;
    key_node(core->options.node_id, &own);
    // Whether another life of this name has begun stands in what cannot be read.
    if ((core->joined || core->joining) && span_eq(key, key_span(&own))) {
        misconfigured_by_own_record(core);
    }
}

static void node_write(struct core *core, struct span name, bool up)
{
    struct key_bytes key;
    key_node(name, &key);
    const struct patch patch = {
        .op = PATCH_MERGE, .mask = PATCH_UP, .record = {.kind = KEY_NODE, .node = {.up = up}}};
    write_internal(core, key_span(&key), &patch);
}

// --- joining

static void join(struct core *core)
{
    struct key_bytes key;
    key_node(core->options.node_id, &key);
    const struct patch patch = {.op = PATCH_PUT,
                                .record = {.kind = KEY_NODE,
                                           .node = {.up = true,
                                                    .region = core->options.region,
                                                    .zone = core->options.zone,
                                                    .release = core->options.release}}};
    const struct core_write write = {.key = key_span(&key), .patch = &patch};
    core->joining = true;
    writer_conditional(core, &write, COND_JOIN);
}

void presence_join_decided(struct core *core, enum core_outcome outcome, uint64_t incarnation)
{
    core->joining = false;
    if (outcome == CORE_CONFLICT) {
        misconfigured_by_own_record(core);
    }
    if (outcome != CORE_ACCEPTED) {
        core->next_join = mono_add_ms(core->now.mono, JOIN_RETRY_MS);
        return;
    }
    core->joined = true;
    core->incarnation = incarnation;
    const struct core_log log = {.what = CORE_LOG_JOINED, .number = incarnation};
    core_say(core, &log);
    core->assign_again = true;
    core->next_beat = core->now.mono; // the peers shall see it at once
    if (core->self != NULL && core->self->incarnation > incarnation) {
        core->fence_at = core->self->incarnation; // read before the reply to our own joining came
    }
}

// --- ready

// An emptied server: somebody alive may hold what it lost.  Wait until that is put back.
static bool server_is_complete(struct core *core)
{
    if (core->options.private_stream || mono_reached(core->now.mono, core->gate_until)) {
        return true;
    }
    int64_t youngest = 0;
    for (uint32_t p = 0; p < core->options.partitions; p++) {
        if (core->sessions[p].born_ms > youngest) {
            youngest = core->sessions[p].born_ms;
        }
    }
    if (!core->beat_done ||
        presence_server_now(core) < youngest + core->options.lease_ms / 3 + EMPTY_SERVER_EXTRA_MS) {
        return false;
    }
    uint32_t index = 0;
    for (struct peer *p = NULL; (p = keymap_at(&core->nodes, &index)) != NULL; index++) {
        if (p != core->self && p->beating && p->ahead) {
            return false;
        }
    }
    return true;
}

static void become_ready(struct core *core, bool stale)
{
    core->ready = true;
    core->stale_start = stale;
    const struct core_log log = {.what = stale ? CORE_LOG_STALE_START : CORE_LOG_READY};
    core_say(core, &log);
}

static void settle_ready(struct core *core)
{
    if (core->stale_start && session_all_live(core) && server_is_complete(core)) {
        core->stale_start = false;
        core->warm = true;
    }
    if (core->ready) {
        return;
    }
    if (session_all_live(core)) {
        if (core->gate_until.us == 0) {
            core->gate_until = mono_add_ms(core->now.mono, 2 * core->options.lease_ms);
        }
        if (server_is_complete(core)) {
            core->warm = true;
            become_ready(core, false);
        }
        return;
    }
    if (core->options.start_without_ms > 0 && !core->ever_up &&
        mono_ms_between(core->started, core->now.mono) >= core->options.start_without_ms) {
        become_ready(core, true);
    }
}

// --- heartbeats

static void beat(struct core *core)
{
    char payload[HEARTBEAT_LEN_MAX];
    size_t len = heartbeat_write(core, payload);
    core->beating = true;
    core->beat_state = presence_state(core);
    core->beat_at = core->now.mono;
    core->next_beat = mono_add_ms(core->now.mono, core->options.lease_ms / 3);
    const struct core_action action = {.type = CORE_ACT_BEAT, .text = span_of(payload, len)};
    core_emit(core, &action);
}

// The next one is due, or the peers show of us what is not so any more.
static bool beat_is_due(const struct core *core)
{
    return mono_reached(core->now.mono, core->next_beat) ||
           (presence_state(core) != core->beat_state &&
            mono_ms_between(core->beat_at, core->now.mono) >= BEAT_GAP_MS);
}

static void note_peers(struct core *core, const struct stream_event *event)
{
    uint32_t index = 0;
    for (struct peer *p = NULL; (p = keymap_at(&core->nodes, &index)) != NULL; index++) {
        p->beating = false;
    }
    for (uint32_t i = 0; i < event->beat.peer_count; i++) {
        const struct stream_peer *seen = &event->beat.peers[i];
        struct peer *peer = peer_open(core, seen->name);
        if (peer == NULL) {
            continue;
        }
        peer->beating = true;
        peer->beat_age_ms = seen->age_ms;
        peer->beat_seen = core->now.mono;
        peer->missing_since = (struct mono){0};
        if (seen->payload.len > 0) {
            heartbeat_read(core, seen->payload, peer);
        }
    }
}

static bool may_judge_peers(const struct core *core)
{
    return core->joined && !core->fenced && core->warm && session_all_live(core) && !core->in_grace;
}

// Nodes that are up by their record but do not beat: one lease without an entry is a lapse.
static void find_missing(struct core *core)
{
    uint32_t index = 0;
    for (struct peer *p = NULL; (p = keymap_at(&core->nodes, &index)) != NULL; index++) {
        if (p == core->self || !p->recorded || !p->up || p->beating) {
            p->missing_since = (struct mono){0};
            continue;
        }
        if (p->missing_since.us == 0) {
            p->missing_since = core->now.mono;
        } else if (mono_ms_between(p->missing_since, core->now.mono) >= core->options.lease_ms) {
            p->missing_since = (struct mono){0};
            node_write(core, keyed_span(&p->keyed), false);
            return; // the map of nodes may have changed; the next one at the next heartbeat
        }
    }
}

void presence_beat(struct core *core, const struct stream_event *event)
{
    core->beating = false;
    if (event->status != STREAM_OK) {
        return;
    }
    core->beat_done = true;
    core->server_ms = event->beat.server_ms;
    core->server_at = core->now.mono;
    core->in_grace = event->beat.in_grace;
    note_peers(core, event);
    if (!may_judge_peers(core)) {
        return;
    }
    for (uint32_t i = 0; i < event->beat.lapsed_count; i++) {
        struct span name = event->beat.lapsed[i];
        const struct peer *peer = presence_peer(core, name);
        if (!is_self(core, name) && peer != NULL && peer->recorded && peer->up && !peer->beating) {
            node_write(core, name, false);
        }
        // Recorded (by us or by a peer): its entry has done its work.
        const struct core_action action = {.type = CORE_ACT_FORGET, .text = name};
        if (!is_self(core, name) && (peer == NULL || !peer->recorded || !peer->up)) {
            core_emit(core, &action);
        }
    }
    find_missing(core);
}

void presence_tick(struct core *core)
{
    settle_ready(core);
    if (core->fence_at != 0 && !core->fenced) {
        fence(core, core->fence_at);
    }
    if (!core->up) {
        return;
    }
    if (core->ready && !core->joined && !core->joining && !core->fenced && !core->misconfigured &&
        !core->leaving && session_all_live(core) && mono_reached(core->now.mono, core->next_join)) {
        join(core);
    }
    if (core->rise_again && core->joined && !core->fenced && !core->leaving) {
        core->rise_again = false;
        node_write(core, core->options.node_id, true);
    }
    // A fenced node does not beat: the name is another's, whose lapse must be seen.
    if (!core->beating && !core->leaving && !core->misconfigured && !core->fenced &&
        beat_is_due(core)) {
        beat(core);
    }
}

void presence_leave(struct core *core)
{
    if (core->leaving) {
        return;
    }
    core->leaving = true;
    if (core->joined && !core->fenced) {
        node_write(core, core->options.node_id, false);
    }
    const struct core_action action = {.type = CORE_ACT_FORGET, .text = core->options.node_id};
    if (core->up) {
        core_emit(core, &action);
    }
}

enum core_state presence_state(const struct core *core)
{
    if (core->fenced) {
        return CORE_STATE_FENCED;
    }
    if (core->misconfigured) {
        return CORE_STATE_MISCONFIGURED;
    }
    if (!core->up) {
        return core->ready ? CORE_STATE_STALE : CORE_STATE_CONNECTING;
    }
    for (uint32_t p = 0; p < core->options.partitions; p++) {
        if (core->sessions[p].diverged) {
            return CORE_STATE_DIVERGED;
        }
    }
    return session_all_live(core) ? CORE_STATE_LIVE : CORE_STATE_SNAPSHOT;
}
