// SPDX-License-Identifier: Apache-2.0
// Everything at once, under readers that know what they must find: a table grows while its values change
// their length, keys come and go in bursts, others are looked for that never were, somebody walks, somebody takes
// snapshots, and somebody keeps house.  What can be wrong then: storm.h.
//
// The rounds are a fixed amount of work.  STORM_SECONDS=n adds rounds with ever other seeds until n seconds
// are over (from 50 on with CK_FORK=no as well: a test in a process of its own has a minute).
#include "base/clock.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/storm.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#define WALKERS 1
#define ROUNDS (SANITIZER_THREAD ? 1 : 2)
#define SNAPPERS 1
#define KEEPERS 1
#define THREADS (1 + STORM_CHURNERS + STORM_READERS + WALKERS + SNAPPERS + KEEPERS)
#define FLOOD_LEN                                                                                  \
    900         // of values that come and go all at once: their chunks are empty then, and go back
#define MANY 24 // keys that are read in one call
#define STEPS                                                                                      \
    32 // of the growth of a round, each with a snapshot and a walk: more would keep writers out
#define TRACKED 16 // keys whose values a snapshot is held against

// One change of a key; the value of a store follows the one before it by one.
struct wish {
    struct storm *storm;
    enum table_verdict verdict;
    uint64_t of;
    uint64_t before; // what the count must be; UINT64_MAX: whatever it is
    uint64_t after;  // UINT64_MAX: one more
    size_t len;
    char text[STORM_VALUE_MAX];
};

static enum table_verdict decide(void *arg, struct span old, struct table_value *ret_new)
{
    struct wish *wish = arg;
    uint64_t count = old.ptr == NULL ? 0 : storm_count(wish->of, old);
    storm_blame(wish->storm, STORM_TORN, old.ptr != NULL && count == 0);
    storm_blame(wish->storm, STORM_LOST, wish->before != UINT64_MAX && wish->before != count);
    uint64_t next = wish->after == UINT64_MAX ? count + 1 : wish->after;
    struct span value = storm_value(wish->of, next, wish->len, wish->text);
    ret_new->head = span_of(value.ptr, 16);
    ret_new->body = span_of(value.ptr + 16, value.len - 16);
    return wish->verdict;
}

static void change(struct wish *wish, struct span bytes, bool create)
{
    const struct table_key key = table_key(wish->storm->table, bytes);
    const struct table_change update = {
        .decide = decide, .arg = wish, .room = wish->len, .create = create};
    enum err err = table_update(wish->storm->table, &key, &update);
    storm_blame(wish->storm, STORM_MISSED, err != ERR_OK);
}

// --- those who write

static void raise(struct storm_part *part, unsigned number, bool create)
{
    char text[TABLE_KEY_MAX];
    struct wish wish = {.storm = part->storm,
                        .verdict = TABLE_STORE,
                        .of = storm_identity(STORM_KIND_LASTING, number),
                        .before = create ? 0 : UINT64_MAX,
                        .after = UINT64_MAX,
                        .len = number < STORM_HOT ? STORM_HOT_LEN : storm_length(&part->random)};
    change(&wish, storm_key(STORM_KIND_LASTING, number, text), create);
    atomic_fetch_add_explicit(&part->storm->raised, 1, memory_order_relaxed);
}

static void *grow(void *arg)
{
    struct storm_part *part = arg;
    struct storm *storm = part->storm;
    for (unsigned i = 0; i < STORM_LASTING; i++) {
        raise(part, i, true);
        atomic_store_explicit(&storm->grown, i + 1, memory_order_release);
        raise(part, storm_pick(&part->random, i + 1), false);
    }
    while (atomic_load_explicit(&storm->walks, memory_order_relaxed) < STEPS + 2) {
        raise(part, storm_pick(&part->random, STORM_LASTING), false);
    }
    atomic_store_explicit(&storm->over, true, memory_order_relaxed);
    return NULL;
}

// Only this thread writes the key, so it knows what is there.
static void check_own(struct storm_part *part, unsigned number, struct span key)
{
    struct storm_sight sight = {.len = 0};
    uint64_t held = part->storm->fleeting[part->number][number];
    bool found = storm_find(part->storm, key, &sight);
    uint64_t of = storm_identity(STORM_KIND_FLEETING + part->number, number);
    uint64_t count = found ? storm_count(of, span_of(sight.value, sight.len)) : 0;
    storm_blame(part->storm, STORM_TORN, found && count == 0);
    storm_blame(part->storm, STORM_GHOST, found && held == 0);
    storm_blame(part->storm, STORM_MISSED, !found && held != 0);
    storm_blame(part->storm, STORM_BACKWARDS, count != 0 && held != 0 && count != held);
}

