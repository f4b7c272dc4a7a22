// SPDX-License-Identifier: Apache-2.0
#include "admin-api/writes.h"

#include "admin-api/instance.h"
#include "admin-api/problem.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct write_wish {
    bool ack_stream;
    int64_t timeout_ms;
};

static bool read_ack(const struct request *request, struct write_wish *wish)
{
    char buf[REQUEST_QUERY_LEN_MAX];
    struct span value;
    switch (request_query_get(request->in.http->query, "ack", buf, &value)) {
    case REQUEST_QUERY_ABSENT:
        return true;
    case REQUEST_QUERY_FOUND:
        wish->ack_stream = span_eq_str(value, "stream");
        return wish->ack_stream || span_eq_str(value, "local");
    case REQUEST_QUERY_BAD:
        break;
    }
    return false;
}

static bool read_timeout(const struct request *request, struct write_wish *wish)
{
    char buf[REQUEST_QUERY_LEN_MAX];
    struct span value;
    uint64_t timeout_ms = 0;
    switch (request_query_get(request->in.http->query, "timeout", buf, &value)) {
    case REQUEST_QUERY_ABSENT:
        return true;
    case REQUEST_QUERY_FOUND:
        if (text_duration(value, &timeout_ms) != ERR_OK || timeout_ms > WRITE_TIMEOUT_MAX_MS) {
            return false;
        }
        wish->timeout_ms = (int64_t)timeout_ms;
        return true;
    case REQUEST_QUERY_BAD:
        break;
    }
    return false;
}

static const char *read_wish(const struct request *request, struct write_wish *ret_wish)
{
    static const char *const names[] = {"ack", "timeout", NULL};
    *ret_wish = (struct write_wish){.timeout_ms = WRITE_TIMEOUT_DEFAULT_MS};
    if (!request_query_only(request->in.http->query, names)) {
        return "a write takes ?ack= and ?timeout=, once each";
    }
    if (!read_ack(request, ret_wish)) {
        return "ack is local or stream";
    }
    return read_timeout(request, ret_wish) ? NULL : "timeout is a duration of at most 10m";
}

static enum backend_precondition precondition_of(const struct request *request)
{
    switch (request->if_match) {
    case ETAG_ANY:
        return BACKEND_IF_EXISTS;
    case ETAG_VERSION:
        return BACKEND_IF_MATCH;
    case ETAG_NO_CONDITION:
    case ETAG_NEVER:
    case ETAG_MALFORMED:
        break;
    }
    return request->if_none_match_any ? BACKEND_IF_ABSENT : BACKEND_ANY;
}

bool write_condition_fails(struct api *api, const struct request *request,
                           const struct key_bytes *key, bool surely)
{
    struct map_facts facts;
    bool held = map_peek(api->backend->map, key_span(key), &facts);
    bool accepted = held && !version_is_none(facts.version) && (facts.flags & MAP_TOMBSTONE) == 0;
    switch (request->if_match) {
    case ETAG_NEVER:
        return true;
    case ETAG_VERSION:
        // A version never goes back: one that is newer here already has passed the wanted one.
        return surely ? held && version_cmp(facts.version, request->if_match_version) > 0
                      : !accepted || version_cmp(facts.version, request->if_match_version) != 0;
    case ETAG_ANY:
        return !surely && !accepted;
    case ETAG_NO_CONDITION:
    case ETAG_MALFORMED:
        break;
    }
    return request->if_none_match_any && !surely && accepted;
}

// Runs on any thread.
static void job_outcome(void *arg, enum backend_outcome outcome)
{
    struct write_job *job = arg;
    job->outcome = outcome;
    job->api->job_done(job->api->job_arg, job);
}

static struct write_job *job_new(struct api *api, const struct write_order *order)
{
    if (api->job_count >= API_JOBS_MAX) {
        return NULL;
    }
    struct write_job *job = calloc(1, sizeof(*job));
    if (job == NULL) {
        return NULL;
    }
    api->job_count++;
    job->api = api;
    job->shown = *order->shown;
    job->is_delete = order->patch->op == PATCH_DELETE;
    job->creates = order->creates;
    return job;
}

