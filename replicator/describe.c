// SPDX-License-Identifier: Apache-2.0
#include "replicator/describe.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/text.h"
#include "replicator/board.h"
#include "replicator/describe_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MANY_LINES_A_SECOND 10
#define HEAD_BYTES 31 // of a refused value, in hex and its NUL
#define OBSERVERS_LOOKED_AT 64
#define FIELDS_MAX 12

void describe_init(struct describe *describe, const struct map *map, struct board *board,
                   struct span node_id)
{
    memset(describe, 0, sizeof(*describe));
    describe->map = map;
    describe->board = board;
    describe->node_id = node_id;
}

// --- lines: fields are gathered, then written at once

struct line {
    size_t count;
    struct log_field fields[FIELDS_MAX];
};

static void add(struct line *line, struct log_field field)
{
    if (line->count < FIELDS_MAX) {
        line->fields[line->count++] = field;
    }
}

static void write_line(const struct line *line, enum log_level level, const char *name)
{
    const struct log_event event = {level, name, line->fields, line->count};
    log_write(&event);
}

// The names in a key; the tenant that nobody names is not named here either.
static void add_key(struct line *line, struct span bytes)
{
    struct key key;
    if (key_parse(bytes, &key) != ERR_OK) {
        add(line, log_str("key", bytes));
        return;
    }
    if (key.kind == KEY_NODE) {
        add(line, log_str("node", key.service));
        return;
    }
    if (!span_eq_str(key.tenant, KEY_TENANT_DEFAULT)) {
        add(line, log_str("tenant", key.tenant));
    }
    add(line, log_str("service", key.service));
    if (key.kind != KEY_POLICY) {
        add(line, log_str("instance", key.instance));
    }
    if (key.kind == KEY_OVERRIDE) {
        add(line, log_text("record", "override"));
    } else if (key.kind == KEY_OBSERVATION) {
        add(line, log_str("observer", key.observer));
    }
}

// May a line be written of a kind that comes in thousands, or that a stranger's bytes caused?
static bool may_say(struct describe *describe, struct mono now, struct line *line)
{
    if (mono_ms_between(describe->window, now) >= 1000) {
        describe->window = now;
        describe->in_window = 0;
    }
    if (describe->in_window >= MANY_LINES_A_SECOND) {
        describe->suppressed++;
        return false;
    }
    describe->in_window++;
    if (describe->suppressed > 0) {
        add(line, log_uint("suppressed", describe->suppressed));
        describe->suppressed = 0;
    }
    return true;
}

// --- health

// Whose observation is behind a status: the newest that says the same.  Empty: nobody's (an override, the
// guard, or nothing observed).
static struct span find_observer(struct describe *describe, const struct core_log *log,
                                 struct key_bytes *ret_key)
{
    struct key_bytes keys[OBSERVERS_LOOKED_AT];
    struct span service = key_service_prefix(log->key);
    struct span found = SPAN_NONE;
    int64_t newest = INT64_MIN;
    size_t count = map_service_keys(describe->map, service, log->key, keys, OBSERVERS_LOOKED_AT);
    for (size_t i = 0; i < count; i++) {
        struct key key;
        struct record record;
        struct span bytes = key_span(&keys[i]);
        if (!span_eq(key_instance_prefix(bytes), log->key)) {
            break;
        }
        if (key_parse(bytes, &key) != ERR_OK || key.kind != KEY_OBSERVATION ||
            !map_get(describe->map, bytes, &describe->copy) ||
            (describe->copy.facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) != 0 ||
            codec_body_read(KEY_OBSERVATION, map_copy_body(&describe->copy), &record) != ERR_OK) {
            continue;
        }
        if (record.observation.status == log->to && record.observation.since_ms > newest) {
            newest = record.observation.since_ms;
            *ret_key = keys[i];
        }
    }
    struct key key;
    if (newest != INT64_MIN && key_parse(key_span(ret_key), &key) == ERR_OK) {
        found = key.observer;
    }
    return found;
}

