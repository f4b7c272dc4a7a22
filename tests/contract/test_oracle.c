// SPDX-License-Identifier: Apache-2.0
// Each backend is the other's oracle: the same random calls go to the memory backend and to the scripts on a
// real Redis, and every answer, meta, entry and record must be equal.  How: a seed makes the calls; only
// ids and times may differ.
#include "base/random.h"
#include "tests/contract/rig.h"
#include "tests/lib/suite.h"

#include <math.h>
#include <stdio.h>

#define SEEDS 12
#define CALLS 150
#define NAMES 8
#define PUT_MAX 5

// Both sides of the comparison, and what both should hold.
struct pair {
    struct rig rigs[2];
    struct rig_client *clients[2];
    struct random random;
    uint64_t seed;
    char held[NAMES][16]; // version last accepted
    bool planted[NAMES];  // a stranger's short value was put there
};

static void compare_meta(struct pair *pair)
{
    struct stream_meta a = rig_meta(pair->clients[0], 0);
    struct stream_meta b = rig_meta(pair->clients[1], 0);
    CHECK_EQ(a.exists, b.exists);
    CHECK_STR(a.epoch.text, b.epoch.text);
    CHECK_UEQ(a.sequence, b.sequence);
    CHECK_UEQ(a.floor, b.floor);
    CHECK_UEQ(a.digest.count, b.digest.count);
    CHECK_UEQ(a.digest.sum, b.digest.sum);
    CHECK_UEQ(a.partitions, b.partitions);
    CHECK(fabs(a.mean - b.mean) < 0.02); // the script keeps three digits
}

static void compare_pairs(const struct stream_pair *a, const struct stream_pair *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        CHECK(span_eq(a[i].key, b[i].key));
        CHECK(span_eq(a[i].value, b[i].value));
        CHECK_EQ(a[i].oversized, b[i].oversized);
    }
}

static void compare_puts(struct pair *pair, const struct rig_seen *a, const struct rig_seen *b)
{
    CHECK_EQ(a->event.status, b->event.status);
    CHECK_STR(a->event.epoch.text, b->event.epoch.text);
    if (a->event.status != STREAM_OK) {
        return;
    }
    CHECK_UEQ(a->event.put.sequence, b->event.put.sequence);
    CHECK_UEQ(a->event.put.floor, b->event.put.floor);
    CHECK_EQ(a->event.put.count, b->event.put.count);
    for (uint32_t i = 0; i < a->event.put.count; i++) {
        const struct stream_put_row *x = &a->event.put.rows[i];
        const struct stream_put_row *y = &b->event.put.rows[i];
        ck_assert_msg(x->result == y->result, "seed %llu: memory %d, redis %d",
                      (unsigned long long)pair->seed, (int)x->result, (int)y->result);
        CHECK(span_eq(x->current, y->current));
    }
}

static uint64_t counter_of(const char *version)
{
    uint64_t counter = 0;
    for (int k = 0; k < 8; k++) {
        counter = counter << 8 | (uint8_t)version[k];
    }
    return counter;
}

// Around what is held: often right, sometimes too old, too far, of another writer, or expecting what never was.
static void random_record(struct pair *pair, uint32_t number, struct rig_record *record)
{
    char name[16];
    uint64_t held = counter_of(pair->held[number]);
    uint64_t counter = held + random_below(&pair->random, 4);
    if (random_below(&pair->random, 8) == 0) {
        counter = held + 65536 * random_below(&pair->random, 65536 * 1024);
    } else if (held > 0 && random_below(&pair->random, 8) == 0) {
        counter = held - 1;
    }
    snprintf(name, sizeof(name), "n%u", number);
    rig_record(record, name, random_below(&pair->random, 4), counter);
    if (random_below(&pair->random, 4) != 0) {
        memcpy(record->record.expected, pair->held[number], 16);
    }
    record->value[8 + random_below(&pair->random, 8)] = (char)random_below(&pair->random, 3);
}

static void random_put(struct pair *pair)
{
    struct rig_record records[PUT_MAX];
    struct stream_record sent[PUT_MAX];
    uint32_t count = 1 + (uint32_t)random_below(&pair->random, PUT_MAX);
    uint32_t first = (uint32_t)random_below(&pair->random, NAMES);
    struct stream_epoch epoch =
        rig_epoch(random_below(&pair->random, 20) == 0 ? RIG_EPOCH_B : RIG_EPOCH_A);
    for (uint32_t i = 0; i < count; i++) {
        random_record(pair, (first + i) % NAMES, &records[i]);
        sent[i] = records[i].record;
    }
    struct rig_seen *seen[2];
    for (int side = 0; side < 2; side++) {
        stream_put(pair->clients[side]->stream, 0, &epoch, sent, count);
        seen[side] = rig_wait(pair->clients[side], STREAM_EV_PUT);
    }
    compare_puts(pair, seen[0], seen[1]);
    for (uint32_t i = 0; i < count && seen[0]->event.status == STREAM_OK; i++) {
        if (seen[0]->event.put.rows[i].result == STREAM_PUT_ACCEPTED) {
            memcpy(pair->held[(first + i) % NAMES], records[i].value, 16);
        }
    }
    rig_seen_free(seen[0]);
    rig_seen_free(seen[1]);
}

