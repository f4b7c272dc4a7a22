// SPDX-License-Identifier: Apache-2.0
// What clients do; and knots of operations and faults that chance alone ties too seldom.
#include "tests/sim/world.h"

#include <assert.h>
#include <string.h>

// --- what clients and operators do

static bool is_held(const struct sim_node *n, int i, struct map_facts *ret_facts)
{
    struct key_bytes key;
    world_key(i, &key);
    return map_peek(n->map, key_span(&key), ret_facts) && (ret_facts->flags & MAP_TOMBSTONE) == 0;
}

// Whoever is on the condition of a version names the one that it sees, or, one time in five, an older one.
static void set_condition(struct cluster *c, const struct map_facts *facts, struct core_write *how)
{
    how->precondition = CORE_IF_MATCH;
    how->version = facts->version;
    if (world_chance(c, 20)) {
        how->version.counter--;
    }
}

uint64_t world_operate(struct cluster *c, struct sim_node *n, int i, enum operation operation)
{
    struct map_facts facts;
    bool conditional = operation == OPERATION_EDIT_IF && is_held(n, i, &facts);
    const struct history_op what = {.node = (char)(n - c->nodes),
                                    .instance = i,
                                    .start = c->now_ms,
                                    .remove = operation == OPERATION_REMOVE,
                                    .edit = operation == OPERATION_EDIT || conditional,
                                    .conditional = conditional || operation == OPERATION_PUT_IF};
    struct core_write how = {.ack_stream = true, .op = history_begin(&c->history, &what)};
    struct patch patch = {.op = PATCH_PUT, .record = {.kind = KEY_REGISTRATION}};
    patch.record.registration = (struct registration){.address = SPAN_LIT("10.0.0.1"),
                                                      .port = 80,
                                                      .weight = (uint32_t)how.op,
                                                      .owner = {&n->name, 1}};
    if (what.remove) {
        patch.op = PATCH_DELETE;
    } else if (what.edit) {
        patch.op = PATCH_MERGE;
        patch.mask = PATCH_WEIGHT;
    }
    if (conditional) {
        set_condition(c, &facts, &how);
    }
    if (operation == OPERATION_PUT_IF) {
        how.precondition = CORE_IF_ABSENT;
    }
    struct key_bytes key;
    world_key(i, &key);
    n->last_instance = i;
    world_tell(c, "%c%d op %llu i%d kind %d", n->name, (int)what.node, (unsigned long long)how.op,
               i, (int)patch.op);
    node_write(n, key_span(&key), &patch, &how);
    return how.op;
}

void scene_any_operation(struct cluster *c, struct sim_node *n)
{
    int i = c->now_ms < c->contested_until ? c->contested : (int)world_below(c, KEYS);
    struct map_facts facts;
    bool held = is_held(n, i, &facts);
    uint64_t dice = world_below(c, 100);
    enum operation operation = OPERATION_PUT;
    if (dice >= 85 && i >= INSTANCES) {
        operation = OPERATION_REMOVE;
    } else if (held && dice < 40) {
        operation = OPERATION_EDIT;
    } else if (held && dice < 60 && facts.pending == 0) {
        operation = OPERATION_EDIT_IF;
    } else if (c->options->quota > 0 && dice < 75) {
        operation = OPERATION_PUT_IF; // it holds its place for as long as it is on its way
    }
    (void)world_operate(c, n, i, operation);
}

// --- scenes

static void pass(struct cluster *c, int64_t ms)
{
    for (int64_t end = c->now_ms + ms; c->now_ms < end && c->verdict->broken == NULL;) {
        world_advance(c, 1 + (int64_t)world_below(c, 10));
    }
}

// Until it is decided, or so long.
static bool pass_until_accepted(struct cluster *c, uint64_t op, int64_t ms)
{
    const struct history_op *o = &c->history.ops[op];
    for (int64_t end = c->now_ms + ms; c->now_ms < end && !o->decided;) {
        world_advance(c, 1);
    }
    return o->decided && o->outcome == CORE_ACCEPTED;
}

static bool can_play(const struct cluster *c, const struct sim_node *n)
{
    return n->up && !n->cut && node_is_awake(c, n) && core_get_state(n->core) == CORE_STATE_LIVE &&
           core_is_ready(n->core);
}

// Two nodes that can play, for a part each.  false: there are none.
static bool cast(struct cluster *c, struct sim_node **ret_a, struct sim_node **ret_b)
{
    *ret_a = world_pick(c);
    *ret_b = world_pick(c);
    return *ret_a != NULL && *ret_b != NULL && (*ret_a)->name != (*ret_b)->name &&
           can_play(c, *ret_a) && can_play(c, *ret_b);
}

// A connection is lost while a put is on its way, and comes back at once: the put may still arrive, behind the
// calls of the new connection; and others write to the same record meanwhile.
void scene_late_put(struct cluster *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        struct sim_node *n = &c->nodes[i];
        bool open = false;
        for (uint32_t p = 0; p < PARTITIONS; p++) {
            open = open || n->open[p][QUESTION_PUT];
        }
        if (open && can_play(c, n)) {
            world_tell(c, "late put of %c%u", n->name, i);
            memory_client_cut(n->client);
            memory_client_mend(n->client);
            c->contested = n->last_instance;
            c->contested_until = c->now_ms + 600;
            return;
        }
    }
}

// A write is acknowledged, and the server loses everything before anybody else has read it.  Somebody writes
// to the same record at once: built on less, and later.
void scene_flush_behind(struct cluster *c)
{
    struct sim_node *first = NULL;
    struct sim_node *second = NULL;
    int i = INSTANCES + (int)world_below(c, KEYS - INSTANCES);
    struct map_facts facts;
    if (!cast(c, &first, &second) || !is_held(first, i, &facts)) {
        return;
    }
    world_tell(c, "flush behind %c", first->name);
    uint64_t op =
        world_operate(c, first, i, world_chance(c, 50) ? OPERATION_REMOVE : OPERATION_EDIT);
    if (pass_until_accepted(c, op, 200)) {
        memory_server_flush(c->server);
        world_advance(c, 1);
        (void)world_operate(c, second, i, OPERATION_PUT);
    }
}

// A delete is acknowledged, and the server goes back to before it.  A node that never saw it edits on, more
// than once, before those who saw it are back.
void scene_lost_delete(struct cluster *c)
{
    struct sim_node *remover = NULL;
    struct sim_node *editor = NULL;
    int i = INSTANCES + (int)world_below(c, KEYS - INSTANCES);
    struct map_facts facts;
    if (!cast(c, &remover, &editor) || !is_held(remover, i, &facts) ||
        !is_held(editor, i, &facts)) {
        return;
    }
    world_tell(c, "lost delete by %c behind %c", remover->name, editor->name);
    enum err err = memory_server_save(c->server);
    assert(err == ERR_OK);
    editor->cut = true;
    memory_client_cut(editor->client);
    if (pass_until_accepted(c, world_operate(c, remover, i, OPERATION_REMOVE), 200)) {
        remover->cut = true;
        memory_client_cut(remover->client);
        err = memory_server_restore(c->server);
        assert(err == ERR_OK);
    }
    editor->cut = false;
    memory_client_mend(editor->client);
    for (int edits = 0; edits < 4; edits++) {
        pass(c, 150);
        if (is_held(editor, i, &facts)) {
            (void)world_operate(c, editor, i, OPERATION_EDIT);
        }
    }
}
