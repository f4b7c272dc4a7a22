// SPDX-License-Identifier: Apache-2.0
// Single keys of a table are linearizable: eight threads read, change and remove a few keys, each call notes
// when it began and ended, what it saw and what it left, and linear.c looks for an order that explains it.
// That it would refuse one is shown by histories made by hand, and by a change that was taken apart into a
// read and a store.
#include "base/random.h"
#include "localmap/table/table.h"
#include "tests/lib/sanitizer.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/linear.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define THREADS 8
#define CALLS 8 // of a thread in a round, which is one history of each key
#define KEYS 2
#define ROUNDS (SANITIZER_THREAD ? 300 : 3000)
#define VALUE_MAX 4000
_Static_assert(THREADS *CALLS <= LINEAR_CALLS_MAX, "a history holds all calls of a round");

// --- by hand

TEST(an_order_is_found_where_there_is_one_and_only_there)
{
    const struct {
        const char *what;
        bool good;
        struct linear_call calls[6];
    } rows[] = {
        {"nothing happened", true, {{0}}},
        {"a read of what is there", true, {{1, 2, 7, 7}}},
        {"a read of what is not there", false, {{1, 2, 8, 8}}},
        {"a change, then a read of it", true, {{1, 2, 7, 1}, {3, 4, 1, 1}}},
        {"a change, then a read of what was before", false, {{1, 2, 7, 1}, {3, 4, 7, 7}}},
        {"a read beside a change sees it", true, {{1, 4, 7, 1}, {2, 3, 1, 1}}},
        {"a read beside a change does not see it", true, {{1, 4, 7, 1}, {2, 3, 7, 7}}},
        {"beside a change the new value, then the old one",
         false,
         {{1, 8, 7, 1}, {2, 3, 1, 1}, {4, 5, 7, 7}}},
        {"the same, but the reads overlap", true, {{1, 8, 7, 1}, {2, 5, 1, 1}, {3, 4, 7, 7}}},
        {"two changes one after the other", true, {{1, 2, 7, 1}, {3, 4, 1, 2}}},
        {"two changes of the same value: one is lost", false, {{1, 4, 7, 1}, {2, 3, 7, 2}}},
        {"a removal, then a key that is not there", true, {{1, 2, 7, 0}, {3, 4, 0, 0}}},
        {"a removal, then the key as it was", false, {{1, 2, 7, 0}, {3, 4, 7, 7}}},
        {"three in a chain, told backwards",
         true,
         {{1, 9, 2, 3}, {2, 8, 1, 2}, {3, 7, 7, 1}, {10, 11, 3, 3}}},
        {"that chain, and a read of its middle after its end",
         false,
         {{1, 9, 2, 3}, {2, 8, 1, 2}, {3, 7, 7, 1}, {10, 11, 2, 2}}},
        {"of two threads each sees the other's change first",
         false,
         {{1, 2, 7, 1}, {3, 10, 1, 2}, {4, 5, 2, 2}, {6, 7, 1, 1}}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t count = 0;
        while (count < 6 && rows[i].calls[count].end != 0) {
            count++;
        }
        ck_assert_msg(linear_check(rows[i].calls, count, 7) == rows[i].good, "%s", rows[i].what);
    }
}

// --- a table and its threads

struct noted {
    size_t key;
    struct linear_call call;
};

struct stage {
    struct table *table;
    atomic_uint_fast64_t clock; // sequentially consistent: its order is that of the calls
    pthread_barrier_t begin, between, end;
    bool apart; // a change is a read, then a store of what it makes of that
    unsigned rounds;
};

struct worker {
    struct stage *stage;
    uint64_t number;
    struct random random;
    struct noted noted[CALLS];
};

static struct table_key key_of(const struct table *table, size_t key)
{
    static const char *const names[KEYS] = {"key", "another key, which is longer"};
    return table_key(table, span_str(names[key]));
}

// A value is its number, zeros, and its number again; how long it is depends on the number: so it moves from
// slot to slot.  UINT64_MAX: it is not whole.
static uint64_t value_number(struct span value)
{
    uint64_t number = UINT64_MAX; // which nobody has ever stored
    uint64_t last = 0;
    if (value.ptr == NULL) {
        return 0;
    }
    if (value.len >= sizeof(number)) {
        memcpy(&number, value.ptr, sizeof(number));
        memcpy(&last, value.ptr + value.len - sizeof(last), sizeof(last));
    }
    return number == last ? number : UINT64_MAX;
}

static size_t value_len(uint64_t number)
{
    return 2 * sizeof(number) + number * 37 % (VALUE_MAX - 2 * sizeof(number));
}

static void look(void *arg, struct span value)
{
    uint64_t *number = arg;
    *number = value_number(value);
}

static uint64_t read_key(const struct table *table, size_t key)
{
    uint64_t number = 0;
    const struct table_key bytes = key_of(table, key);
    (void)table_read(table, &bytes, look, &number);
    return number;
}

struct change {
    struct linear_call *call;
    bool blind; // what was seen was seen before
    char value[VALUE_MAX];
};

static enum table_verdict decide(void *arg, struct span old, struct table_value *ret_new)
{
    struct change *change = arg;
    if (!change->blind) {
        change->call->saw = value_number(old);
    }
    if (change->call->left == 0) {
        return old.ptr == NULL ? TABLE_KEEP : TABLE_REMOVE;
    }
    ret_new->body = span_of(change->value, value_len(change->call->left));
    return TABLE_STORE;
}

static void change_key(struct stage *stage, size_t key, struct linear_call *call)
{
    struct change change = {.call = call, .blind = stage->apart};
    const struct table_key bytes = key_of(stage->table, key);
    const struct table_change update = {
        .decide = decide, .arg = &change, .room = value_len(call->left), .create = true};
    memset(change.value, 0, sizeof(change.value));
    memcpy(change.value, &call->left, sizeof(call->left));
    memcpy(change.value + value_len(call->left) - sizeof(call->left), &call->left,
           sizeof(call->left));
    if (stage->apart) {
        call->saw = read_key(stage->table, key);
        pthread_barrier_wait(&stage->between);
    }
    CHECK_OK(table_update(stage->table, &bytes, &update));
}

static void act(struct worker *worker, struct noted *noted, uint64_t fresh)
{
    struct stage *stage = worker->stage;
    uint64_t what = random_below(&worker->random, 8);
    noted->key = stage->apart ? 0 : (size_t)random_below(&worker->random, KEYS);
    noted->call.begin = atomic_fetch_add(&stage->clock, 1) + 1;
    if (what < 4 && !stage->apart) {
        noted->call.saw = read_key(stage->table, noted->key);
        noted->call.left = noted->call.saw;
    } else {
        noted->call.left = what == 7 && !stage->apart ? 0 : fresh;
        change_key(stage, noted->key, &noted->call);
    }
    noted->call.end = atomic_fetch_add(&stage->clock, 1) + 1;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    uint64_t fresh = worker->number;
    for (unsigned round = 0; round < worker->stage->rounds; round++) {
        pthread_barrier_wait(&worker->stage->begin);
        for (size_t i = 0; i < CALLS; i++) {
            fresh += THREADS;
            act(worker, &worker->noted[i], fresh);
        }
        pthread_barrier_wait(&worker->stage->end);
    }
    return NULL;
}

// The calls of all threads on one key.
static size_t gather(const struct worker *workers, size_t key, struct linear_call *calls)
{
    size_t count = 0;
    for (size_t i = 0; i < THREADS * CALLS; i++) {
        const struct noted *noted = &workers[i / CALLS].noted[i % CALLS];
        if (noted->key == key) {
            calls[count++] = noted->call;
        }
    }
    return count;
}

// How many calls began while another one was under way.
static unsigned overlaps(const struct linear_call *calls, size_t count)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            sum += calls[j].begin < calls[i].begin && calls[i].begin < calls[j].end ? 1 : 0;
        }
    }
    return sum;
}

