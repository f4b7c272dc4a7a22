// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/write.h"

#include "replicator/core/assign.h"
#include "replicator/core/derive.h"
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
    uint32_t flags = MAP_LOCAL | (record->tombstone ? (uint32_t)MAP_TOMBSTONE : 0);
    enum put_result result = PUT_STALE;
    if (value.body.len == 0 || map_put(core->map, key, &hashed, flags, 0, &result) != ERR_OK) {
        return CORE_REFUSED;
    }
    derive_touch(core, key);
    return CORE_ACCEPTED;
}

// Into the outbox and shown.  The caller has seen that it changes what is shown.
static void write_pending(struct core *core, const struct core_write *write,
                          const struct patch *patch)
{
    uint32_t partition = key_partition(write->key, core->options.partitions);
    struct slot *slot = outbox_open(core, write->key, partition);
    if (slot == NULL || !outbox_add(core, slot, patch)) {
        refuse(core, write->key, write->op);
        return;
    }
    (void)outbox_show(core, slot);
    derive_touch(core, write->key);
    if (!write->ack_stream || write->op == 0) {
        core_done(core, write->op, CORE_APPLIED);
    } else if (!outbox_wait(core, slot, write->op)) {
        core_done(core, write->op, CORE_APPLIED);
    }
}

// An instance or a service goes with everything that belongs to it.
static void delete_family(struct core *core, struct span key)
{
    struct key parsed;
    if (key_parse(key, &parsed) != ERR_OK ||
        (parsed.kind != KEY_REGISTRATION && parsed.kind != KEY_POLICY)) {
        return;
    }
    bool whole_service = parsed.kind == KEY_POLICY;
    struct key_bytes after;
    after.len = (uint16_t)key.len;
    memcpy(after.ptr, key.ptr, key.len);
    struct key_bytes service_bytes;
    key_policy(parsed.tenant, parsed.service, &service_bytes);
    struct key_bytes member;
    while (map_service_keys(core->map, key_span(&service_bytes), key_span(&after), &member, 1) ==
           1) {
        after = member;
        struct span member_span = key_span(&member);
        if (!whole_service && !span_eq(key_instance_prefix(member_span), key)) {
            break;
        }
        struct key member_key;
        if (key_parse(member_span, &member_key) != ERR_OK) {
            continue;
        }
        const struct patch gone = {.op = PATCH_DELETE, .record = {.kind = member_key.kind}};
        write_internal(core, member_span, &gone);
    }
}

// Equal to what is shown.  Who asks for the stream's word waits for the patches that make it so.
static void answer_same(struct core *core, const struct core_write *write)
{
    struct slot *slot = write->ack_stream && write->op != 0 ? outbox_get(core, write->key) : NULL;
    bool pending = slot != NULL && slot->sent_count + slot->waiting_count > 0;
    if (!pending || !outbox_wait(core, slot, write->op)) {
        core_done(core, write->op, CORE_SAME);
    }
}

static void write_unconditional(struct core *core, const struct core_write *write)
{
    if (hold_is_opaque(core, key_partition(write->key, core->options.partitions), write->key)) {
        hold_tell_opaque(core, write->key);
        core_done(core, write->op, CORE_CONFLICT);
        return;
    }
    struct record held_record;
    struct record out;
    struct patch patch = *write->patch;
    timed_renewed(core, write->key, &patch); // it may write, which uses the scratch of view
    const struct record *held = view(core, write->key, &held_record);
    bool service_delete = patch.op == PATCH_DELETE && patch.record.kind == KEY_POLICY;
    if (held == NULL && patch.op != PATCH_PUT && !service_delete) {
        core_done(core, write->op, CORE_NOT_FOUND);
        return;
    }
    keep_owner(&patch, held);
    if (patch.op == PATCH_DELETE) {
        delete_family(core, write->key);
        held = view(core, write->key, &held_record); // the scratch was used
    }
    if (patch_apply(&patch, held, &out) == PATCH_SAME) {
        answer_same(core, write);
        return;
    }
    if (out.kind == KEY_POLICY && !out.tombstone && held != NULL) {
        const struct core_log log = {
            .what = CORE_LOG_POLICY, .key = write->key, .text = held->policy.by};
        core_say(core, &log);
    }
    bool local = derive_is_local(core, write->key) ||
                 (out.kind == KEY_POLICY && !out.tombstone && out.policy.scope == SCOPE_LOCAL);
    if (local) {
        core_done(core, write->op, write_local(core, write->key, &out));
        return;
    }
    write_pending(core, write, &patch);
}

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
