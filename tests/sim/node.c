// SPDX-License-Identifier: Apache-2.0
// One node of the simulated mesh: a real core, a real map, a client of the memory backend.
#include "base/siphash.h"
#include "tests/sim/world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t world_below(struct cluster *c, uint64_t bound)
{
    return random_below(&c->random, bound);
}

bool world_chance(struct cluster *c, uint32_t percent)
{
    return world_below(c, 100) < percent;
}

__attribute__((format(printf, 3, 4))) void world_broken(struct cluster *c, const char *promise,
                                                        const char *format, ...)
{
    if (c->verdict->broken != NULL) {
        return;
    }
    c->verdict->broken = promise;
    va_list args;
    va_start(args, format);
    vsnprintf(c->verdict->detail, sizeof(c->verdict->detail), format, args);
    va_end(args);
}

__attribute__((format(printf, 2, 3))) void world_tell(struct cluster *c, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    size_t used = len < (int)sizeof(line) ? (size_t)len : sizeof(line) - 1;
    c->verdict->transcript ^= siphash13(siphash_zero_key, line, used) +
                              c->verdict->transcript * UINT64_C(0x9e3779b97f4a7c15);
    if (c->options->trace) {
        printf("# %6lld %s\n", (long long)c->now_ms, line);
        fflush(stdout);
    }
}

// --- keys of the little world: service s0, instances i0..i5

void world_key(int i, struct key_bytes *ret)
{
    char name[16];
    snprintf(name, sizeof(name), "i%d", i);
    char service[16];
    snprintf(service, sizeof(service), "s%d", i % 2);
    key_registration(SPAN_LIT("default"), span_str(service), span_str(name), ret);
}

int world_index_of(struct span key)
{
    for (int i = 0; i < KEYS; i++) {
        struct key_bytes bytes;
        world_key(i, &bytes);
        if (span_eq(key_span(&bytes), key)) {
            return i;
        }
    }
    return -1;
}

struct core_time world_now(const struct cluster *c)
{
    return (struct core_time){{(c->now_ms + 1) * 1000}, {1700000000000 + c->now_ms}};
}

// --- a node

static void on_log(struct sim_node *n, const struct core_log *log)
{
    struct cluster *c = n->cluster;
    switch (log->what) {
    case CORE_LOG_RESYNC:
        n->resyncs++;
        c->verdict->resyncs++;
        break;
    case CORE_LOG_REPAIR:
        n->repairs++;
        c->verdict->repairs++;
        break;
    case CORE_LOG_CONFLICT:
        c->verdict->conflicts++;
        break;
    case CORE_LOG_EQUIVOCATION:
        world_broken(c, "one version names one body", "node %c", n->name);
        break;
    case CORE_LOG_HEALTH:
    case CORE_LOG_SESSION:
    case CORE_LOG_REJECTED:
    case CORE_LOG_NODE:
    case CORE_LOG_JOINED:
    case CORE_LOG_FENCED:
    case CORE_LOG_READY:
    case CORE_LOG_STALE_START:
    case CORE_LOG_DIVERGED:
    case CORE_LOG_MISCONFIGURED:
    case CORE_LOG_SUPERSEDED:
    case CORE_LOG_POLICY:
    case CORE_LOG_LEASE:
    case CORE_LOG_STREAM:
    case CORE_LOG_REFUSED:
    case CORE_LOG_LOST:
    case CORE_LOG_OVER_QUOTA:
    case CORE_LOG_QUOTA:
    case CORE_LOG_OPAQUE:
    default:
        break;
    }
    char key[64];
    size_t len = log->key.len < sizeof(key) - 1 ? log->key.len : sizeof(key) - 1;
    for (size_t i = 0; i < len; i++) {
        key[i] = log->key.ptr[i] == '\0' ? '/' : log->key.ptr[i];
    }
    key[len] = '\0';
    world_tell(c, "%c%d log %d p%u %s %.*s %llu %d->%d", n->name, (int)(n - c->nodes),
               (int)log->what, log->partition, key, (int)log->text.len,
               log->text.len ? log->text.ptr : "", (unsigned long long)log->number, (int)log->from,
               (int)log->to);
}

