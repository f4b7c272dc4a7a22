// SPDX-License-Identifier: Apache-2.0
// What one writer changes and any reader copies, without a lock between them: words, and a sequence.
//
//     writer (alone: its owner's lock)             reader
//       open     sequence odd                        begin    wait until even, note it
//       word_set ...                                 word_get ...
//       close    sequence even                       holds    is it the one noted?  else: again
//
// Invariant: what was read between begin and a true holds stood there together at one moment.  Before holds
// said so nothing that was read may be followed (a pointer) or trusted (a length).
//
// Each word is stored with release and loaded with acquire, so that no fence is needed: who has loaded a word
// that was set after the opening also sees the odd sequence when it asks holds (the store of the word is
// ordered behind the store of the sequence, and the load of the sequence behind the load of the word).  On
// x86 both are plain moves.
// A sequence never begins anew, not even when its object becomes another one; the memory below is never given
// back while there are readers (blocks.h).  Any thread.  Private to localmap.  Read next: ordered.h.
#pragma once

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct word {
    atomic_uint_least64_t bits;
};

struct sequence {
    atomic_uint_least64_t value; // odd: being changed
};

#define SEQUENCE_SPINS 64

static inline uint64_t word_get(const struct word *word)
{
    // acquire: no later load, that of the sequence above all, goes before it
    return atomic_load_explicit(&word->bits, memory_order_acquire);
}

static inline void word_set(struct word *word, uint64_t bits)
{
    // release: not before the odd sequence, nor before what it may point to
    atomic_store_explicit(&word->bits, bits, memory_order_release);
}

static inline void *word_pointer(const struct word *word)
{
    return (void *)(uintptr_t)word_get(word);
}

static inline void word_set_pointer(struct word *word, const void *pointer)
{
    word_set(word, (uint64_t)(uintptr_t)pointer);
}

static inline void sequence_open(struct sequence *sequence)
{
    // relaxed: the release of each word that is set after it keeps it in front
    uint64_t value = atomic_load_explicit(&sequence->value, memory_order_relaxed);
    atomic_store_explicit(&sequence->value, value + 1, memory_order_relaxed);
}

static inline void sequence_close(struct sequence *sequence)
{
    uint64_t value = atomic_load_explicit(&sequence->value, memory_order_relaxed);
    // release; pairs with the acquire in sequence_begin: who sees it even sees all that was set
    atomic_store_explicit(&sequence->value, value + 1, memory_order_release);
}

// A writer that lost its processor while the sequence was odd gets it back by the yield.
static inline uint64_t sequence_begin(const struct sequence *sequence)
{
    uint64_t value = 0;
    for (unsigned spins = 0;
         ((value = atomic_load_explicit(&sequence->value, memory_order_acquire)) & 1) != 0;
         spins++) {
        if (spins >= SEQUENCE_SPINS) {
            (void)sched_yield();
        }
    }
    return value;
}

static inline bool sequence_holds(const struct sequence *sequence, uint64_t noted)
{
    // relaxed: kept behind the words by their own acquire
    return atomic_load_explicit(&sequence->value, memory_order_relaxed) == noted;
}
