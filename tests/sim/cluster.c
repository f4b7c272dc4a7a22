// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/cluster.h"

#include "tests/sim/world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- checks

static void probe(struct cluster *c, struct sim_node *n)
{
    for (int i = 0; i < KEYS; i++) {
        if (!n->probing[i]) {
            continue;
        }
        struct key_bytes key;
        world_key(i, &key);
        const struct core_event event = {.type = CORE_EV_JUDGED,
                                         .judged = {.key = key_span(&key),
                                                    .status = c->truth[i],
                                                    .reason = c->truth[i] == STATUS_HEALTHY
                                                                  ? REASON_CHECK_PASSED
                                                                  : REASON_CONNECT_REFUSED}};
        node_step(n, &event);
    }
}

// --- faults

static void disturb_node(struct cluster *c, uint32_t fault)
{
    struct sim_node *n = world_pick(c);
    if (n == NULL) {
        return;
    }
    world_tell(c, "fault %x on %c%d", fault, n->name, (int)(n - c->nodes));
    switch (fault) {
    case FAULT_CUT:
        n->cut = true;
        memory_client_cut(n->client);
        break;
    case FAULT_PAUSE:
        n->paused_until = c->now_ms + (world_chance(c, 50) ? 1000 : LEASE_MS + 2500);
        break;
    case FAULT_CRASH: {
        char name = n->name;
        node_kill(c, n);
        node_start(c, name);
        break;
    }
    case FAULT_TWIN:
        node_start(c, n->name);
        break;
    default:
        assert(false);
    }
}

// Goes back to what was kept some time ago, or keeps what is there now.
static void rollback(struct cluster *c)
{
    if (world_chance(c, 50)) {
        enum err restored = memory_server_restore(c->server);
        (void)restored; // nothing was kept yet: nothing to go back to
        return;
    }
    enum err err = memory_server_save(c->server);
    assert(err == ERR_OK);
}

static void garbage(struct cluster *c, uint32_t p)
{
    char key[32];
    char value[64];
    int key_len = snprintf(key, sizeof(key), "x%c%u", '\0', (unsigned)world_below(c, 1000));
    for (size_t i = 0; i < sizeof(value); i++) {
        value[i] = (char)world_below(c, 256);
    }
    // Shorter than a record's head: what a script of ours can never have written.
    enum err err = memory_server_garbage(c->server, p, span_of(key, (size_t)key_len),
                                         span_of(value, world_below(c, 21)));
    assert(err == ERR_OK);
}

static void disturb_server(struct cluster *c, uint32_t fault)
{
    uint32_t p = (uint32_t)world_below(c, PARTITIONS);
    world_tell(c, "fault %x on p%u", fault, p);
    switch (fault) {
    case FAULT_TRIM:
        memory_server_trim(c->server, p, (uint32_t)world_below(c, 3));
        break;
    case FAULT_LOSE_ENTRY:
        memory_server_lose(c->server, p, world_below(c, UINT32_MAX));
        break;
    case FAULT_FLUSH:
        memory_server_flush(c->server);
        break;
    case FAULT_ROLLBACK:
        rollback(c);
        break;
    case FAULT_GARBAGE:
        garbage(c, p);
        break;
    case FAULT_REFUSE:
        memory_server_refuse(c->server, true);
        c->refuse_until = c->now_ms + 500 + (int64_t)world_below(c, 3000);
        break;
    default:
        assert(false);
    }
}

static void disturb(struct cluster *c)
{
    uint32_t fault = 1u << world_below(c, FAULT_COUNT);
    if ((c->options->faults & fault) == 0 || fault == FAULT_DROP_REPLY || fault == FAULT_LATE) {
        return;
    }
    if (fault == FAULT_CUT || fault == FAULT_PAUSE || fault == FAULT_CRASH || fault == FAULT_TWIN) {
        disturb_node(c, fault);
    } else {
        disturb_server(c, fault);
    }
}

static void mend(struct cluster *c, bool all)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        struct sim_node *n = &c->nodes[i];
        if (n->up && n->cut && (all || world_chance(c, 30))) {
            n->cut = false;
            memory_client_mend(n->client);
        }
        if (all) {
            n->paused_until = 0;
        }
    }
    if (all || c->now_ms >= c->refuse_until) {
        memory_server_refuse(c->server, false);
    }
}

// --- time

void world_advance(struct cluster *c, int64_t ms)
{
    c->now_ms += ms;
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (c->nodes[i].up) {
            memory_client_hold(c->nodes[i].client, !node_is_awake(c, &c->nodes[i]));
        }
    }
    memory_server_step(c->server, world_now(c).mono);
    const struct core_event tick = {.type = CORE_EV_TICK};
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (node_is_awake(c, &c->nodes[i])) {
            node_step(&c->nodes[i], &tick);
        }
    }
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (node_is_awake(c, &c->nodes[i]) && c->now_ms % 200 < ms) {
            probe(c, &c->nodes[i]);
        }
    }
}

// The last fault before the quiet: nobody writes any more, so nothing but the timers can find it.
static void part_silently(struct cluster *c)
{
    uint32_t p = (uint32_t)world_below(c, PARTITIONS);
    if ((c->options->faults & FAULT_FLUSH) != 0 && world_chance(c, 50)) {
        world_tell(c, "silent flush");
        memory_server_flush(c->server);
    }
    struct sim_node *n = world_pick(c);
    if ((c->options->faults & FAULT_TRIM) != 0 && n != NULL) {
        // A node stands still while another writes and the tail is trimmed away.
        n->paused_until = c->now_ms + 1500;
        for (int i = 0; i < 20; i++) {
            struct sim_node *other = world_pick(c);
            world_advance(c, 40);
            if (other != n && node_is_awake(c, other) && core_is_ready(other->core)) {
                scene_any_operation(c, other);
            }
        }
        memory_server_trim(c->server, p, 0);
    }
}

