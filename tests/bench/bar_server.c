// SPDX-License-Identifier: Apache-2.0
// The put script as the stream sends it, through the raw client, against XADD of the same keys and values,
// equally many records in the air.  CPU: INFO used_cpu_user + used_cpu_sys of the server, per record.
#include "tests/bench/bars.h"

#include "tests/bench/raw.h"
#include "tests/bench/report.h"
#include "tests/bench/sample.h"
#include "tests/bench/script.h"
#include "tests/lib/redis_server.h"

#include <stdio.h>
#include <stdlib.h>

#define RECORDS 51200u // per repetition: each key once
#define BATCH 64u
#define IN_AIR 256u // records that are sent before their answers are read
#define REPETITIONS 7
#define ENTRIES_SEEN 16u
#define CPU_LIMIT 1.9
#define WIRE_LIMIT 1.3
#define RETENTION 100000

struct rig {
    struct redis_server server;
    struct raw raw, told; // the second asks for INFO, so that it counts in neither's bytes
    struct script script;
    struct sample *now, *before;
};

struct wire {
    double put, answer, entry, text;
};

static void start(struct rig *rig)
{
    redis_server_start(&rig->server, NULL);
    raw_open(&rig->raw, rig->server.socket);
    raw_open(&rig->told, rig->server.socket);
    rig->script = (struct script){.raw = &rig->raw, .state = "{mp:0}s", .log = "{mp:0}e"};
    script_open(&rig->script);
    rig->now = calloc(RECORDS, sizeof(*rig->now));
    rig->before = calloc(RECORDS, sizeof(*rig->before));
    if (rig->now == NULL || rig->before == NULL) {
        report_give_up("no memory");
    }
}

static void stop(struct rig *rig)
{
    free(rig->now);
    free(rig->before);
    raw_close(&rig->raw);
    raw_close(&rig->told);
    redis_server_stop(&rig->server);
}

// The samples of a turn; those of the turn before are kept for their versions.
static void make_samples(struct rig *rig, enum sample_kind kind, uint32_t turn)
{
    struct sample *old = rig->before;
    rig->before = rig->now;
    rig->now = old;
    for (uint32_t i = 0; i < RECORDS; i++) {
        const struct sample_wish wish = {.kind = kind, .instance = i, .turn = turn};
        sample_make(&wish, &rig->now[i]);
    }
}

static void write_put(struct rig *rig, uint32_t first, uint32_t turn)
{
    script_put(&rig->script, BATCH);
    for (uint32_t i = first; i < first + BATCH; i++) {
        script_put_record(&rig->script, turn > 0 ? &rig->before[i] : NULL, &rig->now[i]);
    }
}

static double puts_cpu(struct rig *rig, uint32_t turn)
{
    double before = raw_server_cpu_us(&rig->told);
    for (uint32_t at = 0; at < RECORDS; at += IN_AIR) {
        for (uint32_t i = 0; i < IN_AIR; i += BATCH) {
            write_put(rig, at + i, turn);
        }
        raw_flush(&rig->raw);
        for (uint32_t i = 0; i < IN_AIR; i += BATCH) {
            script_read_put(&rig->script);
        }
    }
    return (raw_server_cpu_us(&rig->told) - before) / RECORDS;
}

static double xadds_cpu(struct rig *rig)
{
    struct raw *raw = &rig->raw;
    double before = raw_server_cpu_us(&rig->told);
    for (uint32_t at = 0; at < RECORDS; at += IN_AIR) {
        for (uint32_t i = at; i < at + IN_AIR; i++) {
            raw_command(raw, 8);
            raw_arg_str(raw, "XADD");
            raw_arg_str(raw, "bare");
            raw_arg_str(raw, "MAXLEN");
            raw_arg_str(raw, "~");
            raw_arg_u64(raw, RETENTION);
            raw_arg_str(raw, "*");
            raw_arg(raw, key_span(&rig->now[i].key));
            raw_arg(raw, sample_value(&rig->now[i]));
        }
        raw_flush(raw);
        for (uint32_t i = 0; i < IN_AIR; i++) {
            raw_skip(raw);
        }
    }
    return (raw_server_cpu_us(&rig->told) - before) / RECORDS;
}

