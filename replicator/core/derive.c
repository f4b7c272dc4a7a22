// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/derive.h"

#include "base/assert.h"
#include "base/rendezvous.h"
#include "replicator/core/assign.h"
#include "replicator/core/presence.h"
#include "replicator/core/timed.h"
#include "replicator/core/voices.h"

static struct service *service_find(const struct core *core, struct span service_key)
{
    return keymap_get(&core->services, service_key, core_hash(core, service_key));
}

static struct service *service_open(struct core *core, struct span service_key)
{
    uint64_t hash = core_hash(core, service_key);
    struct service *service = keymap_get(&core->services, service_key, hash);
    if (service == NULL) {
        service = keymap_add(&core->services, service_key, sizeof(*service), hash);
        if (service != NULL) {
            record_policy_default(&service->policy);
        }
    }
    return service;
}

static void service_close_if_empty(struct core *core, struct service *service)
{
    if (service->first == NULL && !service->policy_held) {
        bytes_clear(core, &service->policy_body);
        keymap_remove(&core->services, service);
    }
}

struct instance *derive_instance(const struct core *core, struct span registration_key)
{
    return keymap_get(&core->instances, registration_key, core_hash(core, registration_key));
}

static void link_last(struct core *core, struct instance *instance)
{
    instance->all_prev = core->last_instance;
    if (core->last_instance != NULL) {
        core->last_instance->all_next = instance;
    } else {
        core->first_instance = instance;
    }
    core->last_instance = instance;
}

static void unlink_from_all(struct core *core, struct instance *instance)
{
    if (instance->all_prev != NULL) {
        instance->all_prev->all_next = instance->all_next;
    } else {
        core->first_instance = instance->all_next;
    }
    if (instance->all_next != NULL) {
        instance->all_next->all_prev = instance->all_prev;
    } else {
        core->last_instance = instance->all_prev;
    }
}

static struct instance *instance_open(struct core *core, struct span key)
{
    uint64_t hash = core_hash(core, key);
    struct instance *instance = keymap_get(&core->instances, key, hash);
    if (instance != NULL) {
        return instance;
    }
    struct service *service = service_open(core, key_service_prefix(key));
    if (service == NULL) {
        return NULL;
    }
    instance = keymap_add(&core->instances, key, sizeof(*instance), hash);
    if (instance == NULL) {
        service_close_if_empty(core, service);
        return NULL;
    }
    instance->service = service;
    instance->rank_hash = rendezvous_hash(key);
    instance->next = service->first;
    if (service->first != NULL) {
        service->first->prev = instance;
    }
    service->first = instance;
    link_last(core, instance);
    return instance;
}

static void instance_close(struct core *core, struct instance *instance)
{
    struct service *service = instance->service;
    ASSERT(!instance->counted && !instance->probing && !instance->dirty);
    ASSERT(instance->voices == NULL);
    if (instance->prev != NULL) {
        instance->prev->next = instance->next;
    } else {
        service->first = instance->next;
    }
    if (instance->next != NULL) {
        instance->next->prev = instance->prev;
    }
    unlink_from_all(core, instance);
    keymap_remove(&core->instances, instance);
    service_close_if_empty(core, service);
}

static void mark_dirty(struct core *core, struct instance *instance)
{
    if (instance->dirty) {
        return;
    }
    if (core->dirty_count == DIRTY_MAX) {
        core->all_dirty = true;
        return;
    }
    instance->dirty = true;
    core->dirty[core->dirty_count++] = instance;
}

static void mark_service_dirty(struct core *core, const struct service *service)
{
    for (struct instance *i = service->first; i != NULL; i = i->next) {
        i->heard = false;
        mark_dirty(core, i);
    }
}

