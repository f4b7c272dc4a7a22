// SPDX-License-Identifier: Apache-2.0
// What was recorded, as JSON: waits by shard, or a trace in Chrome's format (for Perfetto, or
// chrome://tracing): "X" is something that takes a while, "C" a counter, "M" a name.
#include "admin-api/api.h"
#include "admin-api/recording.h"
#include "admin-api/response.h"
#include "base/json_write.h"
#include "base/symbols.h"

#include <stdio.h>
#include <stdlib.h>

#define NS_PER_US 1000
#define US_PER_MS 1000

// What the writers below share.
struct show {
    const struct recording *recording;
    struct json_writer json;
    struct symbols *symbols; // NULL: could not be read, stacks are numbers then
    struct wall wall_now;    // at the end
};

static int64_t ns_of(struct mono time)
{
    return time.us * NS_PER_US;
}

// When a monotonic moment was, for people.
static struct wall wall_of(const struct show *show, int64_t ns)
{
    return (struct wall){show->wall_now.ms -
                         (ns_of(show->recording->ended) - ns) / (NS_PER_US * US_PER_MS)};
}

static void write_site(struct json_writer *json, const char *key, const char *site)
{
    if (site == NULL) {
        json_write_null(json, key);
    } else {
        json_write_text(json, key, site);
    }
}

static void write_stack(struct show *show, const struct map_wait *wait)
{
    json_write_array(&show->json, "stack");
    for (size_t i = 0; i < wait->stack_len; i++) {
        char name[SYMBOLS_NAME_LEN];
        symbols_name(show->symbols, wait->stack[i], name);
        json_write_text(&show->json, NULL, name);
    }
    json_write_array_end(&show->json);
}

// --- /debug/contention

static int by_shard_and_time(const void *left, const void *right)
{
    const struct map_wait *a = left;
    const struct map_wait *b = right;
    if (a->shard != b->shard) {
        return (a->shard > b->shard) - (a->shard < b->shard);
    }
    return (a->number > b->number) - (a->number < b->number);
}

static void write_wait(struct show *show, const struct map_wait *wait)
{
    struct json_writer *json = &show->json;
    json_write_object(json, NULL);
    json_write_time(json, "at", wall_of(show, (int64_t)(wait->ended_ns - wait->waited_ns)));
    json_write_u64(json, "waited_us", wait->waited_ns / NS_PER_US);
    json_write_text(json, "waiter", wait->waiter);
    write_site(json, "holder", wait->holder);
    json_write_int(json, "thread", wait->thread);
    write_stack(show, wait);
    json_write_object_end(json);
}

static void write_shards(struct show *show)
{
    const struct recording *recording = show->recording;
    struct json_writer *json = &show->json;
    json_write_array(json, "shards");
    for (size_t i = 0; i < recording->wait_count; i++) {
        const struct map_wait *wait = &recording->waits[i];
        const bool first = i == 0 || wait[-1].shard != wait->shard;
        const bool last = i + 1 == recording->wait_count || wait[1].shard != wait->shard;
        if (first) {
            json_write_object(json, NULL);
            json_write_int(json, "shard", wait->shard);
            json_write_array(json, "waits");
        }
        write_wait(show, wait);
        if (last) {
            json_write_array_end(json);
            json_write_object_end(json);
        }
    }
    json_write_array_end(json);
}

static void show_contention(struct show *show)
{
    const struct recording *recording = show->recording;
    struct json_writer *json = &show->json;
    struct map_lock sum;
    recording_locks(recording->api->backend->map, &sum);
    qsort(recording->waits, recording->wait_count, sizeof(struct map_wait), by_shard_and_time);
    json_write_object(json, NULL);
    json_write_int(json, "seconds", recording->seconds);
    json_write_time(json, "began", wall_of(show, ns_of(recording->began)));
    json_write_time(json, "ended", show->wall_now);
    json_write_u64(json, "writes", sum.entries - recording->before.entries);
    json_write_u64(json, "waits", sum.waits - recording->before.waits);
    json_write_u64(json, "wait_total_us",
                   (sum.wait_total_ns - recording->before.wait_total_ns) / NS_PER_US);
    json_write_u64(json, "listed_from_us", MAP_WAIT_LONG_NS / NS_PER_US);
    json_write_u64(json, "listed", recording->wait_count);
    json_write_u64(json, "dropped", recording->waits_dropped);
    write_shards(show);
    json_write_object_end(json);
}

// --- /debug/trace

// Begins an event; `ns`: its moment.  Its `args` are open.
static void begin_event(struct show *show, const char *phase, const char *name, int64_t ns)
{
    struct json_writer *json = &show->json;
    json_write_object(json, NULL);
    json_write_text(json, "ph", phase);
    json_write_text(json, "name", name);
    json_write_int(json, "pid", 1);
    json_write_double(json, "ts", (double)(ns - ns_of(show->recording->began)) / NS_PER_US);
}

