// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/write.h"

#include "replicator/core/assign.h"
#include "replicator/core/derive.h"
#include "replicator/core/evict.h"
#include "replicator/core/hold.h"
#include "replicator/core/outbox.h"
#include "replicator/core/timed.h"
#include "replicator/core/writer.h"

// What is shown of `key`; NULL: absent, a tombstone or opaque.  Borrows from core's scratch.
static const struct record *view(struct core *core, struct span key, struct record *ret_record)
{
    struct key parsed;
    struct map_copy *copy = &core->copy;
    if (!map_get(core->map, key, copy) || (copy->facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) != 0 ||
        key_parse(key, &parsed) != ERR_OK ||
        codec_body_read(parsed.kind, map_copy_body(copy), ret_record) != ERR_OK) {
        return NULL;
    }
    return ret_record;
}

// A registration without a lease has no need of another owner: an equal PUT elsewhere changes nothing.
static void keep_owner(struct patch *patch, const struct record *held)
{
    if (patch->op == PATCH_PUT && patch->record.kind == KEY_REGISTRATION && held != NULL &&
        patch->record.registration.lease_ms == 0 && held->registration.lease_ms == 0) {
        struct patch same_owner = *patch;
        struct record out;
        same_owner.record.registration.owner = held->registration.owner;
        if (patch_apply(&same_owner, held, &out) == PATCH_SAME) {
            *patch = same_owner;
        }
    }
}

static void refuse(struct core *core, struct span key, uint64_t op)
{
    const struct core_log log = {.what = CORE_LOG_REFUSED, .key = key};
    core_say(core, &log);
    core_done(core, op, CORE_REFUSED);
}

bool write_admit(struct core *core, const struct core_write *write, struct map_place *ret_place)
{
    *ret_place = (struct map_place){.taken = false};
    if (write->patch->op != PATCH_PUT) {
        return true;
    }
    enum err err = map_take_place(core->map, write->key, &write->patch->record, ret_place);
    if (err == ERR_FULL) {
        const struct core_log log = {.what = CORE_LOG_OVER_QUOTA, .key = write->key};
        core_say(core, &log);
        core_done(core, write->op, CORE_OVER_QUOTA);
    } else if (err != ERR_OK) {
        refuse(core, write->key, write->op);
    }
    return err == ERR_OK;
}

// Scope local: the record is ours alone; it gets versions of its own and no place in any digest.
static enum core_outcome write_local(struct core *core, struct span key,
                                     const struct record *record)
{
    struct map_facts facts;
    bool held = map_peek(core->map, key, &facts);
    const struct codec_value value = {
        .version = {(held ? facts.version.counter : 0) + 1, core_writer(core)},
        .body = span_of(core->body, codec_body_write(record, core->body, sizeof(core->body)))};
    struct codec_value hashed = value;
    hashed.hash = codec_hash(key, value.version, value.body);
    uint32_t flags = MAP_LOCAL | MAP_ADMITTED | (record->tombstone ? (uint32_t)MAP_TOMBSTONE : 0);
    enum put_result result = PUT_STALE;
    if (value.body.len == 0 || map_put(core->map, key, &hashed, flags, 0, &result) != ERR_OK) {
        return CORE_REFUSED;
    }
    derive_touch(core, key);
    return CORE_ACCEPTED;
}

// It stands in `slot` and is shown; who waits for the stream is answered later.
static void answer_pending(struct core *core, const struct core_write *write, struct slot *slot)
{
    if (!write->ack_stream || write->op == 0 || !outbox_wait(core, slot, write->op)) {
        core_done(core, write->op, CORE_APPLIED);
    }
}

// Into the outbox and shown.  The caller has seen that it changes what is shown.
static bool write_pending(struct core *core, const struct core_write *write,
                          const struct patch *patch)
{
    uint32_t partition = key_partition(write->key, core->options.partitions);
    struct slot *slot = outbox_open(core, write->key, partition);
    if (slot == NULL || !outbox_add(core, slot, patch)) {
        refuse(core, write->key, write->op);
        return false;
    }
    (void)outbox_show(core, slot);
    derive_touch(core, write->key);
    answer_pending(core, write, slot);
    return true;
}

// --- an instance or a service goes with everything that belongs to it, or nothing does

// The deletes of one family on their way.
struct family {
    struct span key; // of the registration or the policy
    bool whole_service;
    bool local;
    uint32_t partition;
    uint32_t count; // records that go
};

static bool is_shown(struct core *core, struct span key)
{
    struct map_facts facts;
    return map_peek(core->map, key, &facts) && (facts.flags & MAP_TOMBSTONE) == 0;
}

