// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/history.h"

#include "base/siphash.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void history_init(struct history *history)
{
    memset(history, 0, sizeof(*history));
    history->ops = calloc(HISTORY_OPS_MAX, sizeof(*history->ops));
    assert(history->ops != NULL);
    history->count = 1;
}

void history_fini(struct history *history)
{
    free(history->ops);
}

uint64_t history_begin(struct history *history, const struct history_op *what)
{
    assert(history->count < HISTORY_OPS_MAX);
    history->ops[history->count] = *what;
    history->ops[history->count].end = INT64_MAX;
    return history->count++;
}

void history_done(struct history *history, uint64_t op, enum core_outcome outcome, int64_t now)
{
    struct history_op *o = &history->ops[op];
    assert(!o->decided); // every caller is answered once
    o->decided = true;
    o->outcome = outcome;
    o->end = now;
}

bool history_applied(struct history *history, int instance, uint64_t op)
{
    uint64_t *last = &history->last[instance];
    if (op >= history->count || op == *last) {
        return false;
    }
    history->ops[*last].replaced = *last != 0;
    *last = op;
    history->ops[op].applied = op != 0;
    return history->ops[op].replaced;
}

void history_lost(struct history *history, char node)
{
    for (uint64_t i = 1; i < history->count; i++) {
        if (history->ops[i].node == node && !history->ops[i].decided) {
            history->ops[i].orphaned = true;
            history->ops[i].decided = true;
            history->ops[i].outcome = CORE_UNKNOWN;
        }
    }
}

void history_forget(struct history *history, uint32_t m)
{
    memset(history->seen[m], 0, sizeof(history->seen[m]));
}

struct look {
    struct history *history;
    uint32_t map;
    bool went_back;
};

static bool look_at(void *arg, struct span key, const struct map_copy *copy)
{
    struct look *look = arg;
    uint64_t hash = siphash13(siphash_zero_key, key.ptr, key.len) | 1;
    for (size_t i = 0; i < HISTORY_KEYS_MAX; i++) {
        if (look->history->seen[look->map][i].key_hash == 0) {
            look->history->seen[look->map][i].key_hash = hash;
        }
        if (look->history->seen[look->map][i].key_hash != hash) {
            continue;
        }
        struct version *seen = &look->history->seen[look->map][i].version;
        look->went_back = look->went_back || version_cmp(copy->facts.version, *seen) < 0;
        *seen = copy->facts.version;
        break;
    }
    return true;
}

bool history_versions(struct history *history, const struct map *map, uint32_t m)
{
    struct look look = {history, m, false};
    map_scan(map, look_at, &look);
    return look.went_back;
}

static uint64_t last_writer(const struct map *map, struct span key)
{
    static struct map_copy copy;
    struct record record;
    if (!map_get(map, key, &copy) || (copy.facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) != 0 ||
        codec_body_read(KEY_REGISTRATION, map_copy_body(&copy), &record) != ERR_OK) {
        return 0;
    }
    return record.registration.weight;
}

static bool is_acknowledged(const struct history_op *op)
{
    return op->decided && (op->outcome == CORE_ACCEPTED || op->outcome == CORE_SAME);
}

// Was the instance removed by somebody whose wish may have come after `op`?
static bool may_be_gone(const struct history *history, const struct history_op *op)
{
    for (uint64_t i = 1; i < history->count; i++) {
        const struct history_op *other = &history->ops[i];
        if (other->remove && other->instance == op->instance &&
            (history->forked || other->end >= op->start) && other->outcome != CORE_STALE &&
            other->outcome != CORE_NOT_FOUND) {
            return true;
        }
    }
    return false;
}

// Did somebody register the instance anew, perhaps after `removed`?
static bool may_be_new(const struct history *history, const struct history_op *removed)
{
    for (uint64_t i = 1; i < history->count; i++) {
        const struct history_op *other = &history->ops[i];
        if (other->instance == removed->instance && !other->remove && !other->edit &&
            other->end >= removed->start) {
            return true;
        }
    }
    return false;
}

static bool judge_op(const struct history *history, uint64_t number, uint64_t last,
                     struct history_fault *ret_fault)
{
    const struct history_op *op = &history->ops[number];
    const struct history_op *final = &history->ops[last];
    if (op->decided && op->outcome == CORE_STALE && op->conditional && op->applied) {
        ret_fault->promise = "a 412 was not applied";
    } else if (op->decided && op->outcome == CORE_OVER_QUOTA && op->applied) {
        ret_fault->promise = "a 429 was not applied";
    } else if (!is_acknowledged(op)) {
        return false;
    } else if (op->remove && !history->mortal && op->outcome == CORE_ACCEPTED && final->edit &&
               !may_be_new(history, op)) {
        ret_fault->promise = "an edit brings back nothing that was deleted";
    } else if (op->remove) {
        if (history->forked || last == 0 || final->end >= op->start) {
            return false;
        }
        ret_fault->promise = "a deleted instance stays deleted";
    } else if (last == 0) {
        if (may_be_gone(history, op)) {
            return false;
        }
        ret_fault->promise = "no acknowledged write is lost";
    } else if (!history->forked && last != number && final->decided && !final->orphaned &&
               final->end < op->start) {
        ret_fault->promise = "no acknowledged write is undone by an older one";
    } else {
        return false;
    }
    snprintf(ret_fault->detail, sizeof(ret_fault->detail),
             "op %llu on i%d (%lld..%lld, outcome %d), last writer %llu (%lld..%lld)",
             (unsigned long long)number, op->instance, (long long)op->start, (long long)op->end,
             (int)op->outcome, (unsigned long long)last, (long long) final->start,
             (long long) final->end);
    return true;
}

bool history_judge(const struct history *history, const struct history_world *world,
                   struct history_fault *ret_fault)
{
    for (int i = 0; i < world->instances; i++) {
        struct key_bytes key;
        world->key_of(i, &key);
        uint64_t last = last_writer(world->map, key_span(&key));
        if (last >= history->count) {
            ret_fault->promise = "no record comes from nowhere";
            return true;
        }
        for (uint64_t n = 1; n < history->count; n++) {
            if (history->ops[n].instance == i && judge_op(history, n, last, ret_fault)) {
                return true;
            }
        }
    }
    return false;
}
