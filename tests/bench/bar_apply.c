// SPDX-License-Identifier: Apache-2.0
// Entries as three peers would write them, made beforehand; only the steps of core are timed, by the CPU
// time of this thread.  The node has joined through the memory backend, which is then left alone: what
// follows is given to it by hand, from the sequence and digest at which it stands.
#include "base/clock.h"
#include "stream/memory.h"
#include "stream/memory_state.h"
#include "tests/bench/bars.h"
#include "tests/bench/mesh.h"
#include "tests/bench/report.h"
#include "tests/bench/sample.h"

#include <stdio.h>
#include <stdlib.h>

#define INSTANCES 16000u
#define ENTRY_RECORDS 64u
#define REPETITIONS 5
#define LIMIT 300000

struct feed {
    struct mesh_node node;
    struct memory_server *server;
    struct stream_epoch epochs[MESH_PARTITIONS];
    uint64_t sequences[MESH_PARTITIONS];
    struct stream_digest digests[MESH_PARTITIONS];
};

struct entry {
    uint32_t partition;
    struct stream_entry entry;
    struct stream_pair pairs[ENTRY_RECORDS];
};

struct entries {
    struct sample *samples;
    struct entry *list;
    uint32_t count;
    struct entry *open[MESH_PARTITIONS];
};

static void start(struct feed *feed)
{
    const struct memory_options options = {
        .partitions = MESH_PARTITIONS, .retention = 100000, .seed = 1};
    mesh_init(&feed->node, "node-self");
    if (memory_server_new(&options, &feed->server) != ERR_OK ||
        memory_client_new(feed->server, mesh_on_stream, &feed->node, &feed->node.stream) !=
            ERR_OK) {
        report_give_up("no memory");
    }
    stream_start(feed->node.stream);
    while (!mesh_is_joined(&feed->node)) {
        (void)memory_server_step(feed->server, clock_mono());
        mesh_tick(&feed->node);
    }
    for (uint32_t p = 0; p < MESH_PARTITIONS; p++) {
        const struct stream_meta *meta = &memory_server_partition(feed->server, p)->meta;
        feed->epochs[p] = meta->epoch;
        feed->sequences[p] = meta->sequence;
        feed->digests[p] = meta->digest;
    }
}

// --- making entries

static void seal(struct feed *feed, struct entry *entry)
{
    uint32_t p = entry->partition;
    entry->entry.id =
        (struct stream_id){.ms = (uint64_t)clock_wall().ms + 1, .seq = ++feed->sequences[p]};
    entry->entry.sequence = feed->sequences[p];
    entry->entry.valid = true;
    entry->entry.epoch = feed->epochs[p];
    entry->entry.digest = feed->digests[p];
    entry->entry.pairs = entry->pairs;
}

static uint64_t hash_of(const struct sample *sample)
{
    struct codec_value value;
    if (codec_value_parse(sample_value(sample), &value) != ERR_OK) {
        report_give_up("a sample does not decode");
    }
    return value.hash;
}

// `before`: what the key held, NULL when it is new.
static void add(struct feed *feed, struct entries *entries, const struct sample *sample,
                const struct sample *before)
{
    uint32_t p = key_partition(key_span(&sample->key), MESH_PARTITIONS);
    struct stream_digest *digest = &feed->digests[p];
    struct entry *entry = entries->open[p];
    if (entry == NULL) {
        entry = entries->open[p] = &entries->list[entries->count++];
        *entry = (struct entry){.partition = p};
    }
    if (before != NULL) {
        digest->sum -= hash_of(before);
    } else {
        digest->count++;
    }
    digest->sum = (digest->sum + hash_of(sample)) & CODEC_HASH_MASK;
    entry->pairs[entry->entry.count++] =
        (struct stream_pair){.key = key_span(&sample->key), .value = sample_value(sample)};
    if (entry->entry.count == ENTRY_RECORDS) {
        seal(feed, entry);
        entries->open[p] = NULL;
    }
}