// Takes what the delete of one record needs.  CORE_APPLIED, also when it is gone already.
static enum core_outcome grant(struct core *core, struct family *family, struct span key)
{
    struct key parsed;
    if (!is_shown(core, key) || key_parse(key, &parsed) != ERR_OK) {
        return CORE_APPLIED;
    }
    if (hold_is_opaque(core, family->partition, key)) {
        hold_tell_opaque(core, key);
        return CORE_CONFLICT;
    }
    struct patch gone = {.op = PATCH_DELETE, .record = {.kind = parsed.kind, .tombstone = true}};
    family->count++;
    if (family->local) {
        return write_local(core, key, &gone.record) == CORE_ACCEPTED ? CORE_APPLIED : CORE_REFUSED;
    }
    struct slot *slot = outbox_open(core, key, family->partition);
    return slot != NULL && outbox_grant(core, slot, &gone) ? CORE_APPLIED : CORE_REFUSED;
}

// All members, then the record itself, until one cannot be had.
static enum core_outcome grant_all(struct core *core, struct family *family)
{
    enum core_outcome outcome = CORE_APPLIED;
    struct span service = key_service_prefix(family->key);
    struct key_bytes after = {.len = (uint16_t)family->key.len};
    memcpy(after.ptr, family->key.ptr, family->key.len);
    struct key_bytes member;
    while (outcome == CORE_APPLIED &&
           map_service_keys(core->map, service, key_span(&after), &member, 1) == 1) {
        after = member;
        struct span key = key_span(&member);
        if (!family->whole_service && !span_eq(key_instance_prefix(key), family->key)) {
            break;
        }
        outcome = grant(core, family, key);
    }
    return outcome == CORE_APPLIED ? grant(core, family, family->key) : outcome;
}

// Adds what was granted, or gives it back.  Returns the last slot to which a delete was added.
static struct slot *settle(struct core *core, const struct family *family, bool add)
{
    struct slot *last = NULL;
    struct slot *next = NULL;
    for (struct slot *slot = core->sessions[family->partition].first; slot != NULL; slot = next) {
        next = slot->next;
        if (slot->granted.ptr == NULL) {
            continue;
        }
        outbox_settle(core, slot, add);
        if (add) {
            const struct patch gone = {.op = PATCH_DELETE};
            timed_renewed(core, keyed_span(&slot->keyed), &gone);
            (void)outbox_show(core, slot);
            derive_touch(core, keyed_span(&slot->keyed));
            last = slot;
        }
    }
    return last;
}

// false: refused for want of memory, and nothing has changed.
static bool delete_family(struct core *core, const struct core_write *write)
{
    struct family family = {.key = write->key,
                            .whole_service = write->patch->record.kind == KEY_POLICY,
                            .local = derive_is_local(core, write->key),
                            .partition = key_partition(write->key, core->options.partitions)};
    enum core_outcome outcome = grant_all(core, &family);
    struct slot *last = settle(core, &family, outcome == CORE_APPLIED);
    if (outcome == CORE_REFUSED) {
        refuse(core, write->key, write->op);
        return false;
    }
    if (last != NULL) {
        answer_pending(core, write, last);
    } else if (outcome == CORE_APPLIED) {
        core_done(core, write->op, family.count > 0 ? CORE_ACCEPTED : CORE_SAME); // local, or empty
    } else {
        core_done(core, write->op, outcome);
    }
    return true;
}

void write_members_gone(struct core *core, struct span key)
{
    struct key parsed;
    if (key_parse(key, &parsed) == ERR_OK &&
        (parsed.kind == KEY_REGISTRATION || parsed.kind == KEY_POLICY)) {
        const struct patch gone = {.op = PATCH_DELETE, .record = {.kind = parsed.kind}};
        const struct core_write write = {.key = key, .patch = &gone};
        (void)delete_family(core, &write);
    }
}

// --- one record

// Equal to what is shown.  Who asks for the stream's word waits for the patches that make it so.
static void answer_same(struct core *core, const struct core_write *write)
{
    struct slot *slot = write->ack_stream && write->op != 0 ? outbox_get(core, write->key) : NULL;
    bool pending = slot != NULL && slot->sent_count + slot->waiting_count > 0;
    if (!pending || !outbox_wait(core, slot, write->op)) {
        core_done(core, write->op, CORE_SAME);
    }
}

// false: refused for want of memory.
static bool decide_unconditional(struct core *core, const struct core_write *write)
{
    struct record held_record;
    struct record out;
    struct patch patch = *write->patch;
    if (hold_is_opaque(core, key_partition(write->key, core->options.partitions), write->key)) {
        hold_tell_opaque(core, write->key);
        core_done(core, write->op, CORE_CONFLICT);
        return true;
    }
    bool delete = patch.op == PATCH_DELETE;
    const struct record *held = view(core, write->key, &held_record);
    if (delete &&patch.record.kind == KEY_POLICY) {
        return delete_family(core, write); // there need not be a policy
    }
    if (held == NULL && patch.op != PATCH_PUT) {
        core_done(core, write->op, CORE_NOT_FOUND);
        return true;
    }
    if (delete &&patch.record.kind == KEY_REGISTRATION) {
        return delete_family(core, write);
    }
    keep_owner(&patch, held);
    if (patch_apply(&patch, held, &out) == PATCH_SAME) {
        answer_same(core, write);
        return true;
    }
    if (out.kind == KEY_POLICY && held != NULL) {
        const struct core_log log = {
            .what = CORE_LOG_POLICY, .key = write->key, .text = held->policy.by};
        core_say(core, &log);
    }
    bool local = derive_is_local(core, write->key) ||
                 (out.kind == KEY_POLICY && out.policy.scope == SCOPE_LOCAL);
    if (local) {
        enum core_outcome outcome = write_local(core, write->key, &out);
        core_done(core, write->op, outcome);
        return outcome != CORE_REFUSED;
    }
    return write_pending(core, write, &patch);
}

