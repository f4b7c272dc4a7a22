// SPDX-License-Identifier: Apache-2.0
// The map beside a reference that is a plain array: random calls give equal answers, step by step, and what
// the map says in several ways it says alike.
#include "base/random.h"
#include "localmap/map.h"
#include "localmap/model/merge.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/maps.h"

#include <stdio.h>

#define KEYS 60
#define BODIES 4

struct expected {
    bool held, digested;
    bool registration;
    char key[48];
    size_t key_len;
    struct map_facts facts;
    const char *body;
};

static const char *const bodies[BODIES] = {
    "", "short", "a body of middling length",
    "a long body, so long that the slot has to move: 0123456789 0123456789 0123456789 0123456789"};

static struct span key_of(const struct expected *row)
{
    return span_of(row->key, row->key_len);
}

static void make_rows(struct expected rows[KEYS])
{
    for (size_t i = 0; i < KEYS; i++) {
        static const char *const tails[] = {"", "", "!", "node-a"};
        struct expected *row = &rows[i];
        memset(row, 0, sizeof(*row));
        const char *tail = tails[i % 4];
        int len = i % 15 == 0   ? snprintf(row->key, sizeof(row->key), "t%cs%zu", 0, i / 15)
                  : i % 15 == 1 ? snprintf(row->key, sizeof(row->key), "_mesh%cn%zu", 0, i)
                                : snprintf(row->key, sizeof(row->key), "t%cs%zu%ci%zu%c%s", 0,
                                           i / 20, 0, i / 4, 0, tail);
        bool three = i % 15 > 1 && tail[0] == '\0';
        row->key_len = (size_t)len - (three ? 1 : 0);
        if (three && i % 4 == 1) {
            row->key[row->key_len++] = 'x'; // another instance beside that of i - 1
        }
        row->registration = three;
    }
}

static uint32_t random_flags(struct random *random)
{
    static const uint32_t flags[] = {
        0, 0, 0, MAP_TOMBSTONE, MAP_OPAQUE, MAP_LOCAL, MAP_LOCAL | MAP_TOMBSTONE};
    return flags[random_below(random, 7)];
}

static void became(struct expected *row, uint32_t flags)
{
    row->held = true;
    row->facts.flags = flags;
    if ((flags & (MAP_TOMBSTONE | MAP_OPAQUE)) != 0) {
        memset(&row->facts.health, 0, sizeof(row->facts.health));
    }
}

static enum put_result expect_put(struct expected *row, const struct codec_value *value,
                                  uint32_t flags, uint32_t mark)
{
    enum merge_result merge =
        version_is_none(row->facts.version)
            ? MERGE_NEWER
            : merge_decide(row->facts.version, row->facts.hash, value->version, value->hash);
    if (merge == MERGE_SAME) {
        row->facts.mark = mark;
        if ((row->facts.flags & MAP_EVICTED) != 0) {
            row->facts.flags = 0;
            row->body = value->body.ptr;
        }
        return PUT_SAME;
    }
    if (!merge_takes(merge)) {
        return PUT_STALE;
    }
    enum put_result result = row->held ? PUT_CHANGED : PUT_NEW;
    row->facts.version = value->version;
    row->facts.hash = value->hash;
    row->facts.mark = mark;
    row->digested = (flags & MAP_LOCAL) == 0;
    if (row->facts.pending == 0) {
        row->body = value->body.ptr;
        became(row, flags);
    }
    return result;
}

