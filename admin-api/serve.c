// SPDX-License-Identifier: Apache-2.0
#include "admin-api/serve.h"

#include "admin-api/handle.h"
#include "admin-api/problem.h"
#include "admin-api/recording.h"
#include "admin-api/watch.h"
#include "admin-api/writes.h"
#include "base/loop.h"
#include "base/metric.h"
#include "base/text.h"

#include <stdlib.h>

const char serve_probe_mark[] = "probe";

// A client that waits for its write.
struct pending {
    struct serve *serve;
    struct pending *next, **link;
    struct http1_exchange *exchange;
    struct write_job *job;
    struct loop_timer *timer; // NULL: no deadline
    struct mono began;
};

// A client that waits for a recording to end.
struct recorded {
    struct serve *serve;
    struct recorded *next, **link;
    struct http1_exchange *exchange;
    struct recording *recording;
    struct loop_timer *timer;
};

// A client that reads a long list.
struct long_answer {
    struct serve *serve;
    struct http1_exchange *exchange;
    struct response response;
};

static struct http1_response head_of(const struct response *response)
{
    return (struct http1_response){.status = response->status,
                                   .content_type = response->content_type,
                                   .headers = response->headers,
                                   .header_count = response->header_count,
                                   .close = response->close};
}

// When there is no memory for an answer there is none for a problem either.
static void send_sorry(struct http1_exchange *exchange)
{
    static const char body[] =
        "{\"type\":\"urn:meshpulse:problem:not_ready\",\"title\":\"Not ready yet\",\"status\":503,"
        "\"detail\":\"no memory for the answer\",\"code\":\"not_ready\",\"retry_after\":1}";
    static const struct http1_header headers[] = {{{"Retry-After", 11}, {"1", 1}}};
    const struct http1_response sorry = {.status = 503,
                                         .content_type = "application/problem+json",
                                         .headers = headers,
                                         .header_count = 1,
                                         .body = span_of(body, sizeof(body) - 1),
                                         .close = true};
    http1_respond(exchange, &sorry);
}

static void send_answer(struct http1_exchange *exchange, const struct response *response)
{
    if (response_is_broken(response)) {
        send_sorry(exchange);
        return;
    }
    struct http1_response out = head_of(response);
    out.body = response_body(response);
    http1_respond(exchange, &out);
}

// --- writes that wait

static void pending_free(struct pending *pending)
{
    *pending->link = pending->next;
    if (pending->next != NULL) {
        pending->next->link = pending->link;
    }
    pending->job->user = NULL;
    loop_timer_free(pending->timer);
    free(pending);
}

static void count_time(const struct serve *serve, struct mono began)
{
    int64_t us = loop_now(serve->loop).us - began.us;
    metric_time(METRIC_HTTP_DURATION, us < 0 ? 0 : (uint64_t)us);
}

// Who has written too much is not read for a while.  He gets his answer at once: it may say that he is to
// come back later, and what is kept back would only cost memory here.
static void slow_down(const struct pending *pending)
{
    const struct backend *backend = pending->serve->api.backend;
    http1_exchange_rest(pending->exchange, backend->slow_ms(backend->daemon));
}

static void pending_late(void *arg)
{
    struct pending *pending = arg;
    struct response response;
    response_init(&response);
    write_job_late(pending->job, &response);
    slow_down(pending);
    send_answer(pending->exchange, &response);
    response_fini(&response);
    count_time(pending->serve, pending->began);
    pending_free(pending);
}

static void pending_arrived(void *arg)
{
    struct write_job *job = arg;
    struct pending *pending = job->user;
    if (pending == NULL) {
        write_job_end(job, NULL);
        return;
    }
    struct http1_exchange *exchange = pending->exchange;
    count_time(pending->serve, pending->began);
    slow_down(pending);
    pending_free(pending);
    struct response response;
    response_init(&response);
    write_job_end(job, &response);
    send_answer(exchange, &response);
    response_fini(&response);
}

