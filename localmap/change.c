// SPDX-License-Identifier: Apache-2.0
// The changes of a map.
#include "localmap/map_state.h"

#include "localmap/model/merge.h"

// One change on its way through the table: what is wanted, then what came of it.
struct change {
    struct map *map;
    const char *site; // as table_change
    struct map_key key;
    table_decide_fn decide;
    // wanted
    struct map_put given; // all of it by a put; the flags by a show, the mark by a mark
    struct span body;     // of a show
    const struct map_health *health;
    struct map_copy *copy; // of a get-or-put
    bool enters;           // the tenant's quota decides
    bool conditional, announce;
    struct version expected;
    uint32_t pending;
    // came of it
    enum put_result result;
    enum err err;
    bool was_held, done;
    size_t evicted_len;
    bool tight; // wanted: a smaller slot for a smaller value
    char head[SLOT_HEAD_MAX];
};

// What the services index counts of a slot.
static struct services_shown shown_of(const struct slot *slot, bool held)
{
    const struct health *health = &slot->facts.health.health;
    return (struct services_shown){.shown = held && slot_is_shown(slot),
                                   .evicted = slot_is_evicted(slot),
                                   .status = health->status,
                                   .guarded = health->guarded};
}

// Tells the services index what is shown now.  A no-op unless that, or the key itself, is new.
static enum err tell_services(struct change *change, const struct slot *before, struct slot *after)
{
    const struct health *old = &before->facts.health.health;
    const struct health *new = &after->facts.health.health;
    struct map *map = change->map;
    const struct services_change told = {.key = &change->key,
                                         .service = before->service,
                                         .before = shown_of(before, change->was_held),
                                         .after = shown_of(after, true)};
    if (!change->was_held) {
        return services_add(map->services, &told, &after->service);
    }
    if (change->announce) {
        after->facts.health.revision = services_tell(map->services, &told, map->feed);
    } else if (told.before.shown != told.after.shown || told.before.evicted != told.after.evicted ||
               old->status != new->status || old->guarded != new->guarded) {
        services_set(map->services, &told);
    }
    return ERR_OK;
}

static void count_one(atomic_uint_fast64_t *counter, bool before, bool after)
{
    if (!before && after) {
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    } else if (before && !after) {
        atomic_fetch_sub_explicit(counter, 1, memory_order_relaxed);
    }
}

static void count_flags(struct map *map, uint32_t before, uint32_t after)
{
    count_one(&map->tombstones, (before & MAP_TOMBSTONE) != 0, (after & MAP_TOMBSTONE) != 0);
    count_one(&map->evicted, (before & MAP_EVICTED) != 0, (after & MAP_EVICTED) != 0);
}

// --- the tenant's quota

static enum quota_weight weigh(bool held, const struct slot *slot)
{
    if (!held || !slot->counted) {
        return QUOTA_NONE;
    }
    return (slot->facts.flags & MAP_TOMBSTONE) != 0 ? QUOTA_DEAD : QUOTA_LIVE;
}

// Whether a record counts is looked at when it comes to be shown, and kept until it is shown anew.
static void set_counted(const struct change *change, const struct slot *before, struct slot *after)
{
    const struct map_key *key = &change->key;
    bool dead = (after->facts.flags & MAP_TOMBSTONE) != 0;
    bool was_live = change->was_held && (before->facts.flags & MAP_TOMBSTONE) == 0;
    if (!dead && !was_live) {
        after->counted = quota_counts(key->bytes, key->registration, after->body);
    } else if (!change->was_held) {
        after->counted = key->registration && quota_counts(key->bytes, true, SPAN_NONE);
    }
}

// Moves the record's place.  ERR_FULL: over quota.
static enum err move_place(const struct change *change, enum quota_weight from,
                           enum quota_weight to)
{
    const struct quota_move move = {.key = change->key.bytes,
                                    .from = from,
                                    .to = to,
                                    .enters = change->enters,
                                    .new_name = !change->was_held};
    return from == to ? ERR_OK : quota_apply(change->map->quota, &move);
}

// Gives back what move_place has taken.
static void move_back(const struct change *change, enum quota_weight from, enum quota_weight to)
{
    const struct quota_move back = {.key = change->key.bytes, .from = to, .to = from};
    if (from != to) {
        enum err err = quota_apply(change->map->quota, &back);
        ASSERT(err == ERR_OK);
    }
}

