// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/timed.h"

#include "base/rendezvous.h"
#include "replicator/core/assign.h"
#include "replicator/core/derive.h"
#include "replicator/core/evict.h"
#include "replicator/core/presence.h"
#include "replicator/core/write.h"

#define RUN_EVERY_MS 250
#define RANK_DELAY_MS 2000 // per place in the rendezvous order, for the end of an override

static bool read_shown(struct core *core, struct span key, enum key_kind kind,
                       struct record *ret_record)
{
    struct map_copy *copy = &core->copy_derive;
    return map_get(core->map, key, copy) &&
           (copy->facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0 &&
           codec_body_read(kind, map_copy_body(copy), ret_record) == ERR_OK;
}

static struct timed *timed_open(struct core *core, struct span key)
{
    uint64_t hash = core_hash(core, key);
    struct timed *timed = keymap_get(&core->timed, key, hash);
    return timed != NULL ? timed : keymap_add(&core->timed, key, sizeof(*timed), hash);
}

static void timed_close(struct core *core, struct span key)
{
    struct timed *timed = keymap_get(&core->timed, key, core_hash(core, key));
    if (timed != NULL) {
        keymap_remove(&core->timed, timed);
    }
}

static bool is_self(const struct core *core, struct span node)
{
    return span_eq(node, core->options.node_id);
}

// --- leases

static void lease_observation_key(struct span registration_key, struct key_bytes *ret_bytes)
{
    struct key key;
    ret_bytes->len = 0;
    if (key_parse(registration_key, &key) == ERR_OK) {
        key_observation(key.tenant, key.service, key.instance, SPAN_LIT(TIMED_LEASE_OBSERVER),
                        ret_bytes);
    }
}

static void lease_begin(struct core *core, struct instance *instance)
{
    instance->lease_due = mono_add_ms(core->now.mono, instance->lease_ms);
    if (instance->lease_due.us < core->next_lease.us) {
        core->next_lease = instance->lease_due;
    }
}

static void lease_renew(struct core *core, struct instance *instance)
{
    lease_begin(core, instance);
    if (!instance->lease_expired) {
        return;
    }
    instance->lease_expired = false;
    struct key_bytes bytes;
    lease_observation_key(keyed_span(&instance->keyed), &bytes);
    const struct patch patch = {.op = PATCH_DELETE, .record = {.kind = KEY_OBSERVATION}};
    write_internal(core, key_span(&bytes), &patch);
}

static void lease_expire(struct core *core, struct instance *instance)
{
    instance->lease_expired = true;
    struct key_bytes bytes;
    lease_observation_key(keyed_span(&instance->keyed), &bytes);
    const struct core_log log = {.what = CORE_LOG_LEASE, .key = keyed_span(&instance->keyed)};
    core_say(core, &log);
    const struct patch patch = {.op = PATCH_PUT,
                                .record = {.kind = KEY_OBSERVATION,
                                           .observation = {.status = STATUS_UNHEALTHY,
                                                           .reason = REASON_LEASE_EXPIRED,
                                                           .vantage = VANTAGE_EXTERNAL,
                                                           .since_ms = core->now.wall.ms,
                                                           .via = core->options.node_id}}};
    write_internal(core, key_span(&bytes), &patch);
}

// Does an expired lease stand in the map (written by us before, or by an owner that is gone)?
static bool lease_is_marked(struct core *core, struct span registration_key)
{
    struct key_bytes bytes;
    struct map_facts facts;
    lease_observation_key(registration_key, &bytes);
    return map_peek(core->map, key_span(&bytes), &facts) && (facts.flags & MAP_TOMBSTONE) == 0;
}

void timed_registration_changed(struct core *core, struct instance *instance,
                                const struct registration *registration)
{
    instance->has_lease = registration->lease_ms > 0;
    bool leased = registration->lease_ms > 0 && is_self(core, registration->owner);
    if (!leased) {
        instance->leased = false;
        return;
    }
    if (!instance->leased || instance->lease_ms != (int64_t)registration->lease_ms) {
        instance->leased = true;
        instance->lease_ms = (int64_t)registration->lease_ms;
        lease_begin(core, instance);
        instance->lease_expired = lease_is_marked(core, keyed_span(&instance->keyed));
    }
}

// The owner of a lease went down: the first live node in the key's order takes it, for one full lease.
static void lease_adopt(struct core *core, struct instance *instance)
{
    struct record record;
    struct span key = keyed_span(&instance->keyed);
    if (instance->leased || !instance->has_lease || core->self == NULL || !core->self->up) {
        return;
    }
    bool first = assign_rank(core, instance->rank_hash, core->self) == 0;
    if (first && evict_lacks_body(core, key)) {
        evict_want(core, key_service_prefix(key)); // adopted, if need be, when it has come
    }
    if (!first || !read_shown(core, key, KEY_REGISTRATION, &record) ||
        record.registration.lease_ms == 0) {
        return;
    }
    const struct peer *owner = presence_peer(core, record.registration.owner);
    bool orphaned = owner == NULL || (owner->recorded && !owner->up);
    if (!orphaned) {
        return;
    }
    const struct patch patch = {
        .op = PATCH_MERGE,
        .mask = PATCH_OWNER,
        .record = {.kind = KEY_REGISTRATION, .registration = {.owner = core->options.node_id}}};
    write_internal(core, key, &patch);
}

// No lease runs out before `next_lease`, so until then nobody is looked at: one walk over 100,000 instances
// holds the loop up for milliseconds.
static void run_leases(struct core *core)
{
    bool adopt = core->adopt_leases;
    if (!adopt && !mono_reached(core->now.mono, core->next_lease)) {
        return;
    }
    core->adopt_leases = false;
    core->next_lease.us = INT64_MAX;
    for (struct instance *i = core->first_instance; i != NULL; i = i->all_next) {
        if (i->leased && !i->lease_expired && mono_reached(core->now.mono, i->lease_due)) {
            lease_expire(core, i);
        } else if (adopt) {
            lease_adopt(core, i);
        }
        if (i->leased && !i->lease_expired && i->lease_due.us < core->next_lease.us) {
            core->next_lease = i->lease_due;
        }
    }
}

// --- reports with a ttl, overrides with an end

void timed_renewed(struct core *core, struct span key, const struct patch *patch)
{
    if (patch->op == PATCH_DELETE) {
        timed_close(core, key);
        return;
    }
    if (patch->op == PATCH_PUT && patch->record.kind == KEY_REGISTRATION) {
        struct instance *instance = derive_instance(core, key);
        if (instance != NULL && instance->leased) {
            lease_renew(core, instance);
        }
        return;
    }
    if (patch->op != PATCH_PUT || patch->record.kind != KEY_OBSERVATION ||
        patch->record.observation.vantage != VANTAGE_EXTERNAL) {
        return;
    }
    if (patch->record.observation.ttl_ms == 0) {
        timed_close(core, key);
        return;
    }
    struct timed *timed = timed_open(core, key);
    if (timed != NULL) {
        timed->kind = TIMED_TTL;
        timed->ttl_ms = (int64_t)patch->record.observation.ttl_ms;
        timed->due = mono_add_ms(core->now.mono, timed->ttl_ms);
    }
}

void timed_override_changed(struct core *core, struct span key)
{
    struct record record;
    if (!read_shown(core, key, KEY_OVERRIDE, &record) || record.override.until_ms == 0) {
        timed_close(core, key);
        return;
    }
    struct timed *timed = timed_open(core, key);
    if (timed != NULL) {
        timed->kind = TIMED_UNTIL;
        timed->until_ms = record.override.until_ms;
    }
}

static bool is_due(struct core *core, const struct timed *timed)
{
    if (timed->kind == TIMED_TTL) {
        return mono_reached(core->now.mono, timed->due);
    }
    int64_t server_now = presence_server_now(core);
    if (server_now == 0 || core->self == NULL || !core->joined) {
        return false; // cut off: nobody alone ends a drain
    }
    uint32_t rank = assign_rank(core, rendezvous_hash(keyed_span(&timed->keyed)), core->self);
    return server_now >= timed->until_ms + (int64_t)rank * RANK_DELAY_MS;
}

static void run_ends(struct core *core)
{
    uint32_t index = 0;
    struct timed *timed = NULL;
    while ((timed = keymap_at(&core->timed, &index)) != NULL) {
        if (!is_due(core, timed)) {
            index++;
            continue;
        }
        struct key_bytes key;
        key.len = (uint16_t)timed->keyed.key_len;
        memcpy(key.ptr, timed->keyed.key, timed->keyed.key_len);
        if (timed->kind == TIMED_TTL) {
            const struct patch gone = {.op = PATCH_DELETE, .record = {.kind = KEY_OBSERVATION}};
            timed->due = mono_add_ms(core->now.mono, RUN_EVERY_MS); // when it is refused
            write_internal(core, key_span(&key), &gone);            // else it closes `timed`
        } else {
            const struct patch gone = {.op = PATCH_DELETE, .record = {.kind = KEY_OVERRIDE}};
            // Asked again if it does not come through: a conflict means that it was changed meanwhile.
            timed->until_ms += RANK_DELAY_MS;
            write_internal_if_unchanged(core, key_span(&key), &gone);
            index++;
        }
    }
}

void timed_run(struct core *core)
{
    if (!mono_reached(core->now.mono, core->next_timed) || core->fenced || !core->ready) {
        return;
    }
    core->next_timed = mono_add_ms(core->now.mono, RUN_EVERY_MS);
    run_leases(core);
    run_ends(core);
}