static void step_put(struct map *map, struct expected *row, struct random *random)
{
    enum put_result result = PUT_OVER_QUOTA;
    uint64_t counter = row->facts.version.counter + random_below(random, 3);
    const struct codec_value value =
        maps_value(key_of(row), counter == 0 ? 1 : counter, bodies[random_below(random, BODIES)]);
    uint32_t flags = random_flags(random);
    // A slot with patches belongs to the stream: it is never put as local.
    flags &= row->facts.pending > 0 ? ~(uint32_t)MAP_LOCAL : UINT32_MAX;
    uint32_t mark = (uint32_t)random_below(random, 5);
    struct version guess = {random_below(random, 2) == 0 ? row->facts.version.counter : 3,
                            MAPS_WRITER};
    if (random_below(random, 3) > 0) {
        CHECK_OK(map_put(map, key_of(row), &value, flags, mark, &result));
        CHECK_EQ(result, expect_put(row, &value, flags, mark));
        return;
    }
    guess = guess.counter == 0 ? (struct version){0, 0} : guess;
    CHECK_OK(map_put_if(map, key_of(row), guess, &value, flags, mark, &result));
    bool as_guessed = version_cmp(row->facts.version, guess) == 0;
    CHECK_EQ(result, as_guessed ? expect_put(row, &value, flags, mark) : PUT_STALE);
}

static void step_show(struct map *map, struct expected *row, struct random *random)
{
    enum put_result result = PUT_OVER_QUOTA;
    const char *body = bodies[random_below(random, BODIES)];
    uint32_t flags = random_below(random, 3) == 0 ? MAP_TOMBSTONE : 0;
    uint32_t pending = (uint32_t)random_below(random, 3);
    // A slot of scope local is never shown otherwise: it has no patches.
    if (row->held && (row->facts.flags & MAP_LOCAL) != 0) {
        return;
    }
    CHECK_OK(map_show(map, key_of(row), span_str(body), flags, pending, &result));
    bool same = row->held && row->facts.flags == flags && row->facts.pending == pending &&
                strcmp(row->body, body) == 0;
    CHECK_EQ(result, same ? PUT_SAME : row->held ? PUT_CHANGED : PUT_NEW);
    row->facts.pending = pending;
    row->body = body;
    became(row, flags);
}

static void step_health(struct map *map, struct expected *row, struct random *random)
{
    bool announce = random_below(random, 2) == 0;
    const struct map_health health = {
        .health = {.status = (enum status)random_below(random, STATUS_COUNT),
                   .raw_status = STATUS_TIMEOUT,
                   .guarded = random_below(random, 2) == 0},
        .since_ms = (int64_t)random_below(random, 100)};
    bool takes =
        row->held && row->registration && (row->facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0;
    uint64_t before = map_index(map);
    CHECK_EQ(map_set_health(map, key_of(row), &health, announce), takes);
    CHECK_UEQ(map_index(map), before + (takes && announce ? 1 : 0));
    if (takes) {
        uint64_t revision = announce ? before + 1 : row->facts.health.revision;
        row->facts.health = health;
        row->facts.health.revision = revision;
    }
}

static void step_evict(struct map *map, struct expected *row)
{
    bool takes = row->held && row->digested && row->facts.flags == 0 && row->facts.pending == 0 &&
                 row->body[0] != '\0';
    size_t len = takes ? strlen(row->body) : 0;
    CHECK_UEQ(map_evict(map, key_of(row)), len);
    if (takes) {
        row->facts.flags = MAP_EVICTED;
        row->body = "";
    }
}

static void step_other(struct map *map, struct expected *row, struct random *random)
{
    struct map_copy copy;
    bool was_held = !row->held;
    uint32_t mark = (uint32_t)random_below(random, 5);
    switch (random_below(random, 3)) {
    case 0:
        CHECK_EQ(map_drop(map, key_of(row)), row->held);
        row->held = false;
        row->digested = false;
        memset(&row->facts, 0, sizeof(row->facts));
        break;
    case 1:
        CHECK_EQ(map_set_mark(map, key_of(row), mark), row->held);
        row->facts.mark = row->held ? mark : 0;
        break;
    default: {
        const struct codec_value value = maps_value(key_of(row), 2, bodies[1]);
        CHECK_OK(map_get_or_put(map, key_of(row), &value, 0, &copy, &was_held));
        CHECK_EQ(was_held, row->held);
        if (!row->held) {
            (void)expect_put(row, &value, 0, 0);
        }
        CHECK_EQ(version_cmp(copy.facts.version, row->facts.version), 0);
        CHECK(span_eq_str(map_copy_body(&copy), row->body));
        break;
    }
    }
}

static void check_row(const struct map *map, const struct expected *row)
{
    struct map_copy copy;
    const struct map_facts *facts = &copy.facts;
    CHECK_EQ(map_get(map, key_of(row), &copy), row->held);
    if (!row->held) {
        return;
    }
    CHECK(span_eq_str(map_copy_body(&copy), row->body));
    CHECK_EQ(version_cmp(facts->version, row->facts.version), 0);
    CHECK(facts->hash == row->facts.hash && facts->flags == row->facts.flags);
    CHECK(facts->pending == row->facts.pending && facts->mark == row->facts.mark);
    CHECK_EQ(facts->health.health.status, row->facts.health.health.status);
    CHECK_EQ(facts->health.health.guarded, row->facts.health.health.guarded);
    CHECK(facts->health.since_ms == row->facts.health.since_ms &&
          facts->health.revision == row->facts.health.revision);
}

TEST(random_calls_leave_what_the_reference_holds)
{
    static struct expected rows[KEYS];
    struct random random;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct map *map = maps_new();
        random_seed(&random, seed);
        make_rows(rows);
        for (size_t step = 0; step < 6000; step++) {
            struct expected *row = &rows[random_below(&random, KEYS)];
            switch (random_below(&random, 8)) {
            case 0:
            case 1:
                step_put(map, row, &random);
                break;
            case 2:
                step_show(map, row, &random);
                break;
            case 3:
            case 4:
                step_health(map, row, &random);
                break;
            case 5:
            case 6:
                step_evict(map, row);
                break;
            default:
                step_other(map, row, &random);
            }
            check_row(map, row);
            if (step % 300 == 0) {
                maps_check(map);
            }
        }
        for (size_t i = 0; i < KEYS; i++) {
            check_row(map, &rows[i]);
        }
        maps_check(map);
        map_free(map);
    }
}

