// SPDX-License-Identifier: Apache-2.0
// Makes the n-th allocation of the calling thread fail, so that each error path of a module is walked
// once.  malloc, calloc, realloc and whatever calls them (libraries too) are meant; free is left alone.
//
//     static bool walk(void *arg) { ... return err == ERR_OK; }          // frees what it made, in any case
//     CHECK(failalloc_each(walk, &fixture) > 0);
//
// Works under the sanitizers as well: there it stands before their interceptors, and the leak checker
// then judges the error paths.  No CHECK while it is armed (Check allocates): return false and look after.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// True when everything went well; false when the function under test said that it had no memory.
typedef bool (*failalloc_fn)(void *arg);

// Runs `walk` with its 1st allocation failing, then its 2nd, ... until one run meets no failure; that run
// must give true and every other one may give either.  Aborts after 100,000 runs.
// Returns how many runs had a failure: the number of allocations that `walk` makes.
size_t failalloc_each(failalloc_fn walk, void *arg);

// By hand: arms for the n-th allocation from now (1 is the next); 0 disarms.
void failalloc_arm(size_t nth);
// Disarms.  True when the failure has happened since failalloc_arm.
bool failalloc_disarm(void);