static void health(struct describe *describe, const struct core_log *log, struct core_time now)
{
    (void)now;
    metric_count2(METRIC_HEALTH_TRANSITIONS, span_str(status_name(log->from)),
                  span_str(status_name(log->to)), 1);
    if (!log_enabled(LOG_INFO)) {
        return;
    }
    struct line line = {.count = 0};
    struct key_bytes observer_key;
    add_key(&line, log->key);
    add(&line, log_text("from", status_name(log->from)));
    add(&line, log_text("to", status_name(log->to)));
    add(&line, log_text("reason", reason_word(log->reason)));
    struct span observer = find_observer(describe, log, &observer_key);
    if (observer.len > 0) {
        add(&line, log_str("observer", observer));
    }
    write_line(&line, LOG_INFO, "health");
}

// --- what strangers write

static void escape(struct span bytes, char *ret_text, size_t cap)
{
    size_t len = 0;
    for (size_t i = 0; i < bytes.len && len + 4 < cap; i++) {
        unsigned char byte = (unsigned char)bytes.ptr[i];
        if (byte >= 0x20 && byte < 0x7f && byte != '\\') {
            ret_text[len++] = (char)byte;
        } else {
            ret_text[len++] = '\\';
            ret_text[len++] = 'x';
            len += text_hex_format(&byte, 1, ret_text + len);
        }
    }
    ret_text[len] = '\0';
}

static void rejected(struct describe *describe, const struct core_log *log, struct core_time now)
{
    struct backend_reject reject = {.at_ms = now.wall.ms, .partition = log->partition};
    (void)snprintf(reject.position, sizeof(reject.position), "%" PRIu64 "-%" PRIu64, log->id.ms,
                   log->id.seq);
    (void)snprintf(reject.reason, sizeof(reject.reason), "%.*s", (int)log->text.len, log->text.ptr);
    escape(log->key, reject.key, sizeof(reject.key));
    size_t head = log->value.len < HEAD_BYTES ? log->value.len : HEAD_BYTES;
    reject.head[text_hex_format(log->value.ptr, head, reject.head)] = '\0';
    board_reject(describe->board, &reject);
    metric_count1(METRIC_EVENTS_REJECTED, log->text, 1);

    struct line line = {.count = 0};
    if (may_say(describe, now.mono, &line)) {
        add(&line, log_uint("partition", log->partition));
        add(&line, log_text("position", reject.position));
        add(&line, log_str("reason", log->text));
        add(&line, log_text("key", reject.key));
        write_line(&line, LOG_WARN, "rejected");
    }
}

// A server that is away says so at every attempt; the log says it once.
static void stream_said(struct describe *describe, const struct core_log *log, struct core_time now)
{
    (void)now;
    char text[sizeof(describe->stream_text)];
    (void)snprintf(text, sizeof(text), "%.*s", (int)log->text.len, log->text.ptr);
    bool again = strcmp(text, describe->stream_text) == 0;
    (void)snprintf(describe->stream_text, sizeof(describe->stream_text), "%s", text);
    log_event(again ? LOG_DEBUG : LOG_WARN, "stream", log_text("said", text));
}

// --- partitions

static void session(struct describe *describe, const struct core_log *log, struct core_time now)
{
    (void)describe;
    (void)now;
    log_event(LOG_DEBUG, "partition", log_uint("partition", log->partition),
              log_str("state", log->text));
}

static void resync(struct describe *describe, const struct core_log *log, struct core_time now)
{
    (void)describe;
    (void)now;
    metric_count1(METRIC_RESYNCS, log->text, 1);
    log_event(LOG_WARN, "resync", log_uint("partition", log->partition),
              log_str("cause", log->text));
}

static void diverged(struct describe *describe, const struct core_log *log, struct core_time now)
{
    (void)describe;
    (void)now;
    log_event(LOG_ERROR, "diverged", log_uint("partition", log->partition),
              log_text("why", "the digest is unequal also after a resync"));
}

// --- records

// An emptied server makes everything that is held a repair: the metric counts them, the log names a few.
static void repair(struct describe *describe, const struct core_log *log, struct core_time now)
{
    struct line line = {.count = 0};
    metric_count1(METRIC_REPAIRS, log->text, 1);
    if (may_say(describe, now.mono, &line)) {
        add_key(&line, log->key);
        add(&line, log_str("cause", log->text));
        write_line(&line, LOG_INFO, "repair");
    }
}

