// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/evict.h"

#include "base/assert.h"
#include "replicator/core/assign.h"
#include "replicator/core/derive.h"
#include "replicator/core/hold.h"
#include "replicator/core/outbox.h"
#include "replicator/core/session.h"
#include "replicator/core/shadow.h"

#define FILLS_MAX 2     // partitions scanned at once
#define WANTED_MAX 4096 // services
#define AGAIN_MS 1000   // from a scan that did not bring all to the next
#define TRIES_MAX 5     // scans; then what is still missing is lost
#define KEYS_PAGE 16

enum want { WANT_WAITS, WANT_SCANNED_FOR };

// A service whose bodies are needed.
struct wanted {
    struct keyed keyed; // tenant 0 service
    uint32_t partition;
    enum want state;
    uint32_t tries;
    struct mono due;
};

static struct wanted *wanted_of(const struct core *core, struct span service_key)
{
    return core->wanted.count == 0
               ? NULL
               : keymap_get(&core->wanted, service_key, core_hash(core, service_key));
}

// --- walking through the records of a service

// false: enough.
typedef bool (*record_fn)(struct core *core, struct span key, const struct map_facts *facts,
                          void *arg);

// false: `visit` has had enough.
static bool each_record(struct core *core, struct span service_key, record_fn visit, void *arg)
{
    struct key_bytes keys[KEYS_PAGE];
    struct key_bytes after = {.len = 0};
    size_t count = 0;
    do {
        count = map_service_keys(core->map, service_key, key_span(&after), keys, KEYS_PAGE);
        for (size_t i = 0; i < count; i++) {
            struct map_facts facts;
            if (map_peek(core->map, key_span(&keys[i]), &facts) &&
                !visit(core, key_span(&keys[i]), &facts, arg)) {
                return false;
            }
        }
        after = keys[count > 0 ? count - 1 : 0];
    } while (count == KEYS_PAGE);
    return true;
}

static bool has_body(struct core *core, struct span key, const struct map_facts *facts, void *arg)
{
    (void)core;
    (void)key;
    (void)arg;
    return (facts->flags & MAP_EVICTED) == 0;
}

bool evict_is_without_body(struct core *core, struct span service_key)
{
    return map_has_evicted(core->map) && !each_record(core, service_key, has_body, NULL);
}

bool evict_lacks_body(const struct core *core, struct span key)
{
    struct map_facts facts;
    return map_has_evicted(core->map) && map_peek(core->map, key, &facts) &&
           (facts.flags & MAP_EVICTED) != 0;
}

// --- going

static bool is_of_service(struct span key, struct span service_key)
{
    return span_eq(key_service_prefix(key), service_key);
}

static bool has_condition(const struct session *session, struct span service_key)
{
    for (const struct cond *cond = session->conds; cond != NULL; cond = cond->next) {
        if (is_of_service(bytes_span(&cond->key), service_key)) {
            return true;
        }
    }
    return false;
}

// Is there anything that this node does for one of the instances?
static bool is_used(const struct service *service)
{
    for (const struct instance *i = service->first; i != NULL; i = i->next) {
        if (i->probing || i->leased || i->dirty || i->touched) {
            return true;
        }
    }
    return false;
}

static bool is_tracked(const struct keymap *keymap, struct span key, uint64_t hash)
{
    return keymap->count > 0 && keymap_get(keymap, key, hash) != NULL;
}

// Could it be read again as it is, and does nobody need its body meanwhile?
static bool may_go(struct core *core, struct span key, const struct map_facts *facts, void *arg)
{
    const uint32_t *partition = arg;
    if ((facts->flags & (MAP_TOMBSTONE | MAP_OPAQUE)) != 0) {
        return true; // stays, and is no reason for the others to stay
    }
    uint64_t hash = core_hash(core, key);
    if ((facts->flags & MAP_LOCAL) != 0 || facts->pending > 0 ||
        is_tracked(&core->outbox, key, hash) || is_tracked(&core->repairs, key, hash) ||
        is_tracked(&core->timed, key, hash)) {
        return false;
    }
    const struct shadow_fact server = shadow_get(core, *partition, key, facts);
    return server.held && !server.opaque && version_cmp(server.version, facts->version) == 0 &&
           server.hash == facts->hash;
}

// Core reads its policies often, and each is but one record of a service.
static bool is_policy(struct span key, struct span service_key)
{
    return key.len == service_key.len;
}

