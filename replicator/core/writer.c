// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/writer.h"

#include "base/assert.h"
#include "localmap/model/merge.h"
#include "replicator/core/derive.h"
#include "replicator/core/flight.h"
#include "replicator/core/hold.h"
#include "replicator/core/outbox.h"
#include "replicator/core/presence.h"
#include "replicator/core/repair.h"
#include "replicator/core/shadow.h"
#include "replicator/core/write.h"

#define RETRY_MIN_MS 1000
#define RETRY_SPREAD_MS 4000
#define CONFLICT_BACKOFF_MS 50

static void cond_free(struct core *core, struct session *session, struct cond *cond)
{
    struct cond **link = &session->conds;
    while (*link != cond) {
        ASSERT(*link != NULL);
        link = &(*link)->next;
    }
    *link = cond->next;
    session->cond_count--;
    map_give_place(core->map, bytes_span(&cond->key), &cond->place);
    bytes_clear(core, &cond->key);
    bytes_clear(core, &cond->patch);
    arena_give(&core->arena, cond, sizeof(*cond));
}

static bool is_delete(const struct cond *cond)
{
    struct patch patch;
    return patch_read(bytes_span(&cond->patch), &patch) == ERR_OK && patch.op == PATCH_DELETE;
}

void writer_answer(struct core *core, struct session *session, struct cond *cond,
                   enum core_outcome outcome)
{
    if (outcome == CORE_STALE && cond->kind == COND_API) {
        core->counters[CORE_CONFLICTS_API]++;
    }
    if (outcome == CORE_ACCEPTED && is_delete(cond)) {
        write_members_gone(core, bytes_span(&cond->key));
    }
    if (cond->kind == COND_JOIN) {
        presence_join_decided(core, outcome, cond->claim.version.counter);
    } else {
        core_done(core, cond->op, outcome);
    }
    cond_free(core, session, cond);
}

void writer_conditional(struct core *core, const struct core_write *write, enum cond_kind kind)
{
    uint32_t partition = key_partition(write->key, core->options.partitions);
    struct session *session = &core->sessions[partition];
    struct cond *cond = NULL;
    struct map_place place = {.taken = false};
    if (kind == COND_API && write->precondition == CORE_IF_ABSENT &&
        !write_admit(core, write, &place)) {
        return;
    }
    size_t len = patch_write(write->patch, core->patch, sizeof(core->patch));
    bool possible = session->state == SESSION_LIVE && !core->misconfigured &&
                    session->cond_count < CONDS_MAX && len != 0;
    if (possible) {
        cond = arena_take(&core->arena, sizeof(*cond));
    }
    if (cond == NULL || !bytes_set(core, &cond->key, write->key) ||
        !bytes_set(core, &cond->patch, span_of(core->patch, len))) {
        if (cond != NULL) {
            bytes_clear(core, &cond->key);
            arena_give(&core->arena, cond, sizeof(*cond));
        }
        map_give_place(core->map, write->key, &place);
        if (kind != COND_JOIN) {
            core_done(core, write->op, CORE_UNAVAILABLE);
        } else {
            presence_join_decided(core, CORE_UNAVAILABLE, 0);
        }
        return;
    }
    cond->kind = kind;
    cond->precondition = write->precondition;
    cond->version = write->version;
    cond->op = write->op;
    cond->place = place;
    struct cond **tail = &session->conds;
    while (*tail != NULL) {
        tail = &(*tail)->next;
    }
    *tail = cond;
    session->cond_count++;
}

// --- what comes of a claim

// The stream has it: the patches that were in the air are gone.
static void slot_accepted(struct core *core, struct slot *slot)
{
    slot->claim = (struct claim){.version = slot->claim.version, .hash = slot->claim.hash};
    outbox_accepted(core, slot);
    if (slot->waiting.ptr == NULL) {
        bool shown_changes = outbox_show(core, slot) != PUT_SAME;
        if (shown_changes) {
            derive_touch(core, keyed_span(&slot->keyed));
        }
        outbox_close(core, slot, CORE_ACCEPTED);
    } else {
        (void)outbox_show(core, slot);
        derive_touch(core, keyed_span(&slot->keyed));
    }
}

