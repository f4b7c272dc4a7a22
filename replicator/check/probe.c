// SPDX-License-Identifier: Apache-2.0
#include "replicator/check/probe.h"

#include "base/assert.h"
#include "base/conn.h"
#include "base/http_client.h"
#include "base/loop.h"
#include "base/text.h"

#include <stdlib.h>

#define BODY_MAX 4096 // read so much of an answer, so that a small one ends without a reset

struct probe_engine {
    struct loop *loop;
    struct http_client *http;
    size_t under_way;
};

struct probe {
    struct probe_engine *engine;
    struct probe_call call;
    uint32_t expect_min, expect_max;
    struct http_client_call *http; // of HTTP and HTTPS
    struct conn *conn;             // of TCP
    struct mono began;
};

enum err probe_engine_new(struct loop *loop, struct probe_engine **ret_engine)
{
    struct probe_engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL) {
        return ERR_NOMEM;
    }
    engine->loop = loop;
    enum err err = http_client_new(loop, &engine->http);
    if (err != ERR_OK) {
        free(engine);
        return err;
    }
    *ret_engine = engine;
    return ERR_OK;
}

void probe_engine_free(struct probe_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    ASSERT(engine->under_way == 0);
    http_client_free(engine->http);
    free(engine);
}

static void probe_free(struct probe *probe)
{
    probe->engine->under_way--;
    free(probe);
}

static void answer(struct probe *probe, const struct probe_result *result)
{
    struct probe_call call = probe->call;
    probe_free(probe);
    call.done(call.arg, result);
}

// --- HTTP

static struct probe_result judge_status(const struct probe *probe,
                                        const struct http_client_result *http,
                                        char text[TEXT_U64_LEN])
{
    if (http->status >= probe->expect_min && http->status <= probe->expect_max) {
        return (struct probe_result){
            .outcome = PROBE_PASSED, .reason = REASON_CHECK_PASSED, .text = SPAN_LIT("")};
    }
    return (struct probe_result){.outcome = PROBE_FAILED,
                                 .reason = REASON_HTTP_STATUS,
                                 .text = span_of(text, text_u64_format(http->status, text))};
}

static enum reason http_reason(enum http_client_outcome outcome)
{
    switch (outcome) {
    case HTTP_CLIENT_REFUSED:
        return REASON_CONNECT_REFUSED;
    case HTTP_CLIENT_CONNECT_TIMEOUT:
        return REASON_CONNECT_TIMEOUT;
    case HTTP_CLIENT_RESPONSE_TIMEOUT:
        return REASON_RESPONSE_TIMEOUT;
    case HTTP_CLIENT_TLS_FAILED:
        return REASON_TLS_FAILED;
    case HTTP_CLIENT_INVALID:
        return REASON_HTTP_INVALID;
    case HTTP_CLIENT_UNREACHABLE:
    case HTTP_CLIENT_CLOSED:
        return REASON_CONNECT_FAILED;
    case HTTP_CLIENT_OK:
    case HTTP_CLIENT_FAILED:
        break;
    }
    return REASON_NONE;
}

static void http_done(void *arg, const struct http_client_result *http)
{
    struct probe *probe = arg;
    char text[TEXT_U64_LEN];
    struct probe_result result = {.outcome = PROBE_FAILED,
                                  .reason = http_reason(http->outcome),
                                  .text = span_str(http->text)};
    if (http->outcome == HTTP_CLIENT_OK) {
        result = judge_status(probe, http, text);
    } else if (result.reason == REASON_NONE) {
        result.outcome = PROBE_NOTHING;
    }
    result.latency_us = http->latency_us;
    answer(probe, &result);
}

static enum err http_start(struct probe *probe, const struct probe_request *request)
{
    const struct check_policy *check = request->check;
    const struct http_client_request http = {.address = request->address,
                                             .tls = check->type == CHECK_HTTPS,
                                             .host = request->host,
                                             .path = request->path,
                                             .timeout_ms = check->timeout_ms,
                                             .body_max = BODY_MAX,
                                             .done = http_done,
                                             .arg = probe};
    return http_client_get(probe->engine->http, &http, &probe->http);
}

// --- TCP

static uint64_t elapsed_us(const struct probe *probe)
{
    int64_t us = loop_now(probe->engine->loop).us - probe->began.us;
    return us > 0 ? (uint64_t)us : 0;
}

static void tcp_open(void *arg)
{
    struct probe *probe = arg;
    const struct probe_result result = {.outcome = PROBE_PASSED,
                                        .reason = REASON_CHECK_PASSED,
                                        .text = SPAN_LIT(""),
                                        .latency_us = elapsed_us(probe)};
    conn_close(probe->conn);
    answer(probe, &result);
}

static void tcp_close(void *arg, enum err err, const char *text)
{
    struct probe *probe = arg;
    struct conn *conn = probe->conn;
    struct probe_result result = {.outcome = PROBE_FAILED,
                                  .reason = REASON_CONNECT_FAILED,
                                  .text = span_str(text),
                                  .latency_us = elapsed_us(probe)};
    if (err == ERR_REFUSED) {
        result.reason = REASON_CONNECT_REFUSED;
    } else if (err == ERR_TIMEOUT) {
        result.reason = REASON_CONNECT_TIMEOUT;
    } else if (err == ERR_NOMEM) {
        result.outcome = PROBE_NOTHING;
    }
    answer(probe, &result); // borrows `text` from the connection
    conn_close(conn);
}

static enum err tcp_start(struct probe *probe, const struct probe_request *request)
{
    static const struct conn_handlers handlers = {.on_open = tcp_open, .on_close = tcp_close};
    const struct conn_options options = {
        .handlers = &handlers, .arg = probe, .open_ms = request->check->timeout_ms};
    return conn_connect(probe->engine->loop, &request->address, &options, &probe->conn);
}

// --- both

enum err probe_start(struct probe_engine *engine, const struct probe_request *request,
                     const struct probe_call *call, struct probe **ret_probe)
{
    const struct check_policy *check = request->check;
    bool http = check->type == CHECK_HTTP || check->type == CHECK_HTTPS;
    if (!http && check->type != CHECK_TCP) {
        return ERR_UNSUPPORTED;
    }
    struct probe *probe = calloc(1, sizeof(*probe));
    if (probe == NULL) {
        return ERR_NOMEM;
    }
    *probe = (struct probe){.engine = engine,
                            .call = *call,
                            .expect_min = check->expect_min,
                            .expect_max = check->expect_max,
                            .began = loop_now(engine->loop)};
    engine->under_way++;
    enum err err = http ? http_start(probe, request) : tcp_start(probe, request);
    if (err != ERR_OK) {
        probe_free(probe);
        return err;
    }
    *ret_probe = probe;
    return ERR_OK;
}

void probe_cancel(struct probe *probe)
{
    if (probe->http != NULL) {
        http_client_cancel(probe->http);
    } else {
        conn_close(probe->conn);
    }
    probe_free(probe);
}