static void move_digest(const struct change *change, const struct slot *before,
                        const struct slot *after)
{
    bool counted = before->digested;
    bool counts = after->digested;
    if (counted && counts && before->facts.hash == after->facts.hash) {
        return;
    }
    digest_move(change->map->digest, services_partition(change->map->services, after->service),
                counted ? &before->facts.hash : NULL, counts ? &after->facts.hash : NULL);
}

// Keeps the books for `after` in place of `before` and hands the new value to the table.
static enum table_verdict commit(struct change *change, const struct slot *before,
                                 struct slot *after, struct table_value *ret_new)
{
    if (!slot_is_shown(after)) {
        memset(&after->facts.health, 0, sizeof(after->facts.health));
    }
    set_counted(change, before, after);
    enum quota_weight from = weigh(change->was_held, before);
    enum quota_weight to = weigh(true, after);
    change->err = move_place(change, from, to);
    if (change->err == ERR_FULL) {
        change->result = PUT_OVER_QUOTA;
        change->err = ERR_OK;
        return TABLE_KEEP;
    }
    if (change->err == ERR_OK) {
        change->err = tell_services(change, before, after);
        if (change->err != ERR_OK) {
            move_back(change, from, to);
        }
    }
    if (change->err != ERR_OK) {
        return TABLE_KEEP;
    }
    count_flags(change->map, before->facts.flags, after->facts.flags);
    move_digest(change, before, after);
    size_t head_len = slot_write_head(change->key.registration, after, change->head);
    ret_new->head = span_of(change->head, head_len);
    ret_new->body = after->body;
    change->done = true;
    return TABLE_STORE;
}

// Takes the old value apart; one that is not there reads as zeros.
static void begin(struct change *change, struct span old, struct slot *ret_before)
{
    memset(ret_before, 0, sizeof(*ret_before));
    change->was_held = old.ptr != NULL;
    if (change->was_held) {
        slot_read(change->key.registration, old, ret_before);
    }
}

// Under the shard's lock: a map that has ended changes no more.
static enum table_verdict decide_unless_ended(void *arg, struct span old,
                                              struct table_value *ret_new)
{
    struct change *change = arg;
    if (map_is_late(change->map)) {
        change->err = ERR_ENDED;
        return TABLE_KEEP;
    }
    return change->decide(arg, old, ret_new);
}

// Runs `decide` on the key.  `body_len`: of the new body; `create`: also when it is not held.
static enum err run(struct change *change, table_decide_fn decide, size_t body_len, bool create)
{
    const struct table_key key = {change->key.bytes, change->key.hash};
    const struct table_change update = {
        .decide = decide_unless_ended,
        .arg = change,
        .room = create || change->tight ? slot_head_len(change->key.registration) + body_len : 0,
        .create = create,
        .tight = change->tight,
        .site = change->site};
    change->decide = decide;
    enum err err = table_update(change->map->table, &key, &update);
    return err != ERR_OK ? err : change->err;
}

// The same for a change that says what came of it.
static enum err run_new(struct change *change, table_decide_fn decide, size_t body_len,
                        enum put_result *ret_result)
{
    enum err err = run(change, decide, body_len, true);
    if (err == ERR_OK) {
        *ret_result = change->result;
    }
    return err;
}

static enum table_verdict decide_put(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    const struct codec_value *value = change->given.value;
    struct slot before;
    begin(change, old, &before);
    change->result = PUT_STALE;
    if (change->conditional && version_cmp(before.facts.version, change->expected) != 0) {
        return TABLE_KEEP;
    }
    struct slot after = before;
    after.facts.mark = change->given.mark;
    enum merge_result merge = MERGE_NEWER;
    if (!version_is_none(before.facts.version)) {
        merge = merge_decide(before.facts.version, before.facts.hash, value->version, value->hash);
    }
    if (merge == MERGE_SAME) {
        change->result = PUT_SAME;
        if (slot_is_evicted(&before)) {
            after.facts.flags = 0; // as they were: it is the same body
            after.body = value->body;
        }
        return commit(change, &before, &after, ret_new);
    }
    if (!merge_takes(merge)) {
        return TABLE_KEEP;
    }
    change->result = change->was_held ? PUT_CHANGED : PUT_NEW;
    after.facts.version = value->version;
    after.facts.hash = value->hash;
    after.digested = (change->given.flags & MAP_LOCAL) == 0;
    if (before.facts.pending == 0) {
        // Under pending patches readers go on seeing base + patches until map_show has the new sum.
        after.facts.flags = change->given.flags;
        after.body = value->body;
    }
    return commit(change, &before, &after, ret_new);
}

