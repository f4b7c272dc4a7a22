// SPDX-License-Identifier: Apache-2.0
// How the daemon is: nodes, partitions, digest, version.
#include "admin-api/handle.h"
#include "admin-api/handlers.h"
#include "admin-api/problem.h"
#include "base/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX 4096 // nodes or partitions in one answer
#define REJECTS_MAX 256
#define DIGEST_TEXT_LEN 40
#define DIGEST_SUM_MASK ((UINT64_C(1) << 48) - 1)

static const char *const stream_words[] = {
    [NODE_STREAM_LIVE] = "live",
    [NODE_STREAM_CONNECTING] = "connecting",
    [NODE_STREAM_SNAPSHOT] = "snapshot",
    [NODE_STREAM_STALE] = "stale",
    [NODE_STREAM_DIVERGED] = "diverged",
    [NODE_STREAM_FENCED] = "fenced",
    [NODE_STREAM_MISCONFIGURED] = "misconfigured",
};

static const char *const partition_words[] = {
    [PARTITION_CONNECTING] = "connecting",
    [PARTITION_SNAPSHOT] = "snapshot",
    [PARTITION_TAIL] = "tail",
    [PARTITION_LIVE] = "live",
    [PARTITION_STALE] = "stale",
    [PARTITION_DIVERGED] = "diverged",
};

static bool no_query(const struct request *request, struct response *response)
{
    static const char *const none[] = {NULL};
    if (request_query_only(request->in.http->query, none)) {
        return true;
    }
    problem_fill(response, PROBLEM_BAD_REQUEST, "this resource takes no query");
    return false;
}

static void no_memory(struct response *response)
{
    problem_fill(response, PROBLEM_NOT_READY, "no memory for the answer");
}

static void begin_items(struct json_writer *json, struct response *response)
{
    response->content_type = RESPONSE_JSON;
    json_writer_init(json, &response->body, JSON_COMPACT);
    json_write_object(json, NULL);
}

// --- nodes

// Below 0: not known.
static void write_known_ms(struct json_writer *json, const char *key, int64_t ms)
{
    if (ms < 0) {
        json_write_null(json, key);
    } else {
        json_write_int(json, key, ms);
    }
}

static void write_node(struct json_writer *json, const struct backend_node *node)
{
    json_write_object(json, NULL);
    json_write_text(json, "id", node->id);
    json_write_u64(json, "incarnation", node->incarnation);
    json_write_bool(json, "live", node->live);
    json_write_text(json, "zone", node->zone);
    json_write_text(json, "stream", stream_words[node->stream]);
    write_known_ms(json, "heartbeat_age_ms", node->heartbeat_age_ms);
    write_known_ms(json, "lag_ms", node->lag_ms);
    json_write_text(json, "digest", node->digest);
    json_write_bool(json, "agrees", node->agrees);
    json_write_text(json, "version", node->release);
    json_write_object_end(json);
}

