// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/session_check.h"

#include "replicator/core/session.h"

#define CHECK_EVERY_MS 5000

void session_ask_meta(struct core *core, uint32_t partition)
{
    struct session *session = &core->sessions[partition];
    if (session->meta_open) {
        session->meta_wanted = true;
        return;
    }
    session->meta_open = true;
    // The answer tells of the moment of the question; the reader goes on meanwhile on its own connection.
    session->asked_at =
        session->cursor.sequence > session->acked ? session->cursor.sequence : session->acked;
    const struct core_action action = {.type = CORE_ACT_META, .partition = partition};
    core_emit(core, &action);
}

bool session_meta_answered(struct core *core, uint32_t partition)
{
    struct session *session = &core->sessions[partition];
    session->meta_open = false;
    if (!session->meta_wanted) {
        return true;
    }
    session->meta_wanted = false;
    session_ask_meta(core, partition);
    return false;
}

void session_schedule_check(struct core *core, struct session *session)
{
    // 5 s +- 20 %: replicas must not ask in step.
    int64_t jitter = (int64_t)(core_random(core) % (CHECK_EVERY_MS * 2 / 5)) - CHECK_EVERY_MS / 5;
    session->next_check = mono_add_ms(core->now.mono, CHECK_EVERY_MS + jitter);
}

// A digest that is unequal: one resync in resync_min, then go on and say so.
static void digest_unequal(struct core *core, uint32_t partition)
{
    struct session *session = &core->sessions[partition];
    bool recent =
        session->last_digest_resync.us != 0 &&
        mono_ms_between(session->last_digest_resync, core->now.mono) < core->options.resync_min_ms;
    if (!recent) {
        session->last_digest_resync = core->now.mono;
        session_resync(core, partition, "digest");
        return;
    }
    if (!session->diverged) {
        session->diverged = true;
        const struct core_log log = {.what = CORE_LOG_DIVERGED, .partition = partition};
        core_say(core, &log);
    }
}

void session_compare_digest(struct core *core, uint32_t partition,
                            const struct stream_digest *server)
{
    struct session *session = &core->sessions[partition];
    if (session->shadow_lost) {
        return;
    }
    if (session->shadow.count == server->count && session->shadow.sum == server->sum) {
        session->diverged = false;
    } else {
        digest_unequal(core, partition);
    }
}

bool session_same_epoch(const struct session *session, const struct stream_meta *meta)
{
    return meta->exists && strcmp(session->cursor.epoch.text, meta->epoch.text) == 0;
}

// The idle check of a partition in TAIL or LIVE.
void session_meta_check(struct core *core, uint32_t partition, const struct stream_meta *meta)
{
    struct session *session = &core->sessions[partition];
    session->checking = false;
    session_schedule_check(core, session);
    if (!session_same_epoch(session, meta)) {
        session_resync(core, partition, "epoch");
    } else if (meta->sequence < session->asked_at) {
        session_resync(core, partition, "rollback");
    } else if (meta->sequence <= session->cursor.sequence) {
        session->behind_since = (struct mono){0};
        if (session->state == SESSION_LIVE && meta->sequence == session->cursor.sequence) {
            session_compare_digest(core, partition, &meta->digest);
        }
    } else {
        // Entries ahead of us.  They are on their way, or the tail was trimmed, which XREAD never says.
        session->behind_of = session->cursor.sequence;
        session->behind_since = core->now.mono;
    }
}

static void tick_one(struct core *core, uint32_t partition)
{
    struct session *session = &core->sessions[partition];
    struct mono now = core->now.mono;
    bool reading = session->state == SESSION_TAIL || session->state == SESSION_LIVE;
    if ((session->state == SESSION_COLD || session->state == SESSION_PROBE) &&
        session->start_at.us != 0 && mono_reached(now, session->start_at)) {
        session->start_at = (struct mono){0};
        session_ask_meta(core, partition);
    }
    if (!reading) {
        return;
    }
    if (session->behind_since.us != 0 && session->cursor.sequence != session->behind_of) {
        session->behind_since = (struct mono){0}; // they came
    }
    if (session->behind_since.us != 0 &&
        mono_ms_between(session->behind_since, now) >= SESSION_PATIENCE_MS) {
        session_resync(core, partition, "trim");
        return;
    }
    if (!session->checking && mono_reached(now, session->next_check)) {
        session->checking = true;
        session_ask_meta(core, partition);
    }
}

void session_tick(struct core *core)
{
    if (!core->up) {
        return;
    }
    for (uint32_t p = 0; p < core->options.partitions; p++) {
        tick_one(core, p);
    }
}
