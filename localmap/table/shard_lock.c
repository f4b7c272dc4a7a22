// SPDX-License-Identifier: Apache-2.0
#include "localmap/table/shard_lock.h"

#include "base/assert.h"
#include "base/clock.h"
#include "localmap/table/pause.h"
#include "localmap/table/trace.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Who meets another writer by chance looks all the time: he has the lock after less than a write takes.  A sleep would
// cost ten writes, and where there are more threads than cores a turn of all of them.  But two writers of one hot key that
// look all the time take turns at each write, and the value goes to and fro between their caches; so whoever finds
// that the last wait was just now, or who has looked for long, leaves the other one time for dozens between two looks.
#define WAITS_APART 4   // entries between two waits that are chance
#define LOOKS 40        // all the time: half a microsecond
#define LOOKS_BRIEF 200 // at one who is gone after a microsecond
#define LOOKS_APART 10  // then, and a sleep behind them
#define PAUSES_APART 64
#define PAUSES_LET 100 // a microsecond

_Static_assert(sizeof(struct shard_lock) == 128, "two cache lines");

void shard_lock_init(struct shard_lock *lock, uint32_t shard, struct wait_ring *ring)
{
    memset(lock, 0, sizeof(*lock));
    lock->shard = shard;
    lock->ring = ring;
}

uint64_t shard_lock_class_end_ns(unsigned number)
{
    uint64_t end_ns = 1000;
    for (unsigned i = 0; i < number; i++) {
        end_ns *= 10;
    }
    return number < SHARD_LOCK_CLASSES - 1 ? end_ns : UINT64_MAX;
}

// --- waiting

static bool is_brief(const struct shard_lock *lock)
{
    return atomic_load_explicit(&lock->brief, memory_order_relaxed);
}

static bool try_take(struct shard_lock *lock)
{
    uint32_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
    return word == SHARD_LOCK_FREE &&
           atomic_compare_exchange_strong_explicit(&lock->word, &word, SHARD_LOCK_HELD,
                                                   memory_order_acquire, memory_order_relaxed);
}

static bool waited_just_now(const struct shard_lock *lock)
{
    const uint64_t entries = atomic_load_explicit(&lock->entries, memory_order_relaxed);
    return entries - atomic_load_explicit(&lock->last_wait, memory_order_relaxed) < WAITS_APART;
}

static bool spin(struct shard_lock *lock)
{
    const unsigned looks = waited_just_now(lock) ? 0 : LOOKS;
    for (unsigned i = 0; i < looks || (i < LOOKS_BRIEF && is_brief(lock)); i++) {
        pause_core();
        if (try_take(lock)) {
            return true;
        }
    }
    for (unsigned left = LOOKS_APART; left > 0; left--) {
        for (unsigned i = 0; i < PAUSES_APART; i++) {
            pause_core();
        }
        if (try_take(lock)) {
            return true;
        }
    }
    return false;
}

// Takes the lock as WAITED: whoever has slept cannot know whether others sleep, so that leaving wakes one in
// any case.  When the wait has become long the stack is taken, while it costs nobody's time.
static void sleep_and_take(struct shard_lock *lock, struct wait_entry *entry)
{
    const struct timespec while_short = {.tv_nsec = SHARD_LOCK_LONG_NS};
    // acquire; pairs with the release of leaving.
    while (atomic_exchange_explicit(&lock->word, SHARD_LOCK_WAITED, memory_order_acquire) !=
           SHARD_LOCK_FREE) {
        const bool is_long = entry->stack_len > 0;
        // Any failure (the word changed, a signal, the time is over) means the same: look again.
        const long slept = syscall(SYS_futex, &lock->word, FUTEX_WAIT_PRIVATE, SHARD_LOCK_WAITED,
                                   is_long ? NULL : &while_short, NULL, 0);
        if (slept != 0 && errno == ETIMEDOUT) {
            wait_stack(entry);
        }
    }
}

