// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/cluster.h"

#include "base/random.h"
#include "base/siphash.h"
#include "replicator/core/core.h"
#include "stream/memory.h"
#include "tests/sim/history.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MAX 8
#define NAMES "abcdefgh"
#define ARENA_LEN (16u << 20)
#define PARTITIONS 2
#define LEASE_MS 3000
#define INSTANCES 4
#define KEYS (INSTANCES + 2) // some come and go
#define QUIET_MS 40000       // what healing may take: scans, barriers, ranks, leases
#define SILENT_MS 15000      // then nothing may be written

struct sim_node {
    struct cluster *cluster;
    char name;
    bool up;
    bool cut;
    int64_t paused_until;
    uint32_t rng_salt;
    void *arena;
    struct core *core;
    struct map *map;
    struct stream *client;
    bool probing[KEYS];
    uint64_t repairs, resyncs, conflicts;
};

struct cluster {
    const struct cluster_options *options;
    struct cluster_verdict *verdict;
    struct random random;
    struct memory_server *server;
    struct history history;
    struct sim_node nodes[NODES_MAX];
    uint32_t node_count;
    uint32_t starts;
    int64_t now_ms;
    enum status truth[KEYS];
    bool quiet;
    int64_t refuse_until;
};

static uint64_t below(struct cluster *c, uint64_t bound)
{
    return random_below(&c->random, bound);
}

static bool chance(struct cluster *c, uint32_t percent)
{
    return below(c, 100) < percent;
}

__attribute__((format(printf, 3, 4))) static void broken(struct cluster *c, const char *promise,
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

__attribute__((format(printf, 2, 3))) static void tell(struct cluster *c, const char *format, ...)
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

static void registration_key(int i, struct key_bytes *ret)
{
    char name[16];
    snprintf(name, sizeof(name), "i%d", i);
    char service[16];
    snprintf(service, sizeof(service), "s%d", i % 2);
    key_registration(SPAN_LIT("default"), span_str(service), span_str(name), ret);
}

static int index_of(struct span key)
{
    for (int i = 0; i < KEYS; i++) {
        struct key_bytes bytes;
        registration_key(i, &bytes);
        if (span_eq(key_span(&bytes), key)) {
            return i;
        }
    }
    return -1;
}

static struct core_time now_of(const struct cluster *c)
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
        broken(c, "one version names one body", "node %c", n->name);
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
    case CORE_LOG_POLICY:
    case CORE_LOG_LEASE:
    case CORE_LOG_STREAM:
    case CORE_LOG_REFUSED:
    default:
        break;
    }
    char key[64];
    size_t len = log->key.len < sizeof(key) - 1 ? log->key.len : sizeof(key) - 1;
    for (size_t i = 0; i < len; i++) {
        key[i] = log->key.ptr[i] == '\0' ? '/' : log->key.ptr[i];
    }
    key[len] = '\0';
    tell(c, "%c%d log %d p%u %s %.*s %llu %d->%d", n->name, (int)(n - c->nodes), (int)log->what,
         log->partition, key, (int)log->text.len, log->text.len ? log->text.ptr : "",
         (unsigned long long)log->number, (int)log->from, (int)log->to);
}

static void on_action(void *arg, const struct core_action *action)
{
    struct sim_node *n = arg;
    struct stream *client = n->client;
    switch (action->type) {
    case CORE_ACT_META:
        stream_meta(client, action->partition);
        break;
    case CORE_ACT_CREATE:
        stream_create(client, action->partition, action->epoch);
        break;
    case CORE_ACT_SCAN:
        stream_scan(client, action->partition, action->cursor);
        break;
    case CORE_ACT_PROBE:
        stream_probe(client, action->partition, action->read.id);
        break;
    case CORE_ACT_READ:
        stream_read(client, action->partition, action->read.id, action->read.catching_up);
        break;
    case CORE_ACT_UNREAD:
        stream_unread(client, action->partition);
        break;
    case CORE_ACT_PUT:
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
        tell(n->cluster, "%c done %llu %d", n->name, (unsigned long long)action->done.op,
             (int)action->done.outcome);
        history_done(&n->cluster->history, action->done.op, action->done.outcome,
                     n->cluster->now_ms);
        n->cluster->verdict->accepted += action->done.outcome == CORE_ACCEPTED;
        break;
    case CORE_ACT_TARGET:
        if (index_of(action->target.key) >= 0) {
            n->probing[index_of(action->target.key)] = action->target.target.probe;
        }
        break;
    case CORE_ACT_LOG:
        on_log(n, action->log);
        break;
    default:
        assert(false);
    }
}

