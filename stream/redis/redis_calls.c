// SPDX-License-Identifier: Apache-2.0
// The put connection: each call becomes one command, each reply one event.
#include "base/assert.h"
#include "stream/redis/errors.h"
#include "stream/redis/redis_state.h"

#include <stdio.h>
#include <stdlib.h>

#define SCAN_COUNT 256
#define PAYLOAD_MAX 4096

static void post_command(struct redis *redis, const struct redis_link_command *command)
{
    if (redis->life != REDIS_UP) {
        buf_reset(&redis->out); // nothing may come between the commands of a greeting
        return;
    }
    redis_send(redis, &redis->put, command);
}

static void post(struct redis *redis, enum redis_kind kind, uint32_t partition, uint32_t count)
{
    const struct redis_link_command command = {.kind = (int)kind,
                                               .partition = partition,
                                               .count = count,
                                               .timeout_ms = redis->options.reply_timeout_ms};
    post_command(redis, &command);
}

// "{prefix:n}<suffix>": the presence set lies beside the partitions.
static void arg_presence(struct redis *redis, const char *suffix)
{
    char text[96];
    int len = snprintf(text, sizeof(text), "{%s:n}%s", redis->options.prefix, suffix);
    resp_arg(&redis->out, span_of(text, (size_t)len));
}

void redis_calls_meta(struct stream *stream, uint32_t partition)
{
    struct redis *redis = redis_of(stream);
    redis_script_open_partition(redis, SCRIPTS_META, partition, 0);
    post(redis, REDIS_META, partition, 0);
}

void redis_calls_create(struct stream *stream, uint32_t partition, const struct stream_epoch *epoch)
{
    struct redis *redis = redis_of(stream);
    const struct redis_link_command command = {.kind = REDIS_CREATE,
                                               .partition = partition,
                                               .timeout_ms = redis->options.reply_timeout_ms,
                                               .epoch = *epoch};
    redis_script_open_partition(redis, SCRIPTS_CREATE, partition, 3);
    resp_arg_str(&redis->out, epoch->text);
    resp_arg_u64(&redis->out, redis->options.partitions);
    resp_arg_u64(&redis->out, STREAM_WIRE);
    post_command(redis, &command);
}

void redis_calls_scan(struct stream *stream, uint32_t partition, uint64_t cursor)
{
    struct redis *redis = redis_of(stream);
    resp_command(&redis->out, 5);
    resp_arg_str(&redis->out, "HSCAN");
    redis_arg_key(redis, partition, "s");
    resp_arg_u64(&redis->out, cursor);
    resp_arg_str(&redis->out, "COUNT");
    resp_arg_u64(&redis->out, SCAN_COUNT);
    post(redis, REDIS_SCAN, partition, 0);
}

void redis_calls_probe(struct stream *stream, uint32_t partition, struct stream_id id)
{
    struct redis *redis = redis_of(stream);
    char text[STREAM_ID_LEN];
    struct span where = span_of(text, redis_reply_id_format(id, text));
    resp_command(&redis->out, 4);
    resp_arg_str(&redis->out, "XRANGE");
    redis_arg_key(redis, partition, "e");
    resp_arg(&redis->out, where);
    resp_arg(&redis->out, where);
    post(redis, REDIS_PROBE, partition, 0);
}

void redis_calls_put(struct stream *stream, const struct stream_batch *batch)
{
    struct redis *redis = redis_of(stream);
    if (redis_refuses(redis)) {
        resp_command(&redis->out, 1);
        resp_arg_str(&redis->out, "PING");
        post(redis, REDIS_PUT_REFUSED, batch->partition, batch->count);
        return;
    }
    redis_script_open_partition(redis, SCRIPTS_PUT, batch->partition, 2 + 3 * batch->count);
    resp_arg(&redis->out, span_of(batch->epoch->text, STREAM_EPOCH_LEN));
    resp_arg_u64(&redis->out, redis->options.retention);
    for (uint32_t i = 0; i < batch->count; i++) {
        resp_arg(&redis->out, batch->records[i].key);
        resp_arg(&redis->out,
                 span_of(batch->records[i].expected, sizeof(batch->records[i].expected)));
        resp_arg(&redis->out, batch->records[i].value);
    }
    post(redis, REDIS_PUT, batch->partition, batch->count);
}

