// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as what a Redis sends, fed whole and then byte by byte: both readings must be one.
// Each reply is then taken for every answer and entry that there is, into memory that is exactly as large
// as the parsers ask for, so that AddressSanitizer sees a step beyond it.
#include "base/assert.h"
#include "base/siphash.h"
#include "stream/redis/redis_reply.h"
#include "stream/redis/resp.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct reading {
    uint64_t trees; // a hash of all that was read
    uint32_t replies;
    enum err err;
};

static void *room(size_t count, size_t size)
{
    void *memory = calloc(count == 0 ? 1 : count, size);
    ASSERT(memory != NULL);
    return memory;
}

// Reads every byte, so that a text which reaches beyond its memory is seen.
static uint64_t hash(uint64_t before, struct span text)
{
    return before * 31 + siphash13(siphash_zero_key, text.ptr, text.len);
}

static uint64_t walk(uint64_t before, const struct resp_reply *reply)
{
    const uint32_t count = resp_count(reply);
    uint64_t sum = hash(before, resp_text(reply)) * 31 + (uint64_t)resp_type(reply);
    sum = sum * 31 + (uint64_t)resp_integer(reply);
    for (uint32_t i = 0; i < count; i++) {
        sum = walk(sum, resp_at(reply, i));
    }
    return sum * 31 + count;
}

static uint64_t walk_pairs(const struct stream_pair *pairs, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum = hash(hash(sum, pairs[i].key), pairs[i].value);
    }
    return sum;
}

// --- a reply as each of the answers

static void as_id(const struct resp_reply *reply)
{
    struct stream_id id;
    char text[STREAM_ID_LEN];
    const struct span given = resp_text(reply);
    if (redis_reply_id(given, &id) == ERR_OK) {
        ASSERT(redis_reply_id_format(id, text) == given.len);
        ASSERT(memcmp(text, given.ptr, given.len) == 0);
    }
}

static void as_meta(const struct resp_reply *reply)
{
    struct stream_meta meta;
    bool malformed = false;
    if (redis_reply_meta(reply, &meta, &malformed) == ERR_OK && meta.exists && !malformed) {
        ASSERT(strlen(meta.epoch.text) == STREAM_EPOCH_LEN && meta.partitions > 0);
        ASSERT(meta.digest.sum >> 48 == 0 && meta.mean >= 0);
    }
}

static void as_put(const struct resp_reply *reply)
{
    struct redis_reply_put put = {.count = 0};
    if (resp_count(reply) == 3) {
        put.count = resp_count(resp_at(reply, 2));
    }
    put.rows = room(put.count, sizeof(*put.rows));
    if (redis_reply_put(reply, &put) == ERR_OK) {
        for (uint32_t i = 0; i < put.count; i++) {
            ASSERT(put.rows[i].result == STREAM_PUT_CONFLICT || put.rows[i].current.len == 0);
            (void)hash(0, put.rows[i].current);
        }
    }
    free(put.rows);
}

static void as_entry(const struct resp_reply *reply)
{
    struct stream_entry entry;
    struct stream_pair *pairs = room(REDIS_REPLY_PAIRS_MAX, sizeof(*pairs));
    if (redis_reply_entry(reply, pairs, &entry) == ERR_OK) {
        ASSERT(entry.count <= REDIS_REPLY_PAIRS_MAX && (entry.valid || entry.count == 0));
        (void)walk_pairs(entry.pairs, entry.count);
    }
    free(pairs);
}

static void as_scan(const struct resp_reply *reply)
{
    const uint32_t max = redis_reply_scan_max(reply);
    struct stream_pair *pairs = room(max, sizeof(*pairs));
    uint32_t count = 0;
    uint64_t cursor = 0;
    if (redis_reply_scan(reply, pairs, &count, &cursor) == ERR_OK) {
        ASSERT(count <= max);
        (void)walk_pairs(pairs, count);
    }
    free(pairs);
}

static void as_beat(const struct resp_reply *reply)
{
    struct redis_reply_beat beat = {0};
    uint32_t lapsed = 0;
    uint32_t peers = 0;
    if (redis_reply_beat_max(reply, &lapsed, &peers) != ERR_OK) {
        return;
    }
    beat.lapsed = room(lapsed, sizeof(*beat.lapsed));
    beat.peers = room(peers, sizeof(*beat.peers));
    if (redis_reply_beat(reply, &beat) == ERR_OK) {
        ASSERT(beat.lapsed_count <= lapsed && beat.peer_count <= peers);
        for (uint32_t i = 0; i < beat.peer_count; i++) {
            ASSERT(beat.peers[i].age_ms >= 0);
            (void)hash(hash(0, beat.peers[i].name), beat.peers[i].payload);
        }
    }
    free(beat.lapsed);
    free(beat.peers);
}

static void as_everything(const struct resp_reply *reply)
{
    as_id(reply);
    as_meta(reply);
    as_put(reply);
    as_entry(reply);
    as_scan(reply);
    as_beat(reply);
    for (uint32_t i = 0; i < resp_count(reply); i++) { // the entries of a read lie deeper
        as_everything(resp_at(reply, i));
    }
}

// --- the bytes

static void take_replies(struct resp *resp, struct reading *reading)
{
    struct resp_reply *reply = NULL;
    while (reading->err == ERR_OK && (reading->err = resp_next(resp, &reply)) == ERR_OK &&
           reply != NULL) {
        reading->trees = walk(reading->trees, reply);
        reading->replies++;
        as_everything(reply);
        resp_reply_free(reply);
    }
}

static struct reading read_all(struct span data, size_t step)
{
    struct reading reading = {0, 0, ERR_OK};
    struct resp *resp = NULL;
    ASSERT(resp_new(&resp) == ERR_OK);
    for (size_t used = 0; used < data.len && reading.err == ERR_OK;) {
        const size_t left = data.len - used;
        const size_t len = left < step ? left : step;
        reading.err = resp_feed(resp, span_of(data.ptr + used, len));
        used += len;
        take_replies(resp, &reading);
    }
    resp_free(resp);
    return reading;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct span bytes = span_of((const char *)data, len);
    const struct reading whole = read_all(bytes, RESP_PIECE_MAX);
    const struct reading dripped = read_all(bytes, 1);
    ASSERT(whole.err == ERR_OK || whole.err == ERR_SYNTAX || whole.err == ERR_TOO_LARGE);
    ASSERT((whole.err == ERR_OK) == (dripped.err == ERR_OK));
    // What stands before a mistake is lost when both come in one piece.
    ASSERT(whole.err == ERR_OK ? whole.replies == dripped.replies && whole.trees == dripped.trees
                               : whole.replies <= dripped.replies);
    return 0;
}
