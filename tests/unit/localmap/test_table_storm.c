// SPDX-License-Identifier: Apache-2.0
// Everything at once, under readers that know what they must find: a table grows while its values change
// their length, keys come and go in bursts, others are looked for that never were, and somebody walks.
// Each value says whose it is, which change of that key it is, and is checked in every byte.
//
//     missed      a key that was there all the time was not found
//     torn        a value was not whole, or another key's
//     backwards   a reader saw an older value of a key after a newer one
//     ghosts      a key was found that never was, or that its only writer had removed
//     unevenly    a walk met a key that was there all the time not exactly once, or a later one twice
//     lost        a change was made of something other than what the change before had left
//
// The rounds are a fixed amount of work.  STORM_SECONDS=n adds rounds with ever other seeds until n seconds
// are over (from 50 on with CK_FORK=no as well: a test in a process of its own has a minute).
#include "base/clock.h"
#include "base/random.h"
#include "localmap/table/table.h"
#include "tests/lib/sanitizer.h"
#include "tests/lib/suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define LASTING 12000 // keys that come one by one and then stay
#define HOT 4 // the first of them, which are read and changed as often as all others together
#define HOT_LEN 1000 // of their values, which stay where they are: only reading takes its time
#define FLEETING 400 // keys of each of those that come and go
#define CHURNERS 2
#define READERS 3
#define WALKERS 1
#define THREADS (1 + CHURNERS + READERS + WALKERS)
#define ROUNDS (SANITIZER_THREAD ? 1 : 3)
#define VALUE_MIN 24
#define VALUE_MAX 4000
#define FAULTS(row)                                                                                \
    row(MISSED, missed) row(TORN, torn) row(BACKWARDS, backwards) row(GHOST, ghosts)               \
        row(UNEVEN, unevenly) row(LOST, lost)

enum fault {
#define ROW(id, name) FAULT_##id,
    FAULTS(ROW)
#undef ROW
        FAULT_COUNT
};

static const char *const fault_names[] = {
#define ROW(id, name) #name,
    FAULTS(ROW)
#undef ROW
};

struct storm {
    struct table *table;
    uint64_t seed;
    // Lasting keys below it are there.  Stored with release by the grower; pairs with the acquire in lasting.
    atomic_uint grown;
    atomic_uint walks; // finished; the grower waits for two of them
    atomic_bool over;
    atomic_uint faults[FAULT_COUNT];
    atomic_uint_fast64_t raised; // changes of lasting keys, their first included
    uint64_t fleeting[CHURNERS]
                     [FLEETING];       // the count in the value held, 0: none; of its churner only
    uint64_t ever[CHURNERS][FLEETING]; // the last count that it had
    uint64_t seen[READERS][LASTING + FLEETING]; // of its reader only
};

struct part {
    struct storm *storm;
    unsigned number; // among those that do the same
    struct random random;
};

static void blame(struct storm *storm, enum fault fault, bool guilty)
{
    if (guilty) {
        atomic_fetch_add_explicit(&storm->faults[fault], 1, memory_order_relaxed);
    }
}

static unsigned lasting(const struct storm *storm)
{
    return atomic_load_explicit(&storm->grown, memory_order_acquire);
}

static bool over(const struct storm *storm)
{
    return atomic_load_explicit(&storm->over, memory_order_relaxed);
}

// --- keys and values

// A key of `kind` and number; one in a hundred is as long as a key can be.
static struct span key_text(unsigned kind, unsigned number, char text[TABLE_KEY_MAX])
{
    size_t len = number % 100 == 99 ? TABLE_KEY_MAX : 12 + number % 37;
    memset(text, '.', len);
    int head = snprintf(text, TABLE_KEY_MAX, "%u-%u", kind, number);
    text[head] = '.';
    return span_of(text, len);
}

enum kind { KIND_LASTING, KIND_NEVER, KIND_FLEETING }; // and the churner's number

static uint64_t identity(unsigned kind, unsigned number)
{
    return (uint64_t)kind << 32 | number;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ b * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ x >> 29;
}