void serve_job_done(void *serve, struct write_job *job)
{
    struct serve *self = serve;
    loop_task_init(&job->arrived, pending_arrived, job);
    (void)loop_post_task(self->loop, &job->arrived);
}

static bool pending_arm(struct pending *pending)
{
    if (pending->job->timeout_ms < 0) {
        return true;
    }
    if (loop_timer_new(pending->serve->loop, pending_late, pending, &pending->timer) != ERR_OK) {
        return false;
    }
    loop_timer_set_ms(pending->timer, pending->job->timeout_ms);
    return true;
}

static void pending_start(struct serve *serve, struct http1_exchange *exchange,
                          struct write_job *job)
{
    struct pending *pending = calloc(1, sizeof(*pending));
    if (pending == NULL) {
        send_sorry(exchange); // the write goes on, and its job ends by itself
        return;
    }
    *pending = (struct pending){.serve = serve,
                                .next = serve->first,
                                .link = &serve->first,
                                .exchange = exchange,
                                .job = job,
                                .began = loop_now(serve->loop)};
    if (serve->first != NULL) {
        serve->first->link = &pending->next;
    }
    serve->first = pending;
    job->user = pending;
    if (!pending_arm(pending)) {
        pending_free(pending);
        send_sorry(exchange);
    }
}

static void give_up_writes(struct serve *serve)
{
    while (serve->first != NULL) {
        struct http1_exchange *exchange = serve->first->exchange;
        pending_free(serve->first);
        struct response response;
        response_init(&response);
        problem_fill(&response, PROBLEM_NOT_READY, "the node is stopping");
        send_answer(exchange, &response);
        response_fini(&response);
    }
}

// --- recordings

static void recorded_free(struct recorded *recorded)
{
    *recorded->link = recorded->next;
    if (recorded->next != NULL) {
        recorded->next->link = recorded->link;
    }
    http1_exchange_on_cancel(recorded->exchange, NULL, NULL);
    loop_timer_free(recorded->timer);
    free(recorded);
}

static void recorded_end(struct recorded *recorded)
{
    struct http1_exchange *exchange = recorded->exchange;
    struct response response;
    response_init(&response);
    recording_end(recorded->recording, &response);
    recorded_free(recorded);
    send_answer(exchange, &response);
    response_fini(&response);
}

// Nobody waits for it, or there is no time for it.
static void recorded_give_up(void *arg)
{
    struct recorded *recorded = arg;
    struct http1_exchange *exchange = recorded->exchange;
    struct response response;
    recording_free(recorded->recording);
    recorded_free(recorded);
    response_init(&response);
    problem_fill(&response, PROBLEM_NOT_READY, "the node is stopping");
    send_answer(exchange, &response);
    response_fini(&response);
}

static void recorded_step(void *arg)
{
    struct recorded *recorded = arg;
    if (recording_step(recorded->recording, loop_now(recorded->serve->loop))) {
        recorded_end(recorded);
    } else {
        loop_timer_set_ms(recorded->timer, recording_step_ms(recorded->recording));
    }
}

static void recorded_start(struct serve *serve, struct http1_exchange *exchange,
                           struct recording *recording)
{
    struct recorded *recorded = calloc(1, sizeof(*recorded));
    if (recorded == NULL ||
        loop_timer_new(serve->loop, recorded_step, recorded, &recorded->timer) != ERR_OK) {
        free(recorded);
        recording_free(recording);
        send_sorry(exchange);
        return;
    }
    recorded->serve = serve;
    recorded->exchange = exchange;
    recorded->recording = recording;
    recorded->next = serve->recorded;
    recorded->link = &serve->recorded;
    if (serve->recorded != NULL) {
        serve->recorded->link = &recorded->next;
    }
    serve->recorded = recorded;
    http1_exchange_on_cancel(exchange, recorded_give_up, recorded);
    recording_begin(recording, loop_now(serve->loop));
    loop_timer_set_ms(recorded->timer, recording_step_ms(recording));
}