struct going {
    struct span service_key;
    uint64_t bytes;
};

static bool go(struct core *core, struct span key, const struct map_facts *facts, void *arg)
{
    struct going *going = arg;
    if (facts->flags == 0 && !is_policy(key, going->service_key)) {
        going->bytes += map_evict(core->map, key);
    }
    return true;
}

uint64_t core_evict(struct core *core, struct span service_key)
{
    uint32_t partition = key_partition(service_key, core->options.partitions);
    const struct session *session = &core->sessions[partition];
    const struct service *service =
        keymap_get(&core->services, service_key, core_hash(core, service_key));
    struct going going = {.service_key = service_key};
    if (session->state != SESSION_LIVE || session->shadow_lost || session->diverged ||
        !core->joined || core->all_dirty || core->assign_again || service == NULL ||
        is_used(service) || has_condition(session, service_key) ||
        wanted_of(core, service_key) != NULL ||
        !each_record(core, service_key, may_go, &partition)) {
        return 0;
    }
    (void)each_record(core, service_key, go, &going);
    if (going.bytes > 0) {
        core->counters[CORE_EVICTIONS]++;
    }
    return going.bytes;
}

// --- wanted

void evict_want(struct core *core, struct span service_key)
{
    uint64_t hash = core_hash(core, service_key);
    if (keymap_get(&core->wanted, service_key, hash) != NULL || core->wanted.count >= WANTED_MAX ||
        !evict_is_without_body(core, service_key)) {
        return;
    }
    struct wanted *wanted = keymap_add(&core->wanted, service_key, sizeof(*wanted), hash);
    if (wanted != NULL) { // else whoever needs it asks again
        wanted->partition = key_partition(service_key, core->options.partitions);
        core->next_tick = core->now.mono; // somebody waits
    }
}

bool evict_is_wanted(const struct core *core, struct span key)
{
    return wanted_of(core, key_service_prefix(key)) != NULL;
}

bool evict_refuses(struct core *core, const struct core_write *write)
{
    struct span service_key = key_service_prefix(write->key);
    if (!evict_is_without_body(core, service_key)) {
        return false;
    }
    evict_want(core, service_key);
    core_done(core, write->op, CORE_NOT_READY);
    return true;
}

// All bodies have come: what could not be done without them is done now.
static void settle_service(struct core *core, struct span service_key)
{
    const struct service *service =
        keymap_get(&core->services, service_key, core_hash(core, service_key));
    core->counters[CORE_RELOADS]++;
    for (struct instance *i = service == NULL ? NULL : service->first; i != NULL; i = i->next) {
        assign_instance(core, i, true);
        core->adopt_leases = core->adopt_leases || i->has_lease;
    }
}

static void settle(struct core *core, struct wanted *wanted)
{
    struct key_bytes key = {.len = (uint16_t)wanted->keyed.key_len};
    memcpy(key.ptr, wanted->keyed.key, key.len);
    keymap_remove(&core->wanted, wanted);
    settle_service(core, key_span(&key));
}

// --- lost

struct missing {
    uint32_t partition;
    bool at_server; // as far as we know
    bool found;
    struct key_bytes key;
};

// Finds a stub that the server does not hold.
static bool find_lost(struct core *core, struct span key, const struct map_facts *facts, void *arg)
{
    struct missing *missing = arg;
    if ((facts->flags & MAP_EVICTED) == 0) {
        return true;
    }
    if (shadow_get(core, missing->partition, key, facts).held) {
        missing->at_server = true;
        return true;
    }
    missing->found = true;
    missing->key.len = (uint16_t)key.len;
    memcpy(missing->key.ptr, key.ptr, key.len);
    return false;
}

// Scans have not brought them.  What the server should hold and does not show is a matter for a resync; what it
// does not hold, no holder has put back: nobody has it any more.
static void give_up(struct core *core, const struct wanted *wanted)
{
    struct missing missing = {.partition = wanted->partition};
    do {
        missing.found = false;
        (void)each_record(core, keyed_span(&wanted->keyed), find_lost, &missing);
        if (missing.found) {
            struct span key = key_span(&missing.key);
            const struct core_log log = {.what = CORE_LOG_LOST, .key = key};
            core_say(core, &log);
            map_drop(core->map, key);
            derive_touch(core, key);
        }
    } while (missing.found);
    if (missing.at_server && core->sessions[wanted->partition].state == SESSION_LIVE) {
        session_resync(core, wanted->partition, "evicted");
    }
}

