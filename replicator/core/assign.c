// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/assign.h"

#include "base/rendezvous.h"
#include "replicator/core/evict.h"
#include "replicator/core/write.h"

static bool before(const struct peer *a, uint64_t a_weight, const struct peer *b, uint64_t b_weight)
{
    if (a_weight != b_weight) {
        return a_weight > b_weight;
    }
    return span_cmp(keyed_span(&a->keyed), keyed_span(&b->keyed)) < 0;
}

uint32_t assign_rank(const struct core *core, uint64_t key_hash, const struct peer *peer)
{
    uint64_t weight = rendezvous_mix(key_hash, peer->rank_hash);
    uint32_t rank = 0;
    uint32_t index = 0;
    for (const struct peer *p = NULL; (p = keymap_at(&core->nodes, &index)) != NULL; index++) {
        if (p != peer && p->recorded && p->up &&
            before(p, rendezvous_mix(key_hash, p->rank_hash), peer, weight)) {
            rank++;
        }
    }
    return rank;
}

// Is `peer` one of those that shall probe the instance?  OBSERVERS_LOCAL is decided elsewhere.
static bool is_chosen(const struct core *core, const struct instance *instance,
                      const struct peer *peer)
{
    uint32_t observers = instance->service->policy.observers;
    if (observers == OBSERVERS_ALL || core->live_nodes <= observers) {
        return true;
    }
    return assign_rank(core, instance->rank_hash, peer) < observers;
}

bool assign_has_voice(const struct core *core, const struct instance *instance,
                      const struct observation *observation)
{
    if (observation->vantage != VANTAGE_LOCAL && observation->vantage != VANTAGE_PEER) {
        return false;
    }
    const struct peer *peer =
        keymap_get(&core->nodes, observation->via, core_hash(core, observation->via));
    if (peer == NULL || !peer->recorded || !peer->up) {
        return false;
    }
    if (instance->service->policy.observers == OBSERVERS_LOCAL) {
        return observation->vantage == VANTAGE_LOCAL;
    }
    return is_chosen(core, instance, peer);
}

bool assign_is_own_address(const struct core *core, struct span address)
{
    for (uint32_t i = 0; i < core->options.local_address_count; i++) {
        if (span_eq(core->options.local_addresses[i], address)) {
            return true;
        }
    }
    return false;
}

// Shall we probe the instance, if it is registered (and, for OBSERVERS_LOCAL, at an address of this host)?
static bool may_probe(const struct core *core, const struct instance *instance)
{
    const struct policy *policy = &instance->service->policy;
    if (!core->joined || core->fenced || policy->check.type == CHECK_NONE || core->self == NULL) {
        return false;
    }
    return policy->observers == OBSERVERS_LOCAL ||
           (core->self->up && is_chosen(core, instance, core->self));
}

static bool is_at_home(const struct core *core, const struct instance *instance,
                       const struct registration *registration)
{
    return instance->service->policy.observers != OBSERVERS_LOCAL ||
           assign_is_own_address(core, registration->address);
}

static bool read_registration(struct core *core, struct span key, struct record *ret_record)
{
    struct map_copy *copy = &core->copy_derive;
    return map_get(core->map, key, copy) &&
           (copy->facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0 &&
           codec_body_read(KEY_REGISTRATION, map_copy_body(copy), ret_record) == ERR_OK;
}

// Takes back our own observation: who does not look has no voice.
static void withdraw(struct core *core, const struct instance *instance)
{
    struct key key;
    struct key_bytes bytes;
    if (key_parse(keyed_span(&instance->keyed), &key) != ERR_OK) {
        return;
    }
    key_observation(key.tenant, key.service, key.instance, core->options.node_id, &bytes);
    const struct patch patch = {.op = PATCH_DELETE, .record = {.kind = KEY_OBSERVATION}};
    write_internal(core, key_span(&bytes), &patch);
}

// Without a look at the registration: surely as before?
static bool is_settled(const struct core *core, const struct instance *instance)
{
    const struct policy *policy = &instance->service->policy;
    if (policy->check.type == CHECK_NONE) {
        return !instance->probing;
    }
    if (policy->observers == OBSERVERS_LOCAL || !instance->assigned_as_shown || instance->touched) {
        return false;
    }
    bool probe = core->joined && !core->fenced && core->self != NULL && core->self->up &&
                 is_chosen(core, instance, core->self);
    return probe == instance->probing;
}

// A registration without its body is not at home here, or it would not have been evicted; but for another
// policy that is to be looked at again.
static bool waits_for_body(struct core *core, const struct instance *instance, bool again)
{
    struct span key = keyed_span(&instance->keyed);
    if (!evict_lacks_body(core, key)) {
        return false;
    }
    if (again || instance->service->policy.observers != OBSERVERS_LOCAL) {
        evict_want(core, key_service_prefix(key));
    }
    return true;
}

void assign_instance(struct core *core, struct instance *instance, bool again)
{
    if (!again && is_settled(core, instance)) {
        return;
    }
    struct record record;
    bool may = may_probe(core, instance);
    if (!may && !instance->probing) {
        return;
    }
    if (waits_for_body(core, instance, again)) {
        return; // assigned when it has come
    }
    bool registered = read_registration(core, keyed_span(&instance->keyed), &record);
    bool probe = may && registered && is_at_home(core, instance, &record.registration);
    if (probe == instance->probing && !(again && probe) &&
        !(probe && !instance->assigned_as_shown)) {
        return;
    }
    bool stopped = instance->probing && !probe;
    instance->probing = probe;
    instance->assigned_as_shown = true;
    const struct core_action action = {
        .type = CORE_ACT_TARGET,
        .target = {.key = keyed_span(&instance->keyed),
                   .target = {.probe = probe,
                              .address = probe ? record.registration.address : SPAN_NONE,
                              .port = probe ? record.registration.port : 0,
                              .check = &instance->service->policy.check}}};
    core_emit(core, &action);
    if (stopped && registered) {
        withdraw(core, instance);
    }
}

void assign_all(struct core *core)
{
    for (struct instance *i = core->first_instance; i != NULL; i = i->all_next) {
        assign_instance(core, i, false);
    }
}