// `len`: of the new value; 0: it is removed.
static void change_own(struct storm_part *part, unsigned number, size_t len)
{
    char text[TABLE_KEY_MAX];
    bool remove = len == 0;
    uint64_t *held = &part->storm->fleeting[part->number][number];
    uint64_t *ever = &part->storm->ever[part->number][number];
    struct span key = storm_key(STORM_KIND_FLEETING + part->number, number, text);
    struct wish wish = {.storm = part->storm,
                        .verdict = remove ? TABLE_REMOVE : TABLE_STORE,
                        .of = storm_identity(STORM_KIND_FLEETING + part->number, number),
                        .before = *held,
                        .after = *ever + 1,
                        .len = remove ? STORM_VALUE_MIN : len};
    if (!remove || *held != 0) {
        change(&wish, key, !remove);
        *ever += remove ? 0 : 1;
        *held = remove ? 0 : *ever;
    }
    if (random_below(&part->random, 4) == 0) {
        check_own(part, number, key);
    }
}

// All of its own get long values, or go.
static void flood(struct storm_part *part, size_t len)
{
    for (unsigned i = 0; i < STORM_FLEETING && !storm_over(part->storm); i++) {
        change_own(part, i, len);
    }
}

// Keys come and go one by one, then all at once; lasting ones are changed in between.
static void *churn(void *arg)
{
    struct storm_part *part = arg;
    while (!storm_over(part->storm)) {
        for (unsigned i = 0; i < STORM_FLEETING && !storm_over(part->storm); i++) {
            unsigned number = (unsigned)random_below(&part->random, STORM_FLEETING);
            unsigned grown = storm_lasting(part->storm);
            bool remove = random_below(&part->random, 3) == 0;
            change_own(part, number, remove ? 0 : storm_length(&part->random));
            if (grown > 0) {
                raise(part, storm_pick(&part->random, grown), false);
            }
        }
        flood(part, FLOOD_LEN);
        flood(part, 0);
    }
    return NULL;
}

// --- those who read

static void saw_lasting(struct storm_part *part, unsigned number, struct span value)
{
    uint64_t *seen = &part->storm->seen[part->number][number];
    uint64_t count = storm_count(storm_identity(STORM_KIND_LASTING, number), value);
    storm_blame(part->storm, STORM_TORN, count == 0);
    storm_blame(part->storm, STORM_BACKWARDS, count != 0 && count < *seen);
    *seen = count > *seen ? count : *seen;
}

static void read_lasting(struct storm_part *part, unsigned grown)
{
    char text[TABLE_KEY_MAX];
    struct storm_sight sight = {.len = 0};
    unsigned number = storm_pick(&part->random, grown);
    if (storm_find(part->storm, storm_key(STORM_KIND_LASTING, number, text), &sight)) {
        saw_lasting(part, number, span_of(sight.value, sight.len));
    } else {
        storm_blame(part->storm, STORM_MISSED, true);
    }
}

// Every fourth of them never was.
static void read_many(struct storm_part *part, unsigned grown)
{
    static _Thread_local char texts[MANY][TABLE_KEY_MAX];
    static _Thread_local char values[MANY][STORM_VALUE_MAX];
    struct table_key keys[MANY];
    struct table_copy copies[MANY];
    unsigned numbers[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        numbers[i] = storm_pick(&part->random, grown);
        unsigned kind = i % 4 == 0 ? STORM_KIND_NEVER : STORM_KIND_LASTING;
        keys[i] = table_key(part->storm->table, storm_key(kind, numbers[i], texts[i]));
        copies[i] = (struct table_copy){.bytes = values[i], .cap = sizeof(values[i])};
    }
    table_get_many(part->storm->table, keys, MANY, copies);
    for (unsigned i = 0; i < MANY; i++) {
        storm_blame(part->storm, STORM_GHOST, i % 4 == 0 && copies[i].found);
        storm_blame(part->storm, STORM_MISSED, i % 4 != 0 && !copies[i].found);
        if (i % 4 != 0 && copies[i].found) {
            saw_lasting(part, numbers[i], span_of(values[i], copies[i].len));
        }
    }
}