void write_submit(struct api *api, const struct request *request, const struct write_order *order,
                  struct response *response)
{
    struct write_wish wish;
    const char *wrong = read_wish(request, &wish);
    if (wrong != NULL) {
        problem_fill(response, PROBLEM_BAD_REQUEST, wrong);
        return;
    }
    struct write_job *job = job_new(api, order);
    if (job == NULL) {
        problem_fill(response, PROBLEM_QUEUE_FULL, "too many writes are waiting for their outcome");
        return;
    }
    enum backend_precondition precondition = precondition_of(request);
    bool conditional = precondition != BACKEND_ANY;
    // A conditional write is decided or refused, never kept: 202 would promise what nobody can.
    job->timeout_ms = wish.ack_stream && !conditional ? wish.timeout_ms : -1;
    response->kind = RESPONSE_PENDING;
    response->job = job;
    const struct backend_write write = {
        .key = key_span(order->key),
        .patch = order->patch,
        .precondition = precondition,
        .version = request->if_match_version,
        .ack_stream = wish.ack_stream || conditional,
        .done = job_outcome,
        .arg = job,
    };
    api->backend->submit(api->backend->daemon, &write);
}

static void answer_done(struct write_job *job, struct response *response)
{
    if (job->is_delete) {
        response->status = 204;
        return;
    }
    bool created = job->creates && job->outcome != BACKEND_SAME;
    instance_answer(job->api, &job->shown, created ? 201 : 200, response);
}

// Which of its bounds the tenant has met, as far as that still shows.
static void answer_over_quota(struct write_job *job, struct response *response)
{
    struct map_tenant tenant;
    struct key key;
    char detail[PROBLEM_DETAIL_LEN + KEY_TENANT_MAX];
    const char *text = "the tenant has as many records as it may, or memory is short on this node";
    bool known = key_parse(key_span(&job->shown), &key) == ERR_OK &&
                 map_tenant(job->api->backend->map, key.tenant, &tenant);
    if (known && tenant.limit != 0 && tenant.used >= tenant.limit) {
        (void)snprintf(detail, sizeof(detail),
                       "tenant %s has %" PRIu64 " records and may have %" PRIu32, tenant.name,
                       tenant.used, tenant.limit);
        text = detail;
    } else if (known && tenant.deleted >= tenant.deleted_max) {
        (void)snprintf(detail, sizeof(detail),
                       "tenant %s has %" PRIu64 " deleted records that wait for their purge",
                       tenant.name, tenant.deleted);
        text = detail;
    }
    problem_fill(response, PROBLEM_OVER_QUOTA, text);
}

static void answer_refused(struct write_job *job, struct response *response)
{
    static const struct {
        enum problem_code code;
        const char *detail;
    } rows[] = {
        [BACKEND_NOT_FOUND] = {PROBLEM_NOT_FOUND, "there is no such record"},
        [BACKEND_STALE] = {PROBLEM_STALE_VERSION, "the condition does not hold"},
        [BACKEND_CONFLICT] = {PROBLEM_CONFLICT,
                              "a newer version of meshpulse wrote this record: change it there"},
        [BACKEND_QUEUE_FULL] = {PROBLEM_QUEUE_FULL, "nothing was done; try again"},
        [BACKEND_NOT_READY] = {PROBLEM_NOT_READY, "this node has not replayed the stream yet"},
        [BACKEND_FENCED] = {PROBLEM_FENCED, "another node has joined under this node's name"},
        [BACKEND_UNAVAILABLE] = {PROBLEM_STREAM_UNAVAILABLE,
                                 "a conditional write needs the stream; nothing has changed"},
        [BACKEND_UNKNOWN] = {PROBLEM_UNKNOWN_OUTCOME,
                             "the reply was lost and the stream read anew: read, then decide"},
    };
    if (job->outcome == BACKEND_STALE) {
        instance_answer_stale(job->api, &job->shown, response);
        return;
    }
    if (job->outcome == BACKEND_OVER_QUOTA) {
        answer_over_quota(job, response);
        return;
    }
    problem_fill(response, rows[job->outcome].code, rows[job->outcome].detail);
}

void write_job_end(struct write_job *job, struct response *response)
{
    bool done = job->outcome == BACKEND_APPLIED || job->outcome == BACKEND_ACCEPTED ||
                job->outcome == BACKEND_SAME;
    if (response != NULL && done) {
        answer_done(job, response);
    } else if (response != NULL) {
        answer_refused(job, response);
    }
    job->api->job_count--;
    free(job);
}

void write_job_late(struct write_job *job, struct response *response)
{
    if (job->is_delete) {
        response->status = 202;
        return;
    }
    instance_answer(job->api, &job->shown, 202, response);
}