static void measure_wire(struct rig *rig, enum sample_kind kind, struct wire *ret_wire)
{
    uint64_t out = rig->raw.bytes_out;
    uint64_t in = rig->raw.bytes_in;
    uint64_t text = 0;
    make_samples(rig, kind, 0);
    puts_cpu(rig, 0);
    ret_wire->put = (double)(rig->raw.bytes_out - out) / RECORDS;
    ret_wire->answer = (double)(rig->raw.bytes_in - in) / RECORDS;
    in = rig->raw.bytes_in;
    raw_command(&rig->raw, 6);
    raw_arg_str(&rig->raw, "XREVRANGE");
    raw_arg_str(&rig->raw, "{mp:0}e");
    raw_arg_str(&rig->raw, "+");
    raw_arg_str(&rig->raw, "-");
    raw_arg_str(&rig->raw, "COUNT");
    raw_arg_u64(&rig->raw, ENTRIES_SEEN);
    raw_flush(&rig->raw);
    raw_skip(&rig->raw);
    ret_wire->entry = (double)(rig->raw.bytes_in - in) / (ENTRIES_SEEN * BATCH);
    for (uint32_t i = 0; i < RECORDS; i++) {
        text += rig->now[i].text_len;
    }
    ret_wire->text = (double)text / RECORDS;
}

static double tell_wire(const char *kind, const struct wire *wire)
{
    char what[64];
    double written = wire->put + wire->answer;
    double most = written > wire->entry ? written : wire->entry;
    snprintf(what, sizeof(what), "%s: key and fields as text, B", kind);
    report_row("wire", what, wire->text);
    snprintf(what, sizeof(what), "%s: put, B per record", kind);
    report_row("wire", what, wire->put);
    snprintf(what, sizeof(what), "%s: its answer, B per record", kind);
    report_row("wire", what, wire->answer);
    snprintf(what, sizeof(what), "%s: entry as read, B per record", kind);
    report_row("wire", what, wire->entry);
    snprintf(what, sizeof(what), "%s: the greater of both ways / text", kind);
    report_row("wire", what, most / wire->text);
    return most / wire->text;
}

static void bar_wire(struct rig *rig)
{
    struct wire wire;
    measure_wire(rig, SAMPLE_REGISTRATION, &wire);
    double worst = tell_wire("registration", &wire);
    measure_wire(rig, SAMPLE_OBSERVATION, &wire);
    double other = tell_wire("observation", &wire);
    const struct report_bar bar = {"wire-bytes-per-payload-byte", worst > other ? worst : other,
                                   REPORT_AT_MOST, WIRE_LIMIT};
    report_bar(&bar);
}

void bar_server(void)
{
    static struct rig rig;
    static struct report_samples puts, xadds, ratios;
    start(&rig);
    bar_wire(&rig); // leaves the first observations behind
    for (uint32_t turn = 1; turn <= REPETITIONS; turn++) {
        make_samples(&rig, SAMPLE_OBSERVATION, turn);
        double xadd = xadds_cpu(&rig);
        double put = puts_cpu(&rig, turn);
        report_add(&xadds, xadd);
        report_add(&puts, put);
        report_add(&ratios, put / xadd);
    }
    stop(&rig);
    report_row("server", "bare XADD, 256 in the air, CPU us per record",
               report_quantile(&xadds, 0.5));
    report_row("server", "put script, batches of 64, CPU us per record",
               report_quantile(&puts, 0.5));
    const struct report_bar bar = {"server-cpu-per-record-to-xadd", report_quantile(&ratios, 0.5),
                                   REPORT_AT_MOST, CPU_LIMIT};
    report_bar(&bar);
}
