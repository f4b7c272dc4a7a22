// SPDX-License-Identifier: Apache-2.0
// Probes and metrics.  Their text has the form of Kubernetes' own health endpoints:
//
//     [+]map-replayed ok
//     [-]stream failed: connection refused
//     readyz check passed
//
// A condition may fail and the check pass: a node that was warm once stays ready when the stream goes.
#include "admin-api/handle.h"
#include "admin-api/handlers.h"
#include "base/json_write.h"
#include "base/metric.h"

#define CONDITIONS_MAX 32

struct probe {
    const char *name; // "livez"
    bool passed;
    size_t count;
    struct backend_condition conditions[CONDITIONS_MAX];
};

static bool is_verbose(const struct request *request)
{
    char buf[REQUEST_QUERY_LEN_MAX];
    struct span ignored;
    return request_query_get(request->in.http->query, "verbose", buf, &ignored) !=
           REQUEST_QUERY_ABSENT;
}

static void append_lines(const struct probe *probe, struct buf *buf)
{
    for (size_t i = 0; i < probe->count; i++) {
        const struct backend_condition *condition = &probe->conditions[i];
        buf_str(buf, condition->ok ? "[+]" : "[-]");
        buf_str(buf, condition->name);
        buf_str(buf, condition->ok ? " ok" : " failed: ");
        buf_str(buf, condition->ok ? "" : condition->detail);
        buf_str(buf, "\n");
    }
    buf_str(buf, probe->name);
    buf_str(buf, probe->passed ? " check passed\n" : " check failed\n");
}

static void append_json(const struct probe *probe, struct buf *buf)
{
    struct json_writer json;
    json_writer_init(&json, buf, JSON_COMPACT);
    json_write_object(&json, NULL);
    json_write_text(&json, "status", probe->passed ? "ok" : "failed");
    json_write_array(&json, "checks");
    for (size_t i = 0; i < probe->count; i++) {
        json_write_object(&json, NULL);
        json_write_text(&json, "name", probe->conditions[i].name);
        json_write_bool(&json, "ok", probe->conditions[i].ok);
        json_write_text(&json, "detail",
                        probe->conditions[i].ok ? "" : probe->conditions[i].detail);
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
}

static void answer_probe(const struct request *request, const struct probe *probe,
                         struct response *response)
{
    response->status = probe->passed ? 200 : 503;
    response_header(response, "Cache-Control", "no-store");
    if (request_wants_json(request->in.http)) {
        response->content_type = RESPONSE_JSON;
        append_json(probe, &response->body);
        return;
    }
    response->content_type = RESPONSE_TEXT;
    if (probe->passed && !is_verbose(request)) {
        buf_str(&response->body, "ok");
    } else {
        append_lines(probe, &response->body);
    }
}

void handle_livez_get(struct api *api, const struct request *request, struct response *response)
{
    // Live depends on nothing outside, so it has one line: a restart would not help the others.
    const struct backend *backend = api->backend;
    struct probe probe = {.name = "livez", .passed = backend->live(backend->daemon), .count = 1};
    probe.conditions[0] = (struct backend_condition){
        .name = "loop", .ok = probe.passed, .detail = "the event loop has not moved"};
    answer_probe(request, &probe, response);
}

void handle_readyz_get(struct api *api, const struct request *request, struct response *response)
{
    const struct backend *backend = api->backend;
    struct probe probe = {.name = "readyz", .passed = backend->ready(backend->daemon)};
    size_t count = backend->conditions(backend->daemon, probe.conditions, CONDITIONS_MAX);
    probe.count = count < CONDITIONS_MAX ? count : CONDITIONS_MAX;
    answer_probe(request, &probe, response);
}

void handle_metrics_get(struct api *api, const struct request *request, struct response *response)
{
    (void)request;
    if (api->measure != NULL) {
        api->measure(api->measure_arg);
    }
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metric_write(&response->body);
}
