// SPDX-License-Identifier: Apache-2.0
// Is a history of calls on one key linearizable: can each call be put at one moment between its begin and its
// end, so that in that order each saw what the one before it left?  (Herlihy and Wing 1990.)  The search is
// that of Wing and Gong with the memory of Lowe: which calls have been put, and the value then, are never
// tried twice.
// Pure; one thread.  Read next: test_linear.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINEAR_CALLS_MAX 64

// Values are numbers; 0: the key is not there.
struct linear_call {
    uint64_t begin, end; // of one clock for all threads; begin < end, no two moments are equal
    uint64_t saw;
    uint64_t left; // equal to `saw` for one that only read
};

// false: no order explains the history, `first` being the value before it.
bool linear_check(const struct linear_call *calls, size_t count, uint64_t first);