static void step(struct sim_node *n, const struct core_event *event)
{
    core_step(n->core, event, now_of(n->cluster));
    if (history_versions(&n->cluster->history, n->map, (uint32_t)(n - n->cluster->nodes))) {
        broken(n->cluster, "no version goes back", "node %c at %lld ms", n->name,
               (long long)n->cluster->now_ms);
    }
}

// Which operations have left their number in the log?
static void note_applied(struct cluster *c, const struct stream_entry *entry)
{
    for (uint32_t i = 0; entry->valid && i < entry->count; i++) {
        struct codec_value value;
        struct record record;
        if (index_of(entry->pairs[i].key) >= 0 &&
            codec_value_parse(entry->pairs[i].value, &value) == ERR_OK &&
            codec_body_read(KEY_REGISTRATION, value.body, &record) == ERR_OK && !record.tombstone) {
            history_applied(&c->history, record.registration.weight);
        }
    }
}

static void on_stream(void *arg, const struct stream_event *event)
{
    struct sim_node *n = arg;
    if (event->type == STREAM_EV_ENTRY) {
        note_applied(n->cluster, &event->entry);
    }
    const struct core_event core_event = {.type = CORE_EV_STREAM, .stream = event};
    step(n, &core_event);
}

static void write(struct sim_node *n, struct span key, const struct patch *patch,
                  const struct core_write *how)
{
    struct core_event event = {.type = CORE_EV_WRITE, .write = *how};
    event.write.key = key;
    event.write.patch = patch;
    n->cluster->verdict->writes++;
    step(n, &event);
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
        write(n, key_span(&key), &patch, &how);
    }
}

static void node_start(struct cluster *c, char name)
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
    tell(c, "start %c", name);
    stream_start(n->client);
    policies(n);
}

static void node_kill(struct cluster *c, struct sim_node *n)
{
    tell(c, "kill %c%d", n->name, (int)(n - c->nodes));
    n->up = false;
    history_lost(&c->history, (char)(n - c->nodes));
    stream_free(n->client);
    free(n->arena);
    map_free(n->map);
    n->core = NULL;
}

static struct sim_node *pick(struct cluster *c)
{
    uint32_t live[NODES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (c->nodes[i].up) {
            live[count++] = i;
        }
    }
    return count == 0 ? NULL : &c->nodes[live[below(c, count)]];
}

static bool is_awake(const struct cluster *c, const struct sim_node *n)
{
    return n->up && n->paused_until <= c->now_ms;
}

// --- what clients, checks and operators do

static void operate(struct cluster *c, struct sim_node *n)
{
    int i = (int)below(c, KEYS);
    struct key_bytes key;
    registration_key(i, &key);
    struct map_copy copy;
    bool held = map_get(n->map, key_span(&key), &copy) && (copy.facts.flags & MAP_TOMBSTONE) == 0;
    uint64_t dice = below(c, 100);
    struct patch patch = {.record = {.kind = KEY_REGISTRATION}};
    struct registration *r = &patch.record.registration;
    struct core_write how = {.ack_stream = true};
    bool remove = dice >= 85 && i >= INSTANCES;
    how.op = history_begin(&c->history, (char)(n - c->nodes), i, c->now_ms, remove);
    *r = (struct registration){.address = SPAN_LIT("10.0.0.1"),
                               .port = 80,
                               .weight = (uint32_t)how.op,
                               .owner = {&n->name, 1}};
    if (remove) {
        patch.op = PATCH_DELETE;
    } else if (held && dice < 40) {
        patch.op = PATCH_MERGE;
        patch.mask = PATCH_WEIGHT;
    } else if (held && dice < 60 && copy.facts.pending == 0) {
        patch.op = PATCH_MERGE;
        patch.mask = PATCH_WEIGHT;
        how.precondition = CORE_IF_MATCH;
        how.version = copy.facts.version;
        if (chance(c, 20)) {
            how.version.counter--;
        }
        history_conditional(&c->history, how.op);
    }
    tell(c, "%c op %llu i%d kind %d", n->name, (unsigned long long)how.op, i, (int)patch.op);
    write(n, key_span(&key), &patch, &how);
}

static void probe(struct cluster *c, struct sim_node *n)
{
    for (int i = 0; i < KEYS; i++) {
        if (!n->probing[i]) {
            continue;
        }
        struct key_bytes key;
        registration_key(i, &key);
        const struct core_event event = {.type = CORE_EV_JUDGED,
                                         .judged = {.key = key_span(&key),
                                                    .status = c->truth[i],
                                                    .reason = c->truth[i] == STATUS_HEALTHY
                                                                  ? REASON_CHECK_PASSED
                                                                  : REASON_CONNECT_REFUSED}};
        step(n, &event);
    }
}

