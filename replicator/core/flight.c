// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/flight.h"

#include "base/assert.h"
#include "localmap/model/merge.h"
#include "replicator/core/hold.h"
#include "replicator/core/outbox.h"
#include "replicator/core/shadow.h"
#include "replicator/core/writer.h"

// One record on its way into the flight.
struct draft {
    struct span key;
    struct version expected; // none: absent
    struct version held;     // by the map
    struct claim *claim;
    struct slot *slot;
    struct cond *cond;
};

static bool flight_ready(struct core *core, struct flight *flight)
{
    if (flight->rows == NULL) {
        flight->rows = arena_take(&core->arena, STREAM_PUT_RECORDS_MAX * sizeof(struct flight_row));
    }
    if (flight->records == NULL) {
        flight->records =
            arena_take(&core->arena, STREAM_PUT_RECORDS_MAX * sizeof(struct stream_record));
    }
    if (flight->buffer == NULL) {
        flight->buffer = arena_take(&core->arena, STREAM_PUT_LEN_MAX);
    }
    return flight->rows != NULL && flight->records != NULL && flight->buffer != NULL;
}

static bool has_room(const struct flight *flight, struct span key)
{
    return flight->count < STREAM_PUT_RECORDS_MAX &&
           flight->used + key.len + RECORD_LEN_MAX <= STREAM_PUT_LEN_MAX;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

// The next version of a record.  A delete jumps, so that it beats edits that never saw it.
static struct version next_version(const struct core *core, const struct draft *draft,
                                   uint64_t floor, const struct record *record)
{
    uint64_t counter = max_u64(max_u64(draft->expected.counter, draft->held.counter), floor);
    bool jump = record->tombstone && record->kind != KEY_OBSERVATION;
    return (struct version){counter + (jump ? VERSION_DELETE_STEP : 1), core_writer(core)};
}

// Puts `len` bytes of core->value, the value of `draft`, into the flight.
static void enter(struct core *core, struct flight *flight, const struct draft *draft, size_t len)
{
    struct stream_record *record = &flight->records[flight->count];
    char *place = flight->buffer + flight->used;
    memcpy(place, core->value, len);
    // Keys of slots stay where they are while the slot lives; a flight keeps its slots alive.
    record->key = draft->key;
    record->value = span_of(place, len);
    version_put(draft->expected, record->expected);
    flight->rows[flight->count] = (struct flight_row){draft->slot, draft->cond};
    flight->count++;
    flight->used += (uint32_t)(len + draft->key.len);
    struct codec_value value;
    enum err err = codec_value_parse(record->value, &value);
    ASSERT(err == ERR_OK);
    *draft->claim = (struct claim){.version = value.version, .hash = value.hash, .in_flight = true};
}

static size_t write_record(struct core *core, const struct draft *draft, uint64_t floor,
                           const struct record *record)
{
    struct version version = next_version(core, draft, floor, record);
    size_t len = codec_body_write(record, core->body, sizeof(core->body));
    return len == 0 ? 0
                    : codec_value_write(draft->key, version, span_of(core->body, len), core->value,
                                        sizeof(core->value));
}

static struct version known_of(struct core *core, const struct slot *slot)
{
    if (slot->known_set) {
        return slot->known;
    }
    struct version server = shadow_find(core, slot->partition, keyed_span(&slot->keyed)).version;
    if (slot->base_held && version_cmp(server, slot->base_version) < 0 &&
        writer_is_awaited(core, slot->partition, keyed_span(&slot->keyed))) {
        return slot->base_version; // accepted a moment ago, its echo is on the way
    }
    return server;
}

// Puts what the slot has to say into the flight; true when it has nothing to say (any more).
static bool enter_slot(struct core *core, struct session *session, struct slot *slot)
{
    struct outbox_applied applied;
    struct draft draft = {.key = keyed_span(&slot->keyed),
                          .expected = known_of(core, slot),
                          .held = slot->base_version,
                          .claim = &slot->claim,
                          .slot = slot};
    size_t len = 0;
    if (slot->waiting.ptr != NULL && hold_is_opaque(core, slot->partition, draft.key)) {
        hold_tell_opaque(core, draft.key);
        outbox_drop(core, slot, CORE_CONFLICT);
    }
    if (outbox_offer(slot, &applied) == PATCH_CHANGED) {
        len = write_record(core, &draft, session->floor, &applied.out);
        outbox_launch(core, slot);
    } else if (slot->base_held && version_cmp(draft.expected, slot->base_version) < 0) {
        // Identical bytes, so that it is nobody's new write.
        len = codec_value_write(draft.key, slot->base_version, bytes_span(&slot->base), core->value,
                                sizeof(core->value));
    }
    if (len == 0) {
        return true;
    }
    enter(core, &session->flight, &draft, len);
    return false;
}

static bool is_free(const struct core *core, const struct session *session, const struct slot *slot)
{
    bool patient = slot->waiting.ptr != NULL && !slot->repair &&
                   !mono_reached(core->now.mono, session->barrier);
    return !slot->claim.in_flight && !slot->claim.doubt && !patient &&
           mono_reached(core->now.mono, slot->not_before);
}

// Is the precondition met by what the map holds, accepted and undisputed?
static bool is_met(const struct cond *cond, bool there, const struct map_facts *facts)
{
    switch (cond->precondition) {
    case CORE_IF_MATCH:
        return there && version_cmp(facts->version, cond->version) == 0;
    case CORE_IF_EXISTS:
        return there;
    case CORE_IF_ABSENT:
        return !there;
    case CORE_ANY:
    default:
        return true;
    }
}

// The record that a conditional write makes; false when it makes none.
static bool cond_record(struct core *core, const struct cond *cond, bool there,
                        struct outbox_applied *applied)
{
    struct key key;
    if (patch_read(bytes_span(&cond->patch), &applied->waiting) != ERR_OK ||
        key_parse(bytes_span(&cond->key), &key) != ERR_OK) {
        return false;
    }
    applied->base_present = there && codec_body_read(key.kind, map_copy_body(&core->copy_base),
                                                     &applied->base) == ERR_OK;
    return patch_apply(&applied->waiting, applied->base_present ? &applied->base : NULL,
                       &applied->out) == PATCH_CHANGED ||
           cond->kind == COND_JOIN;
}

enum entered { ENTERED, ENTERED_LATER, ENTERED_STALE, ENTERED_SAME, ENTERED_OPAQUE };

static enum entered enter_cond(struct core *core, struct session *session, uint32_t partition,
                               struct cond *cond)
{
    struct span key = bytes_span(&cond->key);
    struct map_copy *copy = &core->copy_base;
    if (outbox_get(core, key) != NULL) {
        return ENTERED_LATER; // a pending write of ours comes first
    }
    if (hold_is_opaque(core, partition, key)) {
        hold_tell_opaque(core, key);
        return ENTERED_OPAQUE;
    }
    bool held = map_get(core->map, key, copy);
    bool there = held && (copy->facts.flags & MAP_TOMBSTONE) == 0;
    if (!is_met(cond, there, &copy->facts)) {
        return ENTERED_STALE;
    }
    struct outbox_applied applied;
    if (!cond_record(core, cond, there, &applied)) {
        return ENTERED_SAME;
    }
    struct draft draft = {.key = key,
                          .expected =
                              shadow_get(core, partition, key, held ? &copy->facts : NULL).version,
                          .held = held ? copy->facts.version : (struct version){0, 0},
                          .claim = &cond->claim,
                          .cond = cond};
    int order = held ? version_cmp(draft.expected, copy->facts.version) : 0;
    if (order < 0) {
        return ENTERED_LATER; // the reader is not where the map is: wait for the echo
    }
    if (order > 0 && cond->precondition == CORE_IF_MATCH) {
        return ENTERED_STALE; // something that is no record of ours stands there by now
    }
    if (cond->kind == COND_JOIN) {
        applied.out.node.incarnation =
            next_version(core, &draft, session->floor, &applied.out).counter;
    }
    size_t len = write_record(core, &draft, session->floor, &applied.out);
    if (len == 0) {
        return ENTERED_STALE;
    }
    enter(core, &session->flight, &draft, len);
    return ENTERED;
}

// A key may stand in a call once only.
static bool is_taken(const struct flight *flight, struct span key)
{
    for (uint32_t i = 0; i < flight->count; i++) {
        if (span_eq(flight->records[i].key, key)) {
            return true;
        }
    }
    return false;
}

static void enter_conds(struct core *core, struct session *session, uint32_t partition)
{
    static const enum core_outcome outcomes[] = {
        [ENTERED_STALE] = CORE_STALE, [ENTERED_SAME] = CORE_SAME, [ENTERED_OPAQUE] = CORE_CONFLICT};
    struct cond *next = NULL;
    for (struct cond *cond = session->conds; cond != NULL; cond = next) {
        next = cond->next;
        struct span key = bytes_span(&cond->key);
        if (cond->claim.in_flight || cond->claim.doubt || is_taken(&session->flight, key)) {
            continue;
        }
        if (!has_room(&session->flight, key) || !mono_reached(core->now.mono, session->barrier)) {
            return;
        }
        enum entered entered = enter_cond(core, session, partition, cond);
        if (entered != ENTERED && entered != ENTERED_LATER) {
            writer_answer(core, session, cond, outcomes[entered]);
        }
    }
}

void flight_build(struct core *core, uint32_t partition)
{
    struct session *session = &core->sessions[partition];
    struct flight *flight = &session->flight;
    if (!flight_ready(core, flight)) {
        return;
    }
    flight->count = 0;
    flight->used = 0;
    flight->again = false;
    flight->transmitted = false;
    enter_conds(core, session, partition);
    struct slot *next = NULL;
    for (struct slot *slot = session->first; slot != NULL; slot = next) {
        next = slot->next;
        if (!is_free(core, session, slot)) {
            continue;
        }
        if (!has_room(flight, keyed_span(&slot->keyed))) {
            break;
        }
        if (enter_slot(core, session, slot)) {
            outbox_close(core, slot, outbox_is_orphan(slot) ? CORE_NOT_FOUND : CORE_SAME);
        }
    }
    flight->active = flight->count > 0;
}