static uint64_t told(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

// Whoever counts is inside: a plain addition that readers see whole.
static void add(_Atomic uint64_t *sum, uint64_t more)
{
    atomic_store_explicit(sum, told(sum) + more, memory_order_relaxed);
}

static void raise_to(_Atomic uint64_t *max, uint64_t value)
{
    if (value > told(max)) {
        atomic_store_explicit(max, value, memory_order_relaxed);
    }
}

// A short wait is of interest only while somebody records; a long one goes into the ring in any case.
static void tell_wait(const struct shard_lock *lock, struct wait_entry *entry)
{
    if (entry->waited_ns < SHARD_LOCK_LONG_NS) {
        const struct trace_event event = {.kind = TRACE_WAIT,
                                          .shard = entry->shard,
                                          .site = entry->waiter,
                                          .other = entry->holder,
                                          .began_ns = entry->ended_ns - entry->waited_ns,
                                          .took_ns = entry->waited_ns};
        trace_add(wait_ring_trace(lock->ring), &event);
        return;
    }
    if (entry->stack_len == 0) {
        wait_stack(entry); // many short sleeps, or one that was woken in time and started late
    }
    entry->thread = (uint32_t)gettid();
    wait_ring_add(lock->ring, entry);
}

static void count_wait(struct shard_lock *lock, const struct wait_entry *entry)
{
    unsigned number = 0;
    while (entry->waited_ns >= shard_lock_class_end_ns(number)) {
        number++;
    }
    const uint32_t count = atomic_load_explicit(&lock->waits[number], memory_order_relaxed);
    atomic_store_explicit(&lock->waits[number], count + 1, memory_order_relaxed);
    add(&lock->wait_total_ns, entry->waited_ns);
    raise_to(&lock->wait_max_ns, entry->waited_ns);
}

void shard_lock_wait(struct shard_lock *lock, const char *site)
{
    const uint64_t began_ns = clock_ns();
    struct wait_entry entry;
    entry.waiter = site;
    entry.holder = atomic_load_explicit(&lock->inside, memory_order_relaxed);
    entry.shard = lock->shard;
    entry.stack_len = 0;
    atomic_fetch_add_explicit(&lock->waiting, 1, memory_order_relaxed);
    if (!spin(lock)) {
        sleep_and_take(lock, &entry);
    }
    atomic_fetch_sub_explicit(&lock->waiting, 1, memory_order_relaxed);
    atomic_store_explicit(&lock->last_wait, told(&lock->entries), memory_order_relaxed);
    entry.ended_ns = clock_ns();
    entry.waited_ns = entry.ended_ns - began_ns;
    count_wait(lock, &entry);
    tell_wait(lock, &entry);
}

void shard_lock_let(const struct shard_lock *lock)
{
    for (unsigned i = 0; i < PAUSES_LET; i++) {
        if (atomic_load_explicit(&lock->waiting, memory_order_relaxed) == 0) {
            return;
        }
        pause_core();
    }
}

void shard_lock_wake(struct shard_lock *lock)
{
    // It cannot fail: the word is there.  That nobody slept any more is no failure.
    syscall(SYS_futex, &lock->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

// --- telling

void shard_lock_hold_begins(struct shard_lock *lock)
{
    atomic_store_explicit(&lock->hold_began_ns, clock_ns(), memory_order_relaxed);
}

void shard_lock_hold_ends(struct shard_lock *lock)
{
    const uint64_t held_ns = clock_ns() - told(&lock->hold_began_ns);
    atomic_store_explicit(&lock->hold_began_ns, 0, memory_order_relaxed);
    add(&lock->hold_total_ns, held_ns);
    raise_to(&lock->hold_max_ns, held_ns);
}

_Noreturn void shard_lock_collision(const struct shard_lock *lock, const char *site,
                                    const char *other)
{
    char text[512];
    snprintf(text, sizeof(text), "one writer at a time in shard %u: %s found %s inside",
             (unsigned)lock->shard, site, other);
    assert_failed(text, __FILE__, __LINE__, __func__);
}

void shard_lock_stats(const struct shard_lock *lock, struct shard_lock_stats *ret_stats)
{
    *ret_stats = (struct shard_lock_stats){
        .entries = told(&lock->entries),
        .wait_total_ns = told(&lock->wait_total_ns),
        .wait_max_ns = told(&lock->wait_max_ns),
        .hold_total_ns = told(&lock->hold_total_ns),
        .hold_max_ns = told(&lock->hold_max_ns),
        .inside = atomic_load_explicit(&lock->inside, memory_order_relaxed),
    };
    ret_stats->holds = ret_stats->entries / SHARD_LOCK_HOLD_EVERY;
    for (unsigned i = 0; i < SHARD_LOCK_CLASSES; i++) {
        ret_stats->wait_classes[i] = atomic_load_explicit(&lock->waits[i], memory_order_relaxed);
        ret_stats->waits += ret_stats->wait_classes[i];
    }
}
