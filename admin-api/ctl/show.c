// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/show.h"

#include "admin-api/ctl/answer.h"
#include "admin-api/ctl/session.h"
#include "admin-api/ctl/table.h"
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

// How a member becomes a cell.
enum cell {
    CELL_TEXT,
    CELL_STATUS,
    CELL_INT,
    CELL_BOOL,
    CELL_AGE,
    CELL_ADDRESS,
    CELL_OVERRIDE,
    CELL_US,
    CELL_MS
};

struct column {
    const char *title;
    enum cell cell;
    const char *key; // "locality.zone": a member of a member
    bool wide;       // only with -o wide
};

static const struct column service_columns[] = {
    {"SERVICE", CELL_TEXT, "name", false},     {"INSTANCES", CELL_INT, "instances", false},
    {"HEALTHY", CELL_INT, "healthy", false},   {"UNHEALTHY", CELL_INT, "unhealthy", false},
    {"TIMEOUT", CELL_INT, "timeout", false},   {"DRAINING", CELL_INT, "draining", false},
    {"DEGRADED", CELL_INT, "degraded", false}, {"UNKNOWN", CELL_INT, "unknown", false},
    {"GUARDED", CELL_INT, "guarded", false},   {"TENANT", CELL_TEXT, "tenant", true},
    {"REVISION", CELL_TEXT, "revision", true},
};

static const struct column instance_columns[] = {
    {"INSTANCE", CELL_TEXT, "id", false},       {"ADDRESS", CELL_ADDRESS, "address", false},
    {"STATUS", CELL_STATUS, "status", false},   {"REASON", CELL_TEXT, "reason", false},
    {"AGE", CELL_AGE, "since", false},          {"RAW", CELL_STATUS, "raw_status", true},
    {"GUARDED", CELL_BOOL, "guarded", true},    {"OVERRIDE", CELL_OVERRIDE, "override", true},
    {"ZONE", CELL_TEXT, "locality.zone", true}, {"WEIGHT", CELL_INT, "weight", true},
    {"PRIORITY", CELL_INT, "priority", true},   {"LEASE", CELL_TEXT, "lease", true},
    {"OWNER", CELL_TEXT, "owner", true},        {"SOURCE", CELL_TEXT, "source", true},
    {"VERSION", CELL_TEXT, "version", true},    {"ACKED", CELL_BOOL, "acked", true},
    {"TEXT", CELL_TEXT, "text", true},
};

static const struct column change_columns[] = {
    {"SERVICE", CELL_TEXT, "service", false}, {"INSTANCE", CELL_TEXT, "id", false},
    {"STATUS", CELL_STATUS, "status", false}, {"REASON", CELL_TEXT, "reason", false},
    {"SINCE", CELL_TEXT, "since", false},     {"RAW", CELL_STATUS, "raw_status", true},
    {"TENANT", CELL_TEXT, "tenant", true},    {"VERSION", CELL_TEXT, "version", true},
    {"TEXT", CELL_TEXT, "text", true},
};

static const struct column node_columns[] = {
    {"NODE", CELL_TEXT, "id", false},
    {"LIVE", CELL_BOOL, "live", false},
    {"STREAM", CELL_TEXT, "stream", false},
    {"HEARTBEAT", CELL_MS, "heartbeat_age_ms", false},
    {"LAG", CELL_MS, "lag_ms", false},
    {"AGREES", CELL_BOOL, "agrees", false},
    {"ZONE", CELL_TEXT, "zone", false},
    {"VERSION", CELL_TEXT, "version", false},
    {"INCARNATION", CELL_TEXT, "incarnation", true},
    {"DIGEST", CELL_TEXT, "digest", true},
};

static const struct column observation_columns[] = {
    {"OBSERVER", CELL_TEXT, "observer", false}, {"VANTAGE", CELL_TEXT, "vantage", false},
    {"STATUS", CELL_STATUS, "status", false},   {"REASON", CELL_TEXT, "reason", false},
    {"AGE", CELL_AGE, "since", false},          {"LATENCY", CELL_US, "latency_us", false},
    {"FRESH", CELL_BOOL, "fresh", false},       {"VERSION", CELL_TEXT, "version", false},
    {"TEXT", CELL_TEXT, "text", false},
};

static const struct column worst_columns[] = {
    {"SERVICE", CELL_TEXT, "service", false},     {"INSTANCE", CELL_TEXT, "id", false},
    {"STATUS", CELL_STATUS, "raw_status", false}, {"SHOWN", CELL_STATUS, "status", false},
    {"REASON", CELL_TEXT, "reason", false},       {"AGE", CELL_AGE, "since", false},
    {"TEXT", CELL_TEXT, "text", false},
};

#define COLUMNS(name)                                                                              \
    {                                                                                              \
        name##_columns, sizeof(name##_columns) / sizeof(name##_columns[0])                         \
    }
static const struct {
    const struct column *columns;
    size_t count;
} kinds[] = {
    [SHOW_SERVICE] = COLUMNS(service),         [SHOW_INSTANCE] = COLUMNS(instance),
    [SHOW_CHANGE] = COLUMNS(change),           [SHOW_NODE] = COLUMNS(node),
    [SHOW_OBSERVATION] = COLUMNS(observation), [SHOW_WORST] = COLUMNS(worst),
};

static bool is_shown(const struct column *column, const struct session *session)
{
    return !column->wide || session->form == SESSION_WIDE;
}