TEST(replicas_end_alike_whatever_the_order_and_the_repeats)
{
    struct random random;
    random_seed(&random, 9);
    for (size_t round = 0; round < 300; round++) {
        struct codec_value values[8];
        struct map *maps[2] = {maps_new(), maps_new()};
        const struct span key = SPAN_LIT("t\0s\0i");
        for (size_t i = 0; i < 8; i++) {
            values[i] = maps_value(key, 1 + random_below(&random, 4),
                                   bodies[random_below(&random, BODIES)]);
        }
        for (size_t i = 0; i < 40; i++) {
            enum put_result result = PUT_STALE;
            // The first 8 are every value once, forwards and backwards; the rest are repeats.
            size_t a = i < 8 ? i : (size_t)random_below(&random, 8);
            size_t b = i < 8 ? 7 - i : (size_t)random_below(&random, 8);
            CHECK_OK(map_put(maps[0], key, &values[a], 0, 0, &result));
            CHECK_OK(map_put(maps[1], key, &values[b], 0, 0, &result));
        }
        struct map_copy copies[2];
        CHECK(map_get(maps[0], key, &copies[0]) && map_get(maps[1], key, &copies[1]));
        CHECK_EQ(version_cmp(copies[0].facts.version, copies[1].facts.version), 0);
        CHECK(span_eq(map_copy_body(&copies[0]), map_copy_body(&copies[1])));
        uint32_t p = key_partition(key, MAPS_PARTITIONS);
        CHECK_UEQ(map_digest(maps[0], p).sum, map_digest(maps[1], p).sum);
        map_free(maps[0]);
        map_free(maps[1]);
    }
}

SUITE("localmap/map (model)", T(random_calls_leave_what_the_reference_holds),
      T(replicas_end_alike_whatever_the_order_and_the_repeats));