// A value that a reply showed stands in the log at `sequence` or before; the reader has not been there.  It
// is missed if the server goes back meanwhile: then who holds it must put it back.
static void await_echo(struct core *core, struct session *session, struct span key,
                       uint64_t sequence)
{
    if (session->cursor.sequence >= sequence) {
        return;
    }
    if (session->awaited == NULL) {
        session->awaited = arena_take(&core->arena, WAITING_MAX * sizeof(struct awaited));
    }
    struct bytes name = {NULL, 0};
    if (session->awaited == NULL || session->awaited_count == WAITING_MAX ||
        !bytes_set(core, &name, key)) {
        // The digest would not find it, for it is of what the server holds: all keys are looked at then.
        if (session->awaited_unnamed < sequence) {
            session->awaited_unnamed = sequence;
        }
        return;
    }
    session->awaited[session->awaited_count++] = (struct awaited){sequence, name};
}

struct decision {
    const struct stream_put_row *row;
    uint64_t sequence;
    bool again;
};

// Takes in what a conflict says that the server holds; false: it cannot be read, and must not be overwritten.
static bool take_current(struct core *core, uint32_t partition, struct span key,
                         const struct decision *d)
{
    enum hold_result result = hold_reply(core, partition, key, d->row->current);
    if (result == HOLD_OPAQUE) {
        hold_tell_opaque(core, key);
        return false;
    }
    if (result == HOLD_TAKEN) {
        await_echo(core, &core->sessions[partition], key, d->sequence);
    }
    return true;
}

// The server held something else: take that in, compose again, back off after some tries.
// `d` NULL: what it holds is known from the reader.
static void slot_conflict(struct core *core, struct slot *slot, const struct decision *d)
{
    const struct span *current = d != NULL ? &d->row->current : NULL;
    slot->claim = (struct claim){.version = slot->claim.version, .hash = slot->claim.hash};
    outbox_returned(core, slot);
    core->counters[CORE_CONFLICTS_STREAM]++;
    const struct core_log log = {.what = CORE_LOG_CONFLICT, .key = keyed_span(&slot->keyed)};
    core_say(core, &log);
    struct codec_value value;
    slot->known_set = current != NULL;
    slot->known = (struct version){0, 0};
    if (current != NULL && codec_value_parse(*current, &value) == ERR_OK) {
        struct span key = keyed_span(&slot->keyed);
        slot->known = value.version;
        if (!take_current(core, slot->partition, key, d)) {
            outbox_close(core, slot, CORE_CONFLICT);
            return;
        }
    }
    slot->tries++;
    if (slot->tries > SLOT_TRIES_BEFORE_BACKOFF) {
        uint32_t spread = (uint32_t)CONFLICT_BACKOFF_MS << (slot->tries < 8 ? slot->tries : 8);
        slot->not_before = mono_add_ms(core->now.mono, (int64_t)(core_random(core) % spread));
    }
    (void)outbox_show(core, slot);
    derive_touch(core, keyed_span(&slot->keyed));
}

static void decide_slot(struct core *core, struct slot *slot, struct span value,
                        const struct decision *d)
{
    struct session *session = &core->sessions[slot->partition];
    slot->claim.in_flight = false;
    if (slot->claim.seen) {
        slot_accepted(core, slot);
    } else if (d->row->result != STREAM_PUT_CONFLICT) {
        core->counters[CORE_PUBLISHED]++;
        await_echo(core, session, keyed_span(&slot->keyed), d->sequence);
        (void)hold_reply(core, slot->partition, keyed_span(&slot->keyed), value);
        slot_accepted(core, slot);
    } else if (d->again && session->cursor.sequence < d->sequence) {
        slot->claim.doubt = true;
        slot->claim.doubt_at = d->sequence;
    } else {
        slot_conflict(core, slot, d);
    }
}

static void decide_cond(struct core *core, struct cond *cond, struct span value,
                        const struct decision *d)
{
    uint32_t partition = key_partition(bytes_span(&cond->key), core->options.partitions);
    struct session *session = &core->sessions[partition];
    cond->claim.in_flight = false;
    if (cond->claim.seen) {
        writer_answer(core, session, cond, CORE_ACCEPTED);
    } else if (d->row->result != STREAM_PUT_CONFLICT) {
        core->counters[CORE_PUBLISHED]++;
        await_echo(core, session, bytes_span(&cond->key), d->sequence);
        (void)hold_reply(core, partition, bytes_span(&cond->key), value);
        writer_answer(core, session, cond, CORE_ACCEPTED);
    } else if (d->again && session->cursor.sequence < d->sequence) {
        cond->claim.doubt = true;
        cond->claim.doubt_at = d->sequence;
    } else {
        bool taken = take_current(core, partition, bytes_span(&cond->key), d);
        writer_answer(core, session, cond, taken ? CORE_STALE : CORE_CONFLICT);
    }
}