void show_table_init(struct table *table, enum show_kind kind, const struct session *session)
{
    const char *titles[TABLE_COLUMNS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < kinds[kind].count; i++) {
        if (is_shown(&kinds[kind].columns[i], session)) {
            titles[count++] = kinds[kind].columns[i].title;
        }
    }
    table_init(table, titles, count, session->table);
}

static enum table_colour colour_of(struct span status)
{
    static const struct {
        const char *status;
        enum table_colour colour;
    } rows[] = {
        {"HEALTHY", TABLE_GREEN},   {"UNHEALTHY", TABLE_RED},   {"TIMEOUT", TABLE_RED},
        {"DRAINING", TABLE_YELLOW}, {"DEGRADED", TABLE_YELLOW}, {"UNKNOWN", TABLE_DIM},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (span_eq_str(status, rows[i].status)) {
            return rows[i].colour;
        }
    }
    return TABLE_PLAIN;
}

static void add_address(struct table *table, const struct json *object)
{
    struct span address = answer_text(object, "address");
    int64_t port = answer_int(object, "port", 0);
    bool v6 = address.len > 0 && memchr(address.ptr, ':', address.len) != NULL;
    table_printf(table, "%s%.*s%s:%" PRId64, v6 ? "[" : "", (int)address.len, address.ptr,
                 v6 ? "]" : "", port);
}

static void add_override(struct table *table, const struct json *override)
{
    struct span status = answer_text(override, "status");
    struct span actor = answer_text(override, "actor");
    if (status.len == 0) {
        table_cell(table, SPAN_NONE, TABLE_PLAIN);
        return;
    }
    table_printf(table, "%.*s%s%.*s", (int)status.len, status.ptr, actor.len > 0 ? " by " : "",
                 (int)actor.len, actor.ptr);
}

static void add_int(struct table *table, const struct json *object, const char *key,
                    const char *unit)
{
    int64_t value = answer_int(object, key, -1);
    if (value < 0) {
        table_cell(table, SPAN_NONE, TABLE_PLAIN); // null: not known
    } else {
        table_printf(table, "%" PRId64 "%s", value, unit);
    }
}

static void add_latency(struct table *table, const struct json *node)
{
    uint64_t us;
    if (json_u64(node, &us) == ERR_OK) {
        table_printf(table, "%" PRIu64 "us", us);
    } else {
        table_cell(table, SPAN_NONE, TABLE_PLAIN);
    }
}

// "a.b" is the member b of the member a: the object that holds it, and in *key its name there.
static const struct json *holder_of(const struct json *object, const char **key)
{
    const char *dot = strchr(*key, '.');
    if (dot == NULL) {
        return object;
    }
    char outer[32];
    size_t len = (size_t)(dot - *key);
    memcpy(outer, *key, len);
    outer[len] = '\0';
    *key = dot + 1;
    return json_get(object, outer);
}

static void add_cell(struct table *table, const struct column *column, const struct json *object)
{
    const char *key = column->key;
    const struct json *holder = holder_of(object, &key);
    struct span text = answer_text(holder, key);
    char age[ANSWER_AGE_LEN];
    switch (column->cell) {
    case CELL_TEXT:
        table_cell(table, text, TABLE_PLAIN);
        break;
    case CELL_STATUS:
        table_cell(table, text, colour_of(text));
        break;
    case CELL_INT:
        add_int(table, holder, key, "");
        break;
    case CELL_MS:
        add_int(table, holder, key, "ms");
        break;
    case CELL_BOOL:
        table_cell(table, span_str(answer_bool(holder, key) ? "yes" : "no"), TABLE_PLAIN);
        break;
    case CELL_AGE:
        answer_age(text, age);
        table_cell(table, span_str(age), TABLE_PLAIN);
        break;
    case CELL_ADDRESS:
        add_address(table, holder);
        break;
    case CELL_OVERRIDE:
        add_override(table, json_get(holder, key));
        break;
    case CELL_US:
        add_latency(table, json_get(holder, key));
        break;
    }
}

void show_row(struct table *table, enum show_kind kind, const struct session *session,
              const struct json *object)
{
    for (size_t i = 0; i < kinds[kind].count; i++) {
        if (is_shown(&kinds[kind].columns[i], session)) {
            add_cell(table, &kinds[kind].columns[i], object);
        }
    }
}

void show_deleted(struct table *table, enum show_kind kind, const struct session *session,
                  const struct json *object)
{
    for (size_t i = 0; i < kinds[kind].count; i++) {
        const struct column *column = &kinds[kind].columns[i];
        if (!is_shown(column, session)) {
            continue;
        }
        bool is_status = strcmp(column->key, "status") == 0;
        bool is_name = strcmp(column->key, "id") == 0 || strcmp(column->key, "service") == 0;
        struct span name = is_name ? answer_text(object, column->key) : SPAN_NONE;
        table_cell(table, is_status ? SPAN_LIT("deleted") : name, TABLE_PLAIN);
    }
}

void show_name(FILE *out, enum show_kind kind, const struct json *object)
{
    struct span service = answer_text(object, kind == SHOW_SERVICE ? "name" : "service");
    struct span id = answer_text(object, "id");
    bool both = kind == SHOW_INSTANCE || kind == SHOW_CHANGE;
    struct span first = kind == SHOW_NODE ? id : service;
    fprintf(out, "%.*s%s%.*s\n", (int)first.len, first.ptr, both ? "/" : "", both ? (int)id.len : 0,
            both ? id.ptr : "");
}
