// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/outbox.h"

#include "base/assert.h"
#include "replicator/core/derive.h"

struct slot *outbox_get(const struct core *core, struct span key)
{
    return core->outbox.count == 0 ? NULL : keymap_get(&core->outbox, key, core_hash(core, key));
}

static void link_last(struct session *session, struct slot *slot)
{
    slot->prev = session->last;
    slot->next = NULL;
    if (session->last != NULL) {
        session->last->next = slot;
    } else {
        session->first = slot;
    }
    session->last = slot;
    session->slot_count++;
}

static void unlink_slot(struct session *session, struct slot *slot)
{
    if (slot->prev != NULL) {
        slot->prev->next = slot->next;
    } else {
        session->first = slot->next;
    }
    if (slot->next != NULL) {
        slot->next->prev = slot->prev;
    } else {
        session->last = slot->prev;
    }
    session->slot_count--;
}

static uint32_t patch_count(const struct slot *slot)
{
    return slot->sent_count + slot->waiting_count;
}

struct slot *outbox_open(struct core *core, struct span key, uint32_t partition)
{
    uint64_t hash = core_hash(core, key);
    struct slot *slot = keymap_get(&core->outbox, key, hash);
    if (slot != NULL) {
        return slot;
    }
    if (core->outbox.count >= OUTBOX_MAX) {
        return NULL;
    }
    slot = keymap_add(&core->outbox, key, sizeof(*slot), hash);
    if (slot == NULL) {
        return NULL;
    }
    slot->partition = partition;
    struct map_copy *copy = &core->copy_base;
    if (map_get(core->map, key, copy) && !version_is_none(copy->facts.version)) {
        if (!bytes_set(core, &slot->base, map_copy_body(copy))) {
            keymap_remove(&core->outbox, slot);
            return NULL;
        }
        slot->base_held = true;
        slot->base_version = copy->facts.version;
        slot->base_hash = copy->facts.hash;
        slot->base_flags = copy->facts.flags;
    }
    link_last(&core->sessions[partition], slot);
    return slot;
}

// Writes `patch` into `bytes`.  The scratch of core is used, so `patch` may borrow from `bytes`.
static bool store_patch(struct core *core, struct bytes *bytes, const struct patch *patch)
{
    size_t len = patch_write(patch, core->patch, sizeof(core->patch));
    return len != 0 && bytes_set(core, bytes, span_of(core->patch, len));
}

static void release(struct core *core, struct slot *slot)
{
    bytes_clear(core, &slot->base);
    bytes_clear(core, &slot->sent);
    bytes_clear(core, &slot->waiting);
    bytes_clear(core, &slot->granted);
    unlink_slot(&core->sessions[slot->partition], slot);
    keymap_remove(&core->outbox, slot);
}

static void count_patch(struct core *core, struct slot *slot)
{
    if (patch_count(slot) == 0) {
        core->pending_slots++;
    }
    slot->waiting_count++;
}

bool outbox_add(struct core *core, struct slot *slot, const struct patch *patch)
{
    if (slot->waiting.ptr == NULL) {
        if (!store_patch(core, &slot->waiting, patch)) {
            return false;
        }
    } else {
        struct patch held;
        struct patch composed;
        enum err err = patch_read(bytes_span(&slot->waiting), &held);
        ASSERT(err == ERR_OK);
        if (patch_compose(&held, patch, &composed) != ERR_OK ||
            !store_patch(core, &slot->waiting, &composed)) {
            return false;
        }
    }
    count_patch(core, slot);
    return true;
}

static bool is_idle(const struct slot *slot)
{
    return patch_count(slot) == 0 && !slot->repair && !slot->claim.in_flight && !slot->claim.doubt;
}

bool outbox_grant(struct core *core, struct slot *slot, const struct patch *gone)
{
    ASSERT(gone->op == PATCH_DELETE); // which replaces whatever waits, so nothing need be composed
    if (store_patch(core, &slot->granted, gone)) {
        return true;
    }
    if (is_idle(slot)) {
        release(core, slot);
    }
    return false;
}

