// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/script.h"

#include "tests/bench/report.h"

#include <stdio.h>

#define EPOCH "0123456789abcdef0123456789abcdef"
#define RETENTION 100000

static void load(struct raw *raw, enum scripts_id id, char ret_sha[SCRIPTS_SHA_LEN + 1])
{
    raw_command(raw, 3);
    raw_arg_str(raw, "SCRIPT");
    raw_arg_str(raw, "LOAD");
    raw_arg_str(raw, scripts_rows[id].text);
    raw_flush(raw);
    struct raw_token token = raw_next(raw);
    snprintf(ret_sha, SCRIPTS_SHA_LEN + 1, "%.*s", (int)token.text.len, token.text.ptr);
}

static void call(struct script *script, const char *sha, size_t arguments)
{
    struct raw *raw = script->raw;
    raw_command(raw, 5 + arguments);
    raw_arg_str(raw, "EVALSHA");
    raw_arg_str(raw, sha);
    raw_arg_str(raw, "2");
    raw_arg_str(raw, script->state);
    raw_arg_str(raw, script->log);
}

void script_open(struct script *script)
{
    load(script->raw, SCRIPTS_CREATE, script->create);
    load(script->raw, SCRIPTS_PUT, script->put);
    call(script, script->create, 3);
    raw_arg_str(script->raw, EPOCH);
    raw_arg_str(script->raw, "16");
    raw_arg_str(script->raw, "1");
    raw_flush(script->raw);
    raw_skip(script->raw);
}

void script_put(struct script *script, uint32_t count)
{
    call(script, script->put, 2 + 3 * (size_t)count);
    raw_arg_str(script->raw, EPOCH);
    raw_arg_u64(script->raw, RETENTION);
}

void script_put_record(struct script *script, const struct sample *before, const struct sample *now)
{
    char expected[VERSION_LEN];
    sample_expected(before, expected);
    raw_arg(script->raw, key_span(&now->key));
    raw_arg(script->raw, span_of(expected, sizeof(expected)));
    raw_arg(script->raw, sample_value(now));
}

// Answers: sequence, floor and one row for each record, which must be 1.
void script_read_put(struct script *script)
{
    raw_next(script->raw);
    raw_next(script->raw);
    raw_next(script->raw);
    struct raw_token rows = raw_next(script->raw);
    for (int64_t i = 0; i < rows.number; i++) {
        if (raw_next(script->raw).number != 1) {
            report_give_up("a put was not accepted");
        }
    }
}