// | identity | count | mix of both and the length | a stream made of all three ... |
static struct span value_text(uint64_t of, uint64_t count, size_t len, char text[VALUE_MAX])
{
    uint64_t words[VALUE_MAX / 8 + 1] = {of, count, mix(mix(of, count), len)};
    for (size_t i = 3; i * 8 < len; i++) {
        words[i] = mix(words[2], i);
    }
    memcpy(text, words, len);
    return span_of(text, len);
}

// The count in a whole value of `of`; 0: it is none.
static uint64_t value_count(uint64_t of, struct span value)
{
    char text[VALUE_MAX];
    uint64_t count = 0;
    if (value.len < VALUE_MIN || value.len > VALUE_MAX) {
        return 0;
    }
    memcpy(&count, value.ptr + 8, sizeof(count));
    return span_eq(value, value_text(of, count, value.len, text)) ? count : 0;
}

// Mostly short; now and then so long that the value needs another size of slot altogether.
static size_t some_length(struct random *random)
{
    uint64_t most = random_below(random, 200) == 0 ? VALUE_MAX - VALUE_MIN
                    : random_below(random, 8) == 0 ? 400
                                                   : 60;
    return VALUE_MIN + (size_t)random_below(random, most + 1);
}

// One of the lasting keys.
static unsigned some_lasting(struct random *random, unsigned grown)
{
    bool hot = grown > HOT && random_below(random, 2) == 0;
    return (unsigned)random_below(random, hot ? HOT : grown);
}

// --- calls of the table

struct sight {
    size_t len;
    char value[VALUE_MAX];
};

static void look(void *arg, struct span value)
{
    struct sight *sight = arg;
    sight->len = value.len;
    memcpy(sight->value, value.ptr, value.len < VALUE_MAX ? value.len : VALUE_MAX);
}

static bool find(const struct storm *storm, struct span bytes, struct sight *ret_sight)
{
    const struct table_key key = table_key(storm->table, bytes);
    return table_read(storm->table, &key, look, ret_sight);
}

// One change of a key; the value of a store follows the one before it by one.
struct wish {
    struct storm *storm;
    enum table_verdict verdict;
    uint64_t of;
    uint64_t before; // what the count must be; UINT64_MAX: whatever it is
    uint64_t after;  // UINT64_MAX: one more
    size_t len;
    char text[VALUE_MAX];
};

static enum table_verdict decide(void *arg, struct span old, struct table_value *ret_new)
{
    struct wish *wish = arg;
    uint64_t count = old.ptr == NULL ? 0 : value_count(wish->of, old);
    blame(wish->storm, FAULT_TORN, old.ptr != NULL && count == 0);
    blame(wish->storm, FAULT_LOST, wish->before != UINT64_MAX && wish->before != count);
    uint64_t next = wish->after == UINT64_MAX ? count + 1 : wish->after;
    struct span value = value_text(wish->of, next, wish->len, wish->text);
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
    blame(wish->storm, FAULT_MISSED, err != ERR_OK);
}

// --- those who write

static void raise(struct part *part, unsigned number, bool create)
{
    char text[TABLE_KEY_MAX];
    struct wish wish = {.storm = part->storm,
                        .verdict = TABLE_STORE,
                        .of = identity(KIND_LASTING, number),
                        .before = create ? 0 : UINT64_MAX,
                        .after = UINT64_MAX,
                        .len = number < HOT ? HOT_LEN : some_length(&part->random)};
    change(&wish, key_text(KIND_LASTING, number, text), create);
    atomic_fetch_add_explicit(&part->storm->raised, 1, memory_order_relaxed);
}

static void *grow(void *arg)
{
    struct part *part = arg;
    struct storm *storm = part->storm;
    for (unsigned i = 0; i < LASTING; i++) {
        raise(part, i, true);
        atomic_store_explicit(&storm->grown, i + 1, memory_order_release);
        raise(part, some_lasting(&part->random, i + 1), false);
    }
    while (atomic_load_explicit(&storm->walks, memory_order_relaxed) < 2) {
        raise(part, some_lasting(&part->random, LASTING), false);
    }
    atomic_store_explicit(&storm->over, true, memory_order_relaxed);
    return NULL;
}