static void write_unconditional(struct core *core, const struct core_write *write)
{
    bool remove = write->patch->op == PATCH_DELETE;
    struct map_place place;
    if (!write_admit(core, write, &place)) {
        return; // before anything is remembered of it
    }
    if (!remove) {
        timed_renewed(core, write->key,
                      write->patch); // it may write, which uses the scratch of view
    }
    if (decide_unconditional(core, write) && remove) {
        timed_renewed(core, write->key,
                      write->patch); // not before: what is refused still has its end
    }
    map_give_place(core->map, write->key, &place);
}

// --- the ways in

// Refusals that hold for every write; CORE_SAME: none.
static enum core_outcome refusal(const struct core *core, const struct core_write *write)
{
    if (core->fenced) {
        return CORE_FENCED;
    }
    if (write->precondition != CORE_ANY && !core->ready) {
        return CORE_NOT_READY;
    }
    return CORE_SAME;
}

// A conditional write of a local record is decided here, for there is no other order.
static bool local_condition(struct core *core, const struct core_write *write)
{
    struct map_facts facts;
    bool there = map_peek(core->map, write->key, &facts) && (facts.flags & MAP_TOMBSTONE) == 0;
    switch (write->precondition) {
    case CORE_IF_MATCH:
        return there && version_cmp(facts.version, write->version) == 0;
    case CORE_IF_EXISTS:
        return there;
    case CORE_IF_ABSENT:
        return !there;
    case CORE_ANY:
    default:
        return true;
    }
}

void write_external(struct core *core, const struct core_write *write)
{
    enum core_outcome outcome = refusal(core, write);
    if (outcome != CORE_SAME) {
        core_done(core, write->op, outcome);
        return;
    }
    if (evict_refuses(core, write)) {
        return;
    }
    if (write->precondition == CORE_ANY) {
        write_unconditional(core, write);
    } else if (derive_is_local(core, write->key)) {
        if (!local_condition(core, write)) {
            core_done(core, write->op, CORE_STALE);
            return;
        }
        write_unconditional(core, write);
    } else {
        writer_conditional(core, write, COND_API);
    }
}

void write_internal(struct core *core, struct span key, const struct patch *patch)
{
    const struct core_write write = {.key = key, .patch = patch};
    if (evict_lacks_body(core, key)) {
        evict_want(core, key_service_prefix(key)); // who wrote for us comes again
        return;
    }
    if (!core->fenced) {
        write_unconditional(core, &write);
    }
}

void write_internal_if_unchanged(struct core *core, struct span key, const struct patch *patch)
{
    struct map_facts facts;
    if (core->fenced || !map_peek(core->map, key, &facts) || facts.pending != 0) {
        return;
    }
    const struct core_write write = {
        .key = key, .patch = patch, .precondition = CORE_IF_MATCH, .version = facts.version};
    if ((facts.flags & MAP_LOCAL) != 0) {
        write_unconditional(core, &write);
    } else {
        writer_conditional(core, &write, COND_INTERNAL);
    }
}

void write_judged(struct core *core, const struct core_judged *judged)
{
    struct instance *instance = derive_instance(core, judged->key);
    struct key key;
    if (core->fenced || instance == NULL || !instance->probing ||
        key_parse(judged->key, &key) != ERR_OK) {
        return;
    }
    struct record registration;
    const struct record *target = view(core, judged->key, &registration);
    if (target == NULL) {
        return;
    }
    bool local = assign_is_own_address(core, target->registration.address);
    struct key_bytes bytes;
    key_observation(key.tenant, key.service, key.instance, core->options.node_id, &bytes);
    const struct patch patch = {
        .op = PATCH_PUT,
        .record = {.kind = KEY_OBSERVATION,
                   .observation = {.status = judged->status,
                                   .reason = judged->reason,
                                   .text = judged->text,
                                   .latency_us = judged->latency_us,
                                   .vantage = local ? VANTAGE_LOCAL : VANTAGE_PEER,
                                   .since_ms = core->now.wall.ms,
                                   .via = core->options.node_id}}};
    // write_unconditional drops what the record held under our name says already.
    write_internal(core, key_span(&bytes), &patch);
}