// --- the end

void serve_give_up(struct serve *serve)
{
    while (serve->recorded != NULL) {
        recorded_give_up(serve->recorded);
    }
    give_up_writes(serve);
}

// --- long answers

static void long_end(void *arg)
{
    struct long_answer *answer = arg;
    http1_exchange_on_cancel(answer->exchange, NULL, NULL);
    http1_stream_on_drain(answer->exchange, NULL, NULL);
    http1_stream_end(answer->exchange);
    response_fini(&answer->response);
    free(answer);
}

// Sends the piece that is there; false when the stream has failed.
static bool long_send(struct long_answer *answer)
{
    struct response *response = &answer->response;
    struct span piece = response_body(response);
    // An empty chunk would be the end of the answer.
    bool sent = !response_is_broken(response) &&
                (piece.len == 0 || http1_stream_write(answer->exchange, piece) == ERR_OK);
    buf_reset(&response->body);
    return sent;
}

static void long_drain(void *arg)
{
    struct long_answer *answer = arg;
    (void)response_more(&answer->serve->api, &answer->response);
    bool sent = long_send(answer);
    if (!sent || answer->response.kind == RESPONSE_COMPLETE) {
        long_end(answer);
    }
}

static void long_start(struct serve *serve, struct http1_exchange *exchange,
                       struct response *response)
{
    struct long_answer *answer = calloc(1, sizeof(*answer));
    if (answer == NULL) {
        send_sorry(exchange);
        return;
    }
    const struct http1_response head = head_of(response);
    http1_stream_begin(exchange, &head);
    answer->serve = serve;
    answer->exchange = exchange;
    response_init(&answer->response);
    answer->response.kind = RESPONSE_MORE;
    answer->response.list = response->list;
    bool is_head = http1_exchange_request(exchange)->head;
    bool sent = !is_head && http1_stream_write(exchange, response_body(response)) == ERR_OK;
    if (!sent) {
        long_end(answer);
        return;
    }
    http1_exchange_on_cancel(exchange, long_end, answer);
    http1_stream_on_drain(exchange, long_drain, answer);
}

// --- requests

void serve_request(void *serve, struct http1_exchange *exchange)
{
    struct serve *self = serve;
    const struct http1_listener_info *listener = http1_exchange_listener(exchange);
    const struct request_input in = {.http = http1_exchange_request(exchange),
                                     .listener = listener,
                                     .peer = http1_exchange_peer(exchange),
                                     .is_probe = listener->user == serve_probe_mark};
    struct mono began = loop_now(self->loop);
    struct response response;
    response_init(&response);
    handle_request(&self->api, &in, &response);
    switch (response.kind) {
    case RESPONSE_COMPLETE:
        send_answer(exchange, &response);
        count_time(self, began);
        break;
    case RESPONSE_MORE:
        long_start(self, exchange, &response);
        break;
    case RESPONSE_PENDING:
        pending_start(self, exchange, response.job);
        break;
    case RESPONSE_RECORDING:
        recorded_start(self, exchange, response.recording);
        break;
    case RESPONSE_WATCH:
        if (!watch_start(self->watches, exchange, &response)) {
            send_sorry(exchange);
        }
        break;
    }
    response_fini(&response);
}

void serve_answered(void *serve, const struct http1_request *request, unsigned status)
{
    (void)serve;
    char code[TEXT_U64_LEN];
    struct route_match match;
    struct span route = SPAN_LIT("malformed");
    if (request != NULL) {
        route_find(request->method, request->path, &match);
        route = match.route == NULL ? SPAN_LIT("unknown") : span_str(match.route->template);
    }
    size_t len = text_u64_format(status, code);
    metric_count2(METRIC_HTTP_REQUESTS, route, span_of(code, len), 1);
}