static bool is_shown(const struct map_facts *facts)
{
    return (facts->flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0;
}

// The policy record of a service is shown otherwise: keep it decoded.
static void touch_policy(struct core *core, struct span key)
{
    struct map_copy *copy = &core->copy_derive;
    bool held = map_get(core->map, key, copy) && is_shown(&copy->facts);
    struct service *service = held ? service_open(core, key) : service_find(core, key);
    if (service == NULL) {
        return;
    }
    bool same = held ? service->policy_held &&
                           span_eq(bytes_span(&service->policy_body), map_copy_body(copy))
                     : !service->policy_held;
    if (same) {
        return; // our own echo, or a change of the version alone
    }
    struct record record;
    service->policy_held =
        held && bytes_set(core, &service->policy_body, map_copy_body(copy)) &&
        codec_body_read(KEY_POLICY, bytes_span(&service->policy_body), &record) == ERR_OK;
    if (service->policy_held) {
        service->policy = record.policy;
    } else {
        record_policy_default(&service->policy);
    }
    map_announce(core->map, key);
    mark_service_dirty(core, service);
    for (struct instance *i = service->first; i != NULL; i = i->next) {
        assign_instance(core, i, true);
    }
    service_close_if_empty(core, service);
}

// Opened also for what is said of an instance before its registration comes, or after it went.
static struct instance *instance_heard_of(struct core *core, struct span key)
{
    struct instance *instance = instance_open(core, key);
    if (instance == NULL) {
        const struct core_log log = {.what = CORE_LOG_REFUSED, .key = key};
        core_say(core, &log);
    }
    return instance;
}

// `held`: it is shown.
static void touch_registration(struct core *core, struct span key, bool held)
{
    struct instance *instance = held ? instance_heard_of(core, key) : derive_instance(core, key);
    if (instance != NULL) {
        instance->touched = true;
        mark_dirty(core, instance);
    }
}

// The record as it is shown, in core->copy_derive.  false: it is not shown, or does not decode.
static bool read_shown(struct core *core, struct span key, enum key_kind kind,
                       struct record *ret_record)
{
    struct map_copy *copy = &core->copy_derive;
    return map_get(core->map, key, copy) && is_shown(&copy->facts) &&
           codec_body_read(kind, map_copy_body(copy), ret_record) == ERR_OK;
}

static void touch_override(struct core *core, struct span key)
{
    struct record record;
    struct span instance_key = key_instance_prefix(key);
    bool held = read_shown(core, key, KEY_OVERRIDE, &record);
    struct instance *instance =
        held ? instance_heard_of(core, instance_key) : derive_instance(core, instance_key);
    if (instance == NULL) {
        return;
    }
    instance->override_held = held;
    instance->override_status = held ? record.override.status : STATUS_UNKNOWN;
    instance->override_says = held ? rendezvous_hash(map_copy_body(&core->copy_derive)) : 0;
    instance->heard = false;
    mark_dirty(core, instance);
}

// What stands behind a prefix of `key` and the NUL that ends it.
static struct span behind(struct span key, size_t prefix_len)
{
    return span_of(key.ptr + prefix_len + 1, key.len - prefix_len - 1);
}

// Keys were examined before they came into the map: their shape tells the kind, and a second look at each
// character would cost more than all the rest of a touch.
static enum key_kind kind_of(struct span key)
{
    struct span service = key_service_prefix(key);
    if (service.len == key.len) {
        size_t mesh_len = sizeof(KEY_TENANT_MESH); // with the NUL behind it
        bool mesh = key.len > mesh_len && memcmp(key.ptr, KEY_TENANT_MESH, mesh_len) == 0;
        return mesh ? KEY_NODE : KEY_POLICY;
    }
    struct span instance = key_instance_prefix(key);
    if (instance.len == key.len) {
        return KEY_REGISTRATION;
    }
    bool override = span_eq_str(behind(key, instance.len), KEY_OBSERVER_OVERRIDE);
    return override ? KEY_OVERRIDE : KEY_OBSERVATION;
}

// `observation`: as it is shown; NULL: it is not.
static void touch_observation(struct core *core, struct span key,
                              const struct observation *observation)
{
    struct span instance_key = key_instance_prefix(key);
    struct instance *instance = observation != NULL ? instance_heard_of(core, instance_key)
                                                    : derive_instance(core, instance_key);
    if (instance == NULL) {
        return;
    }
    if (!voices_set(core, instance, behind(key, instance_key.len), observation)) {
        const struct core_log log = {.what = CORE_LOG_REFUSED, .key = key};
        core_say(core, &log);
    }
    instance->heard = false;
    mark_dirty(core, instance);
}

void derive_touch(struct core *core, struct span key)
{
    struct map_facts facts;
    struct record record;
    bool held = false;
    switch (kind_of(key)) {
    case KEY_POLICY:
        touch_policy(core, key);
        break;
    case KEY_NODE:
        presence_node_changed(core, behind(key, sizeof(KEY_TENANT_MESH) - 1), key);
        map_announce(core->map, key);
        break;
    case KEY_REGISTRATION:
        held = map_peek(core->map, key, &facts) && is_shown(&facts);
        touch_registration(core, key, held);
        break;
    case KEY_OVERRIDE:
        timed_override_changed(core, key);
        touch_override(core, key);
        break;
    case KEY_OBSERVATION:
        held = read_shown(core, key, KEY_OBSERVATION, &record);
        touch_observation(core, key, held ? &record.observation : NULL);
        break;
    default:
        ASSERT(false);
    }
}

void derive_touch_shown(struct core *core, struct span key, const struct record *record)
{
    if (record->kind == KEY_OBSERVATION) {
        touch_observation(core, key, &record->observation);
    } else if (record->kind == KEY_REGISTRATION) {
        touch_registration(core, key, true);
    } else {
        derive_touch(core, key); // of these there are few, and more than the record counts
    }
}

void derive_touch_all(struct core *core)
{
    core->all_dirty = true;
}

// --- judging

static bool is_bad(enum status status)
{
    return status == STATUS_UNHEALTHY || status == STATUS_TIMEOUT;
}

static void uncount(struct instance *instance)
{
    struct service *service = instance->service;
    if (!instance->counted) {
        return;
    }
    service->instances--;
    service->voting -= instance->overridden ? 0 : 1;
    service->bad -= instance->bad ? 1 : 0;
    instance->counted = false;
}

static void count(struct instance *instance)
{
    struct service *service = instance->service;
    instance->overridden = instance->raw.overridden;
    instance->bad = !instance->overridden && is_bad(instance->raw.raw_status);
    service->instances++;
    service->voting += instance->overridden ? 0 : 1;
    service->bad += instance->bad ? 1 : 0;
    instance->counted = true;
}

static bool same_health(const struct health *a, const struct health *b)
{
    return a->status == b->status && a->raw_status == b->raw_status && a->reason == b->reason &&
           a->guarded == b->guarded && a->overridden == b->overridden;
}

// Gives the instance the health that its raw judgement and the guard make, and announces a change.
static void show(struct core *core, struct instance *instance)
{
    struct health health = instance->raw;
    health_apply_guard(instance->service->guard, &health);
    if (instance->shown_once && same_health(&health, &instance->shown)) {
        return;
    }
    enum status from = instance->shown.status;
    if (health.status != from || instance->since_ms == 0) {
        instance->since_ms = core->now.wall.ms;
    }
    if (health.status != from) {
        const struct core_log log = {.what = CORE_LOG_HEALTH,
                                     .key = keyed_span(&instance->keyed),
                                     .from = from,
                                     .to = health.status,
                                     .reason = health.reason};
        core_say(core, &log);
    }
    instance->shown = health;
    instance->shown_once = true;
    const struct map_health map_health = {.health = health, .since_ms = instance->since_ms};
    map_set_health(core->map, keyed_span(&instance->keyed), &map_health, true);
}

// Looks at the registration anew; false: it is not registered (any more).
static bool look_at_registration(struct core *core, struct instance *instance)
{
    struct map_copy *copy = &core->copy_derive;
    if (!map_get(core->map, keyed_span(&instance->keyed), copy) || !is_shown(&copy->facts)) {
        return false;
    }
    if (copy->facts.health.since_ms == 0) {
        // Deleted and registered again since it was judged: the map's slot began anew.
        instance->shown_once = false;
        instance->shown = (struct health){.status = STATUS_UNKNOWN};
        instance->since_ms = 0;
    }
    if ((copy->facts.flags & MAP_EVICTED) != 0) {
        return true; // as it was when it was evicted
    }
    uint64_t says = rendezvous_hash(map_copy_body(copy));
    if (says != instance->registration_says) {
        instance->registration_says = says;
        instance->assigned_as_shown = false;
        struct record record;
        if (codec_body_read(KEY_REGISTRATION, map_copy_body(copy), &record) == ERR_OK) {
            timed_registration_changed(core, instance, &record.registration);
        }
    }
    return true;
}

static bool is_registered(struct core *core, struct instance *instance)
{
    if (instance->touched) {
        instance->touched = false;
        return look_at_registration(core, instance);
    }
    return instance->registered;
}

static void judge_raw(struct core *core, struct instance *instance)
{
    const struct override override = {.status = instance->override_status};
    size_t inputs = instance->override_held ? 0 : voices_inputs(core, instance);
    health_judge(instance->override_held ? &override : NULL, core->inputs, inputs, &instance->raw);
    instance->heard = true;
}

// A new version alone (our own echo) is no change of what is shown, hence not announced: `content` stands
// for what registration and override say.
static void compare_content(struct instance *instance)
{
    uint64_t content = rendezvous_mix(instance->registration_says, instance->override_says);
    if (content != instance->content) {
        instance->content = content;
        instance->shown_once = false;
    }
}

// The guard of a service may have flipped: then all of it is shown anew.
static void settle_guard(struct core *core, struct service *service)
{
    bool guard = health_guard(service->instances, service->voting, service->bad,
                              service->policy.max_unhealthy_percent);
    if (guard == service->guard) {
        return;
    }
    service->guard = guard;
    for (struct instance *i = service->first; i != NULL; i = i->next) {
        if (i->counted) {
            show(core, i);
        }
    }
}

// It is not registered (any more).  What was said of it stays heard, the rest begins anew.
static void leave(struct core *core, struct instance *instance)
{
    struct service *service = instance->service;
    if (instance->registered) {
        map_announce(core->map, keyed_span(&instance->keyed));
        settle_guard(core, service);
    }
    if (instance->probing) { // also one whose registration came and went within a step
        assign_instance(core, instance, true);
    }
    instance->registered = false;
    instance->content = 0;
    instance->registration_says = 0;
    instance->leased = false;
    instance->lease_expired = false;
    instance->shown_once = false;
    instance->assigned_as_shown = false;
    instance->shown = (struct health){.status = STATUS_UNKNOWN};
    instance->since_ms = 0;
    if (instance->voices == NULL && !instance->override_held) {
        instance_close(core, instance);
    }
}

static void judge(struct core *core, struct instance *instance)
{
    instance->dirty = false;
    uncount(instance);
    if (!is_registered(core, instance)) {
        leave(core, instance);
        return;
    }
    instance->registered = true;
    if (!instance->heard) {
        judge_raw(core, instance);
    }
    compare_content(instance);
    count(instance);
    settle_guard(core, instance->service);
    show(core, instance);
    assign_instance(core, instance, false);
}

static void judge_all(struct core *core)
{
    struct instance *next = NULL;
    for (struct instance *i = core->first_instance; i != NULL; i = next) {
        next = i->all_next; // judging closes it if it is gone, and no other
        i->heard = false;   // who is up may have changed, and with it whose voice counts
        judge(core, i);
    }
}

void derive_run(struct core *core)
{
    if (core->assign_again) {
        core->assign_again = false;
        core->all_dirty = true;
        assign_all(core);
    }
    if (core->all_dirty) {
        for (uint32_t i = 0; i < core->dirty_count; i++) {
            core->dirty[i]->dirty = false;
        }
        core->dirty_count = 0;
        core->all_dirty = false;
        judge_all(core);
        return;
    }
    for (uint32_t i = 0; i < core->dirty_count; i++) {
        judge(core, core->dirty[i]);
    }
    core->dirty_count = 0;
}

bool derive_is_local(const struct core *core, struct span key)
{
    const struct service *service = service_find(core, key_service_prefix(key));
    return service != NULL && service->policy_held && service->policy.scope == SCOPE_LOCAL;
}