// --- scans

static void scan(struct core *core, uint32_t partition, uint64_t cursor)
{
    const struct core_action action = {
        .type = CORE_ACT_SCAN, .partition = partition, .cursor = cursor};
    core->sessions[partition].fill_open = true;
    core_emit(core, &action);
}

static bool is_due(const struct core *core, const struct wanted *wanted)
{
    return wanted->state == WANT_WAITS && mono_reached(core->now.mono, wanted->due);
}

// Those who have waited in the partition are scanned for; who comes later waits for the next scan.
static void start(struct core *core, uint32_t partition)
{
    uint32_t index = 0;
    for (struct wanted *w = NULL; (w = keymap_at(&core->wanted, &index)) != NULL; index++) {
        if (w->partition == partition && is_due(core, w)) {
            w->state = WANT_SCANNED_FOR;
            w->tries++;
        }
    }
    core->sessions[partition].filling = true;
    scan(core, partition, 0);
}

static bool can_start(const struct core *core, uint32_t partition)
{
    const struct session *session = &core->sessions[partition];
    return session->state == SESSION_LIVE && !session->filling && !session->fill_open;
}

static uint32_t running(const struct core *core)
{
    uint32_t count = 0;
    for (uint32_t p = 0; p < core->options.partitions; p++) {
        count += core->sessions[p].filling;
    }
    return count;
}

void evict_tick(struct core *core)
{
    uint32_t index = 0;
    uint32_t count = core->wanted.count == 0 ? FILLS_MAX : running(core);
    for (struct wanted *w = NULL;
         count < FILLS_MAX && (w = keymap_at(&core->wanted, &index)) != NULL;) {
        if (!is_due(core, w) || !can_start(core, w->partition)) {
            index++;
        } else if (!evict_is_without_body(core, keyed_span(&w->keyed))) {
            settle(core, w); // the log has brought them; another one stands at this place now
        } else {
            start(core, w->partition);
            count++;
        }
    }
}

static void take(struct core *core, uint32_t partition, const struct stream_event *event)
{
    for (uint32_t i = 0; i < event->scan.count; i++) {
        const struct stream_pair *pair = &event->scan.pairs[i];
        if (pair->key.len <= KEY_LEN_MAX && evict_is_wanted(core, pair->key)) {
            hold_fill(core, partition, pair);
        }
    }
}

// The scan of a partition is over.
static void finish(struct core *core, uint32_t partition)
{
    uint32_t index = 0;
    struct wanted *w = NULL;
    while ((w = keymap_at(&core->wanted, &index)) != NULL) {
        if (w->partition != partition || w->state != WANT_SCANNED_FOR) {
            index++;
        } else if (!evict_is_without_body(core, keyed_span(&w->keyed))) {
            settle(core, w);
        } else {
            w->state = WANT_WAITS;
            w->due = mono_add_ms(core->now.mono, AGAIN_MS);
            if (w->tries >= TRIES_MAX) {
                w->tries = 0;
                give_up(core, w);
            }
            index++;
        }
    }
}

bool evict_scanned(struct core *core, const struct stream_event *event)
{
    uint32_t partition = event->partition;
    struct session *session = &core->sessions[partition];
    if (!session->fill_open) {
        return false;
    }
    session->fill_open = false;
    if (!session->filling) {
        return true; // interrupted meanwhile
    }
    if (event->status != STREAM_OK) {
        evict_interrupted(core, partition);
        return true;
    }
    if (event->scan.cursor != 0) {
        scan(core, partition, event->scan.cursor);
    }
    take(core, partition, event);
    if (event->scan.cursor == 0) {
        session->filling = false;
        finish(core, partition);
    }
    return true;
}

void evict_interrupted(struct core *core, uint32_t partition)
{
    uint32_t index = 0;
    if (!core->sessions[partition].filling) {
        return;
    }
    core->sessions[partition].filling = false;
    for (struct wanted *w = NULL; (w = keymap_at(&core->wanted, &index)) != NULL; index++) {
        if (w->partition == partition && w->state == WANT_SCANNED_FOR) {
            w->state = WANT_WAITS;
            w->due = mono_add_ms(core->now.mono, AGAIN_MS);
        }
    }
}

void evict_cut(struct core *core, uint32_t partition)
{
    core->sessions[partition].fill_open = false;
}