static enum err check_value(struct span key, const struct codec_value *value)
{
    if (!map_key_fits(key) || version_is_none(value->version)) {
        return ERR_INVALID;
    }
    return value->body.len > CODEC_BODY_MAX ? ERR_TOO_LARGE : ERR_OK;
}

static enum err put(struct change *change, enum put_result *ret_result)
{
    enum err err = check_value(change->key.bytes, change->given.value);
    change->enters = (change->given.flags & MAP_ADMITTED) == 0;
    change->given.flags &= ~(uint32_t)MAP_ADMITTED;
    size_t body_len = change->given.value->body.len;
    return err != ERR_OK ? err : run_new(change, decide_put, body_len, ret_result);
}

enum err map_put(struct map *map, struct span key, const struct codec_value *value, uint32_t flags,
                 uint32_t mark, enum put_result *ret_result)
{
    struct change change = {.map = map,
                            .site = "localmap: map_put",
                            .key = map_key(map, key),
                            .given = {value, flags, mark}};
    return put(&change, ret_result);
}

enum err map_put_at(struct map *map, const struct map_key *key, const struct map_put *wanted,
                    enum put_result *ret_result)
{
    struct change change = {
        .map = map, .site = "localmap: map_put_at", .key = *key, .given = *wanted};
    return put(&change, ret_result);
}

enum err map_put_if(struct map *map, struct span key, struct version expected,
                    const struct codec_value *value, uint32_t flags, uint32_t mark,
                    enum put_result *ret_result)
{
    struct change change = {.map = map,
                            .site = "localmap: map_put_if",
                            .key = map_key(map, key),
                            .given = {value, flags, mark},
                            .conditional = true,
                            .expected = expected};
    return put(&change, ret_result);
}

static enum table_verdict decide_show(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    struct slot before;
    begin(change, old, &before);
    if (change->was_held && before.facts.flags == change->given.flags &&
        before.facts.pending == change->pending && span_eq(before.body, change->body)) {
        change->result = PUT_SAME;
        return TABLE_KEEP;
    }
    change->result = change->was_held ? PUT_CHANGED : PUT_NEW;
    struct slot after = before;
    after.facts.flags = change->given.flags;
    after.facts.pending = change->pending;
    after.body = change->body;
    return commit(change, &before, &after, ret_new);
}

enum err map_show(struct map *map, struct span key, struct span body, uint32_t flags,
                  uint32_t pending, enum put_result *ret_result)
{
    if (!map_key_fits(key)) {
        return ERR_INVALID;
    }
    if (body.len > CODEC_BODY_MAX) {
        return ERR_TOO_LARGE;
    }
    struct change change = {.map = map,
                            .site = "localmap: map_show",
                            .key = map_key(map, key),
                            .body = body,
                            .given = {.flags = flags & ~(uint32_t)MAP_ADMITTED},
                            .enters = (flags & MAP_ADMITTED) == 0,
                            .pending = pending};
    return run_new(&change, decide_show, body.len, ret_result);
}

static enum table_verdict decide_drop(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    struct slot before;
    (void)ret_new;
    begin(change, old, &before);
    count_flags(change->map, before.facts.flags, 0);
    if (before.digested) {
        uint32_t partition = services_partition(change->map->services, before.service);
        digest_move(change->map->digest, partition, &before.facts.hash, NULL);
    }
    const struct services_change gone = {
        .key = &change->key, .service = before.service, .before = shown_of(&before, true)};
    services_drop(change->map->services, &gone);
    enum err err = move_place(change, weigh(true, &before), QUOTA_NONE);
    ASSERT(err == ERR_OK);
    change->done = true;
    return TABLE_REMOVE;
}

static enum table_verdict decide_health(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    struct slot before;
    begin(change, old, &before);
    if (!slot_is_shown(&before)) {
        return TABLE_KEEP;
    }
    struct slot after = before;
    after.facts.health = *change->health;
    after.facts.health.revision = before.facts.health.revision;
    return commit(change, &before, &after, ret_new);
}

