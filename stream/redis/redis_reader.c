// SPDX-License-Identifier: Apache-2.0
// The read connection: XREAD BLOCK over all subscriptions, one command at a time.
//
//     send --XREAD--> server ... reply: entries -> events --linger--> send
//                        ^-- CLIENT UNBLOCK over the put connection when a subscription has changed
//
// UNBLOCK and XREAD travel on two connections, so one may come before the other: it is repeated until the
// XREAD has answered.
#include "base/assert.h"
#include "base/text.h"
#include "stream/redis/errors.h"
#include "stream/redis/redis_state.h"

#include <stdlib.h>

#define BLOCK_MS 5000
#define BLOCK_DEAF_MS 100 // when CLIENT UNBLOCK is denied
#define UNBLOCK_AGAIN_MS 10
#define RETRY_MS 200
#define MISTYPED_MS 1000 // how long a mistyped key is left out
#define COUNT_MANY 2     // per partition, while many catch up
#define COUNT_ONE 16
#define COUNT_MAX 1024
#define ENTRIES_FIRST 256 // of all partitions, before the size of an entry is known
#define REPLY_WANTED (256 * 1024)
#define LINGER_LEAST_US                                                                            \
    5000 // a shorter pause was measured to be worse than none: it only defeats batching
#define READERS_PER_S 5000

static void send_next(struct redis *redis);

static void on_send(void *arg)
{
    send_next(arg);
}

static void on_unblock(void *arg)
{
    struct redis *redis = arg;
    struct redis_reader *reader = &redis->reader;
    if (!reader->in_flight || !reader->changed || !reader->may_unblock) {
        return;
    }
    const struct redis_link_command command = {.kind = REDIS_IGNORED,
                                               .timeout_ms = redis->options.reply_timeout_ms};
    resp_command(&redis->out, 3);
    resp_arg_str(&redis->out, "CLIENT");
    resp_arg_str(&redis->out, "UNBLOCK");
    resp_arg_u64(&redis->out, (uint64_t)reader->client_id);
    redis_send(redis, &redis->put, &command);
    loop_timer_set_ms(reader->unblock, UNBLOCK_AGAIN_MS);
}

enum err redis_reader_init(struct redis *redis)
{
    struct redis_reader *reader = &redis->reader;
    reader->subscriptions = calloc(redis->options.partitions, sizeof(*reader->subscriptions));
    if (reader->subscriptions == NULL) {
        return ERR_NOMEM;
    }
    enum err err = loop_timer_new(redis->options.loop, on_send, redis, &reader->send);
    if (err == ERR_OK) {
        err = loop_timer_new(redis->options.loop, on_unblock, redis, &reader->unblock);
    }
    return err; // redis_reader_fini frees what there is
}

void redis_reader_fini(struct redis *redis)
{
    loop_timer_free(redis->reader.send);
    loop_timer_free(redis->reader.unblock);
    free(redis->reader.subscriptions);
}

void redis_reader_down(struct redis *redis)
{
    struct redis_reader *reader = &redis->reader;
    for (uint32_t p = 0; p < redis->options.partitions; p++) {
        reader->subscriptions[p].active = false;
        reader->subscriptions[p].asked = 0;
        reader->subscriptions[p].skip_until = (struct mono){0};
    }
    loop_timer_cancel(reader->send);
    loop_timer_cancel(reader->unblock);
    reader->in_flight = false;
    reader->changed = false;
    reader->isolating = false;
    reader->count = 0;
}

// Something is to be asked for that the XREAD in flight does not ask for.
static void note_change(struct redis *redis)
{
    struct redis_reader *reader = &redis->reader;
    if (!reader->in_flight) {
        if (!loop_timer_armed(reader->send)) {
            loop_timer_set_ms(reader->send, 0); // many calls of one moment share one XREAD
        }
        return;
    }
    reader->changed = true;
    if (!loop_timer_armed(reader->unblock)) {
        loop_timer_set_ms(reader->unblock, 0);
    }
}

void redis_reader_read(struct stream *stream, uint32_t partition, struct stream_id after,
                       bool catching_up)
{
    struct redis *redis = redis_of(stream);
    struct redis_subscription *subscription = &redis->reader.subscriptions[partition];
    if (redis->life != REDIS_UP) {
        return;
    }
    bool same = subscription->active && stream_id_cmp(subscription->after, after) == 0;
    if (subscription->catching_up != catching_up) {
        redis->reader.count = 0;
    }
    subscription->catching_up = catching_up;
    if (same) {
        return; // a reply that is on its way fits as well
    }
    subscription->active = true;
    subscription->after = after;
    subscription->skip_until = (struct mono){0};
    subscription->generation += subscription->generation == UINT32_MAX ? 2 : 1; // never 0
    note_change(redis);
}

void redis_reader_unread(struct stream *stream, uint32_t partition)
{
    struct redis_subscription *subscription = &redis_of(stream)->reader.subscriptions[partition];
    subscription->active = false; // what still comes of it is dropped
}

// --- asking

