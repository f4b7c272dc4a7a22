// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/core.h"

#include "base/assert.h"
#include "base/siphash.h"
#include "replicator/core/derive.h"
#include "replicator/core/evict.h"
#include "replicator/core/outbox.h"
#include "replicator/core/presence.h"
#include "replicator/core/repair.h"
#include "replicator/core/session.h"
#include "replicator/core/state.h"
#include "replicator/core/timed.h"
#include "replicator/core/write.h"
#include "replicator/core/writer.h"

#define ATTEMPT_MASK 0xffffffu
#define SETTLE_ROUNDS_MAX 4 // what a step touches may touch more; the rest waits for the next step

uint64_t core_hash(const struct core *core, struct span key)
{
    return siphash13(core->hash_key, key.ptr, key.len);
}

// SplitMix64: good enough for jitter, attempt ids and epochs, which nobody must be unable to guess.
uint64_t core_random(struct core *core)
{
    uint64_t x = core->random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t core_writer(const struct core *core)
{
    return core->writer40 << 24 | (core->attempt & ATTEMPT_MASK);
}

void core_emit(struct core *core, const struct core_action *action)
{
    core->sink(core->sink_arg, action);
}

void core_say(struct core *core, const struct core_log *log)
{
    const struct core_action action = {.type = CORE_ACT_LOG, .log = log};
    core_emit(core, &action);
}

void core_done(struct core *core, uint64_t op, enum core_outcome outcome)
{
    if (op == 0) {
        return;
    }
    const struct core_action action = {.type = CORE_ACT_DONE, .done = {op, outcome}};
    core_emit(core, &action);
}

void core_misconfigured(struct core *core, const char *why)
{
    if (!core->misconfigured) {
        core->misconfigured = true;
        const struct core_log log = {.what = CORE_LOG_MISCONFIGURED, .text = span_str(why)};
        core_say(core, &log);
    }
}

bool bytes_set(struct core *core, struct bytes *bytes, struct span content)
{
    char *ptr = arena_take(&core->arena, content.len == 0 ? 1 : content.len);
    if (ptr == NULL) {
        return false;
    }
    if (content.len > 0) {
        memcpy(ptr, content.ptr, content.len);
    }
    bytes_clear(core, bytes);
    bytes->ptr = ptr;
    bytes->len = (uint32_t)content.len;
    return true;
}

void bytes_clear(struct core *core, struct bytes *bytes)
{
    arena_give(&core->arena, bytes->ptr, bytes->len == 0 ? 1 : bytes->len);
    *bytes = (struct bytes){NULL, 0};
}

static bool copy_span(struct core *core, struct span *span)
{
    struct bytes bytes = {NULL, 0};
    if (!bytes_set(core, &bytes, *span)) {
        return false;
    }
    *span = bytes_span(&bytes);
    return true;
}

static bool copy_options(struct core *core, const struct core_options *options)
{
    struct core_options *own = &core->options;
    *own = *options;
    struct span *addresses =
        arena_take(&core->arena, (own->local_address_count + 1) * sizeof(struct span));
    if (addresses == NULL || !copy_span(core, &own->node_id) || !copy_span(core, &own->region) ||
        !copy_span(core, &own->zone) || !copy_span(core, &own->release)) {
        return false;
    }
    for (uint32_t i = 0; i < own->local_address_count; i++) {
        addresses[i] = options->local_addresses[i];
        if (!copy_span(core, &addresses[i])) {
            return false;
        }
    }
    own->local_addresses = addresses;
    return true;
}

struct core *core_init(void *arena_base, size_t arena_len, const struct core_options *options,
                       struct map *map, core_sink_fn sink, void *sink_arg)
{
    ASSERT(options->partitions > 0 && options->partitions <= STREAM_PARTITIONS_MAX);
    if (arena_len < CORE_ARENA_MIN) {
        return NULL;
    }
    struct arena arena;
    arena_init(&arena, arena_base, arena_len);
    struct core *core = arena_take(&arena, sizeof(*core));
    if (core == NULL) {
        return NULL;
    }
    core->arena = arena;
    struct keymap *keymaps[] = {&core->outbox,    &core->side,  &core->repairs, &core->services,
                                &core->instances, &core->nodes, &core->timed,   &core->wanted};
    for (size_t i = 0; i < sizeof(keymaps) / sizeof(keymaps[0]); i++) {
        keymap_init(keymaps[i], &core->arena);
    }
    core->map = map;
    core->sink = sink;
    core->sink_arg = sink_arg;
    core->random = options->seed;
    core->lag_ms = -1;
    core->sessions = arena_take(&core->arena, options->partitions * sizeof(struct session));
    if (core->sessions == NULL || !copy_options(core, options)) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(core->hash_key); i++) {
        core->hash_key[i] = (uint8_t)core_random(core);
    }
    core->writer40 = version_writer(core->options.node_id, 0) >> 24;
    core->attempt = (uint32_t)core_random(core) & ATTEMPT_MASK;
    for (uint32_t p = 0; p < options->partitions; p++) {
        core->sessions[p].generation = 1;
    }
    return core;
}

