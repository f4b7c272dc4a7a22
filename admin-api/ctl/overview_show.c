// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/overview_show.h"

#include "admin-api/ctl/answer.h"
#include "admin-api/ctl/overview.h"
#include "admin-api/ctl/session.h"
#include "admin-api/ctl/show.h"
#include "admin-api/ctl/table.h"
#include "base/json.h"
#include "base/json_write.h"

#include <inttypes.h>

#define TEXT_MAX 4096 // of one line of the summary

// A line of the summary: a title, and what was written into `text` since the last one.
static void line(struct table *table, const char *title, struct buf *text, enum table_colour colour)
{
    table_cell(table, span_str(title), TABLE_PLAIN);
    table_cell(table, buf_span(text), colour);
    table->failed = table->failed || text->err == ERR_NOMEM;
    buf_reset(text);
}

static const char *verdict(const struct overview *overview)
{
    return !overview->ready ? "not ready" : overview_is_fine(overview) ? "fine" : "attention";
}

static void add_verdict(struct table *table, const struct overview *overview, struct buf *text)
{
    struct span self = answer_text(overview->documents.nodes, "self");
    buf_str(text, verdict(overview));
    buf_printf(text, " (as node %.*s sees it)", (int)self.len, self.ptr);
    enum table_colour colour = !overview->ready             ? TABLE_RED
                               : overview_is_fine(overview) ? TABLE_GREEN
                                                            : TABLE_YELLOW;
    line(table, "meshpulse", text, colour);
    for (size_t i = 0; i < overview->problem_count; i++) {
        buf_str(text, overview->problems[i]);
        line(table, "  problem", text, overview->ready ? TABLE_YELLOW : TABLE_RED);
    }
}

// The names of the nodes that are down, as far as they fit.
static void add_down(const struct overview *overview, struct buf *text)
{
    size_t count = 0;
    const struct json *node = json_first(json_get(overview->documents.nodes, "items"));
    for (; node != NULL && text->len < TEXT_MAX / 2; node = json_next(node)) {
        struct span id = answer_text(node, "id");
        if (!answer_bool(node, "live") && !overview_is_self(overview, id)) {
            buf_printf(text, "%s%.*s", count++ == 0 ? " (down: " : ", ", (int)id.len, id.ptr);
        }
    }
    buf_str(text, count > 0 ? ")" : "");
}

static void add_replicas(struct table *table, const struct overview *overview, struct buf *text)
{
    bool agree = overview->nodes_agreeing == overview->nodes_live;
    struct span digest = answer_text(overview->documents.digest, "digest");
    buf_printf(text, "%zu of %zu live", overview->nodes_live, overview->nodes);
    add_down(overview, text);
    if (overview->nodes_live == 1) {
        buf_str(text, "; nobody to agree with");
    } else if (agree) {
        buf_str(text, "; all agree");
    } else {
        buf_printf(text, "; %zu agree", overview->nodes_agreeing);
    }
    buf_printf(text, "; digest %.*s", (int)digest.len, digest.ptr);
    line(table, "replicas", text, agree ? TABLE_PLAIN : TABLE_RED);
}

static void add_stream(struct table *table, const struct overview *overview, struct buf *text)
{
    struct span pending = answer_text(overview->documents.digest, "pending");
    buf_printf(text, "%.*s; %zu of %zu partitions live; %.*s pending", (int)overview->stream.len,
               overview->stream.ptr, overview->partitions_live, overview->partitions,
               (int)pending.len, pending.ptr);
    bool live = span_eq_str(overview->stream, "live");
    line(table, "stream", text, live ? TABLE_PLAIN : TABLE_YELLOW);
    if (overview->lag_ms >= 0) {
        buf_printf(text, "%" PRId64 "ms at most, on node %.*s", overview->lag_ms,
                   (int)overview->lag_node.len, overview->lag_node.ptr);
    }
    line(table, "lag", text, TABLE_PLAIN);
}