static bool is_due(const struct redis *redis, uint32_t partition, struct mono now)
{
    const struct redis_reader *reader = &redis->reader;
    const struct redis_subscription *subscription = &reader->subscriptions[partition];
    if (reader->isolating && partition != reader->isolated) {
        return false;
    }
    return subscription->active && subscription->skip_until.us <= now.us;
}

static bool is_any_catching_up(const struct redis *redis)
{
    for (uint32_t p = 0; p < redis->options.partitions; p++) {
        const struct redis_subscription *subscription = &redis->reader.subscriptions[p];
        if (subscription->active && subscription->catching_up) {
            return true;
        }
    }
    return false;
}

// While isolating: moves on to the next partition to be asked for; false when all were.
static bool isolate_next(struct redis *redis, struct mono now)
{
    struct redis_reader *reader = &redis->reader;
    while (reader->isolated < redis->options.partitions) {
        if (is_due(redis, reader->isolated, now)) {
            return true;
        }
        reader->isolated++;
    }
    reader->isolating = false;
    return false;
}

// Marks what the next XREAD asks for.  Returns how many partitions.
static uint32_t choose(struct redis *redis, bool *ret_skipped)
{
    struct redis_reader *reader = &redis->reader;
    struct mono now = loop_now(redis->options.loop);
    uint32_t chosen = 0;
    if (reader->isolating && !isolate_next(redis, now)) {
        reader->isolated = 0;
    }
    *ret_skipped = false;
    for (uint32_t p = 0; p < redis->options.partitions; p++) {
        struct redis_subscription *subscription = &reader->subscriptions[p];
        subscription->asked = is_due(redis, p, now) ? subscription->generation : 0;
        chosen += subscription->asked != 0 ? 1 : 0;
        *ret_skipped = *ret_skipped || subscription->skip_until.us > now.us;
    }
    return chosen;
}

static void write_streams(struct redis *redis)
{
    const struct redis_reader *reader = &redis->reader;
    resp_arg_str(&redis->out, "STREAMS");
    for (uint32_t p = 0; p < redis->options.partitions; p++) {
        if (reader->subscriptions[p].asked != 0) {
            redis_arg_key(redis, p, "e");
        }
    }
    for (uint32_t p = 0; p < redis->options.partitions; p++) {
        char text[STREAM_ID_LEN];
        if (reader->subscriptions[p].asked != 0) {
            size_t len = redis_reply_id_format(reader->subscriptions[p].after, text);
            resp_arg(&redis->out, span_of(text, len));
        }
    }
}

// So few that the largest entries of all partitions together stay far under RESP_REPLY_MAX.
static uint32_t first_count(const struct redis *redis, uint32_t chosen)
{
    uint32_t fair = ENTRIES_FIRST / chosen;
    if (is_any_catching_up(redis) || fair < COUNT_MANY) {
        return COUNT_MANY;
    }
    return fair < COUNT_ONE ? fair : COUNT_ONE;
}

static void send_next(struct redis *redis)
{
    struct redis_reader *reader = &redis->reader;
    bool skipped = false;
    if (reader->in_flight || redis->life != REDIS_UP) {
        return;
    }
    uint32_t chosen = choose(redis, &skipped);
    if (chosen == 0) {
        if (skipped) {
            loop_timer_set_ms(reader->send, MISTYPED_MS);
        }
        return;
    }
    if (reader->count == 0) {
        reader->count = first_count(redis, chosen);
    }
    int64_t block_ms = skipped ? MISTYPED_MS : BLOCK_MS;
    block_ms = reader->may_unblock ? block_ms : BLOCK_DEAF_MS;
    resp_command(&redis->out, (reader->isolating ? 4 : 6) + 2 * chosen);
    resp_arg_str(&redis->out, "XREAD");
    resp_arg_str(&redis->out, "COUNT");
    resp_arg_u64(&redis->out, reader->count);
    if (!reader->isolating) {
        resp_arg_str(&redis->out, "BLOCK");
        resp_arg_u64(&redis->out, (uint64_t)block_ms);
    }
    write_streams(redis);
    const struct redis_link_command command = {
        .kind = REDIS_READ, .timeout_ms = block_ms + redis->options.reply_timeout_ms};
    reader->in_flight = true;
    reader->changed = false;
    redis_send(redis, &redis->read, &command);
}

// --- answers

// "{prefix:<partition>}e"
static bool partition_of(const struct redis *redis, struct span key, uint32_t *ret_partition)
{
    size_t head = strlen(redis->options.prefix) + 2;
    uint64_t partition = 0;
    if (key.len < head + 3 || memcmp(key.ptr + 1, redis->options.prefix, head - 2) != 0 ||
        text_u64_in(span_of(key.ptr + head, key.len - head - 2), 0, redis->options.partitions - 1,
                    &partition) != ERR_OK) {
        return false;
    }
    *ret_partition = (uint32_t)partition;
    return true;
}