static void conflict(struct describe *describe, const struct core_log *log, struct core_time now)
{
    (void)describe;
    (void)now;
    struct line line = {.count = 0};
    add_key(&line, log->key);
    write_line(&line, LOG_DEBUG, "conflict");
}

static void equivocation(struct describe *describe, const struct core_log *log,
                         struct core_time now)
{
    struct line line = {.count = 0};
    if (may_say(describe, now.mono, &line)) {
        add_key(&line, log->key);
        add(&line, log_text("why", "one version has two bodies"));
        write_line(&line, LOG_ERROR, "equivocation");
    }
}

// Whoever wrote the value that lost shall find it here.
static void superseded(struct describe *describe, const struct core_log *log, struct core_time now)
{
    struct line line = {.count = 0};
    char kept_value[DESCRIBE_RECORD_LEN];
    char lost_value[DESCRIBE_RECORD_LEN];
    struct key key;
    char kept[VERSION_TEXT_LEN];
    char lost[VERSION_TEXT_LEN];
    if (may_say(describe, now.mono, &line)) {
        version_format(log->version, kept);
        version_format(log->other, lost);
        add_key(&line, log->key);
        add(&line, log_text("kept", kept));
        add(&line, log_text("lost", lost));
        if (key_parse(log->key, &key) == ERR_OK) {
            (void)describe_record(key.kind, log->value, kept_value, sizeof(kept_value));
            (void)describe_record(key.kind, log->other_value, lost_value, sizeof(lost_value));
            add(&line, log_text("kept_value", kept_value));
            add(&line, log_text("lost_value", lost_value));
        }
        add(&line, log_text("why", "the server went back, and this was written upon less"));
        write_line(&line, LOG_WARN, "superseded");
    }
}

static void policy(struct describe *describe, const struct core_log *log, struct core_time now)
{
    (void)describe;
    (void)now;
    struct line line = {.count = 0};
    add_key(&line, log->key);
    add(&line, log_str("replaced", log->text));
    add(&line, log_text("why", "another node had published this service's policy"));
    write_line(&line, LOG_WARN, "policy");
}

static void lease(struct describe *describe, const struct core_log *log, struct core_time now)
{
    (void)describe;
    (void)now;
    struct line line = {.count = 0};
    add_key(&line, log->key);
    write_line(&line, LOG_INFO, "lease-expired");
}

static void refused(struct describe *describe, const struct core_log *log, struct core_time now)
{
    struct line line = {.count = 0};
    if (may_say(describe, now.mono, &line)) {
        add_key(&line, log->key);
        add(&line, log_text("why", "the memory of pending writes is used up"));
        write_line(&line, LOG_ERROR, "refused");
    }
}

static void lost(struct describe *describe, const struct core_log *log, struct core_time now)
{
    struct line line = {.count = 0};
    if (may_say(describe, now.mono, &line)) {
        add_key(&line, log->key);
        add(&line, log_text("why", "it was evicted here, and no longer stands at the server"));
        write_line(&line, LOG_ERROR, "lost");
    }
}

// --- quotas

static void over_quota(struct describe *describe, const struct core_log *log, struct core_time now)
{
    (void)describe;
    (void)now;
    struct line line = {.count = 0};
    struct key key;
    if (key_parse(log->key, &key) == ERR_OK) {
        metric_count1(METRIC_MAP_OVER_QUOTA, key.tenant, 1);
    }
    add_key(&line, log->key);
    write_line(&line, LOG_DEBUG,
               "over-quota"); // whoever asked is told; the log says where the tenant stands
}

