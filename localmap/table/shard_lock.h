// SPDX-License-Identifier: Apache-2.0
// The lock of one shard of the table: a mutex that says who is inside, and that knows how long was waited.
//
//     word     FREE <--> HELD           enter: one compare-and-swap; leave: one exchange
//               ^          |
//               +- WAITED <+            somebody sleeps (futex) until the holder leaves and wakes one
//     inside   the call site of the writer that is inside, NULL: nobody
//
// Two things are one here on purpose.  The word keeps others out.  The mark `inside` finds out when it did not:
// it is no lock and depends on none, so a writer that is inside although another one is ends the process and
// names both, in every build.  It sees nearly all such meetings and not each one (two may look at one instant),
// which is enough to make a missing lock red at once.
//
// The lock is not fair: who leaves may come back before the one that it woke has started.  Few cores do more in
// bursts, and the value stays in the cache of the core that writes it.
// Any thread.  Rank 30.  Read next: shard_lock.c for what happens to those who wait.
#pragma once

#include "localmap/table/wait_ring.h"

#include <stdatomic.h>

enum { SHARD_LOCK_FREE, SHARD_LOCK_HELD, SHARD_LOCK_WAITED };

// Upper ends of the classes of waits in ns, the last class has none: 1 us, 10 us, ... 1 s.
#define SHARD_LOCK_CLASSES 8
#define SHARD_LOCK_HOLD_EVERY 256 // of so many holds one is timed
#define SHARD_LOCK_LONG_NS 1000000

// Two cache lines: what every writer touches, then what only those touch who waited or are timed.
// Whoever is inside writes these numbers, with plain stores; whoever wants to know reads them meanwhile.
struct shard_lock {
    // compare-and-swap: acquire; leaving: release; they pair with each other.
    _Alignas(64) _Atomic uint32_t word;
    uint32_t shard;
    _Atomic(const char *) inside;   // relaxed: it must say what the word does not order
    _Atomic uint64_t entries;       // relaxed, as all below: a number for people
    _Atomic uint64_t hold_began_ns; // 0: this hold is not timed
    struct wait_ring *ring;         // borrowed
    _Atomic uint64_t last_wait;     // `entries` as they were then
    _Atomic uint32_t waiting;       // relaxed: how many are in shard_lock_wait
    atomic_bool
        brief; // relaxed: who is inside leaves after a microsecond, so it is not worth sleeping

    _Alignas(64) _Atomic uint64_t hold_total_ns;
    _Atomic uint64_t hold_max_ns;
    _Atomic uint64_t wait_total_ns;
    _Atomic uint64_t wait_max_ns;
    _Atomic uint32_t waits[SHARD_LOCK_CLASSES];
};

// Of one lock, since it was made.  Each number is exact by itself; they need not be of one instant.
struct shard_lock_stats {
    uint64_t entries; // how often a writer came in
    uint64_t waits;   // how often somebody had to wait
    uint64_t wait_total_ns;
    uint64_t wait_max_ns;
    uint64_t wait_classes[SHARD_LOCK_CLASSES];
    uint64_t holds; // that were timed
    uint64_t hold_total_ns;
    uint64_t hold_max_ns;
    const char *inside; // who is inside now; NULL: nobody
};

// `ring`: where long waits go; borrowed as long as the lock lives.
void shard_lock_init(struct shard_lock *lock, uint32_t shard, struct wait_ring *ring);
void shard_lock_stats(const struct shard_lock *lock, struct shard_lock_stats *ret_stats);

// The upper end of a class in ns; the last one's is UINT64_MAX.
uint64_t shard_lock_class_end_ns(unsigned number);

// What the fast path leaves to shard_lock.c.
void shard_lock_wait(struct shard_lock *lock, const char *site);
void shard_lock_wake(struct shard_lock *lock);
void shard_lock_hold_begins(struct shard_lock *lock);
void shard_lock_hold_ends(struct shard_lock *lock);
_Noreturn void shard_lock_collision(const struct shard_lock *lock, const char *site,
                                    const char *other);

static inline void shard_lock_take(struct shard_lock *lock, const char *site)
{
#ifndef SHARD_LOCK_TAKEN_OUT // only a test of the mark defines it
    uint32_t expected = SHARD_LOCK_FREE;
    if (__builtin_expect(
            !atomic_compare_exchange_strong_explicit(&lock->word, &expected, SHARD_LOCK_HELD,
                                                     memory_order_acquire, memory_order_relaxed),
            0)) {
        shard_lock_wait(lock, site);
    }
#else
    (void)lock;
    (void)site;
#endif
}

static inline void shard_lock_give(struct shard_lock *lock)
{
#ifndef SHARD_LOCK_TAKEN_OUT
    if (__builtin_expect(atomic_exchange_explicit(&lock->word, SHARD_LOCK_FREE,
                                                  memory_order_release) == SHARD_LOCK_WAITED,
                         0)) {
        shard_lock_wake(lock);
    }
#else
    (void)lock;
#endif
}

// A load and a store without a locked instruction: what another writer left here is seen because writers that
// are both inside run at one time, not because something orders them.
static inline void shard_lock_mark(struct shard_lock *lock, const char *site)
{
    const char *other = atomic_load_explicit(&lock->inside, memory_order_relaxed);
    if (__builtin_expect(other != NULL, 0)) {
        shard_lock_collision(lock, site, other);
    }
    atomic_store_explicit(&lock->inside, site, memory_order_relaxed);
}

static inline void shard_lock_unmark(struct shard_lock *lock)
{
    atomic_store_explicit(&lock->inside, NULL, memory_order_relaxed);
}

// `site`: "file: function" of the caller, text that lives as long as the program; not NULL.
static inline void shard_lock_enter(struct shard_lock *lock, const char *site)
{
    shard_lock_take(lock, site);
    shard_lock_mark(lock, site);
    const uint64_t entries = atomic_load_explicit(&lock->entries, memory_order_relaxed) + 1;
    atomic_store_explicit(&lock->entries, entries, memory_order_relaxed);
    if (__builtin_expect(entries % SHARD_LOCK_HOLD_EVERY == 0, 0)) {
        shard_lock_hold_begins(lock);
    }
}

// As shard_lock_enter, for housekeeping: neither counted nor timed, so that the numbers are those of writes.
static inline void shard_lock_visit(struct shard_lock *lock, const char *site)
{
    shard_lock_take(lock, site);
    shard_lock_mark(lock, site);
}

static inline void shard_lock_leave(struct shard_lock *lock)
{
    if (__builtin_expect(atomic_load_explicit(&lock->hold_began_ns, memory_order_relaxed) != 0,
                         0)) {
        shard_lock_hold_ends(lock);
    }
    shard_lock_unmark(lock);
    shard_lock_give(lock);
}

// For who has left and wants to come back at once: lets one go first who is waiting, for a microsecond at most.
// Without it whoever comes back soon nearly always finds the lock free before one that watches it does.
void shard_lock_let(const struct shard_lock *lock);

// For who comes often and stays for less than a sleep would take: after entering, true; before leaving, false.
static inline void shard_lock_brief(struct shard_lock *lock, bool brief)
{
    atomic_store_explicit(&lock->brief, brief, memory_order_relaxed);
}