static enum table_verdict decide_mark(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    struct slot before;
    begin(change, old, &before);
    struct slot after = before;
    after.facts.mark = change->given.mark;
    return commit(change, &before, &after, ret_new);
}

// Changes that need no memory, of a key that must be held.  false: it is not, or the change does not apply.
static bool run_held(struct change *change, table_decide_fn decide)
{
    if (!map_key_fits(change->key.bytes)) {
        return false;
    }
    enum err err = run(change, decide, 0, false);
    ASSERT(err == ERR_OK || err == ERR_NOT_FOUND || err == ERR_ENDED);
    return change->done;
}

bool map_drop(struct map *map, struct span key)
{
    struct change change = {
        .map = map, .site = "localmap: map_drop", .key = map_key(map, key), .result = PUT_STALE};
    return run_held(&change, decide_drop);
}

bool map_set_health(struct map *map, struct span key, const struct map_health *health,
                    bool announce)
{
    struct change change = {.map = map,
                            .site = "localmap: map_set_health",
                            .key = map_key(map, key),
                            .health = health,
                            .announce = announce};
    if (!change.key.registration || !run_held(&change, decide_health)) {
        return false;
    }
    if (announce) {
        map_wake_readers(map);
    }
    return true;
}

bool map_set_mark(struct map *map, struct span key, uint32_t mark)
{
    struct change change = {.map = map,
                            .site = "localmap: map_set_mark",
                            .key = map_key(map, key),
                            .given = {.mark = mark}};
    return run_held(&change, decide_mark);
}

// --- eviction

static enum table_verdict decide_evict(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    struct slot before;
    begin(change, old, &before);
    if (before.facts.flags != 0 || before.facts.pending > 0 || !before.digested ||
        before.body.len == 0) {
        return TABLE_KEEP;
    }
    struct slot after = before;
    after.facts.flags = MAP_EVICTED;
    after.body = SPAN_NONE;
    change->evicted_len = before.body.len;
    return commit(change, &before, &after, ret_new);
}

size_t map_evict(struct map *map, struct span key)
{
    // Tight, or the room of the body would stay with the stub.
    struct change change = {.map = map, .key = map_key(map, key), .tight = true};
    interest_begin(map->interest);
    bool done = map_key_fits(key) && !interest_has(map->interest, key_service_prefix(key)) &&
                run_held(&change, decide_evict);
    interest_end(map->interest);
    return done ? change.evicted_len : 0;
}

static enum table_verdict decide_get_or_put(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    struct map_look look = {change->key.registration, &change->copy->facts, change->copy};
    if (old.ptr != NULL) {
        change->was_held = true;
        map_look_value(&look, old);
        return TABLE_KEEP;
    }
    enum table_verdict verdict = decide_put(change, old, ret_new);
    if (verdict == TABLE_STORE) {
        struct slot slot;
        slot_read(change->key.registration, ret_new->head, &slot);
        change->copy->facts = slot.facts;
        change->copy->body_len = (uint16_t)change->given.value->body.len;
        memcpy(change->copy->body, change->given.value->body.ptr, change->given.value->body.len);
    }
    return verdict;
}

enum err map_get_or_put(struct map *map, struct span key, const struct codec_value *value,
                        uint32_t flags, struct map_copy *ret_copy, bool *ret_was_held)
{
    struct change change = {.map = map,
                            .site = "localmap: map_get_or_put",
                            .key = map_key(map, key),
                            .given = {value, flags & ~(uint32_t)MAP_ADMITTED, 0},
                            .enters = (flags & MAP_ADMITTED) == 0,
                            .copy = ret_copy};
    enum err err = check_value(key, value);
    if (err == ERR_OK && map_get(map, key, ret_copy)) {
        *ret_was_held = true; // the usual case needs no writer's lock
        return ERR_OK;
    }
    if (err == ERR_OK) {
        err = run(&change, decide_get_or_put, value->body.len, true);
    }
    if (err == ERR_OK && change.result == PUT_OVER_QUOTA) {
        err = ERR_FULL;
    }
    if (err == ERR_OK) {
        *ret_was_held = change.was_held;
    }
    return err;
}
