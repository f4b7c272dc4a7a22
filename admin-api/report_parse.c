// SPDX-License-Identifier: Apache-2.0
#include "admin-api/report_parse.h"

#include "admin-api/body.h"
#include "admin-api/instance_parse.h"
#include "base/text.h"

static const struct body_duration ttl_rule = {.min_ms = INSTANCE_LEASE_MIN_MS,
                                              .max_ms = INSTANCE_LEASE_MAX_MS,
                                              .detail = "a duration from 1s to 24h"};

// What the readers fill: the record of the patch, and what has been seen of the alternatives.
struct reading {
    struct record *record;
    struct wall now;
    unsigned ends; // how many of ttl, until, indefinite
};

static struct observation *observation_of(struct body_reader *reader)
{
    struct reading *reading = reader->into;
    return &reading->record->observation;
}

static struct override *override_of(struct body_reader *reader)
{
    struct reading *reading = reader->into;
    return &reading->record->override;
}

// --- report

static void read_status(struct body_reader *reader, const struct json *value)
{
    struct span word;
    if (json_string(value, &word) != ERR_OK ||
        !status_parse(word, &observation_of(reader)->status)) {
        body_error(reader, value, "HEALTHY, UNHEALTHY, DRAINING, TIMEOUT, DEGRADED or UNKNOWN");
    }
}

// All words of the closed list, so that who meant another sees which there are; NONE has no word.
static const char reasons_allowed[] = "one of"
#define STATUS(name, number)
#define REASON(name, number, word, text) word " "
#include "localmap/model/model.def"
#undef STATUS
#undef REASON
                                      "or none; free words belong into text";

static void read_reason(struct body_reader *reader, const struct json *value)
{
    struct span word;
    if (json_string(value, &word) != ERR_OK ||
        !reason_parse(word, &observation_of(reader)->reason)) {
        body_error(reader, value, reasons_allowed);
    }
}

static void read_text(struct body_reader *reader, const struct json *value)
{
    (void)body_text(reader, value, &observation_of(reader)->text);
}

static void read_latency(struct body_reader *reader, const struct json *value)
{
    (void)body_u64(reader, value, &observation_of(reader)->latency_us);
}

static void read_ttl(struct body_reader *reader, const struct json *value)
{
    (void)body_duration(reader, value, &ttl_rule, &observation_of(reader)->ttl_ms);
}

bool report_parse_observation(const struct json *body, struct wall now, struct patch *ret_patch,
                              struct problem_fields *fields)
{
    static const struct body_field table[] = {
        {"status", read_status, false}, {"reason", read_reason, false},
        {"text", read_text, false},     {"latency_us", read_latency, false},
        {"ttl", read_ttl, false},       {"observer", NULL, true},
        {"vantage", NULL, true},        {"since", NULL, true},
        {"fresh", NULL, true},          {"version", NULL, true},
    };
    *ret_patch = (struct patch){.op = PATCH_PUT, .record = {.kind = KEY_OBSERVATION}};
    ret_patch->record.observation = (struct observation){
        .reason = REASON_REPORTED, .vantage = VANTAGE_EXTERNAL, .since_ms = now.ms};
    struct reading reading = {.record = &ret_patch->record};
    struct body_reader reader = {.errors = fields, .parent = "", .into = &reading};
    if (body_read(&reader, body, table, sizeof(table) / sizeof(table[0]))) {
        body_require(&reader, body, "status");
    }
    return fields->count == 0;
}

// --- override

static void read_override_status(struct body_reader *reader, const struct json *value)
{
    struct span word;
    enum status status = STATUS_UNKNOWN;
    bool known = json_string(value, &word) == ERR_OK && status_parse(word, &status);
    if (known &&
        (status == STATUS_DRAINING || status == STATUS_UNHEALTHY || status == STATUS_HEALTHY)) {
        override_of(reader)->status = status;
        return;
    }
    body_error(reader, value, "DRAINING, UNHEALTHY or HEALTHY");
}

static void read_override_reason(struct body_reader *reader, const struct json *value)
{
    (void)body_text(reader, value, &override_of(reader)->reason);
}

static void read_actor(struct body_reader *reader, const struct json *value)
{
    (void)body_text(reader, value, &override_of(reader)->actor);
}

static void count_end(struct body_reader *reader)
{
    struct reading *reading = reader->into;
    reading->ends++;
}

static void read_override_ttl(struct body_reader *reader, const struct json *value)
{
    struct reading *reading = reader->into;
    uint64_t ttl_ms = 0;
    count_end(reader);
    if (body_duration(reader, value, &ttl_rule, &ttl_ms)) {
        override_of(reader)->until_ms = reading->now.ms + (int64_t)ttl_ms;
    }
}

static void read_until(struct body_reader *reader, const struct json *value)
{
    const struct reading *reading = reader->into;
    struct span text;
    struct wall until = {0};
    count_end(reader);
    if (json_string(value, &text) != ERR_OK || text_time(text, &until) != ERR_OK) {
        body_error(reader, value, "a time as in RFC 3339");
    } else if (until.ms <= reading->now.ms) {
        body_error(reader, value, "it is not in the future");
    } else {
        override_of(reader)->until_ms = until.ms;
    }
}

static void read_indefinite(struct body_reader *reader, const struct json *value)
{
    bool indefinite = false;
    count_end(reader);
    if (json_bool(value, &indefinite) != ERR_OK || !indefinite) {
        body_error(reader, value, "it is true, or left out");
    }
}

bool report_parse_override(const struct json *body, struct wall now, struct patch *ret_patch,
                           struct problem_fields *fields)
{
    static const struct body_field table[] = {
        {"status", read_override_status, false},
        {"reason", read_override_reason, false},
        {"actor", read_actor, false},
        {"ttl", read_override_ttl, false},
        {"until", read_until, false},
        {"indefinite", read_indefinite, false},
    };
    *ret_patch = (struct patch){.op = PATCH_PUT, .record = {.kind = KEY_OVERRIDE}};
    struct reading reading = {.record = &ret_patch->record, .now = now};
    struct body_reader reader = {.errors = fields, .parent = "", .into = &reading};
    if (body_read(&reader, body, table, sizeof(table) / sizeof(table[0]))) {
        body_require(&reader, body, "status");
        if (reading.ends != 1) {
            body_error(&reader, NULL, "exactly one of ttl, until and indefinite is needed");
        }
    }
    return fields->count == 0;
}