static void ask(struct sim_node *n, uint32_t partition, enum question question)
{
    if (n->open[partition][question]) {
        world_broken(n->cluster, "one question at a time", "node %c, p%u: %d", n->name, partition,
                     (int)question);
    }
    n->open[partition][question] = true;
}

static void answered(struct sim_node *n, const struct stream_event *event)
{
    static const int questions[] = {[STREAM_EV_META] = QUESTION_META + 1,
                                    [STREAM_EV_SCAN] = QUESTION_SCAN + 1,
                                    [STREAM_EV_PROBE] = QUESTION_PROBE + 1,
                                    [STREAM_EV_PUT] = QUESTION_PUT + 1,
                                    [STREAM_EV_BEAT] = 0};
    if (event->type == STREAM_EV_DOWN) {
        memset(n->open, 0, sizeof(n->open));
    } else if (questions[event->type] != 0) {
        n->open[event->partition][questions[event->type] - 1] = false;
    }
}

static void on_action(void *arg, const struct core_action *action)
{
    struct sim_node *n = arg;
    struct stream *client = n->client;
    switch (action->type) {
    case CORE_ACT_META:
        ask(n, action->partition, QUESTION_META);
        stream_meta(client, action->partition);
        break;
    case CORE_ACT_CREATE:
        ask(n, action->partition, QUESTION_META);
        stream_create(client, action->partition, action->epoch);
        break;
    case CORE_ACT_SCAN:
        ask(n, action->partition, QUESTION_SCAN);
        stream_scan(client, action->partition, action->cursor);
        break;
    case CORE_ACT_PROBE:
        ask(n, action->partition, QUESTION_PROBE);
        stream_probe(client, action->partition, action->read.id);
        break;
    case CORE_ACT_READ:
        stream_read(client, action->partition, action->read.id, action->read.catching_up);
        break;
    case CORE_ACT_UNREAD:
        stream_unread(client, action->partition);
        break;
    case CORE_ACT_PUT:
        ask(n, action->partition, QUESTION_PUT);
        stream_put(client, action->partition, action->put.epoch, action->put.records,
                   action->put.count);
        break;
    case CORE_ACT_BEAT:
        stream_beat(client, (struct span){&n->name, 1}, action->text, LEASE_MS);
        break;
    case CORE_ACT_FORGET:
        stream_forget(client, action->text);
        break;
    case CORE_ACT_DONE:
        world_tell(n->cluster, "%c done %llu %d", n->name, (unsigned long long)action->done.op,
                   (int)action->done.outcome);
        history_done(&n->cluster->history, action->done.op, action->done.outcome,
                     n->cluster->now_ms);
        n->cluster->verdict->accepted += action->done.outcome == CORE_ACCEPTED;
        n->cluster->verdict->over_quota += action->done.outcome == CORE_OVER_QUOTA;
        break;
    case CORE_ACT_TARGET:
        if (world_index_of(action->target.key) >= 0) {
            n->probing[world_index_of(action->target.key)] = action->target.target.probe;
        }
        break;
    case CORE_ACT_LOG:
        on_log(n, action->log);
        break;
    default:
        assert(false);
    }
}

void node_step(struct sim_node *n, const struct core_event *event)
{
    core_step(n->core, event, world_now(n->cluster));
    if (history_versions(&n->cluster->history, n->map, (uint32_t)(n - n->cluster->nodes))) {
        world_broken(n->cluster, "no version goes back", "node %c at %lld ms", n->name,
                     (long long)n->cluster->now_ms);
    }
}

static void note_pair(struct cluster *c, const struct stream_pair *pair)
{
    struct codec_value value;
    struct record record;
    int i = world_index_of(pair->key);
    if (i < 0 || codec_value_parse(pair->value, &value) != ERR_OK ||
        codec_body_read(KEY_REGISTRATION, value.body, &record) != ERR_OK) {
        return;
    }
    uint64_t op = record.tombstone ? 0 : record.registration.weight;
    if (history_applied(&c->history, i, op) && c->history.linear) {
        world_broken(c, "what was replaced does not come back", "op %llu on i%d at %lld ms",
                     (unsigned long long)op, i, (long long)c->now_ms);
    }
}

