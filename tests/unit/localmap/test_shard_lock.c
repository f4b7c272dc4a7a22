// SPDX-License-Identifier: Apache-2.0
// The shard's lock: threads that would lose additions without it, a convoy behind a holder that is slow on
// purpose, and the ring into which its long waits go.
#include "base/clock.h"
#include "localmap/table/shard_lock.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <pthread.h>
#include <sched.h>

#define THREADS 8
#define ADDITIONS 20000

static struct wait_ring *ring_made(void)
{
    struct wait_ring *ring = NULL;
    CHECK_OK(wait_ring_new(&ring));
    return ring;
}

static struct shard_lock_stats stats_of(const struct shard_lock *lock)
{
    struct shard_lock_stats stats;
    shard_lock_stats(lock, &stats);
    return stats;
}

struct counted {
    struct shard_lock lock;
    uint64_t sum; // guarded by the lock, and by nothing else
};

static void *add_often(void *arg)
{
    struct counted *counted = arg;
    for (unsigned i = 0; i < ADDITIONS; i++) {
        shard_lock_enter(&counted->lock, "test: add_often");
        counted->sum++;
        shard_lock_leave(&counted->lock);
    }
    return NULL;
}

TEST(eight_threads_lose_no_addition)
{
    static struct counted counted;
    struct wait_ring *ring = ring_made();
    shard_lock_init(&counted.lock, 3, ring);
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, add_often, &counted), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_UEQ(counted.sum, THREADS * ADDITIONS);
    const struct shard_lock_stats stats = stats_of(&counted.lock);
    CHECK_UEQ(stats.entries, THREADS * ADDITIONS);
    CHECK_UEQ(stats.holds, THREADS * ADDITIONS / SHARD_LOCK_HOLD_EVERY);
    CHECK(stats.hold_total_ns >= stats.hold_max_ns && stats.hold_max_ns > 0);
    CHECK(stats.wait_total_ns >= stats.wait_max_ns);
    CHECK(stats.inside == NULL);
    wait_ring_free(ring);
}
END_TEST

TEST(the_mark_says_who_is_inside)
{
    struct wait_ring *ring = ring_made();
    struct shard_lock lock;
    shard_lock_init(&lock, 0, ring);
    CHECK(stats_of(&lock).inside == NULL);
    shard_lock_enter(&lock, "test: somebody");
    CHECK_STR(stats_of(&lock).inside, "test: somebody");
    shard_lock_leave(&lock);
    CHECK(stats_of(&lock).inside == NULL);
    CHECK_UEQ(stats_of(&lock).waits, 0);
    wait_ring_free(ring);
}
END_TEST

// --- a convoy

struct convoy {
    struct shard_lock lock;
    void *called_from; // where the last waiter called wait_in_line
};

__attribute__((noinline)) static void wait_in_line(struct convoy *convoy)
{
    void *called_from = __builtin_return_address(0);
    shard_lock_enter(&convoy->lock, "test: waiter");
    convoy->called_from = called_from;
    shard_lock_leave(&convoy->lock);
}

static void *waiter_main(void *arg)
{
    wait_in_line(arg);
    return arg; // not a tail call, or the stack would not show this function
}

// Holds the lock until the waiter has slept for more than a millisecond.
static void hold_long(struct shard_lock *lock)
{
    while (atomic_load_explicit(&lock->word, memory_order_relaxed) != SHARD_LOCK_WAITED) {
        sched_yield();
    }
    const uint64_t began_ns = clock_ns();
    while (clock_ns() - began_ns < 4 * SHARD_LOCK_LONG_NS) {
        sched_yield();
    }
}

static bool stack_has(const struct wait_entry *entry, const void *address)
{
    for (uint32_t i = 0; i < entry->stack_len; i++) {
        if (entry->stack[i] == (uintptr_t)address) {
            return true;
        }
    }
    return false;
}