void handle_nodes_get(struct api *api, const struct request *request, struct response *response)
{
    const struct backend *backend = api->backend;
    if (!no_query(request, response)) {
        return;
    }
    size_t cap = backend->nodes(backend->daemon, NULL, 0);
    cap = cap > ROWS_MAX ? ROWS_MAX : cap;
    struct backend_node *rows = calloc(cap + 1, sizeof(*rows));
    if (rows == NULL) {
        no_memory(response);
        return;
    }
    size_t count = backend->nodes(backend->daemon, rows, cap);
    struct json_writer json;
    begin_items(&json, response);
    json_write_text(&json, "self", backend->node_id);
    json_write_array(&json, "items");
    for (size_t i = 0; i < count && i < cap; i++) {
        write_node(&json, &rows[i]);
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
    free(rows);
}

// --- partitions and digest

static void format_digest(struct map_digest digest, char ret_text[DIGEST_TEXT_LEN])
{
    (void)snprintf(ret_text, DIGEST_TEXT_LEN, "%" PRIu64 "-%012" PRIx64, digest.count, digest.sum);
}

// NULL: no memory.  To be freed.
static struct backend_partition *read_partitions(struct api *api, size_t *ret_count)
{
    const struct backend *backend = api->backend;
    size_t cap = backend->partitions(backend->daemon, NULL, 0);
    cap = cap > ROWS_MAX ? ROWS_MAX : cap;
    struct backend_partition *rows = calloc(cap + 1, sizeof(*rows));
    if (rows != NULL) {
        size_t count = backend->partitions(backend->daemon, rows, cap);
        *ret_count = count < cap ? count : cap;
    }
    return rows;
}

static void write_partition(struct json_writer *json, const struct backend_partition *partition)
{
    char digest[DIGEST_TEXT_LEN];
    format_digest(partition->digest, digest);
    json_write_object(json, NULL);
    json_write_int(json, "partition", partition->partition);
    json_write_text(json, "state", partition_words[partition->state]);
    json_write_text(json, "epoch", partition->epoch);
    json_write_u64(json, "sequence", partition->sequence);
    json_write_text(json, "position", partition->position);
    json_write_u64(json, "pending", partition->pending);
    json_write_u64(json, "records", partition->records);
    json_write_text(json, "digest", digest);
    json_write_u64(json, "resyncs", partition->resyncs);
    json_write_u64(json, "repairs", partition->repairs);
    json_write_object_end(json);
}

static bool write_partitions(struct api *api, struct json_writer *json, struct response *response)
{
    size_t count = 0;
    struct backend_partition *rows = read_partitions(api, &count);
    if (rows == NULL) {
        no_memory(response);
        return false;
    }
    begin_items(json, response);
    json_write_array(json, "items");
    for (size_t i = 0; i < count; i++) {
        write_partition(json, &rows[i]);
    }
    json_write_array_end(json);
    free(rows);
    return true;
}

void handle_partitions_get(struct api *api, const struct request *request,
                           struct response *response)
{
    struct json_writer json;
    if (no_query(request, response) && write_partitions(api, &json, response)) {
        json_write_object_end(&json);
    }
}

void handle_digest_get(struct api *api, const struct request *request, struct response *response)
{
    char text[DIGEST_TEXT_LEN];
    size_t count = 0;
    if (!no_query(request, response)) {
        return;
    }
    struct backend_partition *rows = read_partitions(api, &count);
    if (rows == NULL) {
        no_memory(response);
        return;
    }
    struct map_digest all = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        rows[i].digest = map_digest(api->backend->map, rows[i].partition);
        all.count += rows[i].digest.count;
        all.sum = (all.sum + rows[i].digest.sum) & DIGEST_SUM_MASK;
    }
    struct json_writer json;
    begin_items(&json, response);
    format_digest(all, text);
    json_write_text(&json, "digest", text);
    json_write_u64(&json, "records", all.count);
    json_write_array(&json, "partitions");
    for (size_t i = 0; i < count; i++) {
        format_digest(rows[i].digest, text);
        json_write_text(&json, NULL, text);
    }
    json_write_array_end(&json);
    json_write_u64(&json, "pending", api->backend->pending(api->backend->daemon));
    json_write_object_end(&json);
    free(rows);
}

// --- debug

static void write_reject(struct json_writer *json, const struct backend_reject *reject)
{
    json_write_object(json, NULL);
    json_write_time(json, "at", (struct wall){reject->at_ms});
    json_write_int(json, "partition", reject->partition);
    json_write_text(json, "position", reject->position);
    json_write_text(json, "reason", reject->reason);
    json_write_text(json, "key", reject->key);
    json_write_text(json, "head", reject->head);
    json_write_object_end(json);
}

void handle_debug_partitions_get(struct api *api, const struct request *request,
                                 struct response *response)
{
    const struct backend *backend = api->backend;
    struct json_writer json;
    // Refused entries show keys, hence names of every tenant.
    if (!auth_may(&request->identity, SPAN_LIT(""), false)) {
        problem_fill(response, PROBLEM_FORBIDDEN, "the token is restricted to a tenant");
        return;
    }
    if (!no_query(request, response)) {
        return;
    }
    struct backend_reject *rejects = calloc(REJECTS_MAX, sizeof(*rejects));
    if (rejects == NULL) {
        no_memory(response);
        return;
    }
    if (write_partitions(api, &json, response)) {
        size_t count = backend->rejects(backend->daemon, rejects, REJECTS_MAX);
        json_write_array(&json, "rejects");
        for (size_t i = 0; i < count && i < REJECTS_MAX; i++) {
            write_reject(&json, &rejects[i]);
        }
        json_write_array_end(&json);
        json_write_object_end(&json);
    }
    free(rejects);
}

void handle_version_show(struct api *api, const struct request *request, struct response *response)
{
    struct json_writer json;
    if (!no_query(request, response)) {
        return;
    }
    begin_items(&json, response);
    json_write_text(&json, "version", api->backend->version);
    json_write_text(&json, "node", api->backend->node_id);
    json_write_object_end(&json);
}