static void entries_make(struct feed *feed, const struct sample_wish *first,
                         struct entries *entries)
{
    *entries = (struct entries){
        .samples = calloc(INSTANCES, sizeof(struct sample)),
        .list = calloc(INSTANCES / ENTRY_RECORDS + MESH_PARTITIONS, sizeof(struct entry))};
    if (entries->samples == NULL || entries->list == NULL) {
        report_give_up("no memory");
    }
    for (uint32_t i = 0; i < INSTANCES; i++) {
        struct sample before;
        struct sample_wish wish = *first;
        wish.instance = i;
        sample_make(&wish, &entries->samples[i]);
        if (first->turn > 0) {
            wish.turn--;
            sample_make(&wish, &before);
        }
        add(feed, entries, &entries->samples[i], first->turn > 0 ? &before : NULL);
    }
    for (uint32_t p = 0; p < MESH_PARTITIONS; p++) {
        if (entries->open[p] != NULL) {
            seal(feed, entries->open[p]);
        }
    }
}

static void entries_free(struct entries *entries)
{
    free(entries->samples);
    free(entries->list);
}

static void give(struct feed *feed, const struct entry *entry)
{
    const struct stream_event event = {
        .type = STREAM_EV_ENTRY, .partition = entry->partition, .entry = entry->entry};
    mesh_on_stream(&feed->node, &event);
}

static void give_nodes(struct feed *feed)
{
    for (uint32_t observer = 0; observer < SAMPLE_OBSERVERS; observer++) {
        struct sample sample;
        struct entry list[1];
        struct entries entries = {.list = list};
        sample_node(observer, &sample);
        add(feed, &entries, &sample, NULL);
        seal(feed, &list[0]);
        give(feed, &list[0]);
    }
}

// Applies one record of each instance; returns the CPU time it took.
static double apply(struct feed *feed, const struct sample_wish *wish)
{
    struct entries entries;
    entries_make(feed, wish, &entries);
    uint64_t before = core_get_counter(feed->node.core, CORE_CONSUMED);
    double start_us = report_cpu_us();
    for (uint32_t i = 0; i < entries.count; i++) {
        give(feed, &entries.list[i]);
    }
    double took_us = report_cpu_us() - start_us;
    if (core_get_counter(feed->node.core, CORE_CONSUMED) - before != INSTANCES ||
        !mesh_is_live(&feed->node)) {
        report_give_up("a record was not applied");
    }
    entries_free(&entries);
    return took_us;
}

struct kinds {
    struct report_samples new_registrations, changed_registrations;
    struct report_samples new_observations, changed_observations, all;
};

static double note(struct report_samples *samples, double took_us)
{
    report_add(samples, INSTANCES / took_us * 1e6);
    return took_us;
}

// A fresh node each time: what is new is new again.
static void repeat(struct kinds *kinds)
{
    static struct feed feed;
    double took_us = 0;
    uint32_t rounds = 0;
    start(&feed);
    give_nodes(&feed);
    for (uint32_t turn = 0; turn < 3; turn++) {
        struct sample_wish wish = {.kind = SAMPLE_REGISTRATION, .turn = turn};
        took_us += note(turn == 0 ? &kinds->new_registrations : &kinds->changed_registrations,
                        apply(&feed, &wish));
        rounds++;
        wish.kind = SAMPLE_OBSERVATION;
        for (wish.observer = 0; wish.observer < SAMPLE_OBSERVERS; wish.observer++) {
            took_us += note(turn == 0 ? &kinds->new_observations : &kinds->changed_observations,
                            apply(&feed, &wish));
            rounds++;
        }
    }
    report_add(&kinds->all, rounds * (double)INSTANCES / took_us * 1e6);
    mesh_fini(&feed.node);
    memory_server_free(feed.server);
}

void bar_apply(void)
{
    static struct kinds kinds;
    for (int i = 0; i < REPETITIONS; i++) {
        repeat(&kinds);
    }
    report_row("apply", "new registrations, records/s per core",
               report_quantile(&kinds.new_registrations, 0.5));
    report_row("apply", "changed registrations, records/s per core",
               report_quantile(&kinds.changed_registrations, 0.5));
    report_row("apply", "new observations, records/s per core",
               report_quantile(&kinds.new_observations, 0.5));
    report_row("apply", "changed observations, records/s per core",
               report_quantile(&kinds.changed_observations, 0.5));
    double all = report_quantile(&kinds.all, 0.5);
    report_row("apply", "all of these, records/s per core", all);
    const struct report_bar bar = {"apply-records-per-s-per-core", all, REPORT_AT_LEAST, LIMIT};
    report_bar(&bar);
}