static void quota(struct describe *describe, const struct core_log *log, struct core_time now)
{
    static const struct {
        enum log_level level;
        const char *state, *why;
    } said[] = {
        [MAP_TENANT_ROOM] = {LOG_INFO, "room", "new records are taken"},
        [MAP_TENANT_FULL] = {LOG_WARN, "full", "new records are refused"},
        [MAP_TENANT_OVER] = {LOG_ERROR, "over", "it has 110 % of its quota or more"},
    };
    (void)describe;
    (void)now;
    log_event(said[log->level].level, "quota", log_str("tenant", log->text),
              log_text("state", said[log->level].state), log_uint("records", log->number),
              log_uint("quota", log->limit), log_text("why", said[log->level].why));
}

static void opaque(struct describe *describe, const struct core_log *log, struct core_time now)
{
    struct line line = {.count = 0};
    if (may_say(describe, now.mono, &line)) {
        add_key(&line, log->key);
        add(&line, log_text("why", "a newer version of meshpulse wrote what stands there, and this "
                                   "one must not overwrite what it cannot read"));
        write_line(&line, LOG_WARN, "not-overwritten");
    }
}

// --- nodes

static void node(struct describe *describe, const struct core_log *log, struct core_time now)
{
    (void)now;
    // That we ourselves go down is a farewell, no trouble.
    bool calm = log->up || span_eq(log->text, describe->node_id);
    log_event(calm ? LOG_INFO : LOG_WARN, "node", log_str("node", log->text),
              log_text("state", log->up ? "up" : "down"));
}

static void joined(struct describe *describe, const struct core_log *log, struct core_time now)
{
    (void)now;
    log_event(LOG_INFO, "joined", log_str("node", describe->node_id),
              log_uint("incarnation", log->number));
}

static void fenced(struct describe *describe, const struct core_log *log, struct core_time now)
{
    (void)now;
    log_event(LOG_ERROR, "fenced", log_str("node", describe->node_id),
              log_uint("incarnation", log->number),
              log_text("why", "another node has joined under this name; set node.id to a name of "
                              "its own on one of them"));
}

static void ready(struct describe *describe, const struct core_log *log, struct core_time now)
{
    (void)log;
    (void)now;
    log_event(LOG_INFO, "ready", log_str("node", describe->node_id));
}

static void stale_start(struct describe *describe, const struct core_log *log, struct core_time now)
{
    (void)log;
    (void)now;
    log_event(LOG_WARN, "ready", log_str("node", describe->node_id), log_bool("stale", true),
              log_text("why", "no server answered within stream.start_without"));
}

static void misconfigured(struct describe *describe, const struct core_log *log,
                          struct core_time now)
{
    (void)describe;
    (void)now;
    log_event(LOG_ERROR, "misconfigured", log_str("why", log->text));
}

typedef void (*describe_fn)(struct describe *describe, const struct core_log *log,
                            struct core_time now);

static const describe_fn rows[] = {
    [CORE_LOG_HEALTH] = health,
    [CORE_LOG_SESSION] = session,
    [CORE_LOG_RESYNC] = resync,
    [CORE_LOG_REPAIR] = repair,
    [CORE_LOG_REJECTED] = rejected,
    [CORE_LOG_CONFLICT] = conflict,
    [CORE_LOG_EQUIVOCATION] = equivocation,
    [CORE_LOG_SUPERSEDED] = superseded,
    [CORE_LOG_NODE] = node,
    [CORE_LOG_JOINED] = joined,
    [CORE_LOG_FENCED] = fenced,
    [CORE_LOG_READY] = ready,
    [CORE_LOG_STALE_START] = stale_start,
    [CORE_LOG_DIVERGED] = diverged,
    [CORE_LOG_MISCONFIGURED] = misconfigured,
    [CORE_LOG_POLICY] = policy,
    [CORE_LOG_LEASE] = lease,
    [CORE_LOG_STREAM] = stream_said,
    [CORE_LOG_REFUSED] = refused,
    [CORE_LOG_LOST] = lost,
    [CORE_LOG_OVER_QUOTA] = over_quota,
    [CORE_LOG_QUOTA] = quota,
    [CORE_LOG_OPAQUE] = opaque,
};

void describe_decision(struct describe *describe, const struct core_log *log, struct core_time now)
{
    ASSERT((size_t)log->what < sizeof(rows) / sizeof(rows[0]) && rows[log->what] != NULL);
    rows[log->what](describe, log, now);
}