static void read_fleeting(struct storm_part *part)
{
    char text[TABLE_KEY_MAX];
    struct storm_sight sight = {.len = 0};
    unsigned number = (unsigned)random_below(&part->random, STORM_FLEETING);
    unsigned kind = STORM_KIND_FLEETING + part->number % STORM_CHURNERS;
    uint64_t *seen = &part->storm->seen[part->number][STORM_LASTING + number];
    if (storm_find(part->storm, storm_key(kind, number, text), &sight)) {
        uint64_t count = storm_count(storm_identity(kind, number), span_of(sight.value, sight.len));
        storm_blame(part->storm, STORM_TORN, count == 0);
        storm_blame(part->storm, STORM_BACKWARDS, count != 0 && count < *seen);
        *seen = count > *seen ? count : *seen;
    }
}

static void *read_all(void *arg)
{
    struct storm_part *part = arg;
    while (!storm_over(part->storm)) {
        char text[TABLE_KEY_MAX];
        struct storm_sight sight = {.len = 0};
        unsigned number = (unsigned)random_below(&part->random, STORM_LASTING);
        unsigned grown = storm_lasting(part->storm);
        if (grown > 0) {
            read_lasting(part, grown);
            read_many(part, grown);
        }
        read_fleeting(part);
        storm_blame(part->storm, STORM_GHOST,
                    storm_find(part->storm, storm_key(STORM_KIND_NEVER, number, text), &sight));
    }
    return NULL;
}

// --- those who walk

// How often each key was met.
struct walk {
    uint8_t lasting[STORM_LASTING];
    uint8_t fleeting[STORM_CHURNERS][STORM_FLEETING];
    uint64_t count;
};

// The identity of a record that is whole; UINT64_MAX: it is not.
static uint64_t identify(struct storm *storm, struct span key, struct span value)
{
    char text[TABLE_KEY_MAX];
    uint64_t of = UINT64_MAX;
    if (value.len >= sizeof(of)) {
        memcpy(&of, value.ptr, sizeof(of));
    }
    unsigned kind = (unsigned)(of >> 32);
    unsigned number = (unsigned)of;
    bool known = (kind == STORM_KIND_LASTING && number < STORM_LASTING) ||
                 (kind >= STORM_KIND_FLEETING && kind < STORM_KIND_FLEETING + STORM_CHURNERS &&
                  number < STORM_FLEETING);
    bool whole =
        known && storm_count(of, value) != 0 && span_eq(storm_key(kind, number, text), key);
    storm_blame(storm, STORM_TORN, !whole);
    return whole ? of : UINT64_MAX;
}

static void meet(struct storm *storm, struct walk *walk, struct span key, struct span value)
{
    uint64_t of = identify(storm, key, value);
    unsigned kind = (unsigned)(of >> 32);
    walk->count++;
    if (of != UINT64_MAX && kind == STORM_KIND_LASTING) {
        walk->lasting[(unsigned)of]++;
    } else if (of != UINT64_MAX) {
        walk->fleeting[kind - STORM_KIND_FLEETING][(unsigned)of]++;
    }
}

// Those that stood when it began were met once, those that came meanwhile not twice.  A fleeting key may be
// met each time that it comes.
static void walk_once(struct storm *storm, struct walk *ret_walk)
{
    struct table_cursor cursor;
    struct storm_sight sight;
    memset(ret_walk, 0, sizeof(*ret_walk));
    memset(&cursor, 0, sizeof(cursor));
    unsigned grown = storm_lasting(storm);
    while (table_next(storm->table, &cursor, storm_look, &sight)) {
        meet(storm, ret_walk, span_of(cursor.key, cursor.key_len), span_of(sight.value, sight.len));
    }
    for (unsigned i = 0; i < STORM_LASTING; i++) {
        storm_blame(storm, STORM_UNEVEN, ret_walk->lasting[i] > 1);
        storm_blame(storm, STORM_UNEVEN, i < grown && ret_walk->lasting[i] == 0);
    }
}

// Waits until the table has grown by another step.
static void await_step(const struct storm *storm, unsigned step)
{
    unsigned grown = step * (STORM_LASTING / STEPS);
    grown = grown < STORM_LASTING ? grown : STORM_LASTING;
    while (storm_lasting(storm) < grown && !storm_over(storm)) {
        (void)sched_yield();
    }
}