static void send_beat(struct redis *redis, struct span name, struct span payload, int64_t lease_ms)
{
    redis_script_open(redis, SCRIPTS_BEAT, 4);
    arg_presence(redis, "p");
    arg_presence(redis, "i");
    resp_arg(&redis->out, name);
    resp_arg(&redis->out, payload);
    resp_arg_u64(&redis->out, (uint64_t)lease_ms);
    resp_arg_u64(&redis->out, redis->turn++);
    post(redis, REDIS_BEAT, 0, 0);
}

void redis_calls_beat(struct stream *stream, struct span name, struct span payload,
                      int64_t lease_ms)
{
    struct redis *redis = redis_of(stream);
    struct redis_beat *beat = &redis->beat;
    ASSERT(payload.len <= PAYLOAD_MAX && lease_ms > 0);
    buf_reset(&beat->bytes);
    buf_put(&beat->bytes, name);
    buf_put(&beat->bytes, payload);
    beat->name_len = name.len;
    beat->lease_ms = lease_ms;
    send_beat(redis, name, payload, lease_ms);
}

void redis_calls_beat_again(struct redis *redis)
{
    const struct redis_beat *beat = &redis->beat;
    struct span bytes = buf_span(&beat->bytes);
    if (beat->bytes.err == ERR_OK) { // else it is left to the next one: a lease outlives it
        send_beat(redis, span_of(bytes.ptr, beat->name_len),
                  span_of(bytes.ptr + beat->name_len, bytes.len - beat->name_len), beat->lease_ms);
    }
}

static void forget_in(struct redis *redis, const char *verb, const char *suffix, struct span name)
{
    resp_command(&redis->out, 3);
    resp_arg_str(&redis->out, verb);
    arg_presence(redis, suffix);
    resp_arg(&redis->out, name);
    post(redis, REDIS_IGNORED, 0, 0);
}

void redis_calls_forget(struct stream *stream, struct span name)
{
    struct redis *redis = redis_of(stream);
    forget_in(redis, "ZREM", "p", name);
    forget_in(redis, "HDEL", "i", name);
}

// --- answers

// The event of a call that failed; the payload is all zero.
static void emit_failure(struct redis *redis, const struct redis_link_command *command,
                         enum stream_status status, struct span text)
{
    static const enum stream_event_type types[] = {
        [REDIS_META] = STREAM_EV_META, [REDIS_CREATE] = STREAM_EV_META,
        [REDIS_SCAN] = STREAM_EV_SCAN, [REDIS_PROBE] = STREAM_EV_PROBE,
        [REDIS_PUT] = STREAM_EV_PUT,   [REDIS_PUT_REFUSED] = STREAM_EV_PUT,
        [REDIS_BEAT] = STREAM_EV_BEAT};
    struct stream_event event = {.type = types[command->kind],
                                 .partition = command->partition,
                                 .status = status,
                                 .text = text};
    if (status == STREAM_EPOCH) { // "MPEPOCH <epoch>", "MPEPOCH -"
        size_t head = sizeof("MPEPOCH ") - 1;
        if (text.len == head + STREAM_EPOCH_LEN) {
            memcpy(event.epoch.text, text.ptr + head, STREAM_EPOCH_LEN);
        }
    }
    redis_emit(redis, &event);
}

static void reply_error(struct redis *redis, const struct redis_link_command *command,
                        struct span text)
{
    enum errors_class class = errors_classify(text);
    enum stream_status status = errors_status(class);
    if (class == ERRORS_REDISCOVER) {
        redis_down(redis, STREAM_RETRY, text);
        return;
    }
    if (class == ERRORS_NOSCRIPT) {
        bool again = false;
        if (redis_script_forgotten(redis, command, &again)) {
            return;
        }
        status = again ? STREAM_AGAIN : STREAM_RETRY;
    }
    if (command->kind != REDIS_IGNORED) {
        emit_failure(redis, command, status, text);
    }
}

static enum err reply_meta(struct redis *redis, const struct redis_link_command *command,
                           const struct resp_reply *reply)
{
    struct stream_event event = {.type = STREAM_EV_META, .partition = command->partition};
    bool malformed = false;
    enum err err = redis_reply_meta(reply, &event.meta, &malformed);
    if (err == ERR_OK && malformed) {
        emit_failure(redis, command, STREAM_MISTYPED, SPAN_LIT("a meta field is malformed"));
    } else if (err == ERR_OK) {
        redis_emit(redis, &event);
    }
    return err;
}