static void play(struct cluster *c)
{
    uint32_t faults = c->options->faults;
    uint64_t dice = world_below(c, 4); // a put is on its way often, a loss is costly
    if (dice < 2 && (faults & FAULT_LATE) != 0) {
        scene_late_put(c);
    } else if (dice == 2 && (faults & FAULT_FLUSH) != 0) {
        scene_flush_behind(c);
    } else if (dice == 3 && (faults & FAULT_ROLLBACK) != 0 && (faults & FAULT_CUT) != 0) {
        scene_lost_delete(c);
    }
}

static void storm(struct cluster *c)
{
    for (uint32_t t = 0; t < c->options->steps && c->verdict->broken == NULL; t++) {
        world_advance(c, 1 + (int64_t)world_below(c, 60));
        struct sim_node *n = world_pick(c);
        if (n != NULL && node_is_awake(c, n) && core_is_ready(n->core) && world_chance(c, 12)) {
            scene_any_operation(c, n);
        }
        if (world_chance(c, 4)) {
            c->truth[world_below(c, KEYS)] =
                world_chance(c, 50) ? STATUS_HEALTHY : STATUS_UNHEALTHY;
        }
        if (c->options->faults != 0 && world_chance(c, 10)) {
            disturb(c);
        }
        if (c->options->faults != 0 && world_chance(c, 2)) {
            play(c);
        }
        if (world_chance(c, 4)) {
            mend(c, false);
        }
    }
}

static void pass(struct cluster *c, int64_t ms, int64_t step)
{
    for (int64_t t = 0; t < ms && c->verdict->broken == NULL; t += step) {
        world_advance(c, step);
    }
}

// The server restarts without its data: all connections go, and come back one after the other.
static void empty_once(struct cluster *c)
{
    pass(c, QUIET_MS, 40);
    const uint64_t before = c->verdict->resyncs;
    for (uint32_t i = 0; i < c->node_count; i++) {
        c->nodes[i].cut = true;
        memory_client_cut(c->nodes[i].client);
    }
    pass(c, (int64_t)world_below(c, 2 * LEASE_MS), 40);
    memory_server_flush(c->server);
    for (uint32_t i = 0; i < c->node_count; i++) {
        pass(c, (int64_t)world_below(c, 200), 1);
        c->nodes[i].cut = false;
        memory_client_mend(c->nodes[i].client);
    }
    pass(c, 2000, 4);
    pass(c, QUIET_MS, 40);
    const uint64_t read = c->verdict->resyncs - before;
    if (read != (uint64_t)c->node_count * PARTITIONS) {
        world_broken(c, "an emptied server is read afresh once by each node", "%llu readings by %u",
                     (unsigned long long)read, c->node_count);
    }
}

void cluster_run(const struct cluster_options *options, struct cluster_verdict *ret_verdict)
{
    static struct cluster cluster; // large, and one runs at a time
    struct cluster *c = &cluster;
    memset(c, 0, sizeof(*c));
    memset(ret_verdict, 0, sizeof(*ret_verdict));
    c->options = options;
    c->verdict = ret_verdict;
    random_seed(&c->random, options->seed);
    history_init(&c->history);
    c->history.forked = (options->faults & (FAULT_FLUSH | FAULT_ROLLBACK)) != 0 &&
                        (options->faults & (FAULT_CUT | FAULT_PAUSE | FAULT_DROP_REPLY)) != 0;
    c->history.linear = (options->faults & (FAULT_FLUSH | FAULT_ROLLBACK | FAULT_TRIM |
                                            FAULT_LOSE_ENTRY | FAULT_GARBAGE)) == 0;
    c->history.mortal = (options->faults & (FAULT_CRASH | FAULT_TWIN)) != 0;
    const struct memory_options server_options = {.partitions = PARTITIONS,
                                                  .retention = 2000,
                                                  .seed = options->seed,
                                                  .wall_offset_ms = 1700000000000};
    enum err err = memory_server_new(&server_options, &c->server);
    assert(err == ERR_OK);
    memory_server_delay(c->server, 0, 40);
    memory_server_delay_requests(c->server, 0, (options->faults & FAULT_LATE) != 0 ? 250 : 0);
    memory_server_drop_replies(c->server, (options->faults & FAULT_DROP_REPLY) != 0 ? 15 : 0);
    for (int i = 0; i < KEYS; i++) {
        c->truth[i] = STATUS_HEALTHY;
    }
    for (uint32_t i = 0; i < options->nodes; i++) {
        node_start(c, NAMES[i]);
    }
    storm(c);
    if (options->emptied) {
        empty_once(c);
    }
    part_silently(c);
    memory_server_drop_replies(c->server, 0);
    memory_server_delay_requests(c->server, 0, 0);
    mend(c, true);
    pass(c, QUIET_MS, 40);
    uint64_t entries = memory_server_entries(c->server);
    uint64_t resyncs = c->verdict->resyncs;
    pass(c, SILENT_MS, 40);
    if (c->verdict->broken == NULL) {
        judge_quiet(c, entries, resyncs);
        judge_nodes(c);
    }
    ret_verdict->entries = memory_server_entries(c->server);
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (c->nodes[i].up) {
            stream_free(c->nodes[i].client);
            free(c->nodes[i].arena);
            map_free(c->nodes[i].map);
        }
    }
    memory_server_free(c->server);
    history_fini(&c->history);
}