// Only this thread writes the key, so it knows what is there.
static void check_own(struct part *part, unsigned number, struct span key)
{
    struct sight sight = {.len = 0};
    uint64_t held = part->storm->fleeting[part->number][number];
    bool found = find(part->storm, key, &sight);
    uint64_t of = identity(KIND_FLEETING + part->number, number);
    uint64_t count = found ? value_count(of, span_of(sight.value, sight.len)) : 0;
    blame(part->storm, FAULT_TORN, found && count == 0);
    blame(part->storm, FAULT_GHOST, found && held == 0);
    blame(part->storm, FAULT_MISSED, !found && held != 0);
    blame(part->storm, FAULT_BACKWARDS, count != 0 && held != 0 && count != held);
}

static void change_own(struct part *part, unsigned number, bool remove)
{
    char text[TABLE_KEY_MAX];
    uint64_t *held = &part->storm->fleeting[part->number][number];
    uint64_t *ever = &part->storm->ever[part->number][number];
    struct span key = key_text(KIND_FLEETING + part->number, number, text);
    struct wish wish = {.storm = part->storm,
                        .verdict = remove ? TABLE_REMOVE : TABLE_STORE,
                        .of = identity(KIND_FLEETING + part->number, number),
                        .before = *held,
                        .after = *ever + 1,
                        .len = some_length(&part->random)};
    if (!remove || *held != 0) {
        change(&wish, key, !remove);
        *ever += remove ? 0 : 1;
        *held = remove ? 0 : *ever;
    }
    if (random_below(&part->random, 4) == 0) {
        check_own(part, number, key);
    }
}

// Keys come and go one by one, then all at once; lasting ones are changed in between.
static void *churn(void *arg)
{
    struct part *part = arg;
    while (!over(part->storm)) {
        for (unsigned i = 0; i < FLEETING && !over(part->storm); i++) {
            unsigned number = (unsigned)random_below(&part->random, FLEETING);
            unsigned grown = lasting(part->storm);
            change_own(part, number, random_below(&part->random, 3) == 0);
            if (grown > 0) {
                raise(part, some_lasting(&part->random, grown), false);
            }
        }
        for (unsigned i = 0; i < FLEETING && !over(part->storm); i++) {
            change_own(part, i, true);
        }
    }
    return NULL;
}

// --- those who read

static void read_lasting(struct part *part, unsigned grown)
{
    char text[TABLE_KEY_MAX];
    struct sight sight = {.len = 0};
    unsigned number = some_lasting(&part->random, grown);
    uint64_t *seen = &part->storm->seen[part->number][number];
    bool found = find(part->storm, key_text(KIND_LASTING, number, text), &sight);
    uint64_t count =
        found ? value_count(identity(KIND_LASTING, number), span_of(sight.value, sight.len)) : 0;
    blame(part->storm, FAULT_MISSED, !found);
    blame(part->storm, FAULT_TORN, found && count == 0);
    blame(part->storm, FAULT_BACKWARDS, count != 0 && count < *seen);
    *seen = count > *seen ? count : *seen;
}

static void read_fleeting(struct part *part)
{
    char text[TABLE_KEY_MAX];
    struct sight sight = {.len = 0};
    unsigned number = (unsigned)random_below(&part->random, FLEETING);
    unsigned kind = KIND_FLEETING + part->number % CHURNERS;
    uint64_t *seen = &part->storm->seen[part->number][LASTING + number];
    if (find(part->storm, key_text(kind, number, text), &sight)) {
        uint64_t count = value_count(identity(kind, number), span_of(sight.value, sight.len));
        blame(part->storm, FAULT_TORN, count == 0);
        blame(part->storm, FAULT_BACKWARDS, count != 0 && count < *seen);
        *seen = count > *seen ? count : *seen;
    }
}

static void *read_all(void *arg)
{
    struct part *part = arg;
    while (!over(part->storm)) {
        char text[TABLE_KEY_MAX];
        struct sight sight = {.len = 0};
        unsigned number = (unsigned)random_below(&part->random, LASTING);
        unsigned grown = lasting(part->storm);
        if (grown > 0) {
            read_lasting(part, grown);
        }
        read_fleeting(part);
        blame(part->storm, FAULT_GHOST,
              find(part->storm, key_text(KIND_NEVER, number, text), &sight));
    }
    return NULL;
}