static void on_stream(struct core *core, const struct stream_event *event)
{
    const struct core_log log = {.what = CORE_LOG_STREAM, .text = event->text};
    switch (event->type) {
    case STREAM_EV_UP:
        core->up = true;
        core->ever_up = true;
        core->beating = false;
        core->beat_done = false;
        core->next_beat = core->now.mono;
        session_up(core);
        break;
    case STREAM_EV_DOWN:
        if (event->text.len > 0) {
            core_say(core, &log);
        }
        core->up = false;
        core->beating = false;
        session_down(core);
        break;
    case STREAM_EV_BEAT:
        presence_beat(core, event);
        break;
    case STREAM_EV_META:
    case STREAM_EV_SCAN:
    case STREAM_EV_PROBE:
    case STREAM_EV_ENTRY:
    case STREAM_EV_DRAINED:
    case STREAM_EV_PUT:
    default:
        session_event(core, event);
    }
}

static void note_lag(struct core *core, const struct stream_event *event)
{
    int64_t server_now = presence_server_now(core);
    if (event->type == STREAM_EV_ENTRY && server_now != 0) {
        int64_t lag = server_now - (int64_t)event->entry.id.ms;
        core->lag_ms = lag < 0 ? 0 : lag;
    }
}

// What the first scan brings is judged once, at its end, not record by record.
static bool is_first_scan(const struct core *core)
{
    for (uint32_t p = 0; !core->ready && p < core->options.partitions; p++) {
        if (core->sessions[p].state == SESSION_SCAN) {
            return true;
        }
    }
    return false;
}

static void tell_tenants(struct core *core)
{
    struct map_tenant news[8]; // the rest comes with the next tick
    size_t count = map_tenant_news(core->map, news, sizeof(news) / sizeof(news[0]));
    for (size_t i = 0; i < count; i++) {
        const struct core_log log = {.what = CORE_LOG_QUOTA,
                                     .text = span_str(news[i].name),
                                     .number = news[i].used,
                                     .limit = news[i].limit,
                                     .level = news[i].level};
        core_say(core, &log);
    }
}

static void settle(struct core *core)
{
    if (core->fence_at != 0 || core->now.mono.us >= core->next_tick.us) {
        core->next_tick = mono_add_ms(core->now.mono, 20);
        presence_tick(core);
        session_tick(core);
        evict_tick(core);
        timed_run(core);
        tell_tenants(core);
    }
    if (core->repairs.count > 0) {
        repair_run(core);
    }
    if (is_first_scan(core)) {
        return;
    }
    for (int round = 0; round < SETTLE_ROUNDS_MAX; round++) {
        derive_run(core);
        for (uint32_t p = 0; p < core->options.partitions; p++) {
            writer_pump(core, p);
        }
        if (core->dirty_count == 0 && !core->all_dirty && !core->assign_again) {
            return;
        }
    }
}

void core_step(struct core *core, const struct core_event *event, struct core_time now)
{
    core->now = now;
    if (core->started.us == 0) {
        core->started = now.mono;
    }
    switch (event->type) {
    case CORE_EV_TICK:
        break;
    case CORE_EV_STREAM:
        on_stream(core, event->stream);
        note_lag(core, event->stream);
        break;
    case CORE_EV_WRITE:
        write_external(core, &event->write);
        break;
    case CORE_EV_JUDGED:
        write_judged(core, &event->judged);
        break;
    case CORE_EV_WANT:
        evict_want(core, event->service_key);
        break;
    case CORE_EV_LEAVE:
        presence_leave(core);
        break;
    default:
        ASSERT(false);
    }
    settle(core);
}