static void *walk_all(void *arg)
{
    struct storm_part *part = arg;
    static struct walk walk;
    for (unsigned i = 1; !storm_over(part->storm); i++) {
        await_step(part->storm, i);
        walk_once(part->storm, &walk);
        atomic_fetch_add_explicit(&part->storm->walks, 1, memory_order_relaxed);
    }
    return NULL;
}

// --- those who take snapshots

struct shot {
    struct storm *storm;
    struct walk walk;
    unsigned tracked[TRACKED]; // lasting keys
    uint64_t before[TRACKED], cut[TRACKED], after[TRACKED];
};

static void visit(void *arg, struct span key, struct span value)
{
    struct shot *shot = arg;
    uint64_t of = 0;
    meet(shot->storm, &shot->walk, key, value);
    memcpy(&of, value.ptr, sizeof(of));
    for (unsigned i = 0; i < TRACKED; i++) {
        if (of == storm_identity(STORM_KIND_LASTING, shot->tracked[i])) {
            shot->cut[i] = storm_count(of, value);
        }
    }
}

static void read_tracked(struct shot *shot, uint64_t counts[TRACKED])
{
    for (unsigned i = 0; i < TRACKED; i++) {
        char text[TABLE_KEY_MAX];
        struct storm_sight sight = {.len = 0};
        struct span key = storm_key(STORM_KIND_LASTING, shot->tracked[i], text);
        bool found = storm_find(shot->storm, key, &sight);
        storm_blame(shot->storm, STORM_MISSED, !found);
        counts[i] = storm_count(storm_identity(STORM_KIND_LASTING, shot->tracked[i]),
                                span_of(sight.value, sight.len));
    }
}

// What the cut shows lies between what was there before it was made and after; the lasting keys that it has are
// the first so many, as they came one after the other.
static void check_cut(struct shot *shot, unsigned grown)
{
    struct storm *storm = shot->storm;
    unsigned count = 0;
    while (count < STORM_LASTING && shot->walk.lasting[count] == 1) {
        count++;
    }
    storm_blame(storm, STORM_UNEVEN, count < grown);
    for (unsigned i = count; i < STORM_LASTING; i++) {
        storm_blame(storm, STORM_UNEVEN, shot->walk.lasting[i] != 0);
    }
    for (unsigned i = 0; i < STORM_CHURNERS * STORM_FLEETING; i++) {
        storm_blame(storm, STORM_UNEVEN,
                    shot->walk.fleeting[i / STORM_FLEETING][i % STORM_FLEETING] > 1);
    }
    for (unsigned i = 0; i < TRACKED; i++) {
        storm_blame(storm, STORM_BACKWARDS,
                    shot->cut[i] < shot->before[i] || shot->cut[i] > shot->after[i]);
    }
}

static void shoot(struct storm_part *part, struct shot *shot, enum table_cut cut)
{
    struct table_snapshot *snapshot = NULL;
    const struct table_visitor visitor = {visit, shot};
    unsigned grown = storm_lasting(part->storm);
    enum table_scan scan = TABLE_SCAN_MORE;
    memset(shot, 0, sizeof(*shot));
    shot->storm = part->storm;
    for (unsigned i = 0; i < TRACKED; i++) {
        shot->tracked[i] = storm_pick(&part->random, grown);
    }
    read_tracked(shot, shot->before);
    if (table_snapshot_new(part->storm->table, cut, &snapshot) != ERR_OK) {
        storm_blame(part->storm, STORM_LOST, true);
        return;
    }
    read_tracked(shot, shot->after);
    while (scan == TABLE_SCAN_MORE) {
        scan = table_snapshot_next(snapshot, &visitor);
    }
    table_snapshot_free(snapshot);
    storm_blame(part->storm, STORM_LOST, scan != TABLE_SCAN_END);
    check_cut(shot, grown);
}

static void *snap_all(void *arg)
{
    struct storm_part *part = arg;
    static struct shot shot;
    for (unsigned i = 1; !storm_over(part->storm); i++) {
        await_step(part->storm, i);
        shoot(part, &shot, i % 2 == 0 ? TABLE_CUT_CAUSAL : TABLE_CUT_STRICT);
    }
    return NULL;
}