// --- those who walk

// How often each key was met.
struct walk {
    uint8_t lasting[LASTING];
    uint8_t fleeting[CHURNERS][FLEETING];
    uint64_t count;
};

static void meet(struct storm *storm, struct walk *walk, const struct table_cursor *cursor,
                 const struct sight *sight)
{
    char text[TABLE_KEY_MAX];
    struct span value = span_of(sight->value, sight->len);
    uint64_t of = 0;
    memcpy(&of, sight->value, sizeof(of));
    unsigned kind = (unsigned)(of >> 32);
    unsigned number = (unsigned)of;
    bool known = (kind == KIND_LASTING && number < LASTING) ||
                 (kind >= KIND_FLEETING && kind < KIND_FLEETING + CHURNERS && number < FLEETING);
    bool whole = known && value_count(of, value) != 0 &&
                 span_eq(key_text(kind, number, text), span_of(cursor->key, cursor->key_len));
    blame(storm, FAULT_TORN, !whole);
    walk->count++;
    if (whole && kind == KIND_LASTING) {
        walk->lasting[number]++;
    } else if (whole) {
        walk->fleeting[kind - KIND_FLEETING][number]++;
    }
}

// Those that stood when it began were met once, those that came meanwhile not twice.  A fleeting key may be
// met each time that it comes.
static void walk_once(struct storm *storm, struct walk *ret_walk)
{
    struct table_cursor cursor;
    struct sight sight;
    memset(ret_walk, 0, sizeof(*ret_walk));
    memset(&cursor, 0, sizeof(cursor));
    unsigned grown = lasting(storm);
    while (table_next(storm->table, &cursor, look, &sight)) {
        meet(storm, ret_walk, &cursor, &sight);
    }
    for (unsigned i = 0; i < LASTING; i++) {
        blame(storm, FAULT_UNEVEN, ret_walk->lasting[i] > 1);
        blame(storm, FAULT_UNEVEN, i < grown && ret_walk->lasting[i] == 0);
    }
}

static void *walk_all(void *arg)
{
    struct part *part = arg;
    static struct walk walk;
    while (!over(part->storm)) {
        walk_once(part->storm, &walk);
        atomic_fetch_add_explicit(&part->storm->walks, 1, memory_order_relaxed);
    }
    return NULL;
}

// --- a round

// Nobody writes any more: the table holds exactly what the writers say.
static void check_rest(struct storm *storm)
{
    static struct walk walk;
    uint64_t held = LASTING;
    uint64_t raised = 0;
    walk_once(storm, &walk);
    for (unsigned i = 0; i < CHURNERS * FLEETING; i++) {
        bool there = storm->fleeting[i / FLEETING][i % FLEETING] != 0;
        held += there ? 1 : 0;
        CHECK_UEQ(walk.fleeting[i / FLEETING][i % FLEETING], there ? 1 : 0);
    }
    for (unsigned i = 0; i < LASTING; i++) {
        char text[TABLE_KEY_MAX];
        struct sight sight = {.len = 0};
        CHECK(find(storm, key_text(KIND_LASTING, i, text), &sight));
        raised += value_count(identity(KIND_LASTING, i), span_of(sight.value, sight.len));
    }
    CHECK_UEQ(raised, atomic_load(&storm->raised));
    CHECK_UEQ(walk.count, held);
    CHECK_UEQ(table_count(storm->table), held);
}

static void *(*role(unsigned thread, unsigned *ret_number))(void *)
{
    static void *(*const roles[])(void *) = {grow, churn, read_all, walk_all};
    static const unsigned counts[] = {1, CHURNERS, READERS, WALKERS};
    unsigned which = 0;
    for (*ret_number = thread; *ret_number >= counts[which]; which++) {
        *ret_number -= counts[which];
    }
    return roles[which];
}

static void run_round(uint32_t shards, uint64_t seed)
{
    static struct storm storm;
    static struct part parts[THREADS];
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
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        unsigned count = atomic_load(&storm.faults[i]);
        ck_assert_msg(count == 0, "%u times %s, seed %llu", count, fault_names[i],
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