TEST(a_long_wait_is_kept_with_waiter_holder_and_stack)
{
    static struct convoy convoy;
    struct wait_ring *ring = ring_made();
    shard_lock_init(&convoy.lock, 7, ring);
    const uint64_t began_ns = clock_ns();
    pthread_t waiter;
    shard_lock_enter(&convoy.lock, "test: holder");
    CHECK_EQ(pthread_create(&waiter, NULL, waiter_main, &convoy), 0);
    hold_long(&convoy.lock);
    shard_lock_leave(&convoy.lock);
    pthread_join(waiter, NULL);
    const uint64_t took_ns = clock_ns() - began_ns;

    struct wait_entry entry;
    uint64_t number = 99;
    CHECK_UEQ(wait_ring_next(ring), 1);
    CHECK(wait_ring_get(ring, 0, &entry, &number));
    CHECK_UEQ(number, 0);
    CHECK_STR(entry.waiter, "test: waiter");
    CHECK_STR(entry.holder, "test: holder");
    CHECK_UEQ(entry.shard, 7);
    CHECK(entry.waited_ns >= 4 * SHARD_LOCK_LONG_NS && entry.waited_ns <= took_ns);
    CHECK(entry.ended_ns >= began_ns + entry.waited_ns);
    CHECK(stack_has(&entry, convoy.called_from));

    const struct shard_lock_stats stats = stats_of(&convoy.lock);
    CHECK_UEQ(stats.waits, 1);
    CHECK_UEQ(stats.wait_total_ns, entry.waited_ns);
    CHECK_UEQ(stats.wait_max_ns, entry.waited_ns);
    unsigned bucket = 0;
    while (shard_lock_class_end_ns(bucket) <= entry.waited_ns) {
        bucket++;
    }
    CHECK_UEQ(stats.wait_classes[bucket], 1);
    wait_ring_free(ring);
}
END_TEST

TEST(a_short_wait_is_counted_and_not_kept)
{
    CHECK_UEQ(shard_lock_class_end_ns(0), 1000);
    CHECK_UEQ(shard_lock_class_end_ns(3), SHARD_LOCK_LONG_NS);
    CHECK_UEQ(shard_lock_class_end_ns(6), 1000000000);
    CHECK_UEQ(shard_lock_class_end_ns(SHARD_LOCK_CLASSES - 1), UINT64_MAX);

    struct wait_ring *ring = ring_made();
    struct shard_lock lock;
    shard_lock_init(&lock, 0, ring);
    shard_lock_wait(&lock, "test: found it free again");
    shard_lock_leave(&lock);
    CHECK_UEQ(stats_of(&lock).waits, 1);
    CHECK(stats_of(&lock).wait_max_ns > 0);
    // A machine that stops this thread for a millisecond just here makes it a long wait.
    CHECK_UEQ(wait_ring_next(ring), stats_of(&lock).wait_max_ns >= SHARD_LOCK_LONG_NS);
    wait_ring_free(ring);
}
END_TEST

// --- the ring

TEST(the_ring_keeps_the_last_and_shows_the_gap)
{
    struct wait_ring *ring = ring_made();
    struct wait_entry entry = {.waiter = "test: ring"};
    uint64_t number = 99;
    CHECK(!wait_ring_get(ring, 0, &entry, &number));
    CHECK_UEQ(number, 99);
    for (uint32_t i = 0; i < WAIT_RING_PLACES + 3; i++) {
        entry.shard = i;
        wait_ring_add(ring, &entry);
    }
    CHECK_UEQ(wait_ring_next(ring), WAIT_RING_PLACES + 3);
    for (uint64_t asked = 0; asked < WAIT_RING_PLACES + 3; asked++) {
        CHECK(wait_ring_get(ring, asked, &entry, &number));
        CHECK_UEQ(number, asked < 3 ? 3 : asked);
        CHECK_UEQ(entry.shard, number);
    }
    CHECK(!wait_ring_get(ring, WAIT_RING_PLACES + 3, &entry, &number));
    wait_ring_free(ring);
}
END_TEST

static bool ring_walk(void *arg)
{
    (void)arg;
    struct wait_ring *ring = NULL;
    const enum err err = wait_ring_new(&ring);
    wait_ring_free(ring);
    return err == ERR_OK;
}

TEST(no_memory_for_the_ring_is_an_error)
{
    CHECK(failalloc_each(ring_walk, NULL) > 0);
}
END_TEST

SUITE("localmap/shard_lock", T(eight_threads_lose_no_addition), T(the_mark_says_who_is_inside),
      T(a_long_wait_is_kept_with_waiter_holder_and_stack), T(a_short_wait_is_counted_and_not_kept),
      T(the_ring_keeps_the_last_and_shows_the_gap), T(no_memory_for_the_ring_is_an_error));