// --- those who keep house

static void *keep_house(void *arg)
{
    struct storm_part *part = arg;
    static struct table_sample sample;
    struct storm *storm = part->storm;
    for (uint16_t tick = 1; !storm_over(storm); tick++) {
        struct storm_sight sight = {.len = 0};
        table_set_tick(storm->table, tick);
        (void)table_tend(storm->table);
        if (tick % 64 == 0) {
            storm_blame(storm, STORM_LOST, table_reserve(storm->table, 8) != ERR_OK);
        }
        // What is met is held, or was a moment ago.
        if (table_sample(storm->table, random_next(&part->random), &sample)) {
            struct span key = span_of(sample.key, sample.key_len);
            if (storm_find(storm, key, &sight)) {
                (void)identify(storm, key, span_of(sight.value, sight.len));
            }
        }
    }
    return NULL;
}

// --- a round

// Nobody writes any more: the table holds exactly what the writers say.
static void check_rest(struct storm *storm)
{
    static struct walk walk;
    uint64_t held = STORM_LASTING;
    uint64_t raised = 0;
    walk_once(storm, &walk);
    for (unsigned i = 0; i < STORM_CHURNERS * STORM_FLEETING; i++) {
        bool there = storm->fleeting[i / STORM_FLEETING][i % STORM_FLEETING] != 0;
        held += there ? 1 : 0;
        CHECK_UEQ(walk.fleeting[i / STORM_FLEETING][i % STORM_FLEETING], there ? 1 : 0);
    }
    for (unsigned i = 0; i < STORM_LASTING; i++) {
        char text[TABLE_KEY_MAX];
        struct storm_sight sight = {.len = 0};
        CHECK(storm_find(storm, storm_key(STORM_KIND_LASTING, i, text), &sight));
        raised +=
            storm_count(storm_identity(STORM_KIND_LASTING, i), span_of(sight.value, sight.len));
    }
    CHECK_UEQ(raised, atomic_load(&storm->raised));
    CHECK_UEQ(walk.count, held);
    CHECK_UEQ(table_count(storm->table), held);
}

static void *(*role(unsigned thread, unsigned *ret_number))(void *)
{
    static void *(*const roles[])(void *) = {grow, churn, read_all, walk_all, snap_all, keep_house};
    static const unsigned counts[] = {1, STORM_CHURNERS, STORM_READERS, WALKERS, SNAPPERS, KEEPERS};
    unsigned which = 0;
    for (*ret_number = thread; *ret_number >= counts[which]; which++) {
        *ret_number -= counts[which];
    }
    return roles[which];
}

static void run_round(uint32_t shards, uint64_t seed)
{
    static struct storm storm;
    static struct storm_part parts[THREADS];
    pthread_t threads[THREADS];
    memset(&storm, 0, sizeof(storm));
    CHECK_OK(table_new(shards, &storm.table));
    for (unsigned i = 0; i < THREADS; i++) {
        parts[i].storm = &storm;
        random_seed(&parts[i].random, seed * THREADS + i);
        CHECK_EQ(pthread_create(&threads[i], NULL, role(i, &parts[i].number), &parts[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < STORM_COUNT; i++) {
        unsigned count = atomic_load(&storm.faults[i]);
        ck_assert_msg(count == 0, "%u times %s, seed %llu", count, storm_fault_names[i],
                      (unsigned long long)seed);
    }
    check_rest(&storm);
    table_free(storm.table);
}

static void run_rounds(uint32_t shards)
{
    const char *text = getenv("STORM_SECONDS");
    int64_t ms_min = text == NULL ? 0 : strtol(text, NULL, 10) * 1000;
    struct mono begin = clock_mono();
    for (unsigned i = 1; i <= ROUNDS || mono_ms_between(begin, clock_mono()) < ms_min; i++) {
        run_round(shards, i);
    }
}

TEST(one_shard_that_grows_and_churns_misses_nothing_and_tears_nothing)
{
    run_rounds(1);
}

TEST(several_shards_that_grow_and_churn_miss_nothing_and_tear_nothing)
{
    run_rounds(8);
}

SUITE("localmap/table (storm)", T(one_shard_that_grows_and_churns_misses_nothing_and_tears_nothing),
      T(several_shards_that_grow_and_churn_miss_nothing_and_tear_nothing));