struct outcome {
    unsigned refused; // histories
    unsigned overlaps;
};

// One history of each key.
static void run_round(struct stage *stage, const struct worker *workers, struct outcome *outcome)
{
    struct linear_call calls[LINEAR_CALLS_MAX];
    uint64_t first[KEYS];
    for (size_t key = 0; key < KEYS; key++) {
        first[key] = read_key(stage->table, key);
    }
    pthread_barrier_wait(&stage->begin);
    pthread_barrier_wait(&stage->end);
    for (size_t key = 0; key < KEYS; key++) {
        size_t count = gather(workers, key, calls);
        outcome->refused += linear_check(calls, count, first[key]) ? 0 : 1;
        outcome->overlaps += overlaps(calls, count);
    }
}

static struct outcome run(bool apart, unsigned rounds)
{
    static struct worker workers[THREADS];
    static struct stage stage;
    pthread_t threads[THREADS];
    struct outcome outcome = {0, 0};
    stage.apart = apart;
    stage.rounds = rounds;
    CHECK_OK(table_new(1, &stage.table));
    pthread_barrier_init(&stage.begin, NULL, THREADS + 1);
    pthread_barrier_init(&stage.between, NULL, THREADS);
    pthread_barrier_init(&stage.end, NULL, THREADS + 1);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].stage = &stage;
        workers[i].number = i + 1;
        random_seed(&workers[i].random, i);
        CHECK_EQ(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned round = 0; round < rounds; round++) {
        run_round(&stage, workers, &outcome);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&stage.begin);
    pthread_barrier_destroy(&stage.between);
    pthread_barrier_destroy(&stage.end);
    table_free(stage.table);
    return outcome;
}

TEST(what_threads_see_of_a_key_is_what_one_after_the_other_would_see)
{
    const struct outcome outcome = run(false, ROUNDS);
    CHECK_UEQ(outcome.refused, 0);
    CHECK_INT(outcome.overlaps, gt, ROUNDS / 100); // else this would prove nothing
}

TEST(a_change_that_is_taken_apart_is_refused)
{
    CHECK_INT(run(true, 3).refused, gt, 0);
}

SUITE("localmap/table (linear)", T(an_order_is_found_where_there_is_one_and_only_there),
      T(what_threads_see_of_a_key_is_what_one_after_the_other_would_see),
      T(a_change_that_is_taken_apart_is_refused));
