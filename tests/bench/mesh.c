// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/mesh.h"

#include "base/clock.h"
#include "base/loop.h"
#include "stream/redis/redis.h"
#include "tests/bench/report.h"

#include <sys/mman.h>

#define ARENA_LEN ((size_t)512 << 20) // pages are taken as they are touched
#define TICK_MS 100

static void on_action(void *arg, const struct core_action *action)
{
    struct mesh_node *node = arg;
    switch (action->type) {
    case CORE_ACT_META:
        stream_meta(node->stream, action->partition);
        break;
    case CORE_ACT_CREATE:
        stream_create(node->stream, action->partition, action->epoch);
        break;
    case CORE_ACT_SCAN:
        stream_scan(node->stream, action->partition, action->cursor);
        break;
    case CORE_ACT_PROBE:
        stream_probe(node->stream, action->partition, action->read.id);
        break;
    case CORE_ACT_READ:
        stream_read(node->stream, action->partition, action->read.id, action->read.catching_up);
        break;
    case CORE_ACT_UNREAD:
        stream_unread(node->stream, action->partition);
        break;
    case CORE_ACT_PUT:
        node->puts_out++;
        stream_put(node->stream, action->partition, action->put.epoch, action->put.records,
                   action->put.count);
        break;
    case CORE_ACT_BEAT:
        stream_beat(node->stream, span_str(node->name), action->text, MESH_LEASE_MS);
        break;
    case CORE_ACT_FORGET:
        stream_forget(node->stream, action->text);
        break;
    case CORE_ACT_LOG:
        if (action->log->what == CORE_LOG_RESYNC || action->log->what == CORE_LOG_REJECTED) {
            report_give_up("a node had to read a partition again, or met a record it cannot read");
        }
        break;
    case CORE_ACT_DONE:
    case CORE_ACT_TARGET:
    default:
        break;
    }
}

void mesh_init(struct mesh_node *node, const char *name)
{
    const struct map_options map_options = {
        .shards = 64, .partitions = MESH_PARTITIONS, .changefeed = 65536, .instance = 1};
    const struct core_options options = {.node_id = span_str(name),
                                         .zone = SPAN_LIT("eu-west-1a"),
                                         .release = SPAN_LIT("bench"),
                                         .partitions = MESH_PARTITIONS,
                                         .lease_ms = MESH_LEASE_MS,
                                         .resync_min_ms = 30000,
                                         .private_stream = true, // nobody holds what it lost
                                         .seed = 1 + (uint64_t)clock_mono().us};
    *node = (struct mesh_node){.name = name};
    node->arena = mmap(NULL, ARENA_LEN, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (node->arena == MAP_FAILED || map_new(&map_options, &node->map) != ERR_OK) {
        report_give_up("no memory");
    }
    node->core = core_init(node->arena, ARENA_LEN, &options, node->map, on_action, node);
    if (node->core == NULL) {
        report_give_up("no memory");
    }
}

void mesh_fini(struct mesh_node *node)
{
    loop_timer_free(node->tick);
    stream_free(node->stream);
    (void)munmap(node->arena, ARENA_LEN);
    map_free(node->map);
}

void mesh_step(struct mesh_node *node, const struct core_event *event)
{
    const struct core_time now = {.mono = clock_mono(), .wall = clock_wall()};
    core_step(node->core, event, now);
}

void mesh_tick(struct mesh_node *node)
{
    const struct core_event event = {.type = CORE_EV_TICK};
    mesh_step(node, &event);
}

static void on_tick(void *arg)
{
    struct mesh_node *node = arg;
    loop_timer_set_ms(node->tick, TICK_MS);
    if (node->applied_us <= 0 && node->give_up_us > 0 && report_now_us() > node->give_up_us) {
        report_give_up("a write did not arrive");
    }
    mesh_tick(node);
}

static bool brings_watched(const struct mesh_node *node, const struct stream_event *event)
{
    for (uint32_t i = 0; event->type == STREAM_EV_ENTRY && i < event->entry.count; i++) {
        if (span_eq(event->entry.pairs[i].key, node->watched)) {
            return true;
        }
    }
    return false;
}

void mesh_on_stream(void *arg, const struct stream_event *stream_event)
{
    struct mesh_node *node = arg;
    const struct core_event event = {.type = CORE_EV_STREAM, .stream = stream_event};
    node->puts_out -= stream_event->type == STREAM_EV_PUT ? 1 : 0;
    mesh_step(node, &event);
    if (node->watched.len > 0 && brings_watched(node, stream_event)) {
        node->applied_us = report_now_us();
        loop_stop(node->loop);
    }
}

void mesh_connect(struct mesh_node *node, struct loop *loop, const char *url)
{
    const struct redis_options options = {.loop = loop,
                                          .url = url,
                                          .prefix = "mp",
                                          .node = node->name,
                                          .user = "",
                                          .password_file = "",
                                          .ca_file = "",
                                          .cert_file = "",
                                          .key_file = "",
                                          .partitions = MESH_PARTITIONS,
                                          .retention = 100000,
                                          .connect_timeout_ms = 2000,
                                          .reply_timeout_ms = 10000,
                                          .backoff_max_ms = 1000,
                                          .linger_max_ms = 200};
    node->loop = loop;
    if (redis_new(&options, mesh_on_stream, node, &node->stream) != ERR_OK ||
        loop_timer_new(loop, on_tick, node, &node->tick) != ERR_OK) {
        report_give_up("no memory");
    }
    stream_start(node->stream);
    on_tick(node);
}

bool mesh_is_live(const struct mesh_node *node)
{
    return core_is_ready(node->core) && core_get_state(node->core) == CORE_STATE_LIVE;
}

bool mesh_is_joined(const struct mesh_node *node)
{
    struct map_facts facts;
    struct key_bytes key;
    key_node(span_str(node->name), &key);
    return mesh_is_live(node) && core_get_pending(node->core) == 0 &&
           map_peek(node->map, key_span(&key), &facts) && !version_is_none(facts.version);
}
