// SPDX-License-Identifier: Apache-2.0
// What must hold in the end, whatever the faults were.
#include "tests/sim/world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The records of one instance on one node, for the transcript of a broken promise.
static void show_records(struct cluster *c, const struct sim_node *n, struct span instance)
{
    struct key_bytes keys[16];
    static struct map_copy copy;
    size_t count = map_service_keys(n->map, key_service_prefix(instance), SPAN_NONE, keys, 16);
    for (size_t i = 0; i < count; i++) {
        struct key key;
        struct record record;
        if (!span_eq(key_instance_prefix(key_span(&keys[i])), instance) ||
            key_parse(key_span(&keys[i]), &key) != ERR_OK ||
            !map_get(n->map, key_span(&keys[i]), &copy) || key.kind != KEY_OBSERVATION ||
            codec_body_read(key.kind, map_copy_body(&copy), &record) != ERR_OK) {
            continue;
        }
        world_tell(c, "%c%d holds %.*s: status %d tombstone %d version %llu", n->name,
                   (int)(n - c->nodes), (int)key.observer.len, key.observer.ptr,
                   (int)record.observation.status, record.tombstone,
                   (unsigned long long)copy.facts.version.counter);
    }
}

// Whoever is fenced does not look; when all are, nobody can say anything new.
static bool somebody_looks(const struct cluster *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (c->nodes[i].up && !node_is_fenced(&c->nodes[i])) {
            return true;
        }
    }
    return false;
}

static void judge_equal(struct cluster *c, const struct sim_node *n, const struct sim_node *first)
{
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        struct map_digest a = map_digest(n->map, p);
        struct map_digest b = map_digest(first->map, p);
        if (a.count != b.count || a.sum != b.sum) {
            world_broken(c, "replicas converge", "p%u: %c%d has %llu records, %c%d has %llu", p,
                         n->name, (int)(n - c->nodes), (unsigned long long)a.count, first->name,
                         (int)(first - c->nodes), (unsigned long long)b.count);
        }
    }
    for (int i = 0; i < KEYS; i++) {
        struct key_bytes key;
        struct map_facts fa = {0};
        struct map_facts fb = {0};
        world_key(i, &key);
        bool a = map_peek(n->map, key_span(&key), &fa) && (fa.flags & MAP_TOMBSTONE) == 0;
        bool b = map_peek(first->map, key_span(&key), &fb) && (fb.flags & MAP_TOMBSTONE) == 0;
        if (a != b || (a && fa.health.health.status != fb.health.health.status)) {
            world_broken(c, "equal maps give equal health", "i%d: %c %d, %c %d", i, n->name,
                         (int)fa.health.health.status, first->name, (int)fb.health.health.status);
        }
        if (a && fa.health.health.status != c->truth[i] && somebody_looks(c)) {
            show_records(c, n, key_span(&key));
            world_broken(c, "health follows the truth", "i%d on %c%d is %d, truth %d", i, n->name,
                         (int)(n - c->nodes), (int)fa.health.health.status, (int)c->truth[i]);
        }
    }
}

// Of the nodes of one name, the one that joined last publishes; all others are fenced.
static void judge_twins(struct cluster *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        for (uint32_t k = i + 1; k < c->node_count; k++) {
            const struct sim_node *a = &c->nodes[i];
            const struct sim_node *b = &c->nodes[k];
            if (a->up && b->up && a->name == b->name && !node_is_fenced(a) && !node_is_fenced(b)) {
                world_broken(c, "one node of a name is not fenced", "%c%u and %c%u", a->name, i,
                             b->name, k);
            }
        }
    }
}

// Every place in the quota is that of a record, once nothing is on its way.
static void judge_places(struct cluster *c, const struct sim_node *n)
{
    struct map_tenants tenants;
    uint64_t records = 0;
    for (int i = 0; i < KEYS; i++) {
        struct key_bytes key;
        struct map_facts facts;
        world_key(i, &key);
        records +=
            map_peek(n->map, key_span(&key), &facts) && (facts.flags & MAP_TOMBSTONE) == 0 ? 1 : 0;
    }
    (void)map_tenants(n->map, NULL, 0, &tenants);
    if (tenants.used != records) {
        world_broken(c, "places in the quota come back", "%c%d: %llu for %llu records", n->name,
                     (int)(n - c->nodes), (unsigned long long)tenants.used,
                     (unsigned long long)records);
    }
}

void judge_nodes(struct cluster *c)
{
    judge_twins(c);
    const struct sim_node *first = NULL;
    for (uint32_t i = 0; i < c->node_count; i++) {
        const struct sim_node *n = &c->nodes[i];
        if (!n->up) {
            continue;
        }
        if (core_get_state(n->core) != CORE_STATE_LIVE && !node_is_fenced(n) &&
            core_get_state(n->core) != CORE_STATE_DIVERGED) {
            world_broken(c, "every node is live in the end", "%c%u is in state %d", n->name, i,
                         (int)core_get_state(n->core));
        }
        if (core_get_pending(n->core) != 0) {
            world_broken(c, "nothing stays pending", "%c%u: %llu", n->name, i,
                         (unsigned long long)core_get_pending(n->core));
        }
        if (first == NULL) {
            first = n;
        }
        judge_equal(c, n, first);
        judge_places(c, n);
    }
    if (first != NULL && c->verdict->broken == NULL) {
        struct history_fault fault;
        const struct history_world world = {first->map, world_key, KEYS};
        if (history_judge(&c->history, &world, &fault)) {
            world_broken(c, fault.promise, "%s", fault.detail);
        }
    }
}

void judge_quiet(struct cluster *c, uint64_t entries, uint64_t resyncs)
{
    if (memory_server_entries(c->server) != entries) {
        world_broken(c, "in the quiet nothing is written", "%llu entries",
                     (unsigned long long)(memory_server_entries(c->server) - entries));
    }
    if (c->verdict->resyncs != resyncs) {
        world_broken(c, "in the quiet nothing is read afresh", "%llu resyncs",
                     (unsigned long long)(c->verdict->resyncs - resyncs));
    }
    if (c->options->faults == 0 && !c->options->emptied &&
        c->verdict->resyncs + c->verdict->repairs != 0) {
        world_broken(c, "without faults nothing is repaired", "%llu resyncs, %llu repairs",
                     (unsigned long long)c->verdict->resyncs,
                     (unsigned long long)c->verdict->repairs);
    }
}