static void add_count(struct buf *text, int64_t count, const char *word)
{
    if (count > 0) {
        buf_printf(text, ", %" PRId64 " %s", count, word);
    }
}

static void add_services(struct table *table, const struct overview *overview, struct buf *text)
{
    const struct overview_counts *counts = &overview->counts;
    buf_printf(text, "%" PRId64 "; instances %" PRId64, counts->services, counts->instances);
    add_count(text, counts->healthy, "healthy");
    add_count(text, counts->unhealthy, "unhealthy");
    add_count(text, counts->timeout, "timed out");
    add_count(text, counts->degraded, "degraded");
    add_count(text, counts->draining, "draining");
    add_count(text, counts->unknown, "unknown");
    line(table, "services", text, TABLE_PLAIN);
}

static void add_guard(struct table *table, const struct overview *overview, struct buf *text)
{
    const struct json *service = json_first(json_get(overview->documents.services, "items"));
    for (; service != NULL; service = json_next(service)) {
        struct span name = answer_text(service, "name");
        int64_t guarded = answer_int(service, "guarded", 0);
        if (guarded > 0 && text->len < TEXT_MAX / 2) {
            buf_printf(text, "%s%.*s (%" PRId64 " kept in service)", text->len > 0 ? ", " : "",
                       (int)name.len, name.ptr, guarded);
        }
    }
    bool calm = text->len == 0;
    buf_str(text, calm ? "no service in panic" : " in panic");
    line(table, "guard", text, calm ? TABLE_PLAIN : TABLE_RED);
}

static void add_drain(struct table *table, const struct json *instance, struct buf *text)
{
    const struct json *override = json_get(instance, "override");
    struct span service = answer_text(instance, "service"), id = answer_text(instance, "id");
    struct span until = answer_text(override, "until"), reason = answer_text(override, "reason");
    struct span actor = answer_text(override, "actor");
    buf_printf(text, "%.*s/%.*s ", (int)service.len, service.ptr, (int)id.len, id.ptr);
    buf_printf(text, "%s%.*s", until.len > 0 ? "until " : "until undrain", (int)until.len,
               until.ptr);
    buf_printf(text, "%s%.*s", actor.len > 0 ? ", by " : "", (int)actor.len, actor.ptr);
    buf_printf(text, "%s%.*s", reason.len > 0 ? ": " : "", (int)reason.len, reason.ptr);
    line(table, "  drained", text, TABLE_YELLOW);
}

static void add_drains(struct table *table, const struct overview *overview, struct buf *text)
{
    if (overview->counts.draining == 0 && overview->drain_count == 0) {
        buf_str(text, "none");
    } else {
        buf_printf(text, "%" PRId64 " draining", overview->counts.draining);
    }
    line(table, "drains", text, TABLE_PLAIN);
    for (size_t i = 0; i < overview->drain_count; i++) {
        add_drain(table, overview->drains[i], text);
    }
}

static enum err show_summary(const struct overview *overview, const struct session *session,
                             FILE *out)
{
    static const char *const titles[] = {"", ""};
    struct table_options options = {.headers = false, .colours = session->table.colours};
    struct table table;
    struct buf text;
    table_init(&table, titles, 2, options);
    buf_init(&text, TEXT_MAX);
    add_verdict(&table, overview, &text);
    add_replicas(&table, overview, &text);
    add_stream(&table, overview, &text);
    add_services(&table, overview, &text);
    add_guard(&table, overview, &text);
    add_drains(&table, overview, &text);
    enum err err = table_print(&table, out);
    buf_fini(&text);
    table_fini(&table);
    return err;
}

static enum err show_worst(const struct overview *overview, const struct session *session,
                           FILE *out)
{
    struct table table;
    show_table_init(&table, SHOW_WORST, session);
    for (size_t i = 0; i < overview->worst_count; i++) {
        show_row(&table, SHOW_WORST, session, overview->worst[i]);
    }
    fputc('\n', out);
    enum err err = table_print(&table, out);
    table_fini(&table);
    if (overview->ailing > overview->worst_count) {
        fprintf(out, "and %zu more\n", overview->ailing - overview->worst_count);
    }
    return err;
}