static enum err reply_scan(struct redis *redis, const struct redis_link_command *command,
                           const struct resp_reply *reply)
{
    struct stream_event event = {.type = STREAM_EV_SCAN, .partition = command->partition};
    uint32_t max = redis_reply_scan_max(reply);
    struct stream_pair *pairs = calloc(max == 0 ? 1 : max, sizeof(*pairs));
    if (pairs == NULL) {
        return ERR_NOMEM;
    }
    enum err err = redis_reply_scan(reply, pairs, &event.scan.count, &event.scan.cursor);
    if (err == ERR_OK) {
        event.scan.pairs = pairs;
        redis->skipped_entries += max - event.scan.count > 4 ? max - event.scan.count - 4 : 0;
        redis_emit(redis, &event);
    }
    free(pairs);
    return err;
}

static enum err reply_probe(struct redis *redis, const struct redis_link_command *command,
                            const struct resp_reply *reply)
{
    struct stream_event event = {.type = STREAM_EV_PROBE, .partition = command->partition};
    if (resp_type(reply) != RESP_ARRAY || resp_count(reply) > 1) {
        return ERR_SYNTAX;
    }
    if (resp_count(reply) == 1) {
        enum err err = redis_reply_entry(resp_at(reply, 0), redis->pairs, &event.probe.entry);
        if (err != ERR_OK) {
            return err;
        }
        event.probe.found = true;
    }
    redis_emit(redis, &event);
    return ERR_OK;
}

static enum err reply_put(struct redis *redis, const struct redis_link_command *command,
                          const struct resp_reply *reply)
{
    struct redis_reply_put put = {.rows = redis->rows, .count = command->count};
    enum err err = redis_reply_put(reply, &put);
    if (err == ERR_OK) {
        const struct stream_event event = {.type = STREAM_EV_PUT,
                                           .partition = command->partition,
                                           .put = {.sequence = put.sequence,
                                                   .floor = put.floor,
                                                   .rows = put.rows,
                                                   .count = put.count}};
        redis_emit(redis, &event);
    }
    return err;
}

static enum err reply_beat(struct redis *redis, const struct resp_reply *reply)
{
    uint32_t lapsed = 0;
    uint32_t peers = 0;
    enum err err = redis_reply_beat_max(reply, &lapsed, &peers);
    if (err != ERR_OK) {
        return err;
    }
    struct redis_reply_beat beat = {0};
    beat.lapsed = calloc((size_t)lapsed + 1, sizeof(*beat.lapsed));
    beat.peers = calloc((size_t)peers + 1, sizeof(*beat.peers));
    err = beat.lapsed == NULL || beat.peers == NULL ? ERR_NOMEM : redis_reply_beat(reply, &beat);
    if (err == ERR_OK) {
        redis->live_peers = beat.peer_count;
        const struct stream_event event = {.type = STREAM_EV_BEAT,
                                           .beat = {.server_ms = beat.server_ms,
                                                    .in_grace = beat.in_grace,
                                                    .lapsed = beat.lapsed,
                                                    .lapsed_count = beat.lapsed_count,
                                                    .peers = beat.peers,
                                                    .peer_count = beat.peer_count}};
        redis_emit(redis, &event);
    }
    free(beat.lapsed);
    free(beat.peers);
    return err;
}

static enum err dispatch(struct redis *redis, const struct redis_link_command *command,
                         const struct resp_reply *reply)
{
    switch (command->kind) {
    case REDIS_META:
    case REDIS_CREATE:
        return reply_meta(redis, command, reply);
    case REDIS_SCAN:
        return reply_scan(redis, command, reply);
    case REDIS_PROBE:
        return reply_probe(redis, command, reply);
    case REDIS_PUT:
        return reply_put(redis, command, reply);
    case REDIS_PUT_REFUSED:
        emit_failure(
            redis, command, STREAM_CONFIG,
            SPAN_LIT("the server may evict our keys (maxmemory-policy is not noeviction)"));
        return ERR_OK;
    case REDIS_BEAT:
        return reply_beat(redis, reply);
    default:
        return ERR_OK; // REDIS_IGNORED
    }
}

void redis_calls_reply(struct redis *redis, const struct redis_link_command *command,
                       const struct resp_reply *reply)
{
    if (command->kind == (int)REDIS_INFO_AGAIN) {
        redis_greet_look_again(redis, reply);
        return;
    }
    if (resp_type(reply) == RESP_ERROR) {
        reply_error(redis, command, resp_text(reply));
        return;
    }
    redis_script_known(redis, command);
    enum err err = dispatch(redis, command, reply);
    if (err != ERR_OK) {
        redis_down(redis, STREAM_RETRY,
                   err == ERR_NOMEM ? span_str(err_text(err))
                                    : SPAN_LIT("an answer of another shape than our scripts give"));
    }
}