static void both(struct pair *pair, void (*fn)(struct rig *rig))
{
    fn(&pair->rigs[0]);
    fn(&pair->rigs[1]);
}

static void flush(struct rig *rig)
{
    rig->backend->flush(rig);
    rig_create(&rig->clients[0], 0, RIG_EPOCH_A);
}

static void raise_floor(struct rig *rig)
{
    rig->backend->floor(rig, 0, 3);
}

// Only where nothing stands, else the digest means something else.
static void plant(struct pair *pair, uint32_t number)
{
    static const char none[16] = {0};
    char key[16];
    int len = snprintf(key, sizeof(key), "svc%cn%u", 0, number);
    if (pair->planted[number] || memcmp(pair->held[number], none, sizeof(none)) != 0) {
        return;
    }
    for (int side = 0; side < 2; side++) {
        struct rig *rig = &pair->rigs[side];
        rig->backend->garbage_record(rig, 0, span_of(key, (size_t)len), SPAN_LIT("short"));
    }
    pair->planted[number] = true;
}

static void random_call(struct pair *pair)
{
    uint64_t dice = random_below(&pair->random, 100);
    if (dice == 0) {
        both(pair, flush);
        memset(pair->held, 0, sizeof(pair->held));
        memset(pair->planted, 0, sizeof(pair->planted));
    } else if (dice == 1) {
        both(pair, raise_floor);
    } else if (dice < 10) {
        plant(pair, (uint32_t)random_below(&pair->random, NAMES));
    } else {
        random_put(pair);
    }
}

static struct rig_seen *next_entry(struct rig_client *client)
{
    return rig_wait(client, STREAM_EV_ENTRY);
}

static void compare_logs(struct pair *pair)
{
    uint64_t last = rig_meta(pair->clients[0], 0).sequence;
    uint64_t sequence = 0;
    for (int side = 0; side < 2; side++) {
        stream_read(pair->clients[side]->stream, 0, (struct stream_id){0}, false);
    }
    while (sequence < last) {
        struct rig_seen *a = next_entry(pair->clients[0]);
        struct rig_seen *b = next_entry(pair->clients[1]);
        const struct stream_entry *x = &a->event.entry;
        const struct stream_entry *y = &b->event.entry;
        sequence++;
        CHECK_UEQ(x->sequence, sequence);
        CHECK_UEQ(y->sequence, sequence);
        CHECK_UEQ(x->digest.sum, y->digest.sum);
        CHECK_UEQ(x->digest.count, y->digest.count);
        CHECK_UEQ(x->floor, y->floor);
        CHECK_EQ(x->count, y->count);
        compare_pairs(x->pairs, y->pairs, x->count);
        rig_seen_free(a);
        rig_seen_free(b);
    }
}

// Eight names and no more: one scan each, in any order.
static void compare_states(struct pair *pair)
{
    struct rig_seen *seen[2];
    for (int side = 0; side < 2; side++) {
        stream_scan(pair->clients[side]->stream, 0, 0);
        seen[side] = rig_wait(pair->clients[side], STREAM_EV_SCAN);
        CHECK_UEQ(seen[side]->event.scan.cursor, 0);
    }
    CHECK_EQ(seen[0]->event.scan.count, seen[1]->event.scan.count);
    for (uint32_t i = 0; i < seen[0]->event.scan.count; i++) {
        const struct stream_pair *x = &seen[0]->event.scan.pairs[i];
        bool found = false;
        for (uint32_t k = 0; k < seen[1]->event.scan.count; k++) {
            const struct stream_pair *y = &seen[1]->event.scan.pairs[k];
            found = found || (span_eq(x->key, y->key) && span_eq(x->value, y->value));
        }
        CHECK(found);
    }
    rig_seen_free(seen[0]);
    rig_seen_free(seen[1]);
}

TEST(the_memory_backend_and_the_scripts_answer_random_calls_alike)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct pair pair = {.seed = seed};
        random_seed(&pair.random, seed);
        rig_open(&pair.rigs[0], &rig_memory);
        rig_open(&pair.rigs[1], &rig_redis);
        for (int side = 0; side < 2; side++) {
            pair.clients[side] = rig_client(&pair.rigs[side]);
            rig_create(pair.clients[side], 0, RIG_EPOCH_A);
        }
        for (int i = 0; i < CALLS; i++) {
            random_call(&pair);
            compare_meta(&pair);
        }
        compare_logs(&pair);
        compare_states(&pair);
        rig_close(&pair.rigs[0]);
        rig_close(&pair.rigs[1]);
    }
}
END_TEST

SUITE("contract/oracle", T(the_memory_backend_and_the_scripts_answer_random_calls_alike));
