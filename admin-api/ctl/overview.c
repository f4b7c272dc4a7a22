// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/overview.h"

#include "admin-api/ctl/answer.h"
#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add_problem(struct overview *overview, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// The first ones say enough; what does not fit is dropped.
static void add_problem(struct overview *overview, const char *format, ...)
{
    if (overview->problem_count == OVERVIEW_PROBLEMS_MAX) {
        return;
    }
    va_list list;
    va_start(list, format);
    (void)vsnprintf(overview->problems[overview->problem_count++], OVERVIEW_PROBLEM_LEN, format,
                    list);
    va_end(list);
}

static void judge_ready(struct overview *overview, const struct json *ready)
{
    overview->ready = span_eq_str(answer_text(ready, "status"), "ok");
    const struct json *check = json_first(json_get(ready, "checks"));
    for (; check != NULL; check = json_next(check)) {
        if (!answer_bool(check, "ok")) {
            struct span name = answer_text(check, "name"), detail = answer_text(check, "detail");
            add_problem(overview, "%.*s: %.*s", (int)name.len, name.ptr, (int)detail.len,
                        detail.ptr);
        }
    }
}

static void judge_peer(struct overview *overview, const struct json *node)
{
    struct span id = answer_text(node, "id"), stream = answer_text(node, "stream");
    if (!answer_bool(node, "agrees")) {
        struct span digest = answer_text(node, "digest");
        add_problem(overview, "node %.*s does not agree; its digest is %.*s", (int)id.len, id.ptr,
                    (int)digest.len, digest.ptr);
    }
    if (!span_eq_str(stream, "live")) {
        add_problem(overview, "node %.*s: its stream is %.*s", (int)id.len, id.ptr, (int)stream.len,
                    stream.ptr);
    }
}

static void judge_nodes(struct overview *overview, const struct json *nodes)
{
    const struct json *node = json_first(json_get(nodes, "items"));
    for (; node != NULL; node = json_next(node)) {
        overview->nodes++;
        if (overview_is_self(overview, answer_text(node, "id"))) {
            overview->stream = answer_text(node, "stream");
        } else if (!answer_bool(node, "live")) {
            continue; // what it said last counts no more
        } else {
            judge_peer(overview, node);
        }
        overview->nodes_live++;
        overview->nodes_agreeing += answer_bool(node, "agrees");
        int64_t lag_ms = answer_int(node, "lag_ms", -1);
        if (lag_ms > overview->lag_ms) {
            overview->lag_ms = lag_ms;
            overview->lag_node = answer_text(node, "id");
        }
    }
}

static void judge_partitions(struct overview *overview, const struct json *partitions)
{
    const struct json *row = json_first(json_get(partitions, "items"));
    for (; row != NULL; row = json_next(row)) {
        overview->partitions++;
        overview->partitions_live += span_eq_str(answer_text(row, "state"), "live");
    }
    // Where the connection or the digest is the reason, a condition has said so.
    if (overview->problem_count == 0 && overview->partitions_live < overview->partitions) {
        add_problem(overview, "%zu of %zu partitions are not live",
                    overview->partitions - overview->partitions_live, overview->partitions);
    }
}

static void count_services(struct overview *overview, const struct json *services)
{
    struct overview_counts *counts = &overview->counts;
    const struct {
        const char *key;
        int64_t *count;
    } rows[] = {
        {"instances", &counts->instances}, {"healthy", &counts->healthy},
        {"unhealthy", &counts->unhealthy}, {"timeout", &counts->timeout},
        {"draining", &counts->draining},   {"degraded", &counts->degraded},
        {"unknown", &counts->unknown},     {"guarded", &counts->guarded},
    };
    const struct json *service = json_first(json_get(services, "items"));
    for (; service != NULL; service = json_next(service)) {
        counts->services++;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            *rows[i].count += answer_int(service, rows[i].key, 0);
        }
    }
}

void overview_judge(struct overview *overview, const struct overview_documents *documents)
{
    memset(overview, 0, sizeof(*overview));
    overview->documents = *documents;
    overview->lag_ms = -1;
    judge_ready(overview, documents->ready);
    judge_nodes(overview, documents->nodes);
    judge_partitions(overview, documents->partitions);
    count_services(overview, documents->services);
}

bool overview_is_self(const struct overview *overview, struct span node_id)
{
    return span_eq(node_id, answer_text(overview->documents.nodes, "self"));
}

bool overview_is_fine(const struct overview *overview)
{
    return overview->ready && overview->problem_count == 0;
}

int64_t overview_trouble(const struct json *service)
{
    static const char *const keys[] = {"unhealthy", "timeout",  "guarded",
                                       "degraded",  "draining", "unknown"};
    int64_t trouble = 0;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        trouble += answer_int(service, keys[i], 0);
    }
    return trouble;
}

// 0: nothing is wrong with it.  Where the guard keeps an instance in service, the truth counts.
static unsigned badness(const struct json *instance)
{
    static const struct {
        const char *status;
        unsigned badness;
    } rows[] = {{"UNHEALTHY", 4}, {"TIMEOUT", 3}, {"DEGRADED", 2}, {"UNKNOWN", 1}};
    bool guarded = answer_bool(instance, "guarded");
    struct span status = answer_text(instance, guarded ? "raw_status" : "status");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (span_eq_str(status, rows[i].status)) {
            return rows[i].badness;
        }
    }
    return 0;
}

// Times of one form are in order as text.
static bool is_worse(const struct json *a, const struct json *b)
{
    unsigned of_a = badness(a), of_b = badness(b);
    return of_a != of_b ? of_a > of_b
                        : span_cmp(answer_text(a, "since"), answer_text(b, "since")) > 0;
}

static void add_worst(struct overview *overview, const struct json *instance)
{
    size_t at = overview->worst_count;
    while (at > 0 && is_worse(instance, overview->worst[at - 1])) {
        at--;
    }
    if (at == OVERVIEW_WORST_MAX) {
        return;
    }
    size_t kept = overview->worst_count - (overview->worst_count == OVERVIEW_WORST_MAX);
    memmove(&overview->worst[at + 1], &overview->worst[at],
            (kept - at) * sizeof(const struct json *));
    overview->worst[at] = instance;
    overview->worst_count = kept + 1;
}

void overview_add(struct overview *overview, const struct json *instances)
{
    const struct json *instance = json_first(json_get(instances, "items"));
    for (; instance != NULL; instance = json_next(instance)) {
        const struct json *override = json_get(instance, "override");
        bool drained = span_eq_str(answer_text(override, "status"), "DRAINING");
        if (drained && overview->drain_count < OVERVIEW_DRAINS_MAX) {
            overview->drains[overview->drain_count++] = instance;
        }
        if (badness(instance) > 0) {
            overview->ailing++;
            add_worst(overview, instance);
        }
    }
}