void outbox_settle(struct core *core, struct slot *slot, bool add)
{
    ASSERT(slot->granted.ptr != NULL);
    if (add) {
        bytes_clear(core, &slot->waiting);
        slot->waiting = slot->granted;
        slot->granted = (struct bytes){NULL, 0};
        count_patch(core, slot);
        return;
    }
    bytes_clear(core, &slot->granted);
    if (is_idle(slot)) {
        release(core, slot);
    }
}

bool outbox_wait(struct core *core, struct slot *slot, uint64_t op)
{
    struct waiter *waiter = arena_take(&core->arena, sizeof(*waiter));
    if (waiter == NULL) {
        return false;
    }
    waiter->op = op;
    waiter->next = slot->waiters;
    slot->waiters = waiter;
    return true;
}

static void answer(struct core *core, struct waiter **list, enum core_outcome outcome)
{
    while (*list != NULL) {
        struct waiter *waiter = *list;
        *list = waiter->next;
        core_done(core, waiter->op, outcome);
        arena_give(&core->arena, waiter, sizeof(*waiter));
    }
}

// Decodes the base into `ret_record`; false: absent, a tombstone or opaque.
static bool base_decode(const struct slot *slot, struct record *ret_record)
{
    if (!slot->base_held || (slot->base_flags & (MAP_OPAQUE | MAP_TOMBSTONE)) != 0) {
        return false;
    }
    struct key key;
    if (key_parse(keyed_span(&slot->keyed), &key) != ERR_OK) {
        return false;
    }
    return codec_body_read(key.kind, bytes_span(&slot->base), ret_record) == ERR_OK &&
           !ret_record->tombstone;
}

// Applies one stored patch to `before` (NULL: absent); NULL when the outcome is absent.
static const struct record *apply_stored(const struct bytes *bytes, const struct record *before,
                                         struct patch *patch, struct record *ret_record)
{
    if (bytes->ptr == NULL) {
        return before;
    }
    enum err err = patch_read(bytes_span(bytes), patch);
    ASSERT(err == ERR_OK);
    if (patch_apply(patch, before, ret_record) == PATCH_SAME) {
        return before;
    }
    return ret_record->tombstone ? NULL : ret_record;
}

enum put_result outbox_show(struct core *core, struct slot *slot)
{
    struct span key = keyed_span(&slot->keyed);
    struct outbox_applied applied;
    const struct record *base = base_decode(slot, &applied.base) ? &applied.base : NULL;
    const struct record *middle = apply_stored(&slot->sent, base, &applied.sent, &applied.middle);
    const struct record *shown =
        apply_stored(&slot->waiting, middle, &applied.waiting, &applied.out);
    enum put_result result = PUT_SAME;
    if (shown == base) {
        if (!slot->base_held) {
            return map_drop(core->map, key) ? PUT_CHANGED : PUT_SAME;
        }
        enum err err = map_show(core->map, key, bytes_span(&slot->base),
                                slot->base_flags | MAP_ADMITTED, patch_count(slot), &result);
        return err == ERR_OK ? result : PUT_SAME;
    }
    struct record gone;
    if (shown == NULL) {
        memset(&gone, 0, sizeof(gone));
        gone.kind = applied.base.kind;
        gone.tombstone = true;
        shown = &gone;
    }
    size_t len = codec_body_write(shown, core->body, sizeof(core->body));
    if (len == 0) {
        return PUT_SAME;
    }
    uint32_t flags = MAP_ADMITTED | (shown->tombstone ? (uint32_t)MAP_TOMBSTONE : 0);
    enum err err =
        map_show(core->map, key, span_of(core->body, len), flags, patch_count(slot), &result);
    return err == ERR_OK ? result : PUT_SAME;
}

bool outbox_rebase(struct core *core, struct slot *slot, const struct codec_value *value,
                   uint32_t flags)
{
    if (!bytes_set(core, &slot->base, value->body)) {
        return false;
    }
    slot->base_held = true;
    slot->base_version = value->version;
    slot->base_hash = value->hash;
    slot->base_flags = flags;
    return true;
}

void outbox_unbase(struct core *core, struct slot *slot)
{
    bytes_clear(core, &slot->base);
    slot->base_held = false;
    slot->base_version = (struct version){0, 0};
    slot->base_hash = 0;
    slot->base_flags = 0;
    slot->repair = false;
}