enum err overview_show(const struct overview *overview, const struct session *session, FILE *out)
{
    enum err err = show_summary(overview, session, out);
    return err != ERR_OK || overview->worst_count == 0 ? err : show_worst(overview, session, out);
}

// --- JSON

// Members of a document, as they came.
static void copy(struct json_writer *json, const struct json *object, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        json_write_key(json, span_str(*keys));
        answer_write_node(json, json_get(object, *keys));
    }
}

static void write_problems(struct json_writer *json, const struct overview *overview)
{
    json_write_array(json, "problems");
    for (size_t i = 0; i < overview->problem_count; i++) {
        json_write_text(json, NULL, overview->problems[i]);
    }
    json_write_array_end(json);
}

static void write_replication(struct json_writer *json, const struct overview *overview)
{
    static const char *const digest_keys[] = {"digest", "pending", NULL};
    json_write_object(json, "nodes");
    json_write_int(json, "known", (int64_t)overview->nodes);
    json_write_int(json, "live", (int64_t)overview->nodes_live);
    json_write_int(json, "agreeing", (int64_t)overview->nodes_agreeing);
    json_write_object_end(json);
    json_write_object(json, "stream");
    json_write_string(json, "state", overview->stream);
    json_write_int(json, "partitions", (int64_t)overview->partitions);
    json_write_int(json, "live", (int64_t)overview->partitions_live);
    copy(json, overview->documents.digest, digest_keys);
    json_write_object_end(json);
    if (overview->lag_ms < 0) {
        json_write_null(json, "lag_ms");
    } else {
        json_write_int(json, "lag_ms", overview->lag_ms);
    }
}

static void write_services(struct json_writer *json, const struct overview *overview)
{
    const struct overview_counts *counts = &overview->counts;
    json_write_object(json, "services");
    json_write_int(json, "count", counts->services);
    json_write_int(json, "instances", counts->instances);
    json_write_int(json, "healthy", counts->healthy);
    json_write_int(json, "unhealthy", counts->unhealthy);
    json_write_int(json, "timeout", counts->timeout);
    json_write_int(json, "draining", counts->draining);
    json_write_int(json, "degraded", counts->degraded);
    json_write_int(json, "unknown", counts->unknown);
    json_write_int(json, "guarded", counts->guarded);
    json_write_object_end(json);
    json_write_array(json, "guarded");
    const struct json *service = json_first(json_get(overview->documents.services, "items"));
    for (; service != NULL; service = json_next(service)) {
        if (answer_int(service, "guarded", 0) > 0) {
            json_write_string(json, NULL, answer_text(service, "name"));
        }
    }
    json_write_array_end(json);
}

static void write_instances(struct json_writer *json, const char *key,
                            const struct json *const *rows, size_t count)
{
    static const char *const keys[] = {"service", "id",   "status", "raw_status", "guarded",
                                       "reason",  "text", "since",  "override",   NULL};
    json_write_array(json, key);
    for (size_t i = 0; i < count; i++) {
        json_write_object(json, NULL);
        copy(json, rows[i], keys);
        json_write_object_end(json);
    }
    json_write_array_end(json);
}

void overview_show_json(const struct overview *overview, struct buf *out)
{
    struct json_writer json;
    json_writer_init(&json, out, JSON_COMPACT);
    json_write_object(&json, NULL);
    json_write_string(&json, "node", answer_text(overview->documents.nodes, "self"));
    json_write_text(&json, "verdict", verdict(overview));
    json_write_bool(&json, "ready", overview->ready);
    json_write_bool(&json, "fine", overview_is_fine(overview));
    write_problems(&json, overview);
    write_replication(&json, overview);
    write_services(&json, overview);
    write_instances(&json, "drains", overview->drains, overview->drain_count);
    write_instances(&json, "worst", overview->worst, overview->worst_count);
    json_write_object_end(&json);
}