// Which operations have left their number in the log?  Whoever reads an entry first tells of it.
static void note_entry(struct cluster *c, uint32_t partition, const struct stream_entry *entry)
{
    if (!entry->valid || (c->history.linear && entry->sequence <= c->noted[partition])) {
        return;
    }
    c->noted[partition] = entry->sequence;
    for (uint32_t i = 0; i < entry->count; i++) {
        note_pair(c, &entry->pairs[i]);
    }
}

static void on_stream(void *arg, const struct stream_event *event)
{
    struct sim_node *n = arg;
    answered(n, event);
    if (event->type == STREAM_EV_ENTRY) {
        note_entry(n->cluster, event->partition, &event->entry);
    }
    const struct core_event core_event = {.type = CORE_EV_STREAM, .stream = event};
    node_step(n, &core_event);
}

void node_write(struct sim_node *n, struct span key, const struct patch *patch,
                const struct core_write *how)
{
    struct core_event event = {.type = CORE_EV_WRITE, .write = *how};
    event.write.key = key;
    event.write.patch = patch;
    n->cluster->verdict->writes++;
    node_step(n, &event);
}

// What every node's configuration file says.
static void policies(struct sim_node *n)
{
    for (int s = 0; s < 2; s++) {
        char name[16];
        snprintf(name, sizeof(name), "s%d", s);
        struct key_bytes key;
        key_policy(SPAN_LIT("default"), span_str(name), &key);
        struct patch patch = {.op = PATCH_PUT, .record = {.kind = KEY_POLICY}};
        record_policy_default(&patch.record.policy);
        patch.record.policy.check.type = CHECK_TCP;
        patch.record.policy.observers = 2;
        patch.record.policy.max_unhealthy_percent = 100;
        const struct core_write how = {.op = 0};
        node_write(n, key_span(&key), &patch, &how);
    }
}

void node_start(struct cluster *c, char name)
{
    if (c->node_count == NODES_MAX) {
        return;
    }
    struct sim_node *n = &c->nodes[c->node_count++];
    memset(n, 0, sizeof(*n));
    n->cluster = c;
    n->name = name;
    n->up = true;
    n->arena = calloc(1, ARENA_LEN);
    const struct map_options map_options = {
        .shards = 4, .partitions = PARTITIONS, .changefeed = 1024, .instance = 1};
    enum err err = map_new(&map_options, &n->map);
    assert(err == ERR_OK && n->arena != NULL);
    err = map_set_quota(n->map, SPAN_NONE, c->options->quota);
    assert(err == ERR_OK);
    const struct core_options options = {.node_id = {&n->name, 1},
                                         .release = SPAN_LIT("sim"),
                                         .partitions = PARTITIONS,
                                         .lease_ms = LEASE_MS,
                                         .resync_min_ms = 1000,
                                         .start_without_ms = 0,
                                         .seed = c->options->seed * 1000 + ++c->starts};
    err = memory_client_new(c->server, on_stream, n, &n->client);
    assert(err == ERR_OK);
    n->core = core_init(n->arena, ARENA_LEN, &options, n->map, on_action, n);
    assert(n->core != NULL);
    history_forget(&c->history, (uint32_t)(n - c->nodes));
    world_tell(c, "start %c", name);
    stream_start(n->client);
    policies(n);
}

void node_kill(struct cluster *c, struct sim_node *n)
{
    world_tell(c, "kill %c%d", n->name, (int)(n - c->nodes));
    n->up = false;
    history_lost(&c->history, (char)(n - c->nodes));
    stream_free(n->client);
    free(n->arena);
    map_free(n->map);
    n->core = NULL;
}

struct sim_node *world_pick(struct cluster *c)
{
    uint32_t live[NODES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (c->nodes[i].up) {
            live[count++] = i;
        }
    }
    return count == 0 ? NULL : &c->nodes[live[world_below(c, count)]];
}

bool node_is_awake(const struct cluster *c, const struct sim_node *n)
{
    return n->up && n->paused_until <= c->now_ms;
}

bool node_is_fenced(const struct sim_node *n)
{
    return core_get_state(n->core) == CORE_STATE_FENCED;
}