// Nothing was executed, or another epoch lives there: all that was in the air comes back down.
static void ground(struct core *core, struct session *session)
{
    struct flight *flight = &session->flight;
    bool again = flight->again;
    flight->active = false;
    // One version must not name two bodies: what is composed anew is another attempt.
    core->attempt++;
    for (uint32_t i = 0; i < flight->count; i++) {
        struct slot *slot = flight->rows[i].slot;
        struct cond *cond = flight->rows[i].cond;
        if (slot != NULL) {
            slot->claim.in_flight = false;
            if (slot->claim.seen) {
                slot_accepted(core, slot);
                continue;
            }
            core->counters[CORE_REAPPLIED] += again ? 1 : 0;
            outbox_returned(core, slot);
        } else {
            cond->claim.in_flight = false;
            enum core_outcome outcome = cond->claim.seen ? CORE_ACCEPTED
                                        : again          ? CORE_UNKNOWN
                                                         : CORE_UNAVAILABLE;
            writer_answer(core, session, cond, outcome);
        }
    }
}

void writer_reply(struct core *core, const struct stream_event *event)
{
    struct session *session = &core->sessions[event->partition];
    struct flight *flight = &session->flight;
    if (session->orphan) {
        session->orphan = false; // of a call that was abandoned
        return;
    }
    if (!flight->active || !flight->transmitted) {
        return;
    }
    if (event->status == STREAM_EPOCH) {
        ground(core, session);
        return; // session.c reads the partition afresh
    }
    if (event->status == STREAM_AGAIN) {
        flight->transmitted = false; // the very same bytes, at the end of this step
        return;
    }
    if (event->status != STREAM_OK) {
        struct mono later = mono_add_ms(
            core->now.mono, RETRY_MIN_MS + (int64_t)(core_random(core) % RETRY_SPREAD_MS));
        if (flight->again) {
            flight->transmitted = false; // the same bytes, for their outcome is still unknown
        } else {
            ground(core, session);
        }
        flight->not_before = later;
        return;
    }
    ASSERT(event->put.count == flight->count);
    if (event->put.sequence > session->acked) {
        session->acked = event->put.sequence;
    }
    if (event->put.floor > session->floor) {
        session->floor = event->put.floor;
    }
    flight->active = false;
    for (uint32_t i = 0; i < flight->count; i++) {
        const struct decision d = {&event->put.rows[i], event->put.sequence, flight->again};
        if (flight->rows[i].slot != NULL) {
            decide_slot(core, flight->rows[i].slot, flight->records[i].value, &d);
        } else {
            decide_cond(core, flight->rows[i].cond, flight->records[i].value, &d);
        }
    }
    flight->again = false;
}

// --- what the reader tells

static bool claims(const struct claim *claim, const struct codec_value *value)
{
    return (claim->in_flight || claim->doubt) && version_cmp(claim->version, value->version) == 0 &&
           claim->hash == value->hash;
}

void writer_echo(struct core *core, uint32_t partition, struct span key,
                 const struct codec_value *value)
{
    struct session *session = &core->sessions[partition];
    struct slot *slot = outbox_get(core, key);
    if (slot != NULL && slot->known_set && version_cmp(value->version, slot->known) >= 0) {
        slot->known_set = false; // the reader has caught up with what the conflict told
    }
    if (slot != NULL && claims(&slot->claim, value)) {
        slot->claim.seen = true;
        if (slot->claim.in_flight) {
            // The reply is still to come; the patches that it contained are in the base now.
            core->counters[CORE_PUBLISHED]++;
            outbox_accepted(core, slot);
            (void)outbox_show(core, slot);
        }
    }
    for (struct cond *cond = session->conds; cond != NULL; cond = cond->next) {
        if (claims(&cond->claim, value) && span_eq(bytes_span(&cond->key), key)) {
            cond->claim.seen = true;
        }
    }
}

static void settle_doubts(struct core *core, uint32_t partition, bool resync)
{
    struct session *session = &core->sessions[partition];
    uint64_t at = session->cursor.sequence;
    struct slot *next_slot = NULL;
    for (struct slot *slot = session->first; slot != NULL; slot = next_slot) {
        next_slot = slot->next;
        if (!slot->claim.doubt || !(resync || at >= slot->claim.doubt_at)) {
            continue;
        }
        slot->claim.doubt = false;
        if (slot->claim.seen) {
            slot_accepted(core, slot);
        } else {
            core->counters[CORE_REAPPLIED] += resync ? 1 : 0;
            slot_conflict(core, slot, NULL);
        }
    }
    struct cond *next = NULL;
    for (struct cond *cond = session->conds; cond != NULL; cond = next) {
        next = cond->next;
        if (!cond->claim.doubt || !(resync || at >= cond->claim.doubt_at)) {
            continue;
        }
        enum core_outcome outcome = cond->claim.seen            ? CORE_ACCEPTED
                                    : at < cond->claim.doubt_at ? CORE_UNKNOWN
                                                                : CORE_STALE;
        writer_answer(core, session, cond, outcome);
    }
}