// False: the subscription that was asked for has moved, ended, or gone with the connection.
static bool still_asked(const struct redis *redis, uint32_t partition)
{
    const struct redis_subscription *subscription = &redis->reader.subscriptions[partition];
    return subscription->active && subscription->asked != 0 &&
           subscription->asked == subscription->generation;
}

static void count_skipped(struct redis *redis, const struct stream_entry *entry)
{
    bool skipped = !entry->valid;
    for (uint32_t i = 0; i < entry->count; i++) {
        skipped = skipped || entry->pairs[i].oversized;
    }
    redis->skipped_entries += skipped ? 1 : 0;
}

static enum err give_partition(struct redis *redis, uint32_t partition,
                               const struct resp_reply *entries)
{
    struct redis_subscription *subscription = &redis->reader.subscriptions[partition];
    for (uint32_t i = 0; i < resp_count(entries) && still_asked(redis, partition); i++) {
        struct stream_event event = {.type = STREAM_EV_ENTRY, .partition = partition};
        enum err err = redis_reply_entry(resp_at(entries, i), redis->pairs, &event.entry);
        if (err != ERR_OK) {
            return err;
        }
        count_skipped(redis, &event.entry);
        subscription->after = event.entry.id;
        redis_emit(redis, &event);
    }
    if (still_asked(redis, partition)) {
        const struct stream_event drained = {.type = STREAM_EV_DRAINED, .partition = partition};
        redis_emit(redis, &drained);
    }
    return ERR_OK;
}

// *ret_full: some partition gave as much as was asked for, so more may wait.
static enum err give(struct redis *redis, const struct resp_reply *reply, bool *ret_full)
{
    for (uint32_t i = 0; i < resp_count(reply); i++) {
        const struct resp_reply *stream = resp_at(reply, i);
        uint32_t partition = 0;
        if (resp_count(stream) != 2 ||
            !partition_of(redis, resp_text(resp_at(stream, 0)), &partition)) {
            return ERR_SYNTAX;
        }
        *ret_full = *ret_full || resp_count(resp_at(stream, 1)) >= redis->reader.count;
        enum err err = give_partition(redis, partition, resp_at(stream, 1));
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

// Larger replies cost less per entry, until one of them stands in everybody's way.
static void adapt_count(struct redis *redis, bool full, size_t len)
{
    struct redis_reader *reader = &redis->reader;
    if (len > REPLY_WANTED && reader->count > COUNT_MANY) {
        reader->count /= 2;
    } else if (full && len < REPLY_WANTED / 2 && reader->count > 0 && reader->count < COUNT_MAX) {
        reader->count *= 2;
    }
}

// Each reader that waits costs the server a wake-up per entry; with many of them all wait a little
// together instead.  A reply that was full is followed at once.
static void go_on(struct redis *redis, bool had_entries, bool full)
{
    int64_t linger_us = (int64_t)redis->live_peers * 1000000 / READERS_PER_S;
    int64_t max_us = redis->options.linger_max_ms * 1000;
    linger_us = linger_us < max_us ? linger_us : max_us;
    bool wanted = loop_timer_armed(redis->reader.send); // a subscription changed meanwhile
    if (!had_entries || full || wanted || linger_us < LINGER_LEAST_US) {
        loop_timer_cancel(redis->reader.send);
        send_next(redis);
        return;
    }
    struct mono now = loop_now(redis->options.loop);
    loop_timer_set(redis->reader.send, (struct mono){now.us + linger_us});
}

static void reply_error(struct redis *redis, struct span text)
{
    struct redis_reader *reader = &redis->reader;
    enum errors_class class = errors_classify(text);
    if (class == ERRORS_REDISCOVER || class == ERRORS_CONFIG) {
        redis_down(redis, errors_status(class), text);
        return;
    }
    if (class != ERRORS_PAGE) {
        loop_timer_set_ms(reader->send, RETRY_MS);
        return;
    }
    // One of the keys is no stream, which one is not said: find it, leave it out for a while.
    if (!reader->isolating) {
        reader->isolating = true;
        reader->isolated = 0;
    } else {
        reader->subscriptions[reader->isolated].skip_until =
            mono_add_ms(loop_now(redis->options.loop), MISTYPED_MS);
        reader->isolated++;
    }
    send_next(redis);
}

void redis_reader_reply(struct redis *redis, const struct resp_reply *reply)
{
    struct redis_reader *reader = &redis->reader;
    uint32_t generation = redis->read.generation;
    bool full = false;
    reader->in_flight = false;
    loop_timer_cancel(reader->unblock);
    if (resp_type(reply) == RESP_ERROR) {
        reply_error(redis, resp_text(reply));
        return;
    }
    if (give(redis, reply, &full) != ERR_OK) {
        redis_down(redis, STREAM_RETRY, SPAN_LIT("XREAD answered something else than entries"));
        return;
    }
    if (redis->read.generation != generation) {
        return;
    }
    if (reader->isolating) {
        reader->isolated++;
    }
    adapt_count(redis, full, resp_wire_len(redis->read.resp));
    go_on(redis, resp_count(reply) > 0, full);
}