static void settle_pending(struct core *core, const struct slot *slot, uint32_t before)
{
    if (before > 0 && patch_count(slot) == 0) {
        core->pending_slots--;
    }
}

void outbox_accepted(struct core *core, struct slot *slot)
{
    uint32_t before = patch_count(slot);
    bytes_clear(core, &slot->sent);
    slot->sent_count = 0;
    settle_pending(core, slot, before);
    answer(core, &slot->sent_waiters, CORE_ACCEPTED);
    slot->repair = false;
    slot->tries = 0;
    slot->known_set = false;
}

void outbox_returned(struct core *core, struct slot *slot)
{
    if (slot->sent.ptr == NULL) {
        return;
    }
    if (slot->waiting.ptr == NULL) {
        slot->waiting = slot->sent;
    } else {
        struct patch sent;
        struct patch waiting;
        struct patch composed;
        enum err sent_err = patch_read(bytes_span(&slot->sent), &sent);
        enum err waiting_err = patch_read(bytes_span(&slot->waiting), &waiting);
        ASSERT(sent_err == ERR_OK && waiting_err == ERR_OK);
        // Neither can fail but for memory; the newer wish alone is then the best that can be kept.
        if (patch_compose(&sent, &waiting, &composed) == ERR_OK) {
            (void)store_patch(core, &slot->waiting, &composed);
        }
        bytes_clear(core, &slot->sent);
    }
    slot->sent = (struct bytes){NULL, 0};
    slot->waiting_count += slot->sent_count;
    slot->sent_count = 0;
    struct waiter **tail = &slot->sent_waiters;
    while (*tail != NULL) {
        tail = &(*tail)->next;
    }
    *tail = slot->waiters;
    slot->waiters = slot->sent_waiters;
    slot->sent_waiters = NULL;
}

void outbox_launch(struct core *core, struct slot *slot)
{
    (void)core;
    ASSERT(slot->sent.ptr == NULL && slot->sent_waiters == NULL);
    slot->sent = slot->waiting;
    slot->sent_count = slot->waiting_count;
    slot->sent_waiters = slot->waiters;
    slot->waiting = (struct bytes){NULL, 0};
    slot->waiting_count = 0;
    slot->waiters = NULL;
}

enum patch_result outbox_offer(const struct slot *slot, struct outbox_applied *ret_applied)
{
    struct outbox_applied *a = ret_applied;
    a->base_present = base_decode(slot, &a->base);
    if (slot->waiting.ptr == NULL) {
        return PATCH_SAME;
    }
    enum err err = patch_read(bytes_span(&slot->waiting), &a->waiting);
    ASSERT(err == ERR_OK);
    return patch_apply(&a->waiting, a->base_present ? &a->base : NULL, &a->out);
}

bool outbox_is_orphan(const struct slot *slot)
{
    struct outbox_applied applied;
    return outbox_offer(slot, &applied) == PATCH_SAME && slot->waiting.ptr != NULL &&
           applied.waiting.op == PATCH_MERGE && !applied.base_present;
}

void outbox_drop(struct core *core, struct slot *slot, enum core_outcome outcome)
{
    ASSERT(!slot->claim.in_flight && !slot->claim.doubt);
    uint32_t before = patch_count(slot);
    bytes_clear(core, &slot->sent);
    bytes_clear(core, &slot->waiting);
    slot->sent_count = 0;
    slot->waiting_count = 0;
    settle_pending(core, slot, before);
    answer(core, &slot->sent_waiters, outcome);
    answer(core, &slot->waiters, outcome);
    if (before > 0 && outbox_show(core, slot) == PUT_CHANGED) {
        derive_touch(core, keyed_span(&slot->keyed));
    }
}

void outbox_close(struct core *core, struct slot *slot, enum core_outcome outcome)
{
    outbox_drop(core, slot, outcome);
    release(core, slot);
}

void outbox_close_all(struct core *core, enum core_outcome outcome)
{
    uint32_t index = 0;
    struct slot *slot = NULL;
    while ((slot = keymap_at(&core->outbox, &index)) != NULL) {
        slot->claim.in_flight = false;
        slot->claim.doubt = false;
        outbox_close(core, slot, outcome);
    }
}