void writer_reader_moved(struct core *core, uint32_t partition)
{
    struct session *session = &core->sessions[partition];
    settle_doubts(core, partition, false);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < session->awaited_count; i++) {
        struct awaited *awaited = &session->awaited[i];
        if (awaited->sequence > session->cursor.sequence) {
            session->awaited[kept++] = *awaited;
            continue;
        }
        struct span key = bytes_span(&awaited->key);
        struct map_facts facts;
        const struct shadow_fact server = shadow_find(core, partition, key);
        if (map_peek(core->map, key, &facts) &&
            (!server.held || version_cmp(server.version, facts.version) < 0)) {
            repair_plan(core, key,
                        "echo"); // passed its place without seeing it: the server went back
        }
        bytes_clear(core, &awaited->key);
    }
    session->awaited_count = kept;
    if (session->awaited_unnamed != 0 && session->awaited_unnamed <= session->cursor.sequence) {
        session->awaited_unnamed = 0;
        repair_plan_all(core, partition, "echo");
    }
}

void writer_connection_lost(struct core *core, uint32_t partition)
{
    struct flight *flight = &core->sessions[partition].flight;
    core->sessions[partition].orphan = false;
    if (flight->active && flight->transmitted) {
        flight->again = true;
        flight->transmitted = false;
    }
}

void writer_abandon(struct core *core, uint32_t partition)
{
    struct session *session = &core->sessions[partition];
    settle_doubts(core, partition, true);
    if (session->flight.active) {
        session->orphan = session->flight.transmitted;
        session->flight.again = session->flight.again || session->flight.transmitted;
        ground(core, session);
    }
    for (uint32_t i = 0; i < session->awaited_count; i++) {
        bytes_clear(core, &session->awaited[i].key);
    }
    session->awaited_count = 0;
    session->awaited_unnamed = 0;
    for (struct slot *slot = session->first; slot != NULL; slot = slot->next) {
        slot->known_set = false;
    }
}

bool writer_is_awaited(const struct core *core, uint32_t partition, struct span key)
{
    const struct session *session = &core->sessions[partition];
    for (uint32_t i = 0; i < session->awaited_count; i++) {
        if (span_eq(bytes_span(&session->awaited[i].key), key)) {
            return true;
        }
    }
    return false;
}

void writer_stop(struct core *core, enum core_outcome outcome)
{
    for (uint32_t p = 0; p < core->options.partitions; p++) {
        struct session *session = &core->sessions[p];
        if (session->flight.active) {
            session->orphan = session->flight.transmitted;
            session->flight.again = session->flight.again || session->flight.transmitted;
            ground(core, session);
        }
        while (session->conds != NULL) {
            writer_answer(core, session, session->conds,
                          session->conds->claim.doubt ? CORE_UNKNOWN : outcome);
        }
    }
    outbox_close_all(core, outcome);
}

// Nothing goes out any more: who waits for the stream alone is told.  What is in the air will be answered.
static void stand_still(struct core *core, struct session *session)
{
    if (session->flight.active && !session->flight.transmitted) {
        ground(core, session);
    }
    struct cond *next = NULL;
    for (struct cond *cond = session->conds; cond != NULL; cond = next) {
        next = cond->next;
        if (!cond->claim.in_flight && !cond->claim.doubt) {
            writer_answer(core, session, cond, CORE_UNAVAILABLE);
        }
    }
}

void writer_pump(struct core *core, uint32_t partition)
{
    struct session *session = &core->sessions[partition];
    struct flight *flight = &session->flight;
    if (core->misconfigured) {
        stand_still(core, session);
        return;
    }
    if (session->state != SESSION_LIVE || core->fenced || !core->ready || session->orphan ||
        !mono_reached(core->now.mono, flight->not_before)) {
        return;
    }
    if (!flight->active && (session->first != NULL || session->conds != NULL)) {
        flight_build(core, partition);
    }
    if (!flight->active || flight->transmitted) {
        return;
    }
    flight->transmitted = true;
    const struct core_action action = {.type = CORE_ACT_PUT,
                                       .partition = partition,
                                       .put = {.epoch = &session->cursor.epoch,
                                               .records = flight->records,
                                               .count = flight->count}};
    core_emit(core, &action);
}