static void end_event(struct show *show)
{
    json_write_object_end(&show->json); // args
    json_write_object_end(&show->json);
}

static void begin_span(struct show *show, const struct map_event *event)
{
    struct json_writer *json = &show->json;
    const bool wait = event->kind == MAP_EVENT_WAIT;
    begin_event(show, "X", wait ? "wait" : event->site, (int64_t)event->began_ns);
    json_write_text(json, "cat", wait ? "lock" : "growth");
    json_write_double(json, "dur", (double)event->took_ns / NS_PER_US);
    json_write_int(json, "tid", event->thread);
    json_write_object(json, "args");
    json_write_int(json, "shard", event->shard);
    if (wait) {
        json_write_text(json, "waiter", event->site);
        write_site(json, "holder", event->other);
    }
}

static void write_events(struct show *show)
{
    const struct recording *recording = show->recording;
    for (size_t i = 0; i < recording->trace.count; i++) {
        const struct map_event event = map_trace_event(&recording->trace, i);
        begin_span(show, &event);
        end_event(show);
    }
    for (size_t i = 0; i < recording->wait_count; i++) {
        const struct map_wait *wait = &recording->waits[i];
        const struct map_event event = {.kind = MAP_EVENT_WAIT,
                                        .shard = wait->shard,
                                        .thread = wait->thread,
                                        .site = wait->waiter,
                                        .other = wait->holder,
                                        .began_ns = wait->ended_ns - wait->waited_ns,
                                        .took_ns = wait->waited_ns};
        begin_span(show, &event);
        write_stack(show, wait);
        end_event(show);
    }
}

static const struct recording_sample *sample_of(const struct recording *recording, uint32_t step,
                                                uint32_t shard)
{
    return &recording->samples[(size_t)step * recording->shards + shard];
}

static bool moved(const struct recording *recording, uint32_t shard)
{
    for (uint32_t step = 0; step < recording->steps; step++) {
        const struct recording_sample *sample = sample_of(recording, step, shard);
        if (sample->writes > 0 || sample->reads > 0) {
            return true;
        }
    }
    return false;
}

// A counter's value holds from its moment on: that of a step stands at the step's beginning.
static void write_counters(struct show *show, uint32_t shard)
{
    const struct recording *recording = show->recording;
    struct mono from = recording->began;
    char name[32];
    (void)snprintf(name, sizeof(name), "shard %u", (unsigned)shard);
    for (uint32_t step = 0; step < recording->steps; step++) {
        const struct recording_sample *sample = sample_of(recording, step, shard);
        begin_event(show, "C", name, ns_of(from));
        json_write_object(&show->json, "args");
        json_write_int(&show->json, "writes", sample->writes);
        json_write_int(&show->json, "reads", sample->reads);
        end_event(show);
        from = recording->step_ended[step];
    }
}

static void write_name(struct show *show)
{
    char name[96];
    (void)snprintf(name, sizeof(name), "meshpulse %.64s", show->recording->api->backend->node_id);
    begin_event(show, "M", "process_name", ns_of(show->recording->began));
    json_write_object(&show->json, "args");
    json_write_text(&show->json, "name", name);
    end_event(show);
}

static void show_trace(struct show *show)
{
    const struct recording *recording = show->recording;
    struct json_writer *json = &show->json;
    json_write_object(json, NULL);
    json_write_text(json, "displayTimeUnit", "ns");
    json_write_object(json, "otherData");
    json_write_time(json, "began", wall_of(show, ns_of(recording->began)));
    json_write_int(json, "seconds", recording->seconds);
    json_write_int(json, "shards", map_shard_count(recording->api->backend->map));
    json_write_int(json, "shards_sampled", recording->shards);
    json_write_u64(json, "events", recording->trace.count + recording->wait_count);
    json_write_u64(json, "dropped", recording->trace.dropped + recording->waits_dropped);
    json_write_object_end(json);
    json_write_array(json, "traceEvents");
    write_name(show);
    write_events(show);
    for (uint32_t shard = 0; shard < recording->shards; shard++) {
        if (moved(recording, shard)) {
            write_counters(show, shard);
        }
    }
    json_write_array_end(json);
    json_write_object_end(json);
}

void recording_show(const struct recording *recording, struct response *response)
{
    const struct backend *backend = recording->api->backend;
    struct show show = {.recording = recording, .wall_now = backend->wall_now(backend->daemon)};
    if (recording->wait_count > 0 && symbols_new(&show.symbols) != ERR_OK) {
        show.symbols = NULL;
    }
    response->content_type = RESPONSE_JSON;
    json_writer_init(&show.json, &response->body, JSON_COMPACT);
    if (recording->kind == RECORDING_CONTENTION) {
        show_contention(&show);
    } else {
        show_trace(&show);
    }
    symbols_free(show.symbols);
}
