// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ladder.h"

#include "tests/bench/mesh.h"
#include "tests/bench/report.h"

#include <stdio.h>

static const char *const names[LADDER_RUNGS] = {
    [LADDER_XADD] = "raw XADD to XREAD of 1 stream",
    [LADDER_STREAMS] = "raw XADD to XREAD of 16 streams",
    [LADDER_SCRIPT] = "raw put script to XREAD of 16 streams",
    [LADDER_TWO_READ] = "the same with a second reader",
};

const char *ladder_name(enum ladder_rung rung)
{
    return names[rung];
}

void ladder_open(struct ladder *ladder, const char *socket_path)
{
    *ladder = (struct ladder){.turn = 0};
    raw_open(&ladder->writer, socket_path);
    raw_open(&ladder->reader, socket_path);
    raw_open(&ladder->second, socket_path);
    ladder->script =
        (struct script){.raw = &ladder->writer, .state = "{raw:0}s", .log = "{raw:0}e"};
    script_open(&ladder->script);
}

void ladder_close(struct ladder *ladder)
{
    raw_close(&ladder->writer);
    raw_close(&ladder->reader);
    raw_close(&ladder->second);
}

static void block(struct raw *reader, uint32_t streams)
{
    char key[32];
    raw_command(reader, 4 + 2 * (size_t)streams);
    raw_arg_str(reader, "XREAD");
    raw_arg_str(reader, "BLOCK");
    raw_arg_str(reader, "5000");
    raw_arg_str(reader, "STREAMS");
    for (uint32_t i = 0; i < streams; i++) {
        snprintf(key, sizeof(key), "{raw:%u}e", i);
        raw_arg_str(reader, key);
    }
    for (uint32_t i = 0; i < streams; i++) {
        raw_arg_str(reader, "$");
    }
    raw_flush(reader);
}

void ladder_block(struct ladder *ladder, enum ladder_rung rung)
{
    ladder->rung = rung;
    block(&ladder->reader, rung == LADDER_XADD ? 1 : MESH_PARTITIONS);
    if (rung == LADDER_TWO_READ) {
        block(&ladder->second, MESH_PARTITIONS);
    }
}

static void write_xadd(struct ladder *ladder)
{
    struct raw *writer = &ladder->writer;
    raw_command(writer, 5);
    raw_arg_str(writer, "XADD");
    raw_arg_str(writer, ladder->script.log);
    raw_arg_str(writer, "*");
    raw_arg(writer, key_span(&ladder->now.key));
    raw_arg(writer, sample_value(&ladder->now));
}

static void write_put(struct ladder *ladder)
{
    script_put(&ladder->script, 1);
    script_put_record(&ladder->script, ladder->turn > 1 ? &ladder->before : NULL, &ladder->now);
}

double ladder_write_us(struct ladder *ladder)
{
    bool by_script = ladder->rung >= LADDER_SCRIPT;
    if (by_script) {
        const struct sample_wish wish = {.kind = SAMPLE_REGISTRATION, .turn = ladder->turn++};
        ladder->before = ladder->now;
        sample_make(&wish, &ladder->now);
    } else if (ladder->turn == 0) {
        const struct sample_wish wish = {.kind = SAMPLE_REGISTRATION};
        sample_make(&wish, &ladder->now);
    }
    double start_us = report_now_us();
    if (by_script) {
        write_put(ladder);
    } else {
        write_xadd(ladder);
    }
    raw_flush(&ladder->writer);
    raw_skip(&ladder->reader);
    double took_us = report_now_us() - start_us;
    if (by_script) {
        script_read_put(&ladder->script);
    } else {
        raw_skip(&ladder->writer);
    }
    if (ladder->rung == LADDER_TWO_READ) {
        raw_skip(&ladder->second);
    }
    return took_us;
}
