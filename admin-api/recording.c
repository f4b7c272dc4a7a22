// SPDX-License-Identifier: Apache-2.0
#include "admin-api/recording.h"

#include "admin-api/api.h"
#include "admin-api/response.h"
#include "base/assert.h"

#include <stdlib.h>

static enum err start_trace(struct recording *recording)
{
    const struct map *map = recording->api->backend->map;
    const uint32_t count = map_shard_count(map);
    recording->shards = count < RECORDING_SHARDS_MAX ? count : RECORDING_SHARDS_MAX;
    recording->last = calloc(recording->shards, sizeof(*recording->last));
    recording->samples =
        calloc((size_t)recording->shards * RECORDING_STEPS, sizeof(*recording->samples));
    if (recording->last == NULL || recording->samples == NULL) {
        return ERR_NOMEM;
    }
    enum err err = map_trace_start(map);
    recording->traces = err == ERR_OK;
    return err;
}

enum err recording_new(struct api *api, enum recording_kind kind, uint32_t seconds,
                       struct recording **ret_recording)
{
    if (api->recording_count >= RECORDINGS_MAX) {
        return ERR_FULL;
    }
    struct recording *recording = calloc(1, sizeof(*recording));
    if (recording == NULL) {
        return ERR_NOMEM;
    }
    recording->api = api;
    recording->kind = kind;
    recording->seconds = seconds;
    api->recording_count++;
    recording->waits = calloc(RECORDING_WAITS_MAX, sizeof(*recording->waits));
    enum err err = recording->waits == NULL ? ERR_NOMEM : ERR_OK;
    if (err == ERR_OK && kind == RECORDING_TRACE) {
        err = start_trace(recording);
    }
    if (err != ERR_OK) {
        recording_free(recording);
        return err;
    }
    *ret_recording = recording;
    return ERR_OK;
}

static void stop_trace(struct recording *recording)
{
    if (recording->traces) {
        recording->traces = false;
        map_trace_stop(recording->api->backend->map, &recording->trace);
    }
}

void recording_free(struct recording *recording)
{
    stop_trace(recording);
    map_trace_free(&recording->trace);
    free(recording->samples);
    free(recording->last);
    free(recording->waits);
    ASSERT(recording->api->recording_count > 0);
    recording->api->recording_count--;
    free(recording);
}

// --- steps

void recording_locks(const struct map *map, struct map_lock *ret_sum)
{
    *ret_sum = (struct map_lock){.entries = 0};
    for (uint32_t i = 0; i < map_shard_count(map); i++) {
        struct map_lock lock;
        map_lock_stats(map, i, &lock);
        ret_sum->entries += lock.entries;
        ret_sum->waits += lock.waits;
        ret_sum->wait_total_ns += lock.wait_total_ns;
    }
}

// The map forgets the oldest waits: they are fetched step by step.
static void fetch_waits(struct recording *recording)
{
    const struct map *map = recording->api->backend->map;
    struct map_wait wait;
    while (map_wait_get(map, recording->next_wait, &wait)) {
        recording->waits_dropped += wait.number - recording->next_wait;
        recording->next_wait = wait.number + 1;
        if (recording->wait_count < RECORDING_WAITS_MAX) {
            recording->waits[recording->wait_count++] = wait;
        } else {
            recording->waits_dropped++;
        }
    }
}

static void sample(struct recording *recording, struct recording_sample *ret_samples)
{
    for (uint32_t i = 0; i < recording->shards; i++) {
        const struct map *map = recording->api->backend->map;
        struct recording_counters *last = &recording->last[i];
        struct map_lock lock;
        map_lock_stats(map, i, &lock);
        const struct recording_counters now = {lock.entries, map_reads(map, i)};
        if (ret_samples != NULL) {
            ret_samples[i] = (struct recording_sample){(uint32_t)(now.writes - last->writes),
                                                       (uint32_t)(now.reads - last->reads)};
        }
        *last = now;
    }
}

void recording_begin(struct recording *recording, struct mono now)
{
    const struct map *map = recording->api->backend->map;
    recording->began = now;
    recording->next_wait = map_waits_next(map);
    recording_locks(map, &recording->before);
    sample(recording, NULL);
}

int64_t recording_step_ms(const struct recording *recording)
{
    return (int64_t)recording->seconds * 1000 / RECORDING_STEPS;
}

bool recording_step(struct recording *recording, struct mono now)
{
    ASSERT(recording->steps < RECORDING_STEPS);
    fetch_waits(recording);
    if (recording->samples != NULL) {
        sample(recording, recording->samples + (size_t)recording->steps * recording->shards);
    }
    recording->step_ended[recording->steps++] = now;
    recording->ended = now;
    return recording->steps == RECORDING_STEPS;
}

void recording_end(struct recording *recording, struct response *response)
{
    stop_trace(recording);
    recording_show(recording, response);
    recording_free(recording);
}