// --- faults

static void disturb_node(struct cluster *c, uint32_t fault)
{
    struct sim_node *n = pick(c);
    if (n == NULL) {
        return;
    }
    tell(c, "fault %x on %c%d", fault, n->name, (int)(n - c->nodes));
    switch (fault) {
    case FAULT_CUT:
        n->cut = true;
        memory_client_cut(n->client);
        break;
    case FAULT_PAUSE:
        n->paused_until = c->now_ms + (chance(c, 50) ? 1000 : LEASE_MS + 2500);
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
    if (chance(c, 50)) {
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
    int key_len = snprintf(key, sizeof(key), "x%c%u", '\0', (unsigned)below(c, 1000));
    for (size_t i = 0; i < sizeof(value); i++) {
        value[i] = (char)below(c, 256);
    }
    // Shorter than a record's head: what a script of ours can never have written.
    enum err err = memory_server_garbage(c->server, p, span_of(key, (size_t)key_len),
                                         span_of(value, below(c, 21)));
    assert(err == ERR_OK);
}

static void disturb_server(struct cluster *c, uint32_t fault)
{
    uint32_t p = (uint32_t)below(c, PARTITIONS);
    tell(c, "fault %x on p%u", fault, p);
    switch (fault) {
    case FAULT_TRIM:
        memory_server_trim(c->server, p, (uint32_t)below(c, 3));
        break;
    case FAULT_LOSE_ENTRY:
        memory_server_lose(c->server, p, below(c, UINT32_MAX));
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
        c->refuse_until = c->now_ms + 500 + (int64_t)below(c, 3000);
        break;
    default:
        assert(false);
    }
}

static void disturb(struct cluster *c)
{
    uint32_t fault = 1u << below(c, FAULT_COUNT);
    if ((c->options->faults & fault) == 0 || fault == FAULT_DROP_REPLY) {
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
        if (n->up && n->cut && (all || chance(c, 30))) {
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

static void advance(struct cluster *c, int64_t ms)
{
    c->now_ms += ms;
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (c->nodes[i].up) {
            memory_client_hold(c->nodes[i].client, !is_awake(c, &c->nodes[i]));
        }
    }
    memory_server_step(c->server, now_of(c).mono);
    const struct core_event tick = {.type = CORE_EV_TICK};
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (is_awake(c, &c->nodes[i])) {
            step(&c->nodes[i], &tick);
        }
    }
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (is_awake(c, &c->nodes[i]) && c->now_ms % 200 < ms) {
            probe(c, &c->nodes[i]);
        }
    }
}

// The last fault before the quiet: nobody writes any more, so nothing but the timers can find it.
static void part_silently(struct cluster *c)
{
    uint32_t p = (uint32_t)below(c, PARTITIONS);
    if ((c->options->faults & FAULT_FLUSH) != 0 && chance(c, 50)) {
        tell(c, "silent flush");
        memory_server_flush(c->server);
    }
    struct sim_node *n = pick(c);
    if ((c->options->faults & FAULT_TRIM) != 0 && n != NULL) {
        // A node stands still while another writes and the tail is trimmed away.
        n->paused_until = c->now_ms + 1500;
        for (int i = 0; i < 20; i++) {
            struct sim_node *other = pick(c);
            advance(c, 40);
            if (other != n && is_awake(c, other) && core_is_ready(other->core)) {
                operate(c, other);
            }
        }
        memory_server_trim(c->server, p, 0);
    }
}

static void storm(struct cluster *c)
{
    for (uint32_t t = 0; t < c->options->steps && c->verdict->broken == NULL; t++) {
        advance(c, 1 + (int64_t)below(c, 60));
        struct sim_node *n = pick(c);
        if (n != NULL && is_awake(c, n) && core_is_ready(n->core) && chance(c, 12)) {
            operate(c, n);
        }
        if (chance(c, 4)) {
            c->truth[below(c, KEYS)] = chance(c, 50) ? STATUS_HEALTHY : STATUS_UNHEALTHY;
        }
        if (c->options->faults != 0 && chance(c, 10)) {
            disturb(c);
        }
        if (chance(c, 4)) {
            mend(c, false);
        }
    }
}

// --- judging

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
        tell(c, "%c%d holds %.*s: status %d tombstone %d version %llu", n->name,
             (int)(n - c->nodes), (int)key.observer.len, key.observer.ptr,
             (int)record.observation.status, record.tombstone,
             (unsigned long long)copy.facts.version.counter);
    }
}

static bool is_fenced(const struct sim_node *n)
{
    return core_get_state(n->core) == CORE_STATE_FENCED;
}

