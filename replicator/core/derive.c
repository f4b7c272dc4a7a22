// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/derive.h"

#include "base/assert.h"
#include "base/rendezvous.h"
#include "replicator/core/assign.h"
#include "replicator/core/presence.h"
#include "replicator/core/timed.h"

#define COLLECT_KEYS 5

static struct service *service_find(const struct core *core, struct span service_key)
{
    return keymap_get(&core->services, service_key, core_hash(core, service_key));
}

static struct service *service_open(struct core *core, struct span service_key)
{
    struct service *service = service_find(core, service_key);
    if (service == NULL) {
        service = keymap_add(&core->services, service_key, sizeof(*service),
                             core_hash(core, service_key));
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

static struct instance *instance_open(struct core *core, struct span key)
{
    struct instance *instance = derive_instance(core, key);
    if (instance != NULL) {
        return instance;
    }
    struct service *service = service_open(core, key_service_prefix(key));
    if (service == NULL) {
        return NULL;
    }
    instance = keymap_add(&core->instances, key, sizeof(*instance), core_hash(core, key));
    if (instance == NULL) {
        service_close_if_empty(core, service);
        return NULL;
    }
    instance->service = service;
    instance->touched = true;
    instance->rank_hash = rendezvous_hash(key);
    instance->next = service->first;
    if (service->first != NULL) {
        service->first->prev = instance;
    }
    service->first = instance;
    return instance;
}

static void instance_close(struct core *core, struct instance *instance)
{
    struct service *service = instance->service;
    ASSERT(!instance->counted && !instance->probing && !instance->dirty);
    if (instance->prev != NULL) {
        instance->prev->next = instance->next;
    } else {
        service->first = instance->next;
    }
    if (instance->next != NULL) {
        instance->next->prev = instance->prev;
    }
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

// The policy record of a service is shown otherwise: keep it decoded.
static void touch_policy(struct core *core, struct span key)
{
    struct map_copy *copy = &core->copy_derive;
    bool held =
        map_get(core->map, key, copy) && (copy->facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0;
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

// `registration`: it is that which has changed.
static void touch_instance(struct core *core, struct span instance_key, bool registration)
{
    struct map_facts facts;
    struct instance *instance = derive_instance(core, instance_key);
    if (instance == NULL && (!map_peek(core->map, instance_key, &facts) ||
                             (facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) != 0)) {
        return; // an override or observation of something that is not registered
    }
    if (instance == NULL) {
        instance = instance_open(core, instance_key);
    }
    if (instance == NULL) {
        const struct core_log log = {.what = CORE_LOG_REFUSED, .key = instance_key};
        core_say(core, &log);
        return;
    }
    instance->touched = instance->touched || registration;
    instance->heard = instance->heard && registration;
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

void derive_touch(struct core *core, struct span key)
{
    switch (kind_of(key)) {
    case KEY_POLICY:
        touch_policy(core, key);
        break;
    case KEY_NODE:
        presence_node_changed(core, behind(key, sizeof(KEY_TENANT_MESH) - 1), key);
        map_announce(core->map, key);
        break;
    case KEY_REGISTRATION:
        touch_instance(core, key, true);
        break;
    case KEY_OVERRIDE:
        timed_override_changed(core, key);
        touch_instance(core, key_instance_prefix(key), false);
        break;
    case KEY_OBSERVATION:
        touch_instance(core, key_instance_prefix(key), false);
        break;
    default:
        ASSERT(false);
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

// What the records beside a registration say.
struct voices {
    bool overridden;
    struct record override; // when overridden; borrows from core->copy_derive
    size_t inputs;          // in core->inputs
};

static bool read_override(struct core *core, struct span key, struct record *ret_record)
{
    struct map_copy *copy = &core->copy_derive;
    return map_get(core->map, key, copy) &&
           (copy->facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0 &&
           codec_body_read(KEY_OVERRIDE, map_copy_body(copy), ret_record) == ERR_OK;
}

static bool read_observation(struct core *core, struct span key, struct observation *ret)
{
    struct map_copy *copy = &core->copy_observation;
    struct record record;
    if (!map_get(core->map, key, copy) || (copy->facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) != 0 ||
        codec_body_read(KEY_OBSERVATION, map_copy_body(copy), &record) != ERR_OK) {
        return false;
    }
    *ret = record.observation;
    return true;
}

// `key`: of a record that belongs to the instance and is not its registration.
static void hear(struct core *core, const struct instance *instance, struct span key,
                 struct voices *voices)
{
    if (span_eq_str(behind(key, instance->keyed.key_len), KEY_OBSERVER_OVERRIDE)) {
        voices->overridden = read_override(core, key, &voices->override);
        return;
    }
    size_t at = voices->inputs;
    struct observation *observation = &core->observations[at];
    if (at == HEALTH_INPUTS_MAX || !read_observation(core, key, observation)) {
        return;
    }
    // `observation->via` borrows from the scratch copy: resolve it before the next one.
    core->inputs[at].assigned = assign_has_voice(core, instance, observation);
    core->inputs[at].observation = observation;
    observation->via = SPAN_NONE;
    observation->text = SPAN_NONE;
    voices->inputs++;
}

// Collects the voices of an instance in bytewise order of the observers, so that a cut at
// HEALTH_INPUTS_MAX is the same on every replica.
static void collect(struct core *core, const struct instance *instance, struct voices *voices)
{
    // An override and three observations, and the next instance's key that ends them, in one look.
    const size_t keys_max = COLLECT_KEYS;
    struct span prefix = keyed_span(&instance->keyed);
    struct key_bytes after;
    after.len = (uint16_t)prefix.len;
    memcpy(after.ptr, prefix.ptr, prefix.len);
    voices->overridden = false;
    voices->inputs = 0;
    for (;;) {
        size_t n = map_service_keys(core->map, keyed_span(&instance->service->keyed),
                                    key_span(&after), core->keys, keys_max);
        for (size_t i = 0; i < n; i++) {
            struct span key = key_span(&core->keys[i]);
            if (!span_eq(key_instance_prefix(key), prefix)) {
                return;
            }
            hear(core, instance, key, voices);
        }
        if (n < keys_max) {
            return;
        }
        after = core->keys[n - 1];
    }
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
static bool read_registration(struct core *core, struct instance *instance)
{
    struct map_copy *copy = &core->copy_derive;
    struct span key = keyed_span(&instance->keyed);
    if (!map_get(core->map, key, copy) || (copy->facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) != 0) {
        return false;
    }
    if (copy->facts.health.since_ms == 0) {
        // Deleted and registered again since it was judged: the map's slot began anew.
        instance->shown_once = false;
        instance->shown = (struct health){.status = STATUS_UNKNOWN};
        instance->since_ms = 0;
    }
    uint64_t says = rendezvous_hash(map_copy_body(copy));
    if (says != instance->registration_says) {
        instance->registration_says = says;
        instance->assigned_as_shown = false;
        timed_registration_changed(core, key);
    }
    instance->touched = false;
    return true;
}

static void judge_raw(struct core *core, struct instance *instance)
{
    struct voices voices;
    collect(core, instance, &voices);
    instance->override_says =
        voices.overridden ? rendezvous_hash(map_copy_body(&core->copy_derive)) : 0;
    health_judge(voices.overridden ? &voices.override.override : NULL, core->inputs, voices.inputs,
                 &instance->raw);
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

static void judge(struct core *core, struct instance *instance)
{
    struct service *service = instance->service;
    instance->dirty = false;
    uncount(instance);
    if (instance->touched && !read_registration(core, instance)) {
        map_announce(core->map, keyed_span(&instance->keyed));
        assign_instance(core, instance, false);
        settle_guard(core, service);
        instance_close(core, instance);
        return;
    }
    if (!instance->heard) {
        judge_raw(core, instance);
    }
    compare_content(instance);
    count(instance);
    settle_guard(core, service);
    show(core, instance);
    assign_instance(core, instance, false);
}

static void judge_all(struct core *core)
{
    // Judging closes instances that are gone, which shifts cells: a cell is looked at until it stays.
    uint32_t index = 0;
    struct instance *instance = NULL;
    while ((instance = keymap_at(&core->instances, &index)) != NULL) {
        uint32_t before = core->instances.count;
        instance->heard = false; // who is up may have changed, and with it whose voice counts
        judge(core, instance);
        if (core->instances.count == before) {
            index++;
        }
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
