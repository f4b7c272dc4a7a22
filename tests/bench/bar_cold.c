// SPDX-License-Identifier: Apache-2.0
// 100,000 records in the 16 partitions of a prefix: 25,000 instances, each seen by three nodes.  A node starts
// (connect, greet, scan, merge, derive) until all partitions are live and it is ready; the raw client connects
// and scans the same hashes, reading every byte of the replies and keeping none.
#include "tests/bench/bars.h"

#include "base/loop.h"
#include "stream/redis/scripts.h"
#include "tests/bench/mesh.h"
#include "tests/bench/raw.h"
#include "tests/bench/report.h"
#include "tests/bench/sample.h"
#include "tests/lib/redis_server.h"

#include <stdio.h>

#define INSTANCES 25000u
#define BATCH 100u
#define SCAN_COUNT 256
#define REPETITIONS 7
#define GIVE_UP_US 30e6
#define LIMIT 2.0
#define EPOCH "0123456789abcdef0123456789abcdef"

struct batch {
    uint32_t count;
    struct sample samples[BATCH];
};

static void key_of(uint32_t partition, char suffix, char ret_key[32])
{
    snprintf(ret_key, 32, "{mp:%u}%c", partition, suffix);
}

static void eval(struct raw *raw, enum scripts_id id, uint32_t partition, size_t arguments)
{
    char key[32];
    raw_command(raw, 5 + arguments);
    raw_arg_str(raw, "EVAL");
    raw_arg_str(raw, scripts_rows[id].text);
    raw_arg_str(raw, "2");
    key_of(partition, 's', key);
    raw_arg_str(raw, key);
    key_of(partition, 'e', key);
    raw_arg_str(raw, key);
}

static void create(struct raw *raw, uint32_t partition)
{
    eval(raw, SCRIPTS_CREATE, partition, 3);
    raw_arg_str(raw, EPOCH);
    raw_arg_u64(raw, MESH_PARTITIONS);
    raw_arg_u64(raw, STREAM_WIRE);
    raw_flush(raw);
    raw_skip(raw);
}

static void put(struct raw *raw, uint32_t partition, struct batch *batch)
{
    char absent[VERSION_LEN];
    sample_expected(NULL, absent);
    if (batch->count == 0) {
        return;
    }
    eval(raw, SCRIPTS_PUT, partition, 2 + 3 * batch->count);
    raw_arg_str(raw, EPOCH);
    raw_arg_str(raw, "1000"); // the log is not what is measured
    for (uint32_t i = 0; i < batch->count; i++) {
        raw_arg(raw, key_span(&batch->samples[i].key));
        raw_arg(raw, span_of(absent, sizeof(absent)));
        raw_arg(raw, sample_value(&batch->samples[i]));
    }
    raw_flush(raw);
    raw_skip(raw);
    batch->count = 0;
}

static void put_later(struct raw *raw, struct batch *batches, const struct sample *sample)
{
    uint32_t p = key_partition(key_span(&sample->key), MESH_PARTITIONS);
    struct batch *batch = &batches[p];
    batch->samples[batch->count++] = *sample;
    if (batch->count == BATCH) {
        put(raw, p, batch);
    }
}

static void fill(const char *socket)
{
    static struct batch batches[MESH_PARTITIONS];
    struct raw raw;
    struct sample sample;
    raw_open(&raw, socket);
    for (uint32_t p = 0; p < MESH_PARTITIONS; p++) {
        create(&raw, p);
    }
    for (uint32_t observer = 0; observer < SAMPLE_OBSERVERS; observer++) {
        sample_node(observer, &sample);
        put_later(&raw, batches, &sample);
    }
    for (uint32_t i = 0; i < INSTANCES; i++) {
        struct sample_wish wish = {.kind = SAMPLE_REGISTRATION, .instance = i};
        sample_make(&wish, &sample);
        put_later(&raw, batches, &sample);
        wish.kind = SAMPLE_OBSERVATION;
        for (wish.observer = 0; wish.observer < SAMPLE_OBSERVERS; wish.observer++) {
            sample_make(&wish, &sample);
            put_later(&raw, batches, &sample);
        }
    }
    for (uint32_t p = 0; p < MESH_PARTITIONS; p++) {
        put(&raw, p, &batches[p]);
    }
    raw_close(&raw);
}

// --- measuring

static void raw_scan(struct raw *raw, uint32_t partition)
{
    char key[32];
    char cursor[32] = "0";
    key_of(partition, 's', key);
    do {
        raw_command(raw, 5);
        raw_arg_str(raw, "HSCAN");
        raw_arg_str(raw, key);
        raw_arg_str(raw, cursor);
        raw_arg_str(raw, "COUNT");
        raw_arg_u64(raw, SCAN_COUNT);
        raw_flush(raw);
        raw_next(raw);
        struct raw_token token = raw_next(raw);
        snprintf(cursor, sizeof(cursor), "%.*s", (int)token.text.len, token.text.ptr);
        raw_skip(raw);
    } while (strcmp(cursor, "0") != 0);
}

static double raw_us(const struct redis_server *server)
{
    struct raw raw;
    double start_us = report_now_us();
    raw_open(&raw, server->socket);
    for (uint32_t p = 0; p < MESH_PARTITIONS; p++) {
        raw_scan(&raw, p);
    }
    double took_us = report_now_us() - start_us;
    raw_close(&raw);
    return took_us;
}

static double mesh_us(const struct redis_server *server, double *ret_cpu_us)
{
    static struct mesh_node node;
    struct loop *loop = NULL;
    struct map_counts counts;
    if (loop_new(&loop) != ERR_OK) {
        report_give_up("no memory");
    }
    double start_us = report_now_us();
    double start_cpu_us = report_cpu_us();
    mesh_init(&node, "node-0"); // one of those that have a record
    mesh_connect(&node, loop, server->url);
    while (!mesh_is_live(&node)) {
        loop_run_once(loop, 20);
        if (report_now_us() > start_us + GIVE_UP_US) {
            report_give_up("a node did not become live");
        }
    }
    double took_us = report_now_us() - start_us;
    *ret_cpu_us = report_cpu_us() - start_cpu_us;
    map_counts(node.map, &counts);
    if (counts.records < INSTANCES * (1 + SAMPLE_OBSERVERS)) {
        report_give_up("a node is live without all the records");
    }
    mesh_fini(&node);
    loop_free(loop);
    return took_us;
}

void bar_cold(void)
{
    static struct report_samples raw, mesh, cpu, ratios;
    struct redis_server server;
    redis_server_start(&server, NULL);
    fill(server.socket);
    for (uint32_t i = 0; i < REPETITIONS; i++) {
        double cpu_us = 0;
        double raw_took_us = raw_us(&server);
        double mesh_took_us = mesh_us(&server, &cpu_us);
        report_add(&raw, raw_took_us / 1000);
        report_add(&mesh, mesh_took_us / 1000);
        report_add(&cpu, cpu_us / 1000);
        report_add(&ratios, mesh_took_us / raw_took_us);
    }
    redis_server_stop(&server);
    report_row("cold", "raw HSCAN of 100,000 records, ms", report_quantile(&raw, 0.5));
    report_row("cold", "a node until it is live and ready, ms", report_quantile(&mesh, 0.5));
    report_row("cold", "of that its own CPU, ms", report_quantile(&cpu, 0.5));
    const struct report_bar bar = {"cold-start-to-raw-hscan", report_quantile(&ratios, 0.5),
                                   REPORT_AT_MOST, LIMIT};
    report_bar(&bar);
}