// Whoever is fenced does not look; when all are, nobody can say anything new.
static bool somebody_looks(const struct cluster *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (c->nodes[i].up && !is_fenced(&c->nodes[i])) {
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
            broken(c, "replicas converge", "p%u: %c%d has %llu records, %c%d has %llu", p, n->name,
                   (int)(n - c->nodes), (unsigned long long)a.count, first->name,
                   (int)(first - c->nodes), (unsigned long long)b.count);
        }
    }
    for (int i = 0; i < KEYS; i++) {
        struct key_bytes key;
        struct map_facts fa = {0};
        struct map_facts fb = {0};
        registration_key(i, &key);
        bool a = map_peek(n->map, key_span(&key), &fa) && (fa.flags & MAP_TOMBSTONE) == 0;
        bool b = map_peek(first->map, key_span(&key), &fb) && (fb.flags & MAP_TOMBSTONE) == 0;
        if (a != b || (a && fa.health.health.status != fb.health.health.status)) {
            broken(c, "equal maps give equal health", "i%d: %c %d, %c %d", i, n->name,
                   (int)fa.health.health.status, first->name, (int)fb.health.health.status);
        }
        if (a && fa.health.health.status != c->truth[i] && somebody_looks(c)) {
            show_records(c, n, key_span(&key));
            broken(c, "health follows the truth", "i%d on %c%d is %d, truth %d", i, n->name,
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
            if (a->up && b->up && a->name == b->name && !is_fenced(a) && !is_fenced(b)) {
                broken(c, "one node of a name is not fenced", "%c%u and %c%u", a->name, i, b->name,
                       k);
            }
        }
    }
}

static void judge_nodes(struct cluster *c)
{
    judge_twins(c);
    const struct sim_node *first = NULL;
    for (uint32_t i = 0; i < c->node_count; i++) {
        const struct sim_node *n = &c->nodes[i];
        if (!n->up) {
            continue;
        }
        if (core_get_state(n->core) != CORE_STATE_LIVE && !is_fenced(n) &&
            core_get_state(n->core) != CORE_STATE_DIVERGED) {
            broken(c, "every node is live in the end", "%c%u is in state %d", n->name, i,
                   (int)core_get_state(n->core));
        }
        if (core_get_pending(n->core) != 0) {
            broken(c, "nothing stays pending", "%c%u: %llu", n->name, i,
                   (unsigned long long)core_get_pending(n->core));
        }
        if (first == NULL) {
            first = n;
        }
        judge_equal(c, n, first);
    }
    if (first != NULL && c->verdict->broken == NULL) {
        struct history_fault fault;
        if (history_judge(&c->history, first->map, registration_key, KEYS, &fault)) {
            broken(c, fault.promise, "%s", fault.detail);
        }
    }
}

static void judge_quiet(struct cluster *c, uint64_t entries, uint64_t resyncs)
{
    if (memory_server_entries(c->server) != entries) {
        broken(c, "in the quiet nothing is written", "%llu entries",
               (unsigned long long)(memory_server_entries(c->server) - entries));
    }
    if (c->verdict->resyncs != resyncs) {
        broken(c, "in the quiet nothing is read afresh", "%llu resyncs",
               (unsigned long long)(c->verdict->resyncs - resyncs));
    }
    if (c->options->faults == 0 && c->verdict->resyncs + c->verdict->repairs != 0) {
        broken(c, "without faults nothing is repaired", "%llu resyncs, %llu repairs",
               (unsigned long long)c->verdict->resyncs, (unsigned long long)c->verdict->repairs);
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
    const struct memory_options server_options = {.partitions = PARTITIONS,
                                                  .retention = 2000,
                                                  .seed = options->seed,
                                                  .wall_offset_ms = 1700000000000};
    enum err err = memory_server_new(&server_options, &c->server);
    assert(err == ERR_OK);
    memory_server_delay(c->server, 0, 40);
    memory_server_drop_replies(c->server, (options->faults & FAULT_DROP_REPLY) != 0 ? 15 : 0);
    for (int i = 0; i < KEYS; i++) {
        c->truth[i] = STATUS_HEALTHY;
    }
    for (uint32_t i = 0; i < options->nodes; i++) {
        node_start(c, NAMES[i]);
    }
    storm(c);
    part_silently(c);
    memory_server_drop_replies(c->server, 0);
    mend(c, true);
    for (int64_t t = 0; t < QUIET_MS && c->verdict->broken == NULL; t += 40) {
        advance(c, 40);
    }
    uint64_t entries = memory_server_entries(c->server);
    uint64_t resyncs = c->verdict->resyncs;
    for (int64_t t = 0; t < SILENT_MS && c->verdict->broken == NULL; t += 40) {
        advance(c, 40);
    }
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
